# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan has the steps from the observed to the desired state in a safe order, shown as commands."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.plan import KernelPlan, plan
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.state import (
    DesiredState,
    Found,
    ObservedState,
    PeerRows,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.address import Address
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.fdb import FdbEntry
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.neighbour import Neighbour
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.next_hop import NextHop
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.route import ForeignRoute, Route
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.stray_route import StrayRoute
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.unreachable import Unreachable
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.vxlan_device import VxlanDevice
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import (
    Subnet,
    parse_ipv4,
    parse_mac,
)

DEVICE = VxlanDevice(
    name="flannel.1",
    vni=1,
    underlay="eth0",
    local=parse_ipv4("192.0.2.11"),
    port=8472,
    mtu=1450,
    mac=parse_mac("0e:00:00:00:00:01"),
)
ADDRESS = Address("flannel.1", parse_ipv4("10.50.1.0"))
CREATION = [
    "ip link add flannel.1 address 0e:00:00:00:00:01 mtu 1450 type vxlan id 1 dev eth0 local 192.0.2.11 dstport 8472 "
    "nolearning",
    "ip address add 10.50.1.0/32 dev flannel.1",
    "ip link set flannel.1 up",
]
ADDITION = [
    "ip neighbour replace 10.50.2.0 lladdr 0e:00:00:00:00:02 dev flannel.1 nud permanent",
    "bridge fdb replace 0e:00:00:00:00:02 dev flannel.1 dst 192.0.2.12 self permanent",
    "ip route add 10.50.2.0/24 via 10.50.2.0 dev flannel.1 onlink proto 158",
]
REMOVAL = [
    "ip route delete 10.50.2.0/24 via 10.50.2.0 dev flannel.1 onlink",
    "bridge fdb delete 0e:00:00:00:00:02 dev flannel.1 dst 192.0.2.12 self",
    "ip neighbour delete 10.50.2.0 dev flannel.1",
]


def peer(number: int, mac: int | None = None) -> PeerRows:
    """Return the rows of the host that holds 10.50.n.0/24 and has the address 192.0.2.(10 + n)."""
    subnet = Subnet.parse(f"10.50.{number}.0/24")
    address = parse_mac(f"0e:00:00:00:00:{mac or number:02x}")
    return PeerRows(
        Route(subnet, subnet.first, "flannel.1", onlink=True),
        Neighbour("flannel.1", subnet.first, address),
        FdbEntry("flannel.1", address, parse_ipv4(f"192.0.2.{10 + number}")),
    )


def route_of(rows: PeerRows) -> Route:
    """Return the route of a peer that has one."""
    assert rows.route is not None
    return rows.route


def direct(number: int) -> PeerRows:
    """Return the rows of the same host when it is reached without a tunnel."""
    return PeerRows(
        Route(Subnet.parse(f"10.50.{number}.0/24"), parse_ipv4(f"192.0.2.{10 + number}"), "eth0", onlink=False)
    )


def state(*peers: PeerRows, device: VxlanDevice | None = DEVICE) -> DesiredState:
    """Return the state with these peers."""
    return DesiredState.of((device, ADDRESS) if device else (), peers)


def steps(desired: DesiredState, observed: ObservedState) -> list[str]:
    """Return the plan as commands; it must have no conflicts."""
    found = plan(desired, observed)
    assert not found.conflicts
    return [str(step) for step in found.steps]


def observed(*peers: PeerRows, **found: Any) -> ObservedState:
    """Return the state with these peers as it is observed, its device found with other settings if some are given."""
    return ObservedState.of(state(*peers)).replace(VxlanDevice, rows={DEVICE.name: DEVICE._replace(**found)})


def with_foreign(route: ForeignRoute) -> ObservedState:
    """Return a state with nothing but a route of another program."""
    return ObservedState({Route: Found(foreign={route.route.subnet: route})})


def test_on_a_bare_host_the_device_is_added_first_and_routes_last() -> None:
    assert steps(state(peer(2)), ObservedState()) == CREATION + ADDITION


def test_a_state_as_desired_needs_no_step() -> None:
    reached = plan(state(peer(2), direct(3)), ObservedState.of(state(peer(2), direct(3))))
    assert reached == KernelPlan()
    assert not reached


def test_the_rows_of_a_removed_peer_are_removed_in_reverse_order() -> None:
    assert steps(state(), ObservedState.of(state(peer(2)))) == REMOVAL


def test_a_new_mac_is_set_before_the_old_forwarding_row_is_removed() -> None:
    assert steps(state(peer(2, mac=0x22)), ObservedState.of(state(peer(2)))) == [
        "ip neighbour replace 10.50.2.0 lladdr 0e:00:00:00:00:22 dev flannel.1 nud permanent",
        "bridge fdb replace 0e:00:00:00:00:22 dev flannel.1 dst 192.0.2.12 self permanent",
        "bridge fdb delete 0e:00:00:00:00:02 dev flannel.1 dst 192.0.2.12 self",
    ]


def test_the_direct_route_of_a_peer_is_added_before_its_other_rows_are_removed() -> None:
    assert steps(state(direct(2)), ObservedState.of(state(peer(2)))) == [
        "ip route change 10.50.2.0/24 via 192.0.2.12 dev eth0 proto 158",
        *REMOVAL[1:],
    ]


@pytest.mark.parametrize(
    ("found", "step"),
    [
        ({"mtu": 1400}, "ip link set flannel.1 mtu 1450"),
        ({"learning": True}, "ip link set flannel.1 type vxlan id 1 dev eth0 local 192.0.2.11 dstport 8472 nolearning"),
        ({"local": 1}, "ip link set flannel.1 type vxlan id 1 dev eth0 local 192.0.2.11 dstport 8472 nolearning"),
        (
            {"underlay": "eth1"},
            "ip link set flannel.1 type vxlan id 1 dev eth0 local 192.0.2.11 dstport 8472 nolearning",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_that_a_device_can_change_are_changed_in_place(found: dict[str, Any], step: str) -> None:
    assert steps(state(peer(2)), observed(peer(2), **found)) == [step]


def test_after_a_change_of_the_mac_the_neighbours_are_set_again() -> None:
    assert steps(state(peer(2)), observed(peer(2), mac=bytes(6))) == [
        "ip link set flannel.1 address 0e:00:00:00:00:01",
        ADDITION[0],
    ]


@pytest.mark.parametrize("found", [{"vni": 2}, {"port": 4789}, {"gbp": True}], ids=str)
def test_settings_that_a_device_cannot_change_recreate_it_with_its_rows(
    found: dict[str, Any],
) -> None:
    assert steps(state(peer(2), direct(3)), observed(peer(2), direct(3), **found)) == [
        "ip link delete flannel.1",
        *CREATION,
        *ADDITION,
    ]


def test_a_wrong_address_is_removed_after_the_right_one_and_the_routes_are_set() -> None:
    other = Address("flannel.1", parse_ipv4("10.50.9.0"), 16)
    wrong = observed(up=False).replace(Address, rows={other: other})
    assert steps(state(peer(2)), wrong) == [
        "ip address add 10.50.1.0/32 dev flannel.1",
        "ip link set flannel.1 up",
        *ADDITION,
        "ip address delete 10.50.9.0/16 dev flannel.1",
    ]


def test_stray_rows_are_removed_before_anything_is_added() -> None:
    stray = StrayRoute(Subnet.parse("10.50.2.0/24"), "flannel.1", 0, 7, 0, 3, 1, 0)
    entry = FdbEntry("flannel.1", bytes(6), parse_ipv4("192.0.2.99"))
    untidy = observed().replace(Route, strays=(stray,)).replace(FdbEntry, strays=(entry,))
    untidy = untidy.replace(NextHop, strays=(NextHop(77),))
    assert steps(state(peer(2)), untidy) == [
        "bridge fdb delete 00:00:00:00:00:00 dev flannel.1 dst 192.0.2.99 self",
        "ip route delete 10.50.2.0/24 dev flannel.1 metric 7 proto 3",
        "ip nexthop delete id 77",
        *ADDITION,
    ]


def test_an_unwanted_device_is_removed_last_together_with_its_rows() -> None:
    old = ObservedState.of(state(peer(2), peer(3)))
    assert steps(state(direct(2), device=None), old) == [
        "ip route change 10.50.2.0/24 via 192.0.2.12 dev eth0 proto 158",
        "ip link delete flannel.1",
    ]


def test_an_equivalent_foreign_route_is_sufficient() -> None:
    foreign = ForeignRoute(route_of(direct(2)), 4)
    assert plan(state(direct(2), device=None), with_foreign(foreign)) == KernelPlan()


def test_the_same_route_as_flannel_left_it_is_adopted_in_place() -> None:
    foreign = ForeignRoute(route_of(direct(2)), 3, is_flannels=True)
    found = with_foreign(foreign)
    assert steps(state(direct(2), device=None), found) == [
        "ip route replace 10.50.2.0/24 via 192.0.2.12 dev eth0 proto 158"
    ]


def test_a_route_of_flannel_that_leads_elsewhere_is_a_conflict() -> None:
    foreign = ForeignRoute(route_of(direct(2))._replace(gateway=route_of(direct(3)).gateway), 3, is_flannels=True)
    found = plan(state(direct(2), device=None), with_foreign(foreign))
    assert not found.steps
    assert "ip route delete 10.50.2.0/24 via 192.0.2.13 dev eth0" in found.conflicts[0]


def test_any_other_foreign_route_is_a_conflict_with_a_remedy() -> None:
    foreign = ForeignRoute(Route(Subnet.parse("10.50.2.0/24"), 0, "br-7", onlink=False), 2)
    found = plan(state(direct(2), device=None), with_foreign(foreign))
    assert found.steps == ()
    assert found.conflicts == (
        "route 10.50.2.0/24 via 192.0.2.12 dev eth0 cannot be added: route 10.50.2.0/24 dev br-7 (proto 2) exists and "
        "is not managed by overlayd; stop the program that sets it, then run: ip route delete 10.50.2.0/24 dev br-7",
    )


def test_one_peers_change_is_planned_from_its_rows_alone() -> None:
    before, after = state(peer(2)), state(peer(2), peer(3))
    assert len(plan(after, ObservedState.of(before)).steps) == 3
    assert plan(state(direct(9)), ObservedState.of(state())).steps == plan(state(direct(9)), observed()).steps


NETWORK = Subnet.parse("10.50.0.0/16")
UNREACHABLE = Unreachable(NETWORK)


def test_the_unreachable_route_is_added_after_the_routes_to_peers() -> None:
    wanted = DesiredState.of((DEVICE, ADDRESS), [peer(2)], [UNREACHABLE])
    lines = [str(step) for step in plan(wanted, ObservedState()).steps]
    assert lines[-2:] == [ADDITION[-1], "ip route add unreachable 10.50.0.0/16 metric 4294967295 proto 158"]
    assert plan(wanted, ObservedState.of(wanted)) == KernelPlan()


def test_an_unreachable_route_is_removed_only_on_request() -> None:
    observed = ObservedState.of(state()).replace(Unreachable, rows={NETWORK: UNREACHABLE})
    assert plan(state(), observed) == KernelPlan()
    steps = plan(state()._replace(partial=False), observed).steps
    assert [str(step) for step in steps] == ["ip route delete 10.50.0.0/16 metric 4294967295 proto 158"]


def test_a_second_device_of_ours_is_deleted_last_and_its_rows_with_it() -> None:
    other = DEVICE._replace(name="flannel.9", vni=9)
    row = Neighbour("flannel.9", parse_ipv4("10.50.9.0"), DEVICE.mac)
    found = ObservedState.of(DesiredState.of([DEVICE, ADDRESS, other, Address("flannel.9", 7)], [peer(2)]))
    found = found.replace(Neighbour, rows={**found.rows(Neighbour), row.key: row})
    assert steps(state(peer(2)), found) == ["ip link delete flannel.9"]
