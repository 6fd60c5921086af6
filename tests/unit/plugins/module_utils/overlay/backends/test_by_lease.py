# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each peer is reached by the backend of its own lease."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends import backend_for
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends.by_lease import (
    GRACE,
    MOST_FURTHER,
    ByLease,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.state import PeerRows
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.address import Address
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.fdb import FdbEntry
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.ipip_device import IpipDevice
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.neighbour import Neighbour
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.route import Route
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.vxlan_device import VxlanDevice
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tunnels import Tunnels
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import (
    Subnet,
    parse_ipv4,
    parse_mac,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import LeaseError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import SubnetLease
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.underlay import Underlay

OWN, PEER = Subnet.parse("10.50.1.0/24"), Subnet.parse("10.50.7.0/24")
MAC, PEER_MAC = parse_mac("0e:00:00:00:00:01"), parse_mac("0e:00:00:00:00:07")
LOCAL, NEAR = parse_ipv4("192.0.2.11"), parse_ipv4("192.0.2.12")
UNDERLAY = Underlay("eth0", 2, LOCAL, 1500, (Subnet.parse("192.0.2.0/24"),))
EXISTING = VxlanDevice("flannel.7", 7, "eth0", LOCAL, 4789, 1400, parse_mac("0e:00:00:00:07:01"))


def by_lease(tunnels: Tunnels | None = None, kept: Iterable[str] = (), **backend: Any) -> ByLease:
    """Return the backends of a host with this Backend object in its network config, vxlan if none is given."""
    config = NetworkConfig.from_mapping({"Network": "10.50.0.0/16", "Backend": backend or {"Type": "vxlan"}})
    mac = None if backend.get("Type") == "host-gw" else MAC
    own = backend_for(config, UNDERLAY, OWN, mac)
    return ByLease(own, config.backend, UNDERLAY, OWN, tunnels or Tunnels(), kept)


def vxlan_lease(**data: Any) -> SubnetLease:
    """Return the lease of a peer on vxlan."""
    return SubnetLease(PEER, NEAR, "vxlan", {"VtepMAC": "0e:00:00:00:00:07", **data})


def vxlan_rows(device: str) -> PeerRows:
    """Return the rows of that peer on a device."""
    return PeerRows(
        Route(PEER, PEER.first, device, onlink=True),
        Neighbour(device, PEER.first, PEER_MAC),
        FdbEntry(device, PEER_MAC, NEAR),
    )


HOST_GW_LEASE = SubnetLease(PEER, NEAR, "host-gw", None)
IPIP_LEASE = SubnetLease(PEER, NEAR, "ipip", None)
HOST_GW_ROWS = PeerRows(Route(PEER, NEAR, "eth0", onlink=False), backend="host-gw")


@pytest.mark.parametrize("own", [{"Type": "vxlan"}, {"Type": "vxlan", "VNI": 9}, {"Type": "host-gw"}])
def test_a_host_gw_peer_has_a_plain_route_with_any_own_backend(own: dict[str, Any]) -> None:
    backends = by_lease(**own)
    before = backends.own_rows
    assert backends.rows(HOST_GW_LEASE) == HOST_GW_ROWS
    assert backends.own_rows == before


def test_a_vxlan_peer_of_a_host_gw_host_gets_a_tunnel_device() -> None:
    backends = by_lease(Type="host-gw")
    assert not backends.own_rows
    assert backends.rows(vxlan_lease(VNI=1)) == vxlan_rows("flannel.1")
    device, address = backends.own_rows
    assert isinstance(device, VxlanDevice)
    assert (device.name, device.vni, device.port, device.mtu, device.local) == ("flannel.1", 1, 8472, 1450, LOCAL)
    assert address == Address("flannel.1", OWN.first)
    assert (backends.type, backends.mtu, backends.device) == ("host-gw", 1500, None)


def test_a_peer_with_another_vni_gets_a_device_on_the_own_port() -> None:
    backends = by_lease(Type="vxlan", VNI=2, Port=4789)
    assert backends.rows(vxlan_lease(VNI=1)) == vxlan_rows("flannel.1")
    assert backends.rows(vxlan_lease(VNI=2)) == vxlan_rows("flannel.2")
    assert [(row.name, row.port) for row in backends.own_rows if isinstance(row, VxlanDevice)] == [
        ("flannel.2", 4789),
        ("flannel.1", 4789),
    ]


def test_a_lease_without_a_vni_has_that_of_the_own_config_or_the_default() -> None:
    assert by_lease(Type="vxlan", VNI=2).rows(vxlan_lease()) == vxlan_rows("flannel.2")
    assert by_lease(Type="host-gw").rows(vxlan_lease()) == vxlan_rows("flannel.1")


def test_an_existing_device_keeps_its_port_mac_and_mtu() -> None:
    backends = by_lease(Tunnels({"flannel.7": EXISTING}), Type="host-gw")
    backends.rows(vxlan_lease(VNI=7))
    assert backends.own_rows[0] == EXISTING


def test_the_macs_of_further_devices_differ_by_host_and_vni() -> None:
    backends = by_lease(Type="host-gw")
    for vni in (1, 2):
        backends.rows(vxlan_lease(VNI=vni))
    macs = {row.mac for row in backends.own_rows if isinstance(row, VxlanDevice)}
    assert len(macs) == 2
    assert not any(mac[0] & 1 for mac in macs)


def test_a_lease_without_a_backend_is_a_reservation_and_has_no_rows() -> None:
    assert by_lease().rows(SubnetLease(PEER, NEAR)) is None


@pytest.mark.parametrize(
    ("lease", "problem"),
    [
        (SubnetLease(PEER, NEAR, "ipsec", None), "BackendType 'ipsec' is not supported by this host"),
        (vxlan_lease(VNI=0), "VNI 0 is not a whole number from 1 to 16777215"),
        (vxlan_lease(VNI="2"), "VNI '2' is not a whole number"),
        (vxlan_lease(VNI=2.5), "VNI 2.5 is not a whole number"),
        (vxlan_lease(VNI=[2]), r"VNI \[2\] is not a whole number"),
        (vxlan_lease(VNI={"a": 2}), "VNI {'a': 2} is not a whole number"),
        (vxlan_lease(VNI=5), "interface flannel.5 exists and is not a vxlan device"),
        (vxlan_lease(VNI=6), "device vx already has this VNI on port 8472"),
        (vxlan_lease(VNI=8, VtepMAC="x"), "VtepMAC 'x' is not"),
        (IPIP_LEASE, "ipip9 already is an ipip device from 192.0.2.11 to any address; run `ip link delete ipip9`"),
    ],
)
def test_a_peer_that_cannot_be_reached_is_named_with_the_reason(lease: SubnetLease, problem: str) -> None:
    rival = VxlanDevice("vx", 6, "eth0", LOCAL, 8472, 1450, parse_mac("0e:00:00:00:06:01"))
    backends = by_lease(Tunnels(others=frozenset({"flannel.5"}), rivals=(rival, IpipDevice("ipip9", LOCAL, 1480))))
    with pytest.raises(LeaseError, match=rf"lease 10\.50\.7\.0-24: .*{problem}"):
        backends.rows(lease)


def test_wrong_leases_cannot_create_devices_without_limit() -> None:
    backends = by_lease()
    for vni in range(2, 2 + MOST_FURTHER):
        assert backends.rows(vxlan_lease(VNI=vni))
    with pytest.raises(LeaseError, match=r"flannel\.99: this host has 8 other tunnel devices"):
        backends.rows(vxlan_lease(VNI=99))
    assert backends.rows(vxlan_lease(VNI=1))


def test_a_device_that_no_lease_needs_is_retired_after_the_grace_time() -> None:
    backends = by_lease(Tunnels({"flannel.7": EXISTING}), ["flannel.7"])
    assert EXISTING in backends.own_rows
    assert backends.retire([HOST_GW_ROWS], lambda: 100.0) == []
    assert backends.retire([vxlan_rows("flannel.7")], lambda: 120.0) == []
    assert backends.retire([HOST_GW_ROWS], lambda: 121.0) == []
    assert backends.retire([HOST_GW_ROWS], lambda: 120.0 + GRACE) == []
    assert EXISTING in backends.own_rows
    assert backends.retire([HOST_GW_ROWS], lambda: 121.0 + GRACE) == ["flannel.7"]
    assert EXISTING not in backends.own_rows
    assert backends.rows(vxlan_lease(VNI=7)) == vxlan_rows("flannel.7")
