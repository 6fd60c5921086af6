# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of network_config as a config, and the leases that a change of it breaks."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._module.network_config import (
    broken_leases,
    wanted_config,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import ConfigError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import SubnetLease
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig

NOTHING = {"network": None, "subnet_len": None, "subnet_min": None, "subnet_max": None, "backend": None}


def wanted(**options: Any) -> dict[str, Any]:
    return wanted_config({**NOTHING, "network": "10.5.0.0/16", "backend": {"Type": "vxlan"}, **options})


def config(backend: dict[str, Any] | None = None, **options: Any) -> NetworkConfig:
    return NetworkConfig.from_mapping(wanted(backend=backend or {"Type": "vxlan"}, **options))


def lease(subnet: str = "10.5.7.0/24", kind: str = "vxlan", data: dict[str, Any] | None = None) -> SubnetLease:
    return SubnetLease(Subnet.parse(subnet), parse_ipv4("192.0.2.7"), kind, data)


def test_only_keys_that_are_set_are_written_in_flannels_order() -> None:
    assert list(wanted().items()) == [("Network", "10.5.0.0/16"), ("Backend", {"Type": "vxlan"})]
    full = wanted(subnet_max="10.5.9.0", subnet_min="10.5.7.0", subnet_len=24)
    assert list(full) == ["Network", "SubnetLen", "SubnetMin", "SubnetMax", "Backend"]


def test_bits_of_the_network_after_its_prefix_length_are_not_written() -> None:
    assert wanted(network="10.5.0.1/16") == wanted(network="10.5.0.0/16")


def test_backend_keys_get_flannels_spelling_and_json_types() -> None:
    given = {"type": "vxlan", "vni": "7", "PORT": "4789", "directrouting": "yes", "Learning": False, "mtu": 1400}
    assert wanted(backend=given)["Backend"] == {
        "Type": "vxlan",
        "VNI": 7,
        "Port": 4789,
        "DirectRouting": True,
        "Learning": False,
        "MTU": 1400,
    }


def test_a_misspelt_backend_key_is_refused_instead_of_ignored() -> None:
    with pytest.raises(ConfigError, match=r"backend\.Prot is not a known key; use Type, VNI, Port, MTU"):
        wanted(backend={"Type": "vxlan", "Prot": 4789})


@pytest.mark.parametrize(
    "options, message",
    [
        ({"backend": {"Type": "vxlan", "VNI": "seven"}}, "backend.VNI 'seven' is not a whole number"),
        (
            {"backend": {"Type": "udp", "type": "vxlan"}},
            "backend has Type and type, which are the same key; remove one",
        ),
        ({"backend": {"Type": "alloc", "VNI": 1}}, "backend.VNI is not a known key; use Type$"),
        (
            {"backend": {"Type": "vxlan", "SubnetAddCommand": "a"}},
            "backend.SubnetAddCommand is not a known key; use Type",
        ),
        ({"backend": {"Type": "extension"}}, "backend.Type 'extension' has no command; set backend.SubnetAddCommand"),
        ({"backend": {"Type": "extension", "SubnetAddCommand": 1}}, "backend.SubnetAddCommand 1 is not text"),
        (
            {"backend": {"Type": "ipsec", "PSK": "a"}},
            "backend.(Type 'ipsec' is a backend of flannel|PSK is not a known)",
        ),
        ({"subnet_len": "many"}, "subnet_len 'many' is not a whole number"),
        ({"subnet_min": "10.5.0.7"}, "subnet_min is not on a subnet_len boundary: 10.5.0.7 with subnet_len 24"),
        ({"network": None}, "^network is not set; write an unused private range"),
        ({"backend": None}, "backend is missing"),
    ],
)
def test_options_that_make_no_usable_config_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        wanted(**options)


def test_host_gw_ignores_the_keys_of_vxlan_as_in_release_1_0_0() -> None:
    assert wanted(backend={"Type": "host-gw", "VNI": 3})["Backend"] == {"Type": "host-gw", "VNI": 3}


def test_a_command_keeps_its_text() -> None:
    backend = {"type": "extension", "subnetaddcommand": "ip route add $SUBNET via $PUBLIC_IP"}
    expected = {"Type": "extension", "SubnetAddCommand": "ip route add $SUBNET via $PUBLIC_IP"}
    assert wanted(backend=backend)["Backend"] == expected


@pytest.mark.parametrize(
    "held, old, new, sentence",
    [
        (lease(), config(), config(network="10.6.0.0/16"), "subnet 10.5.7.0/24 is not a part of Network 10.6.0.0/16"),
        (lease(), config(), config(network="192.0.0.0/8"), "is not a part of Network"),
        (lease(), config(), config(subnet_len=25), "192.0.2.7: it is not a /25 from subnet_min 10.5.0.128/25"),
        (lease(), config(), config(subnet_min="10.5.8.0"), "it is not a /24 from subnet_min 10.5.8.0/24"),
        (lease(), config(), config({"Type": "host-gw"}), "its backend is vxlan, not host-gw; overlayd uses"),
        (lease(kind="host-gw"), config({"Type": "host-gw"}), config(), "its backend is host-gw"),
        (lease(data={"VNI": 1}), config(), config({"Type": "vxlan", "VNI": 2}), "uses VNI 1 and Port 8472"),
        (lease(data={"VtepMAC": "x"}), config(), config({"Type": "vxlan", "VNI": 2}), "uses VNI 1 and Port 8472"),
        (lease(), config(), config({"Type": "vxlan", "Port": 4789}), "instead of VNI 1 and Port 4789; overlayd uses"),
        (lease(data={"VNI": 1}), None, config({"Type": "vxlan", "VNI": 2}), "uses VNI 1"),
        (lease(), None, config(network="10.6.0.0/16"), "is not a part of Network 10.6.0.0/16"),
    ],
)
def test_a_change_that_disconnects_a_host_is_reported_once_by_its_lease(
    held: SubnetLease, old: NetworkConfig | None, new: NetworkConfig, sentence: str
) -> None:
    (told,) = broken_leases([held], old, new)
    assert "lease 10.5.7.0-24" in told
    assert sentence in told


@pytest.mark.parametrize(
    "held, old, new",
    [
        (lease(), config(), config(subnet_min="10.5.7.0", subnet_max="10.5.7.0")),
        (lease(), config(), config(network="10.0.0.0/8")),
        (lease(), config(), config({"Type": "vxlan", "MTU": 1400, "DirectRouting": True})),
        (lease(kind=""), config(), config({"Type": "host-gw"})),
        (lease(data={"VtepMAC": "82:4b:b6:2f:54:4e"}), config(), config({"Type": "vxlan", "VNI": 1})),
        (lease("10.9.7.0/24"), config(), config(subnet_min="10.5.8.0")),
        (lease(kind="udp"), config(), config({"Type": "vxlan", "VNI": 2})),
        (lease(data={"VNI": 2}), config(), config({"Type": "vxlan", "VNI": 2})),
        (lease(data={"VNI": 3}), config(), config({"Type": "vxlan", "VNI": 2})),
        (lease(data={"VNI": 1}), None, config()),
        (lease(), None, config()),
    ],
)
def test_a_change_that_does_not_affect_a_lease_is_no_harm(
    held: SubnetLease, old: NetworkConfig | None, new: NetworkConfig
) -> None:
    assert broken_leases([held], old, new) == []
