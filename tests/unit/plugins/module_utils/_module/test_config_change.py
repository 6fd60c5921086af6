# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The effects of a new network config on hosts that have leases."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._module.config_change import (
    ConfigChange,
    config_change,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import SubnetLease
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig

LEASES = {"10.5.7.0/24": "192.0.2.7", "10.5.200.0/24": "192.0.2.8"}


def config(backend: dict[str, Any] | None = None, **keys: Any) -> NetworkConfig:
    return NetworkConfig.from_mapping({"Network": "10.5.0.0/16", "Backend": backend or {"Type": "vxlan"}, **keys})


def change(old: NetworkConfig | None, new: NetworkConfig, leases: dict[str, str] | None = None) -> ConfigChange:
    held = LEASES if leases is None else leases
    return config_change(
        old, new, [SubnetLease(Subnet.parse(net), parse_ipv4(ip), "vxlan", None) for net, ip in held.items()], False
    )


def test_another_network_moves_all_hosts() -> None:
    assert change(config(), config(Network="10.6.0.0/16")) == ConfigChange(
        [("network", "10.5.0.0/16", "10.6.0.0/16")],
        ["192.0.2.7", "192.0.2.8"],
        ["192.0.2.7", "192.0.2.8"],
        [],
        True,
        [],
    )


def test_a_smaller_range_moves_only_the_hosts_outside_of_it() -> None:
    found = change(config(), config(SubnetMax="10.5.100.0"))
    assert found.settings == [("subnet_max", "10.5.255.0", "10.5.100.0")]
    assert (found.moved, found.disrupts) == (["192.0.2.8"], True)


@pytest.mark.parametrize(
    ("backend", "setting", "resizes"),
    [
        ({"Type": "host-gw"}, ("backend.Type", "vxlan", "host-gw"), True),
        ({"Type": "vxlan", "MTU": 1400}, ("backend.MTU", "unset", "1400"), True),
        ({"Type": "vxlan", "VNI": 2}, ("backend.VNI", "1", "2"), False),
        ({"Type": "vxlan", "Port": 4789}, ("backend.Port", "8472", "4789"), False),
    ],
)
def test_another_backend_moves_no_host(backend: dict[str, Any], setting: tuple[str, str, str], resizes: bool) -> None:
    found = change(config(), config(backend))
    assert (found.settings, found.moved, found.disrupts) == ([setting], [], True)
    assert found.new_mtu == (["192.0.2.7", "192.0.2.8"] if resizes else [])


@pytest.mark.parametrize(
    "new",
    [config({"Type": "vxlan", "DirectRouting": True}), config(SubnetMin="10.5.2.0"), config(SubnetMax="10.5.200.0")],
)
def test_direct_routing_and_a_range_with_all_leases_disrupt_nothing(new: NetworkConfig) -> None:
    assert not change(config(), new).disrupts


def test_a_change_of_a_network_without_leases_disrupts_nothing() -> None:
    found = change(config(), config({"Type": "host-gw"}, Network="10.6.0.0/16"), {})
    assert (found.hosts, found.disrupts) == ([], False)


def test_a_lease_left_by_a_former_network_does_not_count() -> None:
    left = {"10.4.7.0/24": "192.0.2.7", "10.5.7.0/24": "192.0.2.7"}
    found = change(config(), config({"Type": "vxlan", "DirectRouting": True}), left)
    assert (found.hosts, found.moved, found.disrupts) == (["192.0.2.7"], [], False)


@pytest.mark.parametrize(
    ("old", "new", "loss"),
    [
        ({"Type": "host-gw"}, {"Type": "vxlan"}, "50 bytes smaller (1500 -> 1450 on an interface with MTU 1500)"),
        ({"Type": "alloc"}, {"Type": "vxlan"}, "50 bytes smaller"),
        ({"Type": "vxlan"}, {"Type": "vxlan", "MTU": 1400}, "100 bytes smaller (1450 -> 1350"),
        ({"Type": "vxlan", "MTU": 9000}, {"Type": "vxlan", "MTU": 8000}, "1000 bytes smaller (8950 -> 7950"),
        ({"Type": "vxlan"}, {"Type": "vxlan", "Port": 4789}, "Port 8472 and a host with Port 4789 are lost until"),
    ],
)
def test_a_change_that_loses_packets_is_named(old: dict[str, Any], new: dict[str, Any], loss: str) -> None:
    (found,) = change(config(old), config(new)).losses
    assert loss in found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"Type": "vxlan"}, {"Type": "host-gw"}),
        ({"Type": "vxlan", "MTU": 1400}, {"Type": "vxlan"}),
        ({"Type": "vxlan"}, {"Type": "vxlan", "VNI": 2, "Port": 4789}),
        ({"Type": "vxlan"}, {"Type": "vxlan", "DirectRouting": True}),
        ({"Type": "host-gw"}, {"Type": "alloc"}),
    ],
)
def test_a_change_without_a_lost_packet_has_no_loss(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert change(config(old), config(new)).losses == []


def test_without_leases_nothing_is_lost() -> None:
    assert change(config({"Type": "host-gw"}), config(), {}).losses == []
