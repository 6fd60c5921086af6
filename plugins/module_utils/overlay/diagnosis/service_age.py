# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files that a systemd service read at its start, compared with the time of that start."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

UNITS = Path("/run/systemd/units")


def is_started(unit: str, units: Path = UNITS) -> bool:
    """Return whether the service was started and not stopped since. A unit has its suffix, as in etcd.service."""
    return _start(unit, units) is not None


def changed_since_start(unit: str, files: Iterable[str], units: Path = UNITS) -> list[str]:
    """Return the existing files that changed after the service was started; none if it is not started.

    A replaced file, a link that points elsewhere, and new permissions are changes. A file that changes between the
    start and the moment the process reads it counts as changed: one restart too many, never one too few.
    """
    start = _start(unit, units)
    if start is None:
        return []
    return [file for file in files if os.path.lexists(file) and os.lstat(file).st_ctime_ns > start]


def _start(unit: str, units: Path) -> int | None:
    """Return when the service was started (nanoseconds); None if it is not started.

    systemd creates this link with the invocation ID before each start, an automatic restart included, and deletes
    it when the unit has stopped.
    """
    try:
        return os.lstat(units / f"invocation:{unit}").st_ctime_ns
    except FileNotFoundError:
        return None
