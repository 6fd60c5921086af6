# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The settings in the agent's environment file on the target."""

from __future__ import annotations

import re
from pathlib import Path

from ..model.errors import StoreError

AGENT_FILE = Path("/etc/overlayd/overlayd.env")


def read_settings(path: Path) -> dict[str, str]:
    """Return the variables of the agent's environment file, {} if it does not exist; raise StoreError."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise StoreError(
            f"no etcd endpoint is set, and the agent's settings in {path} cannot be read: {error.strerror}; "
            f"run this as root (with become in a playbook), or set the etcd endpoints"
        ) from None
    variables: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or not name.startswith("FLANNELD_"):
            continue
        try:
            variables[name] = _unquoted(value.strip())
        except ValueError:
            raise StoreError(f"{path}: the quotes around the value of {name} do not match; correct them") from None
    return variables


def _unquoted(text: str) -> str:
    """Return a value of an environment file without its quotes (systemd.exec(5), EnvironmentFile=)."""
    quote = text[:1]
    if quote not in ("'", '"'):
        return re.sub(r"\\(.)", r"\1", text)
    if len(text) < 2 or text[-1] != quote:
        raise ValueError("no closing quote")
    return text[1:-1] if quote == "'" else re.sub(r'\\([\\"$`])', r"\1", text[1:-1])
