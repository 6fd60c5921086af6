# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The events of one agent: each state once, and counters that begin again in a new process."""

from __future__ import annotations

from typing import Any

from ansible_collections.clusternet.overlay.plugins.module_utils._event_source.agent_changes import AgentChanges
from ansible_collections.clusternet.overlay.plugins.module_utils._event_source.agent_page import Page, Readiness

PAGE = Page(started=1.0, is_ready=True, repairs={}, firewall_repairs=2.0, probes={})
READY = Readiness(True, "ready", ())
PEER = "10.50.7.0/24"


class Agent:
    """An agent as the event source follows it."""

    def __init__(self) -> None:
        self._changes = AgentChanges(lost_probes=3, failed_polls=2)

    def answers(self, page: Page = PAGE, readiness: Readiness = READY) -> list[dict[str, Any]]:
        return list(self._changes.answered(page, readiness))

    def fails(self, reason: str = "no route") -> list[dict[str, Any]]:
        return list(self._changes.failed(reason))


def repaired(kind: str, count: int) -> list[dict[str, Any]]:
    return [{"event": "repaired", "kind": kind, "count": count}]


def probes(sent: int, lost: int) -> Page:
    return PAGE._replace(probes={PEER: (sent, lost)})


def test_repairs_are_counted_from_the_first_answer() -> None:
    agent = Agent()
    assert agent.answers(PAGE._replace(repairs={"routes": 5.0})) == []
    page = PAGE._replace(repairs={"routes": 7.0, "neighbours": 1.0})
    assert agent.answers(page) == repaired("routes", 2) + repaired("neighbours", 1)
    assert agent.answers(page) == []


def test_the_counters_of_a_new_process_begin_at_zero() -> None:
    agent = Agent()
    agent.answers(PAGE._replace(repairs={"routes": 5.0}))
    assert agent.answers(PAGE._replace(started=2.0, repairs={"routes": 6.0})) == repaired("routes", 6)


def test_the_first_firewall_rules_of_a_process_are_no_repair() -> None:
    agent = Agent()
    agent.answers()
    new = PAGE._replace(started=2.0, is_ready=False, firewall_repairs=0.0)
    assert agent.answers(new) == []
    assert agent.answers(new._replace(firewall_repairs=6.0)) == []
    assert agent.answers(new._replace(firewall_repairs=7.0, is_ready=True)) == []
    assert agent.answers(new._replace(firewall_repairs=9.0)) == repaired("firewall", 2)
    other = PAGE._replace(started=3.0, firewall_repairs=6.0)
    assert agent.answers(other) == []
    assert agent.answers(other._replace(firewall_repairs=8.0)) == repaired("firewall", 2)


def test_a_peer_is_unreachable_after_lost_packets_without_an_answer_between_them() -> None:
    agent = Agent()
    assert agent.answers(probes(9, 9)) == []
    assert agent.answers(probes(11, 11)) == []
    assert agent.answers(probes(13, 12)) == []
    assert agent.answers(probes(15, 14)) == []
    assert agent.answers(probes(15, 14)) == []
    assert agent.answers(probes(16, 15)) == [{"event": "peer_unreachable", "peer": PEER, "lost": 3}]
    assert agent.answers(probes(17, 16)) == []
    assert agent.answers(probes(18, 16)) == [{"event": "peer_reachable", "peer": PEER}]
    assert agent.answers(probes(19, 16)) == []


def test_an_unreachable_peer_that_is_not_probed_any_more_is_reported_once() -> None:
    agent = Agent()
    agent.answers()
    assert agent.answers(probes(3, 3)) == [{"event": "peer_unreachable", "peer": PEER, "lost": 3}]
    assert agent.answers() == [{"event": "peer_not_probed", "peer": PEER}]
    assert agent.answers() == []
    assert agent.answers(probes(1, 0)) == []


def test_a_reachable_peer_that_is_not_probed_any_more_is_not_reported() -> None:
    agent = Agent()
    agent.answers(probes(3, 0))
    assert agent.answers() == []


def test_a_peer_stays_unreachable_over_a_restart_of_the_agent() -> None:
    agent = Agent()
    agent.answers(probes(1, 0))
    assert agent.answers(probes(4, 3)) == [{"event": "peer_unreachable", "peer": PEER, "lost": 3}]
    assert agent.answers(PAGE._replace(started=2.0)) == []
    assert agent.answers(probes(5, 5)._replace(started=2.0)) == []
    assert agent.answers(probes(6, 5)._replace(started=2.0)) == [{"event": "peer_reachable", "peer": PEER}]


def test_the_packets_to_a_peer_that_was_absent_between_two_polls_are_counted_anew() -> None:
    agent = Agent()
    agent.answers(probes(10, 2))
    assert agent.answers(probes(3, 3)) == [{"event": "peer_unreachable", "peer": PEER, "lost": 3}]


def test_an_agent_is_unreachable_after_failures_without_an_answer_between_them() -> None:
    agent = Agent()
    assert agent.fails() == []
    assert agent.answers() == []
    assert agent.fails() == []
    assert agent.fails() == [{"event": "unreachable", "reason": "no route"}]
    assert agent.fails() == []
    assert agent.answers(PAGE._replace(repairs={"routes": 1.0}))[0] == {"event": "reachable"}
    assert agent.answers(PAGE._replace(repairs={"routes": 1.0})) == []


def test_an_agent_that_is_not_ready_is_reported_with_at_most_20_problems() -> None:
    agent = Agent()
    waiting = Readiness(False, "starting", tuple(f"leases: {number}" for number in range(30)))
    assert agent.answers(readiness=waiting) == []
    assert agent.answers() == []
    assert agent.answers(readiness=waiting) == []
    (event,) = agent.answers(readiness=waiting)
    assert event == {"event": "not_ready", "state": "starting", "problems": [f"leases: {n}" for n in range(20)]}
    assert agent.answers(readiness=waiting) == []
    assert agent.answers() == [{"event": "ready"}]
    assert agent.answers() == []
