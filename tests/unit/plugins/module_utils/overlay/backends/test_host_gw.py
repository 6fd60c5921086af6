# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host-gw backend: one route for a peer one hop away, a reason for any other."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends import backend_for, lease_data
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.state import PeerRows
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.route import Route
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import LeaseError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import SubnetLease
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.underlay import Underlay

PEER = Subnet.parse("10.50.7.0/24")
UNDERLAY = Underlay("eth0", 2, parse_ipv4("192.0.2.11"), 1500, (Subnet.parse("192.0.2.0/24"),))
CONFIG = NetworkConfig.parse('{"Network": "10.50.0.0/16", "Backend": {"Type": "host-gw"}}')
BACKEND = backend_for(CONFIG, UNDERLAY, Subnet.parse("10.50.1.0/24"), None)


def lease(address: str, kind: str = "host-gw") -> SubnetLease:
    """Return a peer's lease."""
    return SubnetLease(PEER, parse_ipv4(address), kind)


def test_a_peer_is_the_gateway_to_its_subnet() -> None:
    route = Route(PEER, parse_ipv4("192.0.2.12"), "eth0", onlink=False)
    assert BACKEND.rows(lease("192.0.2.12")) == PeerRows(route, backend="host-gw")


def test_containers_have_the_whole_mtu_and_there_is_no_device_and_no_lease_data() -> None:
    assert (BACKEND.mtu, BACKEND.device, BACKEND.own_rows) == (1500, None, ())
    assert lease_data(CONFIG.backend, None) is None


def test_a_peer_of_another_backend_is_skipped_without_an_error() -> None:
    assert BACKEND.rows(lease("192.0.2.12", "vxlan")) is None


def test_a_peer_that_is_not_one_hop_away_is_refused_with_the_usable_networks() -> None:
    with pytest.raises(LeaseError, match=r"lease 10\.50\.7\.0-24: PublicIP 198\.51\.100\.1 .*192\.0\.2\.0/24"):
        BACKEND.rows(lease("198.51.100.1"))


def test_a_peer_with_this_hosts_own_address_is_refused() -> None:
    with pytest.raises(LeaseError, match="is this host's own address"):
        BACKEND.rows(lease("192.0.2.11"))
