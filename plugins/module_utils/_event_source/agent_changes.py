# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What changed on one agent between two polls of its page, as events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .agent_page import Page, Readiness

Event = dict[str, Any]
MOST_PROBLEMS = 20  # in one event
FIREWALL = "firewall"  # the kind of a restored firewall rule; the other kinds are those of overlay_repairs_total


class AgentChanges:
    """Follows one agent: each state is reported once, when it begins and when it ends."""

    def __init__(self, lost_probes: int, failed_polls: int) -> None:
        """A peer is unreachable after so many lost packets, an agent after so many failed polls, without a success."""
        self._lost_probes = lost_probes
        self._failed_polls = failed_polls
        self._page: Page | None = None  # the last one
        self._failed = 0  # polls without an answer since the last answer
        self._not_ready = 0  # answers of an agent that is not ready, since it was ready
        self._has_rules = False  # whether this process has set the firewall rules: further ones are repairs
        self._is_probing = False  # whether this process has sent packets to peers
        self._lost: dict[str, int] = {}  # packets to each peer that were lost since the last answer
        self._unreachable: set[str] = set()  # the peers that were reported

    def failed(self, reason: str) -> Iterator[Event]:
        """Yield the events after a poll without an answer."""
        self._failed += 1
        if self._failed == self._failed_polls:
            yield {"event": "unreachable", "reason": reason}

    def answered(self, page: Page, readiness: Readiness) -> Iterator[Event]:
        """Yield the events after a poll."""
        if self._failed >= self._failed_polls:
            yield {"event": "reachable"}
        self._failed = 0
        before = self._page or page
        self._page = page
        if page.started != before.started:  # the counters of a new process begin at 0
            before = page._replace(repairs={}, firewall_repairs=0.0, probes={})
            self._has_rules = self._is_probing = False
        yield from self._repairs(before, page)
        yield from self._probes(before, page)
        yield from self._readiness(readiness)

    def _repairs(self, before: Page, page: Page) -> Iterator[Event]:
        for kind, total in page.repairs.items():
            count = int(total - before.repairs.get(kind, 0))
            if count:
                yield {"event": "repaired", "kind": kind, "count": count}
        count = int(page.firewall_repairs - before.firewall_repairs)
        if count and self._has_rules:
            yield {"event": "repaired", "kind": FIREWALL, "count": count}
        self._has_rules = self._has_rules or page.is_ready

    def _probes(self, before: Page, page: Page) -> Iterator[Event]:
        for peer, (sent, lost) in page.probes.items():
            earlier = before.probes.get(peer, (0.0, 0.0))
            if sent < earlier[0]:  # it was a former peer for a moment
                earlier = (0.0, 0.0)
            packets, losses = int(sent - earlier[0]), int(lost - earlier[1])
            if losses < packets:
                self._lost[peer] = 0
                if peer in self._unreachable:
                    self._unreachable.remove(peer)
                    yield {"event": "peer_reachable", "peer": peer}
            else:
                self._lost[peer] = self._lost.get(peer, 0) + losses
            if self._lost[peer] >= self._lost_probes and peer not in self._unreachable:
                self._unreachable.add(peer)
                yield {"event": "peer_unreachable", "peer": peer, "lost": self._lost[peer]}
        self._is_probing = self._is_probing or bool(page.probes)
        for peer in sorted(self._lost.keys() - page.probes.keys()) if self._is_probing else ():
            del self._lost[peer]
            if peer in self._unreachable:
                self._unreachable.remove(peer)
                yield {"event": "peer_not_probed", "peer": peer}

    def _readiness(self, readiness: Readiness) -> Iterator[Event]:
        if not readiness.is_ready:
            self._not_ready += 1
            if self._not_ready == self._failed_polls:
                problems = list(readiness.problems[:MOST_PROBLEMS])
                yield {"event": "not_ready", "state": readiness.state, "problems": problems}
            return
        if self._not_ready >= self._failed_polls:
            yield {"event": "ready"}
        self._not_ready = 0
