# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pauses between attempts to reach etcd during an outage: short at first, longer later, spread over the fleet."""

from __future__ import annotations

import random
import time

FIRST_PAUSE, LAST_PAUSE = 0.5, 2.0  # seconds between two attempts
PAUSE_SHARE = 1 / 60  # pause as a share of the outage so far: one second after one minute
ATTEMPTS = 2000  # maximum of attempts per second of the whole fleet
RESYNC = 60.0  # seconds after an outage within which a host reads the whole network again
RESYNCS = 20  # full reads per second of the whole fleet after an outage


class Outage:
    """An outage of etcd that begins now, on one host of a fleet."""

    def __init__(self, hosts: int) -> None:
        """``hosts`` is the size of the fleet, 0 if it is not known."""
        self._hosts = hosts
        self._began = time.monotonic()

    def pause(self) -> float:
        """Return the seconds to wait before the next attempt."""
        return longest_pause(time.monotonic() - self._began, self._hosts) * random.uniform(0.5, 1.0)

    def resync_pause(self) -> float:
        """Return the seconds from the end of the outage to the next full read of etcd.

        The full read is necessary because a watch that continues after its last event misses data that was restored
        from a backup.
        """
        return max(RESYNC, self._hosts / RESYNCS) * random.uniform(0.5, 1.0)


def longest_pause(away: float, hosts: int) -> float:
    """Return the longest pause in seconds after ``away`` seconds of outage; the shortest pause is half of it."""
    return max(min(max(away * PAUSE_SHARE, FIRST_PAUSE), LAST_PAUSE), hosts / ATTEMPTS)
