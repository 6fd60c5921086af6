# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rows of a host that belong to the plan of one peer."""

from __future__ import annotations

from ansible_collections.clusternet.overlay.plugins.module_utils._module.overlay_plan import only, routed_to
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.state import Found, ObservedState
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.fdb import FdbEntry
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.neighbour import Neighbour
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.next_hop import (
    NextHop,
    hop_identifier,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.route import Route
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.stray_route import StrayRoute
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.unreachable import Unreachable
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import (
    Subnet,
    parse_ipv4,
    parse_mac,
)

DEVICE = "flannel.1"
SUBNETS = [Subnet.parse(f"10.50.{number}.0/24") for number in (1, 2, 3)]
MACS = [parse_mac(f"0e:00:00:00:00:0{number}") for number in (1, 2, 3)]
HOSTS = [parse_ipv4(f"192.0.2.{number}") for number in (1, 2, 3)]
ONE, TWO, THREE = SUBNETS
NETWORK = Subnet.parse("10.50.0.0/16")


def observed(*macs: bytes) -> ObservedState:
    """Return the whole state of three peers on vxlan, with strays of each."""
    held = macs or tuple(MACS)
    return ObservedState(
        {
            Route: Found(
                {subnet: Route(subnet, subnet.first, DEVICE, onlink=True) for subnet in SUBNETS},
                tuple(StrayRoute(subnet, DEVICE, 0, 5, 0, 158, 1, 0) for subnet in SUBNETS),
            ),
            Neighbour: Found(
                {(DEVICE, subnet.first): Neighbour(DEVICE, subnet.first, mac) for subnet, mac in zip(SUBNETS, held)}
            ),
            FdbEntry: Found(
                {(DEVICE, mac): FdbEntry(DEVICE, mac, host) for mac, host in zip(MACS, HOSTS)},
                tuple(FdbEntry(DEVICE, mac, 7) for mac in MACS),
            ),
            NextHop: Found(strays=tuple(NextHop(hop_identifier(subnet)) for subnet in SUBNETS)),
            Unreachable: Found({NETWORK: Unreachable(NETWORK)}),
        }
    )


def test_a_peers_part_of_the_state_has_all_its_rows_and_strays_and_nothing_else() -> None:
    part = only(observed(), [TWO])
    assert list(part.rows(Route)) == [TWO]
    assert list(part.rows(Neighbour)) == [(DEVICE, TWO.first)]
    assert list(part.rows(FdbEntry)) == [(DEVICE, MACS[1])]
    assert [route.subnet for route in part.found(Route).strays] == [TWO]
    assert [row.mac for row in part.found(FdbEntry).strays] == [MACS[1]]
    assert part.found(NextHop).strays == (NextHop(hop_identifier(TWO)),)
    assert not part.rows(Unreachable)


def test_the_row_of_a_mac_that_another_peer_has_too_is_left_out() -> None:
    shared = observed(MACS[0], MACS[0], MACS[2])
    assert list(only(shared, [TWO]).rows(FdbEntry)) == []
    assert list(only(shared, [ONE, TWO]).rows(FdbEntry)) == [(DEVICE, MACS[0])]


def test_the_row_of_the_peers_future_mac_is_compared_too() -> None:
    part = only(observed(), [TWO], [(DEVICE, MACS[2])])
    assert set(part.rows(FdbEntry)) == {(DEVICE, MACS[1]), (DEVICE, MACS[2])}


def test_the_subnets_of_a_host_are_found_by_its_tunnel_end_points_or_gateway() -> None:
    assert routed_to(observed(), HOSTS[2]) == [THREE]
    plain = ObservedState(
        {Route: Found({subnet: Route(subnet, HOSTS[0], "eth0", onlink=False) for subnet in (TWO, ONE)})}
    )
    assert routed_to(plain, HOSTS[0]) == [ONE, TWO]
    assert routed_to(plain, HOSTS[1]) == []
