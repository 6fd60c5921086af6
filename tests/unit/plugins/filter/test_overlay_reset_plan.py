# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A reset removes what belongs to its hosts; what other hosts use stays, and the plan names it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.filter.overlay_reset_plan import FilterModule

overlay_reset_plan = FilterModule().filters()["overlay_reset_plan"]
PREFIX = "/coreos.com/network"


def host(number: int, **more: Any) -> dict[str, Any]:
    """Host h<number>, a Docker host and etcd member of this play that answers."""
    facts = {"overlay": True, "etcd": True, "in_play": True, "reached": True, "client": True}
    return {"name": f"h{number}", "addresses": [f"192.0.2.{number}"], **facts, **more}


def lease(number: int, reservation: bool = False, backend: str = "vxlan") -> dict[str, Any]:
    """The lease of host h<number>, as subnet_lease_info returns it."""
    facts = {"subnet": f"10.50.{number}.0/24", "public_ip": f"192.0.2.{number}"}
    return {**facts, "reservation": reservation, "backend_type": backend}


def outside(number: int) -> dict[str, Any]:
    """Host h<number>, which --limit excludes."""
    return host(number, in_play=False, reached=False)


def plan(*hosts: dict[str, Any], **request: Any) -> dict[str, Any]:
    """The plan of a reset of these hosts."""
    result: dict[str, Any] = overlay_reset_plan(hosts, {"prefix": PREFIX, **request})
    return result


def test_a_reset_of_the_whole_fleet_removes_config_leases_and_etcd() -> None:
    found = plan(host(1), host(2), leases=[lease(1), lease(2)])
    assert (found["whole"], found["hosts"], found["etcd"]) == (True, ["h1", "h2"], "all")
    assert "leases: 10.50.1.0/24 of 192.0.2.1, 10.50.2.0/24 of 192.0.2.2" in found["removes"]
    assert f"the network config {PREFIX}/config" in found["removes"]
    assert "etcd with all its data on h1, h2" in found["removes"]
    assert (found["keeps"], found["refusals"]) == ([], [])


def test_a_limited_reset_removes_its_host_and_lease_only() -> None:
    found = plan(host(1), outside(2), outside(3), leases=[lease(1), lease(2), lease(3)])
    assert (found["whole"], found["hosts"], found["etcd"]) == (False, ["h1"], "keep")
    assert [line for line in found["removes"] if not line.startswith("host h1: ")] == [
        "leases: 10.50.1.0/24 of 192.0.2.1"
    ]
    assert found["keeps"] == [
        f"the network config and the other leases below {PREFIX}: used by h2 (not in this play), h3 (not in this play)",
        "etcd on h1",
    ]


@pytest.mark.parametrize(("asked", "removed"), [(False, False), (True, True)])
def test_a_reservation_is_removed_only_on_request(asked: bool, removed: bool) -> None:
    found = plan(host(1), outside(2), leases=[lease(1, reservation=True)], reservation=asked)
    assert any("10.50.1.0/24" in line for line in found["removes"]) is removed


def test_an_unreachable_host_keeps_what_it_uses() -> None:
    found = plan(host(1), host(2, reached=False), leases=[lease(1), lease(2)])
    assert (found["whole"], found["hosts"], found["etcd"]) == (False, ["h1"], "keep")
    assert "used by h2 (unreachable)" in found["keeps"][0]
    assert found["missing"] == ["h2"]


@pytest.mark.parametrize("gone", [["h2"], "h2", "h2, h9"])
def test_a_host_that_no_longer_exists_keeps_nothing(gone: object) -> None:
    found = plan(host(1), host(2, reached=False), leases=[lease(1), lease(2)], gone=gone)
    assert (found["whole"], found["hosts"], found["etcd"]) == (True, ["h1"], "all")


def test_a_live_lease_of_a_machine_outside_the_inventory_keeps_config_and_etcd() -> None:
    found = plan(host(1), leases=[lease(1), lease(9)])
    assert (found["whole"], found["etcd"]) == (False, "keep")
    assert "hosts that are not in the inventory: 192.0.2.9" in found["keeps"][0]
    assert found["missing"] == ["192.0.2.9"]
    assert plan(host(1), leases=[lease(1), lease(9)], gone=["192.0.2.9"])["whole"] is True


def test_a_limited_reset_needs_no_further_option() -> None:
    assert plan(host(1), outside(2), host(3, reached=False), leases=[lease(9)])["missing"] == []


def test_a_reservation_that_no_agent_used_yet_keeps_nothing() -> None:
    assert plan(host(1), leases=[lease(9, reservation=True, backend="")])["whole"] is True


def test_etcd_is_kept_on_request() -> None:
    for no in (False, "false", "no"):
        found = plan(host(1), host(2), etcd=no)
        assert (found["whole"], found["etcd"]) == (True, "keep")
        assert "etcd on h1, h2" in found["keeps"]


def test_a_limited_reset_takes_a_member_out_of_etcd_only_on_request() -> None:
    found = plan(host(1), outside(2), outside(3), etcd="true")
    assert (found["etcd"], found["etcd_members"], found["refusals"]) == ("leave", ["h1"], [])
    assert "etcd members h1 with their data; the cluster continues without them" in found["removes"]
    assert "etcd on h2 (not in this play), h3 (not in this play)" in found["keeps"]


def test_the_only_etcd_is_not_removed_from_hosts_that_stay() -> None:
    found = plan(host(1), host(2, etcd=False, in_play=False, reached=False), etcd=True)
    assert found["etcd"] == "keep"
    assert found["refusals"] == [
        "reset cannot remove etcd from h1 (overlay_reset_etcd is true): these are all members, and other hosts still "
        "use the overlay; do not set overlay_reset_etcd, or reset the whole group"
    ]


def test_members_on_hosts_of_their_own_stay_where_a_limit_excludes_them() -> None:
    docker, member = host(1, etcd=False), {**outside(2), "overlay": False}
    found = plan(docker, member)
    assert (found["whole"], found["etcd"]) == (True, "keep")


def test_a_member_on_a_host_of_its_own_is_not_removed_by_a_limit_alone() -> None:
    found = plan(host(1, overlay=False), outside(2), error="connection refused")
    assert (found["removes"], found["etcd"], found["etcd_members"]) == ([], "keep", [])


def test_leases_that_could_not_be_read_are_named_with_the_reason() -> None:
    found = plan(host(1), error="connection refused")
    assert f"all leases below {PREFIX}/subnets (unknown at this time: connection refused)" in found["removes"]
    assert found["etcd"] == "all"


CLEAN = {"agent": False, "docker": False, "member": False}


def test_a_clean_fleet_has_nothing_to_remove() -> None:
    found = plan(host(1, **CLEAN), host(2, **CLEAN), error="connection refused")
    assert (found["whole"], found["removes"], found["keeps"]) == (True, [], [])


def test_an_etcd_outside_of_the_inventory_may_still_have_keys() -> None:
    found = plan(host(1, etcd=False, **CLEAN), error="connection refused")
    assert found["removes"][0] == f"all leases below {PREFIX}/subnets (unknown at this time: connection refused)"
    assert plan(host(1, etcd=False, **CLEAN), config=False)["removes"] == []


def test_only_what_is_left_of_an_interrupted_reset_is_removed() -> None:
    found = plan(host(1, **CLEAN), host(2, docker=False), host(3, agent=False, member=False), leases=[lease(2)])
    assert found["removes"] == [
        "host h2: overlayd with its device, routes and firewall rules",
        "host h3: Docker and its containers restart on Docker's own bridge",
        "leases: 10.50.2.0/24 of 192.0.2.2",
        f"the network config {PREFIX}/config",
        "etcd with all its data on h2",
    ]


def test_long_lists_are_counted() -> None:
    found = plan(*(host(number) for number in range(1, 14)))
    assert "etcd with all its data on h1, h2, h3, h4, h5, h6, h7, h8, h9, h10 and 3 more" in found["removes"]
