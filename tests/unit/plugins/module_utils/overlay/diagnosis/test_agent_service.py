# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The unit of the agent on a host; each unhealthy state is a sentence with its remedy."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.agent_service import (
    Service,
    choose_agent,
    loops,
    service_problems,
)

HEALTHY = Service(
    unit="overlayd.service",
    load="loaded",
    state="active",
    sub_state="running",
    enabled="enabled",
    restarts=0,
    result="success",
    exit_status=0,
    status="subnet 10.50.7.0/24, 2 peers",
    active_seconds=3600.0,
)
FLANNELD = HEALTHY._replace(unit="flanneld.service", status="")
STOPPED: dict[str, Any] = {"state": "inactive", "sub_state": "dead", "status": "", "active_seconds": 0.0}
MISSING: dict[str, Any] = {**STOPPED, "load": "not-found", "enabled": ""}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"restarts": 1, "active_seconds": 2.0},
        {"restarts": 40, "active_seconds": 3600.0},
        {"state": "reloading"},
        {"enabled": "static"},
    ],
)
def test_a_healthy_unit_has_no_problem(change: dict[str, Any]) -> None:
    service = HEALTHY._replace(**change)
    assert service_problems(service, [service]) == []


@pytest.mark.parametrize(
    "change, problem",
    [
        (STOPPED, "overlayd.service is stopped; systemctl start overlayd.service"),
        (
            {**STOPPED, "load": "masked"},
            "overlayd.service is stopped and masked; systemctl unmask overlayd.service, then "
            "systemctl enable --now overlayd.service",
        ),
        (
            {"enabled": "disabled"},
            "overlayd.service is disabled and does not start at boot; systemctl enable overlayd.service",
        ),
        (
            {"state": "activating", "restarts": 7, "exit_status": 1, "last_line": "bad flag", "crash_looping": True},
            "overlayd.service is crash-looping: 7 automatic restarts, exit status 1: bad flag; correct its settings "
            "(playbook clusternet.overlay.site), see journalctl -u overlayd.service",
        ),
        (
            {"restarts": 3, "last_line": "out of memory", "status": "", "crash_looping": True},
            "overlayd.service is crash-looping: 3 automatic restarts: out of memory; correct its settings "
            "(playbook clusternet.overlay.site), see journalctl -u overlayd.service",
        ),
        (
            {"state": "activating", "sub_state": "start", "status": "starting", "last_line": ""},
            "overlayd.service is starting and is not ready yet: starting; see journalctl -u overlayd.service",
        ),
        (
            {"state": "failed", "result": "exit-code", "exit_status": 1, "last_line": "no such interface"},
            "overlayd.service failed (exit-code), exit status 1: no such interface; see journalctl -u overlayd.service",
        ),
        ({"status": "subnet 10.50.7.0/24, 2 peers; 1 wrong, first: etcd is away"}, "etcd is away"),
        (
            MISSING,
            "systemd has no unit overlayd.service: no overlay agent is installed on this host; "
            "run the playbook clusternet.overlay.site",
        ),
    ],
)
def test_each_other_state_is_a_sentence_with_its_remedy(change: dict[str, Any], problem: str) -> None:
    service = HEALTHY._replace(**change)
    assert service_problems(service, [service]) == [problem]


def test_a_unit_that_is_stopped_and_disabled_has_two_problems() -> None:
    service = HEALTHY._replace(**STOPPED, enabled="disabled")
    assert len(service_problems(service, [service])) == 2


RESTARTING: dict[str, Any] = {"state": "activating", "sub_state": "auto-restart", "active_seconds": 0.0}


@pytest.mark.parametrize(
    "then, now, looping",
    [
        ({}, {}, False),
        ({"restarts": 40}, {"restarts": 40}, False),
        ({"active_seconds": 1.0, "restarts": 1}, {"active_seconds": 1.0, "restarts": 1}, False),
        ({"active_seconds": 1.0, "restarts": 3}, {"active_seconds": 1.0, "restarts": 3}, None),
        ({"active_seconds": 1.0, "restarts": 3}, {"active_seconds": 6.0, "restarts": 3}, False),
        ({"active_seconds": 1.0, "restarts": 3}, {**RESTARTING, "restarts": 3}, None),
        ({"active_seconds": 1.0, "restarts": 3}, {**RESTARTING, "restarts": 4}, True),
        ({**RESTARTING, "restarts": 0}, {**RESTARTING, "restarts": 0}, None),
        ({**RESTARTING, "restarts": 0}, {"active_seconds": 6.0, "restarts": 1}, False),
        ({**RESTARTING, "restarts": 0}, {"active_seconds": 1.0, "restarts": 1}, None),
        ({**RESTARTING, "restarts": 0}, {"active_seconds": 1.0, "restarts": 2}, True),
        (STOPPED, STOPPED, False),
    ],
)
def test_restarts_are_a_crash_loop_only_while_they_continue(
    then: dict[str, Any], now: dict[str, Any], looping: bool | None
) -> None:
    assert loops(HEALTHY._replace(**then), HEALTHY._replace(**now)) is looping


@pytest.mark.parametrize(
    "overlayd, flanneld, chosen",
    [
        ({}, MISSING, "overlayd.service"),
        (MISSING, {}, "flanneld.service"),
        (STOPPED, {}, "flanneld.service"),
        (STOPPED, {**STOPPED, "enabled": "disabled"}, "overlayd.service"),
        ({**STOPPED, "enabled": "disabled"}, STOPPED, "flanneld.service"),
        (MISSING, {**STOPPED, "enabled": "disabled"}, "flanneld.service"),
        (MISSING, MISSING, "overlayd.service"),
    ],
)
def test_the_agent_is_the_unit_that_is_up_else_enabled_else_installed(
    overlayd: dict[str, Any], flanneld: dict[str, Any], chosen: str
) -> None:
    services = [HEALTHY._replace(**overlayd), FLANNELD._replace(**flanneld)]
    assert choose_agent(services).unit == chosen


def test_two_agents_at_once_are_a_problem_that_names_the_one_to_stop() -> None:
    services = [HEALTHY, FLANNELD]
    assert service_problems(choose_agent(services), services) == [
        "overlayd.service and flanneld.service both run and change the same device; "
        "systemctl disable --now flanneld.service"
    ]


def test_without_any_unit_the_sentence_names_all_expected_units() -> None:
    services = [HEALTHY._replace(**MISSING), FLANNELD._replace(**MISSING)]
    assert "systemd has no unit overlayd.service or flanneld.service: " in service_problems(services[0], services)[0]
