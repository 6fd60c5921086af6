# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The agent's state: problems by part, counters and readiness."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable

from ..host.log import log
from ..model.addresses import Subnet
from ..named_tuple import NamedTuple
from .notify import notify

PAUSE = 0.5  # seconds between two status lines, to limit the load of the service manager during mass changes
LOGGED_AT_ONCE = 100  # maximum of problems that one change of a part logs
SILENCE = 30.0  # seconds without an iteration of the main loop after which the process counts as stuck
BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0)  # seconds, the upper limits of a histogram of durations
_TROUBLE = " wrong, first: "  # in the status line, between the number of problems and the first problem


class Durations:
    """A histogram of durations: their sum in seconds, and how many were within each of BUCKETS (last: longer)."""

    def __init__(self) -> None:
        self.sum = 0.0
        self.counts = [0] * (len(BUCKETS) + 1)

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.sum += seconds
        self.counts[bisect_left(BUCKETS, seconds)] += 1


class Probe(NamedTuple):
    """The packets to one peer: how many were sent and lost, and the delay of the last answer in seconds."""

    sent: int = 0
    lost: int = 0
    delay: float | None = None


class Status:
    """State that the main loop writes and the HTTP thread reads without a lock: fields are replaced, never modified."""

    def __init__(self) -> None:
        self.subnet = ""
        self.ready = False
        self.peers = 0
        self.added = 0  # of these, the peers that commands added
        self.troubles: dict[str, tuple[str, ...]] = {}
        self.counters: dict[tuple[str, str], float] = {}
        self.subnets: tuple[Subnet, ...] | None = None  # of the peers; None if nothing needs them
        self.probes: dict[Subnet, Probe] = {}
        self.started = time.time()
        self.events = Durations()
        self.reconciliations = Durations()
        self.requests = Durations()  # to etcd; the thread for etcd writes them
        self.failed_requests = 0
        self.lease_renew_at: float | None = None
        self.lease_expires_at: float | None = None
        self.last_turn = time.monotonic()
        self._later: dict[str, Callable[[], Iterable[str]]] = {}
        self._is_stale = False
        self._due = 0.0
        self._shown = ""

    def trouble(self, part: str, *sentences: str) -> None:
        """Set the problems of a part (none without sentences) and log the new ones."""
        before = self.troubles.get(part, ())
        if sentences == before:
            return
        known = set(before)
        new = [sentence for sentence in sentences if sentence not in known]
        for sentence in new[:LOGGED_AT_ONCE]:
            log.error("%s", sentence)
        if len(new) > LOGGED_AT_ONCE:
            log.error("%s: %d more problems", part, len(new) - LOGGED_AT_ONCE)
        if before and not sentences:
            log.info("%s: resolved", part)
        self.troubles = {**{key: value for key, value in self.troubles.items() if key != part}, part: sentences}
        self.publish()

    def trouble_later(self, part: str, sentences: Callable[[], Iterable[str]]) -> None:
        """Set the problems of a part when the next status line is due: for sentences that are costly to collect."""
        self._later[part] = sentences
        self.publish()

    def count(self, counter: str, amount: float = 1, kind: str = "") -> None:
        """Add to a counter, or to the part of it that counts this kind."""
        key = counter, kind
        self.counters = {**self.counters, key: self.counters.get(key, 0) + amount}

    def count_request(self, seconds: float, answered: bool) -> None:
        """Count a request to etcd, and whether etcd answered."""
        self.requests.add(seconds)
        self.failed_requests += not answered

    def publish(self) -> None:
        """Send the status line to the service manager: now, or by ``refresh`` if one was sent less than PAUSE ago."""
        self._is_stale = True
        self.refresh()

    def refresh(self) -> None:
        """Send the status line if it changed and the next one is due."""
        now = time.monotonic()
        if not self._is_stale or now < self._due:
            return
        self._due = now + PAUSE
        while self._later:
            part, sentences = self._later.popitem()
            self.trouble(part, *sentences())
        self._is_stale = False
        wrong = [sentence for sentences in self.troubles.values() for sentence in sentences]
        state = f"subnet {self.subnet}, {self.peers} peers" if self.ready else "starting"
        line = f"STATUS={state}" + (f"; {len(wrong)}{_TROUBLE}{wrong[0]}" if wrong else "")
        if line != self._shown:
            self._shown = line
            notify(line)

    @property
    def refresh_due(self) -> float | None:
        """Time (monotonic clock) at which ``refresh`` has something to send, None if it has nothing."""
        return self._due if self._is_stale else None

    @property
    def alive(self) -> bool:
        """Whether the main loop made an iteration in the last SILENCE seconds."""
        return time.monotonic() - self.last_turn < SILENCE

    @property
    def in_sync(self) -> bool:
        """Whether the kernel matches the leases: the first full plan was applied and nothing has failed since."""
        return self.ready and not any(map(self.troubles.get, ("kernel", "firewall", "extension")))

    @property
    def works(self) -> bool:
        """Whether the main loop is not stuck and the kernel matches the leases: 200 of /readyz, and overlay_ready 1."""
        return self.alive and self.in_sync


def reported_trouble(text: str) -> str:
    """Return the first problem in a status line of overlayd, "" if it has none."""
    return text.partition(_TROUBLE)[2]
