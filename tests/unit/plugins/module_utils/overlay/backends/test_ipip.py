# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ipip backend: one device, and a route for each peer whose gateway is the peer's host."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends import backend_for, lease_data
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.state import PeerRows
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.address import Address
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.ipip_device import (
    CreateIpip,
    IpipDevice,
    IpipDevices,
    SetIpip,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.route import Route
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import ConfigError, LeaseError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import SubnetLease
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.underlay import Underlay

OWN, PEER = Subnet.parse("10.50.1.0/24"), Subnet.parse("10.50.7.0/24")
LOCAL, NEAR, FAR = map(parse_ipv4, ("192.0.2.11", "192.0.2.12", "198.51.100.1"))
UNDERLAY = Underlay("eth0", 2, LOCAL, 1500, (Subnet.parse("192.0.2.0/24"),))
CONFIG = NetworkConfig.parse('{"Network": "10.50.0.0/16", "Backend": {"Type": "ipip"}}')
DIRECT = NetworkConfig.parse('{"Network": "10.50.0.0/16", "Backend": {"Type": "ipip", "DirectRouting": true}}')
DEVICE = IpipDevice("flannel.ipip", LOCAL, 1480)


def lease(public_ip: int, kind: str = "ipip") -> SubnetLease:
    """Return a peer's lease."""
    return SubnetLease(PEER, public_ip, kind)


def test_the_host_has_a_device_from_its_own_address_to_any_other() -> None:
    backend = backend_for(CONFIG, UNDERLAY, OWN, None)
    assert (backend.mtu, backend.own_rows) == (1480, (DEVICE, Address("flannel.ipip", OWN.first)))
    assert str(CreateIpip(DEVICE)) == "ip link add flannel.ipip mtu 1480 type ipip local 192.0.2.11 remote any"


def test_a_lease_has_no_data() -> None:
    assert lease_data(CONFIG.backend, None) is None


@pytest.mark.parametrize("public_ip", [NEAR, FAR])
def test_the_host_of_a_peer_is_the_gateway_on_the_device(public_ip: int) -> None:
    route = Route(PEER, public_ip, "flannel.ipip", onlink=True)
    assert backend_for(CONFIG, UNDERLAY, OWN, None).rows(lease(public_ip)) == PeerRows(route, backend="ipip")


def test_with_direct_routing_only_distant_peers_are_reached_by_the_device() -> None:
    backend = backend_for(DIRECT, UNDERLAY, OWN, None)
    near, far = backend.rows(lease(NEAR)), backend.rows(lease(FAR))
    assert near == PeerRows(Route(PEER, NEAR, "eth0", onlink=False), backend="ipip")
    assert far == PeerRows(Route(PEER, FAR, "flannel.ipip", onlink=True), backend="ipip")


def test_a_lease_with_the_own_address_is_refused() -> None:
    with pytest.raises(LeaseError, match=r"lease 10\.50\.7\.0-24: PublicIP 192\.0\.2\.11 is this host's own address"):
        backend_for(CONFIG, UNDERLAY, OWN, None).rows(lease(LOCAL))


def test_a_peer_of_another_backend_is_left_to_that_backend() -> None:
    assert backend_for(CONFIG, UNDERLAY, OWN, None).rows(lease(NEAR, "vxlan")) is None


@pytest.mark.parametrize(
    ("value", "problem"), [("yes", "'yes' is not a boolean; write true or false"), (1, "1 is not")]
)
def test_a_wrong_option_is_named_with_its_value(value: object, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"Backend DirectRouting {problem}"):
        NetworkConfig.from_mapping({"Network": "10.50.0.0/16", "Backend": {"Type": "ipip", "DirectRouting": value}})


def test_an_underlay_with_too_small_an_mtu_is_refused() -> None:
    with pytest.raises(ConfigError, match="overlay MTU 575 is below 576 bytes"):
        backend_for(CONFIG, UNDERLAY._replace(mtu=595), OWN, None)


def test_a_device_to_one_host_is_replaced_and_another_local_address_is_changed() -> None:
    table = IpipDevices()
    assert not table.can_become(DEVICE._replace(remote=NEAR), DEVICE)
    moved = DEVICE._replace(local=FAR)
    assert table.can_become(moved, DEVICE)
    assert table.changes(moved, DEVICE) == [SetIpip(DEVICE)]
    assert str(SetIpip(DEVICE)) == "ip link set flannel.ipip type ipip local 192.0.2.11 remote any"
