# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lock that allows one overlayd on a host: all share the firewall chains and the subnet file."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ..model.errors import OverlayError


def lock_file(memory_file: Path) -> Path:
    """Return the path of the lock file, in the folder of the memory file."""
    return memory_file.parent / "overlayd.lock"


def hold_lock(memory_file: Path) -> None:
    """Take the lock until the process ends; raise OverlayError if another process holds it."""
    path = lock_file(memory_file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OverlayError(
            f"another overlayd already runs on this host: {path} is locked; stop it first, because a host can take "
            f"part in one network only"
        ) from None
    except OSError as error:
        raise OverlayError(f"--state-dir {path.parent} cannot be used: {error.strerror}; choose another") from error


def is_held(memory_file: Path) -> bool:
    """Return whether an overlayd runs on this host; raise OverlayError if the lock file cannot be read."""
    path = lock_file(memory_file)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OverlayError(f"cannot find out whether overlayd runs: cannot read {path}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
