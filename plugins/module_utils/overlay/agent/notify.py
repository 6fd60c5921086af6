# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Notifications to systemd about the state of the service (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import socket

_PAUSE = 5.0  # seconds between two keep-alive notifications if the service manager has no watchdog


def watchdog_pause() -> float:
    """Return the seconds between two notifications WATCHDOG=1: half of the time that the service manager allows."""
    try:
        return int(os.environ["WATCHDOG_USEC"]) / 2e6
    except (KeyError, ValueError):
        return _PAUSE


def notify(*lines: str) -> None:
    """Send lines such as READY=1 or STATUS=text to the service manager; do nothing without one."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    # A failed notification must not end overlayd.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.sendto("\n".join(lines).encode(), address)
