# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The companion processes that provide tunnel devices; each is stopped by the name of its device."""

from __future__ import annotations

from pathlib import Path

from ..model.errors import OverlayError
from .log import log


def kill_process(folder: Path, name: str) -> int | None:
    """Kill a companion process that does not answer; return its process ID, None if it is not ours."""
    from .companion import Companion  # most hosts do not need it

    return Companion(name, folder).kill()


def stop_process(folder: Path, device: str) -> None:
    """Stop the process that provides a device, if there is one; a failure is logged. ``folder``: overlayd's state."""
    if not any((folder / f"{device}.{kind}").exists() for kind in ("companion", "lock")):
        return
    from .companion import Companion  # most hosts do not need it

    try:
        Companion(device, folder).stop()
    except OverlayError as error:
        log.error("process %s was not stopped: %s", device, error)
