# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The vxlan backend: the rows that a lease needs, and the leases without rows."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends import backend_for, lease_data
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends.vxlan import Vxlan
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.state import PeerRows
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.address import Address
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.fdb import FdbEntry
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.neighbour import Neighbour
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.route import Route
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.vxlan_device import VxlanDevice
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import (
    Subnet,
    parse_ipv4,
    parse_mac,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.backends.vxlan import VxlanOptions
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import ConfigError, LeaseError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import SubnetLease
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.underlay import Underlay

OWN = Subnet.parse("10.50.1.0/24")
PEER = Subnet.parse("10.50.7.0/24")
MAC = parse_mac("0e:00:00:00:00:01")
PEER_MAC = parse_mac("0e:00:00:00:00:07")
NEAR, FAR = parse_ipv4("192.0.2.12"), parse_ipv4("198.51.100.12")
UNDERLAY = Underlay("eth0", 2, parse_ipv4("192.0.2.11"), 1500, (Subnet.parse("192.0.2.0/24"),))
DATA = {"VNI": 1, "VtepMAC": "0e:00:00:00:00:07"}


def backend(**options: Any) -> Vxlan:
    """Return the backend of a host with an own subnet and MAC."""
    return Vxlan(VxlanOptions(**options), UNDERLAY, OWN, MAC)


def lease(address: int = NEAR, kind: str = "vxlan", **data: Any) -> SubnetLease:
    """Return a peer's lease."""
    return SubnetLease(PEER, address, kind, data or DATA)


def test_a_peer_needs_a_route_a_neighbour_and_a_forwarding_row() -> None:
    rows = backend().rows(lease())
    assert rows == PeerRows(
        Route(PEER, PEER.first, "flannel.1", onlink=True),
        Neighbour("flannel.1", PEER.first, PEER_MAC),
        FdbEntry("flannel.1", PEER_MAC, NEAR),
    )


def test_with_direct_routing_a_peer_one_hop_away_needs_a_route_alone() -> None:
    rows = backend(direct_routing=True).rows(lease())
    assert rows == PeerRows(Route(PEER, NEAR, "eth0", onlink=False))


def test_with_direct_routing_a_distant_peer_is_reached_through_the_tunnel() -> None:
    assert backend(direct_routing=True).rows(lease(FAR)) == backend().rows(lease(FAR))


def test_a_lease_of_flannel_before_0_14_without_a_vni_is_accepted() -> None:
    assert backend(vni=9).rows(lease(VtepMAC="0e:00:00:00:00:07")) is not None


@pytest.mark.parametrize(
    "other", [lease(kind="host-gw"), lease(kind=""), lease(VNI=2, VtepMAC="0e:00:00:00:00:07")], ids=str
)
def test_a_peer_of_another_backend_or_vni_is_skipped_without_an_error(other: SubnetLease) -> None:
    assert backend().rows(other) is None


@pytest.mark.parametrize(
    ("unfit", "reason"),
    [
        (lease(VNI=1), "no VtepMAC"),
        (SubnetLease(PEER, NEAR, "vxlan", None), "no VtepMAC"),
        (lease(VNI=1, VtepMAC="0e:00"), "'0e:00' is not a MAC address"),
        (lease(VNI=1, VtepMAC=7), "7 is not a MAC address"),
        (lease(VNI=1, VtepMAC="00:00:00:00:00:00"), "is a group address or zero"),
        (lease(VNI=1, VtepMAC="ff:ff:ff:ff:ff:ff"), "is a group address or zero"),
        (lease(VNI=1, VtepMAC="01:00:5e:00:00:01"), "is a group address or zero"),
        (lease(VNI=1, VtepMAC="0E:00:00:00:00:01"), "is this host's own"),
        (lease(UNDERLAY.address), "PublicIP 192.0.2.11 is this host's own address"),
    ],
)
def test_a_lease_that_cannot_be_routed_is_refused_by_name(unfit: SubnetLease, reason: str) -> None:
    with pytest.raises(LeaseError, match=r"^lease 10\.50\.7\.0-24: ") as caught:
        backend().rows(unfit)
    assert reason in str(caught.value)


def test_the_device_follows_from_config_underlay_and_own_subnet() -> None:
    device = VxlanDevice(
        name="flannel.5",
        vni=5,
        underlay="eth0",
        local=UNDERLAY.address,
        port=4789,
        mtu=1450,
        mac=MAC,
        learning=True,
        gbp=True,
    )
    found = backend(vni=5, port=4789, gbp=True, learning=True)
    assert found.device == device
    assert found.own_rows == (device, Address("flannel.5", OWN.first))


def test_the_lease_data_is_known_without_a_subnet() -> None:
    assert lease_data(VxlanOptions(vni=3), MAC) == {"VNI": 3, "VtepMAC": "0e:00:00:00:00:01"}
    assert lease_data(VxlanOptions(vni=3), None) is None


def test_a_vxlan_host_without_a_mac_is_refused() -> None:
    config = NetworkConfig.parse('{"Network": "10.50.0.0/16", "Backend": {"Type": "vxlan"}}')
    with pytest.raises(LeaseError, match=r"subnet 10\.50\.1\.0/24: BackendData has no VtepMAC"):
        backend_for(config, UNDERLAY, OWN, None)


def test_the_mtu_leaves_room_for_the_tunnel_and_must_fit_the_interface() -> None:
    assert backend(mtu=1400).mtu == 1350
    with pytest.raises(ConfigError, match="MTU 9000 is larger than the 1500 bytes"):
        backend(mtu=9000)
