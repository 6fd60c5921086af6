# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Backend object: flannel's types, options and defaults, and a clear refusal of everything else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.backends import (
    TYPES,
    BackendOptions,
    parse_backend,
    supported,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.backends.alloc import AllocOptions
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.backends.extension import (
    ExtensionOptions,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.backends.host_gw import HostGwOptions
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.backends.refused import REASONS
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.backends.vxlan import VxlanOptions
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import ConfigError


def test_a_bare_vxlan_has_flannels_defaults() -> None:
    assert parse_backend({"Type": "vxlan"}) == VxlanOptions(
        vni=1, port=8472, mtu=None, gbp=False, learning=False, direct_routing=False
    )


def test_every_vxlan_option_is_read() -> None:
    raw = {"Type": "vxlan", "VNI": 7, "Port": 4789, "MTU": 1400, "GBP": True, "Learning": True, "DirectRouting": True}
    assert parse_backend(raw) == VxlanOptions(7, 4789, 1400, True, True, True)


def test_keys_and_type_match_in_any_case_and_unknown_keys_are_ignored() -> None:
    assert parse_backend({"TYPE": "VXLAN", "vni": 9, "Colour": "red"}) == VxlanOptions(vni=9)
    assert parse_backend({"type": "Host-GW"}) == HostGwOptions()


def test_zero_port_zero_mtu_and_null_mean_not_set() -> None:
    assert parse_backend({"Type": "vxlan", "Port": 0, "MTU": 0, "VNI": None, "GBP": None}) == VxlanOptions()


@pytest.mark.parametrize(
    "raw, message",
    [
        ("vxlan", "Backend 'vxlan' is not a mapping"),
        ([], r"Backend \[\] is not a mapping"),
        ({}, f"Backend Type is not set; use {supported()}"),
        ({"Type": "vlxan"}, f"Backend Type 'vlxan' is not a known backend; use {supported()}"),
        ({"Type": 7}, "Backend Type 7 is not a known backend"),
        ({"Type": ["vxlan"]}, "is not a known backend"),
        ({"Type": "vxlan", "VNI": 0}, "Backend VNI 0 is out of range; it must be from 1 to 16777215"),
        ({"Type": "vxlan", "VNI": 1 << 24}, "Backend VNI 16777216 is out of range"),
        ({"Type": "vxlan", "VNI": "1"}, "Backend VNI '1' is not a whole number"),
        ({"Type": "vxlan", "VNI": True}, "Backend VNI True is not a whole number"),
        ({"Type": "vxlan", "VNI": 1.5}, "Backend VNI 1.5 is not a whole number"),
        ({"Type": "vxlan", "Port": 65536}, "Backend Port 65536 is out of range"),
        ({"Type": "vxlan", "Port": -1}, "Backend Port -1 is out of range"),
        ({"Type": "vxlan", "MTU": 625}, "Backend MTU 625 is out of range; it must be from 626 to 65535"),
        ({"Type": "vxlan", "MTU": ""}, "Backend MTU '' is not a whole number"),
        ({"Type": "vxlan", "MTU": False}, "Backend MTU False is not a whole number"),
        ({"Type": "vxlan", "Learning": 1}, "Backend Learning 1 is not a boolean; write true or false"),
        ({"Type": "vxlan", "GBP": "no"}, "Backend GBP 'no' is not a boolean; write true or false"),
        (
            {"Type": "vxlan", "DirectRouting": "yes"},
            "Backend DirectRouting 'yes' is not a boolean; write true or false",
        ),
    ],
)
def test_a_bad_backend_is_refused_by_key_and_value(raw: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_backend(raw)


@pytest.mark.parametrize("kind", ["ipsec", "aws-vpc", "gce", "ali-vpc", "tencent-vpc"])
def test_a_backend_that_only_flannel_has_is_refused_by_name_with_the_reason(kind: str) -> None:
    with pytest.raises(ConfigError, match=f"'{kind}' is a backend of flannel that .*: {REASONS[kind]}; use"):
        parse_backend({"Type": kind})


def test_ipsec_is_refused_with_its_successor() -> None:
    with pytest.raises(ConfigError, match="its successor is wireguard, which encrypts as well"):
        parse_backend({"Type": "IPsec", "PSK": "x" * 96})


def test_a_refusal_names_all_supported_types() -> None:
    assert all(kind in supported() for kind in TYPES)
    assert supported("and").rpartition(" and ")[2] in TYPES


def test_alloc_has_no_options() -> None:
    assert parse_backend({"Type": "alloc", "VNI": 3}) == AllocOptions()


def test_the_commands_of_extension_are_read() -> None:
    raw = {
        "type": "Extension", "PreStartupCommand": "a", "poststartupcommand": " b ", "SubnetAddCommand": "c",
        "SubnetRemoveCommand": None,
    }  # fmt: skip
    assert parse_backend(raw) == ExtensionOptions("a", "b", "c", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Backend Type 'extension' has no command; set Backend SubnetAddCommand"),
        ({"SubnetAddCommand": "  "}, "Backend Type 'extension' has no command"),
        ({"SubnetAddCommand": ["ip", "route"]}, r"Backend SubnetAddCommand \['ip', 'route'\] is not text"),
        ({"PreStartupCommand": 7}, "Backend PreStartupCommand 7 is not text"),
        ({"SubnetAddCommand": "x" * 4097}, "Backend SubnetAddCommand has 4097 characters; use at most 4096"),
        ({"SubnetRemoveCommand": "a\0b"}, "Backend SubnetRemoveCommand .* contains a null character"),
    ],
)
def test_a_command_that_cannot_be_one_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_backend({"Type": "extension", **options})


@pytest.mark.parametrize(
    "options, underlay, overlay",
    [
        (VxlanOptions(), 1500, 1450),
        (VxlanOptions(), 9000, 8950),
        (VxlanOptions(mtu=1400), 1500, 1350),
        (VxlanOptions(mtu=1500), 1500, 1450),
        (VxlanOptions(), 626, 576),
        (HostGwOptions(), 1500, 1500),
        (HostGwOptions(), 576, 576),
        (AllocOptions(), 1500, 1500),
        (ExtensionOptions("a"), 9000, 9000),
    ],
)
def test_the_overlay_mtu_is_the_underlays_less_the_overhead_of_the_backend(
    options: BackendOptions, underlay: int, overlay: int
) -> None:
    assert options.overlay_mtu(underlay) == overlay


def test_an_mtu_above_the_underlays_is_refused() -> None:
    with pytest.raises(ConfigError, match="Backend MTU 9000 is larger than the 1500 bytes of the underlay"):
        VxlanOptions(mtu=9000).overlay_mtu(1500)


@pytest.mark.parametrize("options, underlay", [(VxlanOptions(), 625), (HostGwOptions(), 575)])
def test_an_underlay_too_small_for_ipv4_is_refused(options: VxlanOptions | HostGwOptions, underlay: int) -> None:
    with pytest.raises(ConfigError, match="overlay MTU 575 is below 576 bytes"):
        options.overlay_mtu(underlay)
