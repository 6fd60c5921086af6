# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the agent is doing, told truthfully: what is wrong by part, counters, and whether it is ready."""

from __future__ import annotations

import time

from .log import log
from .notify import notify

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

    def trouble(self, part: str, *sentences: str) -> None:
        """Set what is wrong with a part (nothing, where there is no sentence), logging what is new."""
        before = self.troubles.get(part, ())
        if sentences == before:
            return
        for sentence in sentences:
            if sentence not in before:
                log.error("%s", sentence)
        if before and not sentences:
            log.info("%s: mended", part)
        self.troubles = {**{key: value for key, value in self.troubles.items() if key != part}, part: sentences}
        self.publish()

    def count(self, counter: str, amount: float = 1) -> None:
        """Add to a counter."""
        self.counters = {**self.counters, counter: self.counters.get(counter, 0) + amount}

    def publish(self) -> None:
        """Show the state in the service manager's one line."""
        wrong = [sentence for sentences in self.troubles.values() for sentence in sentences]
        state = f"subnet {self.subnet}, {self.peers} peers" if self.ready else "starting"
        notify(f"STATUS={state}" + (f"; {len(wrong)}{_TROUBLE}{wrong[0]}" if wrong else ""))

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
