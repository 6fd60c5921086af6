# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayctl doctor: names what is wrong with this host, the cause first."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..diagnosis.checks import diagnose
from ..diagnosis.finding import Finding
from ..diagnosis.gather import gather
from ..diagnosis.setup import Setup
from . import text

SOUND, PROBLEM = 0, 1
_INDENT = 9
NOTHING = "no problems found"


def doctor(setup: Setup, as_json: bool) -> int:
    """Print the findings; return 1 if one is a problem, else 0."""
    found = diagnose(gather(setup))
    if as_json:
        text.show(json.dumps({"findings": [one.facts() for one in found], "sound": is_sound(found)}, indent=2))
    else:
        text.show("\n".join(lines_of(found)))
    return SOUND if is_sound(found) else PROBLEM


def is_sound(found: Sequence[Finding]) -> bool:
    """Whether no finding is more than a note."""
    return not any(one.is_problem for one in found)


def lines_of(found: Sequence[Finding]) -> list[str]:
    """Return the lines for people."""
    lines = [text.coloured(NOTHING, "ok")] if is_sound(found) else []
    for one in found:
        lines += [
            f"{text.coloured(one.severity, one.severity)}: {text.coloured(one.name, 'bold')}",
            text.wrapped("", one.text, 2).rstrip(),
            text.wrapped("  cause: ", one.cause, _INDENT),
            text.wrapped("  cure:  ", one.cure, _INDENT),
        ]
    return lines
