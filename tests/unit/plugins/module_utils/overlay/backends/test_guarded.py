# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A guarded backend refuses peers on reserved addresses, and is its backend in everything else."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends import backend_for
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends.guarded import Guarded
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import LeaseError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import SubnetLease
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.overlap import Range, Reserved
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.underlay import Underlay

CONFIG = NetworkConfig.parse('{"Network": "10.50.0.0/16", "Backend": {"Type": "host-gw"}}')
UNDERLAY = Underlay("eth0", 2, parse_ipv4("192.0.2.11"), 1500, (Subnet.parse("192.0.2.0/24"),))
BACKEND = backend_for(CONFIG, UNDERLAY, Subnet.parse("10.50.1.0/24"), None)
GUARDED = Guarded(BACKEND, Reserved([Range(Subnet.parse("10.50.7.128/25"), "the connected network of eth1")]))


def lease(subnet: str, kind: str = "host-gw") -> SubnetLease:
    """A peer's lease of a subnet."""
    return SubnetLease(Subnet.parse(subnet), parse_ipv4("192.0.2.12"), kind)


@pytest.mark.parametrize("subnet", ["10.50.7.0/24", "10.50.7.192/26", "10.50.7.128/25"])
def test_a_peer_on_a_reserved_address_is_refused(subnet: str) -> None:
    assert BACKEND.rows(lease(subnet)) is not None
    with pytest.raises(LeaseError, match="the connected network of eth1"):
        GUARDED.rows(lease(subnet))


@pytest.mark.parametrize("subnet", ["10.50.7.0/25", "10.50.6.0/24", "10.50.8.0/24"])
def test_a_peer_on_other_addresses_has_the_rows_of_the_backend(subnet: str) -> None:
    assert GUARDED.rows(lease(subnet)) == BACKEND.rows(lease(subnet))


def test_a_peer_of_another_backend_is_passed_over_and_not_refused() -> None:
    assert GUARDED.rows(lease("10.50.7.0/24", "vxlan")) is None
