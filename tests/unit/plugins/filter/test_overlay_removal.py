# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A removal of hosts is refused before the first change, or its plan names what it removes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.filter.overlay_removal import FilterModule

filters = FilterModule().filters()
HOSTS = ["h1", "h2", "h3"]


def host(number: int, **more: Any) -> dict[str, Any]:
    """Host h<number>, a Docker host and etcd member that was reached."""
    return {
        "name": f"h{number}",
        "overlay": True,
        "etcd": True,
        "reached": True,
        "addresses": [f"192.0.2.{number}"],
        **more,
    }


def lease(number: int, reservation: bool = False) -> dict[str, Any]:
    """The lease of host h<number>."""
    return {"subnet": f"10.50.{number}.0/24", "public_ip": f"192.0.2.{number}", "reservation": reservation}


def scope(hosts: list[str] | None = None, members: list[str] | None = None, **request: Any) -> dict[str, Any]:
    """The scope of a removal from the hosts h1 to h3, all of them members of etcd."""
    found: dict[str, Any] = filters["overlay_removal_scope"](
        request, HOSTS if hosts is None else hosts, HOSTS if members is None else members
    )
    return found


def plan(*hosts: dict[str, Any], **request: Any) -> dict[str, list[Any]]:
    """The plan of a removal."""
    found: dict[str, list[Any]] = filters["overlay_removal_plan"](
        hosts, {"leaving": [], "gone": [], "leases": [lease(1), lease(2), lease(3)], **request}
    )
    return found


def test_names_are_read_from_a_list_and_from_a_text_with_commas() -> None:
    assert scope(leaving="h2, h3")["leaving"] == scope(leaving=["h2", "h3"])["leaving"] == ["h2", "h3"]


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({}, "no host is named"),
        ({"leaving": "h4"}, "h4: not in the groups of the overlay and its etcd"),
        ({"leaving": "h3", "gone": "h3"}, "h3: named in overlay_remove and in overlay_remove_gone"),
        ({"leaving": "h1,h2", "gone": "h3"}, "no host of the overlay would be left; clusternet.overlay.reset"),
    ],
)
def test_a_removal_of_the_wrong_hosts_is_refused(request_: dict[str, Any], problem: str) -> None:
    assert problem in "; ".join(scope(**request_)["problems"])


def test_the_last_member_of_etcd_does_not_leave_while_other_hosts_use_it() -> None:
    (problem,) = scope(members=["h1"], leaving="h1")["problems"]
    assert problem.startswith("h1: all members of etcd would leave, and h2, h3 still use it")


def test_the_plan_names_lease_member_and_containers_of_a_host_that_leaves() -> None:
    found = plan(host(1), host(2), host(3, containers=2), leaving=["h3"])
    assert found["removes"] == [
        "h3: lease 10.50.3.0/24; its etcd member; agent, network devices, routes and firewall rules; etcd with its "
        "data and certificates; 2 running containers restart on Docker's own bridge"
    ]
    assert (found["leases"], found["problems"]) == ([], [])


def test_the_plan_names_lease_and_reservation_of_a_host_that_is_gone() -> None:
    found = plan(host(1), host(2), host(3, reached=False), gone=["h3"], leases=[lease(3), lease(3, reservation=True)])
    assert found["removes"] == [
        "h3 (gone, not contacted): lease 10.50.3.0/24; reservation 10.50.3.0/24; its etcd member"
    ]
    assert len(found["leases"]) == 2


def test_a_host_that_does_not_answer_must_be_declared_gone() -> None:
    (problem,) = plan(host(1), host(2), host(3, reached=False), leaving=["h3"])["problems"]
    assert "name it with -e overlay_remove_gone=h3 instead" in problem


def test_a_host_that_answers_is_not_gone() -> None:
    (problem,) = plan(host(1), host(2), host(3), gone=["h3"])["problems"]
    assert "it answers, and its agent would take its lease again" in problem


def test_leases_that_cannot_be_read_stop_the_removal() -> None:
    (problem,) = plan(host(1), host(2), leaving=["h2"], leases=[], error="no leader")["problems"]
    assert problem.startswith("the leases cannot be read: no leader")


def test_an_even_number_of_members_is_a_warning_only_if_a_member_leaves() -> None:
    assert "etcd keeps 2 members (h1, h2)" in plan(host(1), host(2), host(3), leaving=["h3"])["warnings"][0]
    assert plan(host(1), host(2), host(3, etcd=False), leaving=["h3"])["warnings"] == []


def test_a_lost_ca_and_a_lease_that_is_not_found_are_warnings() -> None:
    found = plan(host(1, reached=False, ca=True), host(2), host(3), gone=["h1"], leases=[])["warnings"]
    assert any("no lease with the address 192.0.2.1" in line for line in found)
    assert any("the private key of etcd's CA was on h1: put the one of a backup on h2" in line for line in found)


def test_a_lease_that_may_belong_to_a_host_that_stays_stops_the_removal() -> None:
    gone = host(3, reached=False, addresses=["192.0.2.2"])
    (problem,) = plan(host(1), host(2), gone, gone=["h3"])["problems"]
    assert problem.startswith("the lease 10.50.2.0/24 has the address 192.0.2.2, which h3 and h2 have by the inventory")
    assert plan(host(1), host(2, overlay=False), gone, gone=["h3"])["problems"] == []
