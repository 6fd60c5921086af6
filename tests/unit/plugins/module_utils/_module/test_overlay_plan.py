# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rows of a host that belong to the plan of one peer."""

from __future__ import annotations

from ansible_collections.clusternet.overlay.plugins.module_utils._module.overlay_plan import behind, only
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.rows import hop_identifier
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.plan import ObservedState
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.steps import StrayRoute
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import (
    Subnet,
    parse_ipv4,
    parse_mac,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.state import FdbEntry, Neighbour, Route

DEVICE = "flannel.1"
SUBNETS = [Subnet.parse(f"10.50.{number}.0/24") for number in (1, 2, 3)]
MACS = [parse_mac(f"0e:00:00:00:00:0{number}") for number in (1, 2, 3)]
HOSTS = [parse_ipv4(f"192.0.2.{number}") for number in (1, 2, 3)]
ONE, TWO, THREE = SUBNETS


def observed(*macs: bytes) -> ObservedState:
    """Return the whole state of three peers on vxlan, with strays of each."""
    held = macs or tuple(MACS)
    return ObservedState(
        routes={subnet: Route(subnet, subnet.first, DEVICE, onlink=True) for subnet in SUBNETS},
        neighbours={subnet.first: Neighbour(DEVICE, subnet.first, mac) for subnet, mac in zip(SUBNETS, held)},
        fdb={mac: FdbEntry(DEVICE, mac, host) for mac, host in zip(MACS, HOSTS)},
        leftovers=("flannel.9",),
        stray_routes=tuple(StrayRoute(subnet, DEVICE, 0, 5, 0, 158, 1, 0) for subnet in SUBNETS),
        stray_fdb=tuple(FdbEntry(DEVICE, mac, 7) for mac in MACS),
        stray_next_hops=tuple(hop_identifier(subnet) for subnet in SUBNETS),
    )


def test_a_peers_part_of_the_state_has_all_its_rows_and_strays_and_nothing_else() -> None:
    part = only(observed(), [TWO])
    assert list(part.routes) == [TWO]
    assert list(part.neighbours) == [TWO.first]
    assert list(part.fdb) == [MACS[1]]
    assert [route.subnet for route in part.stray_routes] == [TWO]
    assert [row.mac for row in part.stray_fdb] == [MACS[1]]
    assert part.stray_next_hops == (hop_identifier(TWO),)
    assert part.leftovers == ()


def test_the_row_of_a_mac_that_another_peer_has_too_is_left_out() -> None:
    shared = observed(MACS[0], MACS[0], MACS[2])
    assert list(only(shared, [TWO]).fdb) == []
    assert list(only(shared, [ONE, TWO]).fdb) == [MACS[0]]


def test_the_row_of_the_peers_future_mac_is_compared_too() -> None:
    assert set(only(observed(), [TWO], [MACS[2]]).fdb) == {MACS[1], MACS[2]}


def test_the_subnets_behind_a_host_are_found_through_its_tunnel_end_points_or_as_gateway() -> None:
    assert behind(observed(), HOSTS[2]) == [THREE]
    plain = ObservedState(routes={subnet: Route(subnet, HOSTS[0], "eth0", onlink=False) for subnet in (TWO, ONE)})
    assert behind(plain, HOSTS[0]) == [ONE, TWO]
    assert behind(plain, HOSTS[1]) == []
