# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kernel rows as text, and the hosts that an underlay reaches in one hop."""

from __future__ import annotations

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import (
    Subnet,
    parse_ipv4,
    parse_mac,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.state import (
    FdbEntry,
    Neighbour,
    Route,
    Underlay,
)

MAC = parse_mac("0e:1c:9a:04:7f:22")


def test_rows_read_like_the_lines_a_person_would_type() -> None:
    gateway = parse_ipv4("10.50.7.0")
    assert str(Neighbour("flannel.1", gateway, MAC)) == "neighbour 10.50.7.0 lladdr 0e:1c:9a:04:7f:22 dev flannel.1"
    assert str(FdbEntry("flannel.1", MAC, parse_ipv4("192.0.2.12"))) == (
        "fdb 0e:1c:9a:04:7f:22 dst 192.0.2.12 dev flannel.1"
    )
    route = Route(Subnet.parse("10.50.7.0/24"), gateway, "flannel.1", True)
    assert str(route) == "route 10.50.7.0/24 via 10.50.7.0 dev flannel.1 onlink"
    assert str(route._replace(onlink=False)) == "route 10.50.7.0/24 via 10.50.7.0 dev flannel.1"


def test_a_host_is_one_hop_away_on_any_network_of_the_underlay() -> None:
    networks = (Subnet.parse("192.0.2.0/24"), Subnet.parse("198.51.100.0/25"))
    underlay = Underlay("eth0", 2, parse_ipv4("192.0.2.7"), 1500, networks)
    assert underlay.reaches_directly(parse_ipv4("198.51.100.9"))
    assert not underlay.reaches_directly(parse_ipv4("198.51.100.200"))
