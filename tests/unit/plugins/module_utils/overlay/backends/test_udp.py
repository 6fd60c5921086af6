# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The udp backend: its options, its rows for peers and senders, and the order in which peers change."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends import backend_for, lease_data
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends.by_lease import ByLease
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.plan import plan
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.state import (
    DesiredState,
    ObservedState,
    PeerRows,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.address import Address
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.route import Route
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.tun_device import TunDevice
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.udp_peer import UdpPeer
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tunnels import Tunnels
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.backends import parse_backend
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.backends.udp import UdpOptions
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import ConfigError, LeaseError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import SubnetLease
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.underlay import Underlay

OWN, PEER = Subnet.parse("10.50.1.0/24"), Subnet.parse("10.50.7.0/24")
HERE, THERE = parse_ipv4("192.0.2.11"), parse_ipv4("192.0.2.12")
UNDERLAY = Underlay("eth0", 2, HERE, 1500, (Subnet.parse("192.0.2.0/24"),))
CONFIG = NetworkConfig.parse('{"Network": "10.50.0.0/16"}')
BACKEND = backend_for(CONFIG, UNDERLAY, OWN, None)
SENT_TO, SENDS = UdpPeer("flannel0", PEER, THERE, 8285), UdpPeer("flannel0", PEER, THERE)


def steps(wanted: UdpPeer | None, held: UdpPeer | None) -> list[str]:
    """Return the commands for a peer whose rows change."""

    def state(row: UdpPeer | None) -> DesiredState:
        rows = PeerRows(
            Route(PEER, 0, "flannel0", onlink=False) if row and row.port else None, others=(row,) if row else ()
        )
        return DesiredState.of(BACKEND.own_rows, [rows])

    return [str(step) for step in plan(state(wanted), ObservedState.of(state(held))).steps]


def test_a_config_without_backend_is_udp_with_flannels_port() -> None:
    assert CONFIG.backend == parse_backend({"Type": "UDP"}) == UdpOptions(8285)
    assert parse_backend({"Type": "udp", "Port": 65535}) == UdpOptions(65535)


@pytest.mark.parametrize("port", [0, 65536, -1, "8285", True, 1.5])
def test_a_port_that_is_none_is_refused(port: Any) -> None:
    with pytest.raises(ConfigError, match=r"Backend Port .* from 1 to 65535"):
        parse_backend({"Type": "udp", "Port": port})


def test_the_device_listens_on_the_underlay_and_has_28_bytes_less() -> None:
    device = TunDevice("flannel0", 1472, HERE, 8285, OWN.first)
    assert (BACKEND.mtu, BACKEND.device) == (1472, device)
    assert BACKEND.own_rows == (device, Address("flannel0", OWN.first))
    assert lease_data(CONFIG.backend, None) is None


@pytest.mark.parametrize("kind", ["udp", ""], ids=["overlayd", "flannel"])
def test_a_peer_has_a_route_without_a_gateway_and_a_host(kind: str) -> None:
    route = Route(PEER, 0, "flannel0", onlink=False)
    rows = PeerRows(route, others=(SENT_TO,), backend="udp", host=THERE)
    assert BACKEND.rows(SubnetLease(PEER, THERE, kind)) == rows


def test_a_peer_of_another_backend_is_skipped_and_the_own_address_refused() -> None:
    assert BACKEND.rows(SubnetLease(PEER, THERE, "vxlan")) is None
    with pytest.raises(LeaseError, match="is this host's own address"):
        BACKEND.rows(SubnetLease(PEER, HERE, "udp"))


def test_a_peer_with_another_backend_may_send() -> None:
    backend = ByLease(BACKEND, CONFIG.backend, UNDERLAY, OWN, Tunnels())
    rows = backend.rows(SubnetLease(PEER, THERE, "host-gw"))
    assert rows is not None
    assert rows.others == (SENDS,)
    prepared = backend.prepared_rows([SubnetLease(PEER, THERE, "vxlan"), SubnetLease(OWN, HERE, "vxlan")])
    assert prepared == (*BACKEND.own_rows, SENDS)


def test_a_peer_is_known_before_its_route_and_forgotten_after_it() -> None:
    assert [line.split()[0] for line in steps(SENT_TO, None)] == ["#", "ip"]
    assert [line.split()[0] for line in steps(None, SENT_TO)] == ["ip", "#"]
    assert [line.split()[0] for line in steps(SENDS, SENT_TO)] == ["ip", "#"]
    assert steps(SENT_TO, SENT_TO) == []
