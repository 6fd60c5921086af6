# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayctl log: what overlayd changed and which problems it had, from the journal, one line each."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ..model.errors import OverlayError
from . import text
from .events import event_of

UNIT = "overlayd.service"
_COLOURS = {"ERROR": "error", "WARNING": "warning"}


def log(lines: int, since: str, follow: bool, as_json: bool) -> int:
    """Print the last lines of overlayd; with ``follow`` also new ones, until Ctrl-C."""
    command = ["journalctl", f"--unit={UNIT}", "--identifier=overlayd", "--output=json", "--no-pager"]
    command += [f"--lines={lines}", *([f"--since={since}"] if since else []), *(["--follow"] if follow else [])]
    try:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="replace"
        ) as journal:
            shown = False
            for entry in _entries(journal):
                shown = True
                text.show(json.dumps(entry) if as_json else line_of(entry))
            errors = journal.stderr.read() if journal.stderr else ""
    except OSError as error:
        raise OverlayError(
            f"journalctl cannot be run: {error.strerror}; install systemd's journalctl, which reads overlayd's log"
        ) from error
    if journal.returncode:
        raise OverlayError(f"journalctl failed: {' '.join(errors.split())}")
    if not shown:
        text.remark(f"the journal has no lines of {UNIT} in this time")
    return 0


def _entries(journal: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    for line in journal.stdout or ():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and isinstance(found.get("MESSAGE"), str):
            yield entry_of(found)


def entry_of(found: dict[str, Any]) -> dict[str, Any]:
    """Return time, level, event and text of a line of the journal; overlayd writes its level as the first word."""
    message = found["MESSAGE"]
    level, _unused, rest = message.partition(" ")
    level, words = (level, rest) if level in ("ERROR", "WARNING", "INFO", "DEBUG") else ("INFO", message)
    time = int(found.get("__REALTIME_TIMESTAMP", 0)) / 1e6
    return {"time": time, "level": level, "event": event_of(level, words), "text": words}


def line_of(entry: dict[str, Any]) -> str:
    """Return the line for people."""
    when = datetime.fromtimestamp(entry["time"]).strftime("%Y-%m-%d %H:%M:%S")
    colour = _COLOURS.get(entry["level"])
    level = f"{entry['level'].lower()}: " if colour else ""
    return f"{when}  {text.coloured(level + entry['text'], colour) if colour else entry['text']}"
