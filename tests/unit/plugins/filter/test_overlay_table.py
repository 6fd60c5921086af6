# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every host of the fleet is a line of verification's table, and every problem a sentence below it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.filter.overlay_table import FilterModule

FILTERS = FilterModule().filters()
overlay_table, overlay_host_problems = FILTERS["overlay_table"], FILTERS["overlay_host_problems"]
FOUND = {
    "subnet": "10.50.7.0/24",
    "backend": "vxlan",
    "mtu": 1450,
    "peers_programmed": 2,
    "peers_expected": 2,
    "service": {"state": "active"},
    "lease_ttl": 86340,
    "reservation": False,
    "problems": [],
    "restart_problems": [],
}
REACHED = {"peers": {"10.50.8.2": {"problems": []}, "10.50.9.2": {"problems": []}}, "problems": []}
RESTART = "a restart of Docker is pending (docker0 has the address 172.17.0.1/16, not 10.50.7.1/24)"
SKIPPED = {"skipped": True, "msg": "Conditional result was False"}


def host(found: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"inventory_hostname": "h1", "verify_host": FOUND if found is None else found, **more}


def cells(host: dict[str, Any]) -> list[str]:
    """The line of a host, cell by cell."""
    return [cell.strip() for cell in overlay_table([host])[1].split("  ") if cell.strip()]


def test_a_sound_host_is_ok() -> None:
    table = overlay_table([host(verify_probe=REACHED)])
    assert table[0].split() == ["host", "subnet", "backend", "mtu", "peers", "agent", "lease", "containers", "verdict"]
    assert table[1].split() == ["h1", "10.50.7.0/24", "vxlan", "1450", "2/2", "active", "23h59", "2/2", "ok"]
    assert len(table) == 2


def test_a_reservation_has_no_end() -> None:
    assert cells(host({**FOUND, "lease_ttl": None, "reservation": True}))[6] == "reserved"


def test_each_problem_is_a_line_below_the_table() -> None:
    probe = {"peers": {"10.50.8.2": {"problems": ["lost"]}, "10.50.9.2": {"problems": []}}, "problems": ["lost"]}
    table = overlay_table([host({**FOUND, "problems": ["no agent"]}, verify_probe=probe)])
    assert table[1].split()[-3:] == ["1/2", "2", "problems"]
    assert table[2:] == ["h1: no agent", "h1: lost"]


def test_the_cause_that_doctor_names_is_in_the_table_and_before_the_problems() -> None:
    note = {"name": "keys-ignored", "severity": "note", "text": "a", "cause": "b", "cure": "c"}
    found = {"name": "forwarding", "severity": "error", "text": "it is off", "cause": "a file", "cure": "sysctl"}
    broken = host({**FOUND, "problems": ["packets are lost"]}, verify_doctor={"findings": [note, found]})
    table = overlay_table([broken])
    assert cells(broken)[-1] == "1 problem (forwarding)"
    assert table[2:] == ["h1: cause: forwarding: it is off; a file; sysctl", "h1: packets are lost"]
    assert overlay_table([host(verify_doctor=SKIPPED)])[2:] == []


def test_an_etcd_endpoint_that_does_not_answer_is_one_line_and_no_problem() -> None:
    silent = {**FOUND, "etcd_problems": ["http://192.0.2.12:2379: connection refused"]}
    hosts = [{**host(silent), "inventory_hostname": name} for name in ("h1", "h2")]
    table = overlay_table(hosts)
    assert [line.split()[-1] for line in table[1:3]] == ["ok", "ok"]
    assert table[3].startswith("etcd: http://192.0.2.12:2379: connection refused (reported by h1, h2); ")
    assert overlay_host_problems(hosts[0]) == []


def test_a_certificate_that_expires_soon_is_one_line_and_no_problem() -> None:
    soon = {**FOUND, "certificate_warnings": ["the certificate /etc/ca.crt expires in 3 days"]}
    hosts = [{**host(soon), "inventory_hostname": name} for name in ("h1", "h2")]
    table = overlay_table(hosts)
    assert [line.split()[-1] for line in table[1:3]] == ["ok", "ok"]
    assert table[3:] == ["warning: the certificate /etc/ca.crt expires in 3 days (reported by h1, h2)"]
    assert overlay_host_problems(hosts[0]) == []


def test_a_pending_restart_has_its_own_verdict_and_may_count_as_a_problem() -> None:
    pending = host(
        {**FOUND, "problems": [RESTART], "restart_problems": [RESTART]}, verify_started=SKIPPED, verify_probe=SKIPPED
    )
    assert cells(pending)[-2:] == ["not tested", "restart pending"]
    assert overlay_host_problems(pending) == [RESTART]
    assert overlay_host_problems(pending, False) == []
    worse = host({**FOUND, "problems": ["no agent", RESTART], "restart_problems": [RESTART]})
    assert cells(worse)[-1] == "2 problems"
    assert overlay_host_problems(worse, False) == ["no agent"]


def test_hosts_whose_containers_were_not_tested_are_named_in_one_line() -> None:
    found = {**FOUND, "problems": [RESTART], "restart_problems": [RESTART]}
    pending = [{**host(found), "inventory_hostname": name} for name in ("h1", "h2")]
    table = overlay_table([*pending, {**host(verify_probe=REACHED), "inventory_hostname": "h3"}])
    assert [line for line in table if line.startswith("not tested")] == [
        "not tested: packets to and from containers of h1, h2, because Docker has not restarted there; run "
        "clusternet.overlay.verify again after the restart"
    ]


@pytest.mark.parametrize(
    "registered, verdict, problem",
    [
        (
            {"verify_host": {"unreachable": True, "msg": "no route\nto host"}},
            "unreachable",
            "unreachable: no route to host; start the host, or correct Ansible's connection settings",
        ),
        ({"verify_host": {"msg": "no Python"}}, "not checked", "the check did not run: no Python"),
        ({}, "not checked", "not checked"),
        (
            {"verify_host": FOUND, "verify_started": {"msg": "docker run failed"}},
            "1 problem",
            "no container to send packets from: docker run failed",
        ),
        (
            {"verify_host": FOUND, "verify_started": {"process": 7}, "verify_probe": {"msg": "no such process"}},
            "1 problem",
            "no packets sent: no such process",
        ),
    ],
)
def test_a_host_that_could_not_be_checked_is_a_line_and_a_problem(
    registered: dict[str, Any], verdict: str, problem: str
) -> None:
    variables = {"inventory_hostname": "h1", **registered}
    assert cells(variables)[-1] == verdict
    assert overlay_host_problems(variables) == [problem]


def test_hosts_that_were_left_out_come_last_with_the_reason() -> None:
    table = overlay_table([host()], {"h2": "not checked: it is outside of this run (--limit)"})
    assert table[2].split() == ["h2", *"-------", "not", "checked"]
    assert table[3] == "h2: not checked: it is outside of this run (--limit)"


def test_user_defined_networks_have_notes_that_are_no_problems_and_probes_that_can_fail() -> None:
    noted = host({**FOUND, "network_notes": ["the network shop has MTU 1500"]}, verify_probe=REACHED)
    assert overlay_table([noted])[1].endswith("ok")
    assert overlay_table([noted])[2:] == ["h1: note: the network shop has MTU 1500"]
    lost = host(verify_network_probe={"problems": ["10.50.8.130 does not answer to ping"]})
    assert overlay_host_problems(lost) == ["from a user-defined network: 10.50.8.130 does not answer to ping"]
    missing = host(verify_network_container={"msg": "docker network failed"}, verify_network_probe=SKIPPED)
    assert overlay_host_problems(missing) == ["no container in a user-defined network: docker network failed"]
