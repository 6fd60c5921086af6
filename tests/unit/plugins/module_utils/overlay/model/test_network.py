# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The network config: flannel's defaults and checks, and refusals where flannel is silent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.backends.host_gw import HostGwOptions
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.backends.vxlan import VxlanOptions
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import ConfigError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig

VXLAN = {"Type": "vxlan"}


def config_of(**keys: Any) -> NetworkConfig:
    return NetworkConfig.from_mapping({"Network": "10.5.0.0/16", "Backend": VXLAN, **keys})


def test_network_and_backend_alone_get_flannels_defaults() -> None:
    config = NetworkConfig.parse('{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}')
    assert config == NetworkConfig(
        Subnet.parse("10.5.0.0/16"),
        24,
        Subnet.parse("10.5.1.0/24"),
        Subnet.parse("10.5.255.0/24"),
        VxlanOptions(),
    )
    assert config.capacity == 255


def test_every_key_is_read() -> None:
    config = config_of(SubnetLen=26, SubnetMin="10.5.7.64", SubnetMax="10.5.9.0", Backend={"Type": "host-gw"})
    assert config.subnet_min == Subnet.parse("10.5.7.64/26")
    assert config.subnet_max == Subnet.parse("10.5.9.0/26")
    assert config.capacity == 8
    assert config.backend == HostGwOptions()


def test_key_names_match_in_any_case_and_unknown_ones_are_ignored() -> None:
    text = '{"NetWork": "10.5.0.0/16", "subnetlen": 25, "BACKEND": {"type": "vxlan"}, "EnableNFTables": true, "X": 1}'
    assert NetworkConfig.parse(text).subnet_len == 25


def test_null_zero_and_the_zero_address_mean_not_set() -> None:
    given = config_of(SubnetLen=0, SubnetMin="0.0.0.0", SubnetMax="", EnableIPv6=None, EnableIPv4=None)
    assert given == config_of() == config_of(SubnetLen=None, SubnetMin=None)


def test_host_bits_in_network_are_dropped_as_flannel_does() -> None:
    assert config_of(Network="10.5.3.4/16").network == Subnet.parse("10.5.0.0/16")


@pytest.mark.parametrize(
    "network, length, capacity",
    [("10.0.0.0/8", 24, 65535), ("10.5.0.0/22", 24, 3), ("10.5.0.0/23", 25, 3), ("10.5.0.0/28", 30, 3)],
)
def test_the_default_subnet_len_depends_on_the_network(network: str, length: int, capacity: int) -> None:
    config = config_of(Network=network)
    assert (config.subnet_len, config.capacity) == (length, capacity)


@pytest.mark.parametrize(
    "keys, message",
    [
        ({"Network": None}, "please define a correct Network parameter in the flannel config: Network is not set"),
        ({"Network": ""}, "please define a correct Network parameter .*: Network is not set"),
        ({"Network": 10}, "please define a correct Network parameter .*Network is 10"),
        ({"Network": "10.5.0.0"}, "'10.5.0.0' is not an IPv4 network such as 10.5.0.0/16"),
        ({"Network": "fd00::/48"}, "'fd00::/48' is not an IPv4 network"),
        ({"Network": "0.0.0.0/0"}, "0.0.0.0/0 cannot be used for hosts"),
        ({"Network": "0.5.0.0/16"}, "0.5.0.0/16 cannot be used for hosts"),
        ({"Network": "127.0.0.0/8"}, "127.0.0.0/8 cannot be used for hosts"),
        ({"Network": "224.0.0.0/8"}, "224.0.0.0/8 cannot be used for hosts"),
        ({"SubnetLen": 31}, "SubnetLen must be less than /31; it is 31, use 30 or less"),
        (
            {"SubnetLen": 17},
            "network must be able to accommodate at least four subnets: SubnetLen 17 .* use 18 or more",
        ),
        ({"SubnetLen": 33}, "SubnetLen 33 is out of range"),
        ({"SubnetLen": -1}, "SubnetLen -1 is out of range"),
        ({"SubnetLen": "24"}, "SubnetLen '24' is not a whole number"),
        ({"SubnetLen": 24.0}, "SubnetLen 24.0 is not a whole number"),
        ({"SubnetLen": ""}, "SubnetLen '' is not a whole number"),
        ({"SubnetLen": False}, "SubnetLen False is not a whole number"),
        ({"Network": "10.5.0.0/29"}, "network is too small. Minimum useful network prefix is /28"),
        ({"SubnetMin": "10.6.0.0"}, "SubnetMin is not in the range of the Network: 10.6.0.0 in 10.5.0.0/16"),
        ({"SubnetMax": "10.6.0.0"}, "SubnetMax is not in the range of the Network: 10.6.0.0 in 10.5.0.0/16"),
        (
            {"SubnetMin": "10.5.0.7"},
            "SubnetMin is not on a SubnetLen boundary: 10.5.0.7 with SubnetLen 24; .* are 10.5.0.0 and 10.5.1.0",
        ),
        ({"SubnetMax": "10.5.255.9"}, "SubnetMax is not on a SubnetLen boundary: .* the nearest are 10.5.255.0$"),
        ({"SubnetMin": "x"}, "SubnetMin: 'x' is not an IPv4 address"),
        ({"SubnetMax": 7}, "SubnetMax: 7 is not an IPv4 address"),
        ({"SubnetMin": "10.5.9.0", "SubnetMax": "10.5.8.0"}, "SubnetMin 10.5.9.0 is above SubnetMax 10.5.8.0"),
        ({"SubnetMax": "10.5.0.0"}, "SubnetMin 10.5.1.0 is above SubnetMax 10.5.0.0"),
        ({"EnableIPv6": True}, "EnableIPv6 true: only IPv4 overlays are supported"),
        ({"EnableIPv4": False}, "EnableIPv4 false: only IPv4 overlays are supported"),
        ({"EnableIPv6": "no"}, "EnableIPv6 'no' is not a boolean; write true or false"),
    ],
)
def test_a_bad_config_is_refused_by_key_and_value(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of(**keys)


@pytest.mark.parametrize("raw", [None, [], "x", 7])
def test_anything_but_an_object_is_refused(raw: Any) -> None:
    with pytest.raises(ConfigError, match="the network config is not a JSON object"):
        NetworkConfig.parse(json.dumps(raw))


@pytest.mark.parametrize("text", ["", "{", "{'Network': 1}", "[" * 100_000])
def test_text_that_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="the network config is not JSON"):
        NetworkConfig.parse(text)


def test_an_empty_object_is_refused_for_its_missing_network() -> None:
    with pytest.raises(ConfigError, match="please define a correct Network parameter"):
        NetworkConfig.parse("{}")


@pytest.mark.parametrize(
    "text, fits",
    [
        ("10.5.7.0/24", True),
        ("10.5.9.0/24", True),
        ("10.5.6.0/24", False),
        ("10.5.10.0/24", False),
        ("10.5.8.0/25", False),
        ("10.6.8.0/24", False),
    ],
)
def test_a_subnet_fits_from_subnet_min_to_subnet_max_with_the_right_length(text: str, fits: bool) -> None:
    assert config_of(SubnetMin="10.5.7.0", SubnetMax="10.5.9.0").fits(Subnet.parse(text)) is fits
