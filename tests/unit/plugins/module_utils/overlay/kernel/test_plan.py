# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan has the steps from the observed to the desired state in a safe order, shown as commands."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.plan import (
    DesiredState,
    ForeignRoute,
    FoundDevice,
    ObservedState,
    Plan,
    plan,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.steps import StrayRoute
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import (
    Subnet,
    parse_ipv4,
    parse_mac,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.state import (
    FdbEntry,
    Neighbour,
    PeerRows,
    Route,
    VxlanDevice,
)

DEVICE = VxlanDevice(
    name="flannel.1",
    vni=1,
    underlay="eth0",
    local=parse_ipv4("192.0.2.11"),
    port=8472,
    mtu=1450,
    mac=parse_mac("0e:00:00:00:00:01"),
    address=parse_ipv4("10.50.1.0"),
)
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


def direct(number: int) -> PeerRows:
    """Return the rows of the same host when it is reached without a tunnel."""
    return PeerRows(
        Route(Subnet.parse(f"10.50.{number}.0/24"), parse_ipv4(f"192.0.2.{10 + number}"), "eth0", onlink=False)
    )


def state(*peers: PeerRows, device: VxlanDevice | None = DEVICE) -> DesiredState:
    """Return the state with these peers."""
    return DesiredState.of(device, peers)


def steps(desired: DesiredState, observed: ObservedState) -> list[str]:
    """Return the plan as commands; it must have no conflicts."""
    found = plan(desired, observed)
    assert not found.conflicts
    return [str(step) for step in found.steps]


def observed(*peers: PeerRows, **found: Any) -> ObservedState:
    """Return the state with these peers as it is observed, its device found with other settings if some are given."""
    known = ObservedState.of(state(*peers))
    assert known.device is not None
    return known._replace(device=known.device._replace(device=DEVICE._replace(**found)))


def test_on_a_bare_host_the_device_is_added_first_and_routes_last() -> None:
    assert steps(state(peer(2)), ObservedState()) == CREATION + ADDITION


def test_a_state_as_desired_needs_no_step() -> None:
    reached = plan(state(peer(2), direct(3)), ObservedState.of(state(peer(2), direct(3))))
    assert reached == Plan()
    assert not reached


def test_the_rows_of_a_removed_peer_are_removed_in_reverse_order() -> None:
    assert steps(state(), ObservedState.of(state(peer(2)))) == REMOVAL


def test_a_new_mac_is_set_before_the_old_forwarding_row_is_removed() -> None:
    assert steps(state(peer(2, mac=0x22)), ObservedState.of(state(peer(2)))) == [
        "ip neighbour replace 10.50.2.0 lladdr 0e:00:00:00:00:22 dev flannel.1 nud permanent",
        "bridge fdb replace 0e:00:00:00:00:22 dev flannel.1 dst 192.0.2.12 self permanent",
        "bridge fdb delete 0e:00:00:00:00:02 dev flannel.1 dst 192.0.2.12 self",
    ]


def test_a_peer_now_reached_directly_gets_its_route_before_its_other_rows_are_removed() -> None:
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
    wrong = observed()._replace(device=FoundDevice(DEVICE, False, ((parse_ipv4("10.50.9.0"), 16),)))
    assert steps(state(peer(2)), wrong) == [
        "ip address add 10.50.1.0/32 dev flannel.1",
        "ip link set flannel.1 up",
        *ADDITION,
        "ip address delete 10.50.9.0/16 dev flannel.1",
    ]


def test_stray_rows_are_removed_before_anything_is_added() -> None:
    stray = StrayRoute(Subnet.parse("10.50.2.0/24"), "flannel.1", 0, 7, 0, 3, 1, 0)
    untidy = observed()._replace(
        stray_routes=(stray,),
        stray_next_hops=(77,),
        stray_fdb=(FdbEntry("flannel.1", bytes(6), parse_ipv4("192.0.2.99")),),
    )
    assert steps(state(peer(2)), untidy) == [
        "ip route delete 10.50.2.0/24 dev flannel.1 metric 7 proto 3",
        "ip nexthop delete id 77",
        "bridge fdb delete 00:00:00:00:00:00 dev flannel.1 dst 192.0.2.99 self",
        *ADDITION,
    ]


def test_an_unwanted_device_is_removed_last_together_with_its_rows() -> None:
    old = ObservedState.of(state(peer(2), peer(3), device=None))._replace(
        neighbours={}, fdb={}, leftovers=("flannel.1",)
    )
    assert steps(state(direct(2), device=None), old) == [
        "ip route change 10.50.2.0/24 via 192.0.2.12 dev eth0 proto 158",
        "ip link delete flannel.1",
    ]


def test_an_equivalent_foreign_route_is_sufficient() -> None:
    foreign = ForeignRoute(direct(2).route, 4)
    assert plan(state(direct(2), device=None), ObservedState(foreign_routes={foreign.route.subnet: foreign})) == Plan()


def test_the_same_route_as_flannel_left_it_is_adopted_in_place() -> None:
    foreign = ForeignRoute(direct(2).route, 3, is_flannels=True)
    found = ObservedState(foreign_routes={foreign.route.subnet: foreign})
    assert steps(state(direct(2), device=None), found) == [
        "ip route replace 10.50.2.0/24 via 192.0.2.12 dev eth0 proto 158"
    ]


def test_a_route_of_flannel_that_leads_elsewhere_is_a_conflict() -> None:
    foreign = ForeignRoute(direct(2).route._replace(gateway=direct(3).route.gateway), 3, is_flannels=True)
    found = plan(state(direct(2), device=None), ObservedState(foreign_routes={foreign.route.subnet: foreign}))
    assert not found.steps
    assert "ip route delete 10.50.2.0/24 via 192.0.2.13 dev eth0" in found.conflicts[0]


def test_any_other_foreign_route_is_a_conflict_with_a_remedy() -> None:
    foreign = ForeignRoute(Route(Subnet.parse("10.50.2.0/24"), 0, "br-7", onlink=False), 2)
    found = plan(state(direct(2), device=None), ObservedState(foreign_routes={foreign.route.subnet: foreign}))
    assert found.steps == ()
    assert found.conflicts == (
        "route 10.50.2.0/24 via 192.0.2.12 dev eth0 cannot be made: the route 10.50.2.0/24 dev br-7 (proto 2) is there "
        "and not ours; remove what sets it, then run: ip route delete 10.50.2.0/24 dev br-7",
    )


def test_one_peers_change_is_planned_from_its_rows_alone() -> None:
    before, after = state(peer(2)), state(peer(2), peer(3))
    assert len(plan(after, ObservedState.of(before)).steps) == 3
    assert plan(state(direct(9)), ObservedState.of(state())).steps == plan(state(direct(9)), observed()).steps


NETWORK = Subnet.parse("10.50.0.0/16")
UNREACHABLE = StrayRoute(NETWORK, "", 0, 2**32 - 1, 0, 158, 7, 0)


def test_the_unreachable_route_is_added_after_the_routes_to_peers() -> None:
    wanted = state(peer(2))._replace(unreachable=NETWORK, leave_unreachable=False)
    lines = [str(step) for step in plan(wanted, ObservedState()).steps]
    assert lines[-2:] == [ADDITION[-1], "ip route add unreachable 10.50.0.0/16 metric 4294967295 proto 158"]
    assert plan(wanted, ObservedState.of(wanted)._replace(unreachable=UNREACHABLE)) == Plan()


def test_an_unreachable_route_is_removed_only_on_request() -> None:
    observed = ObservedState.of(state())._replace(unreachable=UNREACHABLE)
    assert plan(state(), observed) == Plan()
    steps = plan(state()._replace(leave_unreachable=False), observed).steps
    assert [str(step) for step in steps] == ["ip route delete 10.50.0.0/16 metric 4294967295 proto 158"]
