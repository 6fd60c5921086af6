# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One overlayd at a time on a host, as all share the firewall chains and the subnet file: a lock beside the memory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ..model.errors import OverlayError


def lock_file(memory_file: Path) -> Path:
    """Return the file that is locked."""
    return memory_file.parent / "overlayd.lock"


def hold_lock(memory_file: Path) -> None:
    """Hold the right to run on this host, for as long as the process lives; raise OverlayError."""
    path = lock_file(memory_file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OverlayError(
            f"another overlayd already runs on this host ({path} is held); "
            f"stop it first: a host takes part in one network"
        ) from None
    except OSError as error:
        raise OverlayError(f"--state-dir {path.parent} cannot be used: {error.strerror}") from error


def is_held(memory_file: Path) -> bool:
    """Return whether an overlayd runs on this host; raise OverlayError where that cannot be told."""
    path = lock_file(memory_file)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OverlayError(f"{path} cannot be read, which tells whether overlayd runs: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
