# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the agent is doing, told truthfully: what is wrong by part, counters, and whether it is ready."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from ..host.log import log
from .notify import notify

PAUSE = 0.5  # seconds between two status lines, so that a mass change does not keep the service manager busy
LOGGED_AT_ONCE = 100  # problems that one change of a part may log
SILENCE = 30.0  # seconds without a turn of the main loop after which the process counts as stuck
_TROUBLE = " wrong, first: "  # in the status line, between how many problems there are and the first of them


class Status:
    """Written by the main loop, read by the HTTP thread; every field is replaced as a whole."""

    def __init__(self) -> None:
        self.subnet = ""
        self.ready = False
        self.peers = 0
        self.troubles: dict[str, tuple[str, ...]] = {}
        self.counters: dict[str, float] = {}
        self.lease_renew_at: float | None = None
        self.last_turn = time.monotonic()
        self._later: dict[str, Callable[[], Iterable[str]]] = {}
        self._is_stale = False
        self._due = 0.0
        self._shown = ""

    def trouble(self, part: str, *sentences: str) -> None:
        """Set what is wrong with a part (nothing, where there is no sentence), logging what is new."""
        before = self.troubles.get(part, ())
        if sentences == before:
            return
        known = set(before)
        new = [sentence for sentence in sentences if sentence not in known]
        for sentence in new[:LOGGED_AT_ONCE]:
            log.error("%s", sentence)
        if len(new) > LOGGED_AT_ONCE:
            log.error("%s: %d more problems like these", part, len(new) - LOGGED_AT_ONCE)
        if before and not sentences:
            log.info("%s: mended", part)
        self.troubles = {**{key: value for key, value in self.troubles.items() if key != part}, part: sentences}
        self.publish()

    def trouble_later(self, part: str, sentences: Callable[[], Iterable[str]]) -> None:
        """Set what is wrong with a part when the next status line is due: for sentences that are costly to collect."""
        self._later[part] = sentences
        self.publish()

    def count(self, counter: str, amount: float = 1) -> None:
        """Add to a counter."""
        self.counters = {**self.counters, counter: self.counters.get(counter, 0) + amount}

    def publish(self) -> None:
        """Show the state in the service manager's one line: now, or by ``refresh`` where one was sent just before."""
        self._is_stale = True
        self.refresh()

    def refresh(self) -> None:
        """Show what has changed since the last status line, if the next one is due."""
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
        """When (monotonic clock) ``refresh`` has something to show; None where it has not."""
        return self._due if self._is_stale else None

    @property
    def alive(self) -> bool:
        """Whether the main loop turned lately."""
        return time.monotonic() - self.last_turn < SILENCE

    @property
    def in_sync(self) -> bool:
        """Whether the kernel holds what it should: the first whole plan was applied and nothing has failed since."""
        return self.ready and not self.troubles.get("kernel") and not self.troubles.get("firewall")


def reported_trouble(text: str) -> str:
    """Return the first problem that a status line of overlayd names, empty for none and for other programs' lines."""
    return text.partition(_TROUBLE)[2]
