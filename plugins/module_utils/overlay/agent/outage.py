# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How often a host asks for etcd during an outage: soon at first, later less often, never the whole fleet at once."""

from __future__ import annotations

import random
import time

FIRST_PAUSE, LAST_PAUSE = 0.5, 2.0  # seconds between two attempts
PAUSE_SHARE = 1 / 60  # of the time that etcd has been away: a pause is a second after one minute
ATTEMPTS = 2000  # attempts in a second that the whole fleet makes at most
COMPARISON = 60.0  # seconds after an outage within which a host compares everything
COMPARISONS = 20  # whole comparisons in a second that the whole fleet makes after an outage


class Outage:
    """One outage, as one host of a fleet sees it; it begins now."""

    def __init__(self, hosts: int) -> None:
        """``hosts`` is the size of the fleet, 0 where it is not known."""
        self._hosts = hosts
        self._began = time.monotonic()

    def pause(self) -> float:
        """Return the seconds to wait before the next attempt."""
        return longest_pause(time.monotonic() - self._began, self._hosts) * random.uniform(0.5, 1.0)

    def comparison_pause(self) -> float:
        """Return the seconds after its end at which everything is to be compared.

        A watch that goes on after the last event does not notice data that was restored from a backup.
        """
        return max(COMPARISON, self._hosts / COMPARISONS) * random.uniform(0.5, 1.0)


def longest_pause(away: float, hosts: int) -> float:
    """Return the longest pause in seconds after ``away`` seconds of outage; the shortest is half of it."""
    return max(min(max(away * PAUSE_SHARE, FIRST_PAUSE), LAST_PAUSE), hosts / ATTEMPTS)
