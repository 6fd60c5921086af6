# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of the wireguard backend: defaults, ranges, and a pre-shared key that no text contains."""

from __future__ import annotations

import json
import re
import traceback
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.backends import parse_backend
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.backends.wireguard import (
    WireguardOptions,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import ConfigError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.secret import Secret

PSK = "2rbkLG1+GnMBXh5o4bHS2ZFNrCtVbEEXb3GE0bJXtWk="


def parsed(**options: Any) -> WireguardOptions:
    found = parse_backend({"Type": "WireGuard", **options})
    assert isinstance(found, WireguardOptions)
    return found


def test_the_defaults_are_those_of_flannel() -> None:
    assert parsed() == WireguardOptions(None, 51820, 51821, "separate", 0, None)
    assert parsed().device_name == "flannel-wg"
    assert parsed().overlay_mtu(1500) == 1420


def test_all_options_are_read_in_any_case() -> None:
    found = parsed(psk=PSK, LISTENPORT=4000, listenPortV6=4001, Mode="Auto", PersistentKeepaliveInterval=25, MTU=1400)
    assert found == WireguardOptions(Secret(PSK), 4000, 4001, "auto", 25, 1400)
    assert found.overlay_mtu(1500) == 1320


@pytest.mark.parametrize("psk", ["", None, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="])
def test_an_empty_or_zero_psk_is_none(psk: str | None) -> None:
    assert parsed(PSK=psk).psk is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ListenPort": 0}, "Backend ListenPort 0 is out of range; it must be from 1 to 65535"),
        ({"ListenPort": "51820"}, "Backend ListenPort '51820' is not a whole number; write a number without quotes"),
        ({"ListenPortV6": 65536}, "Backend ListenPortV6 65536 is out of range; it must be from 1 to 65535"),
        ({"PersistentKeepaliveInterval": -1}, "Backend PersistentKeepaliveInterval -1 is out of range; it must be"),
        ({"MTU": 600}, "Backend MTU 600 is out of range; it must be from 656 to 65535"),
        ({"Mode": "ipv6"}, "Backend Mode 'ipv6' needs an IPv6 underlay, which is not supported; use separate, auto"),
        ({"Mode": "both"}, "Backend Mode 'both' is not a known mode; use separate, auto, ipv4"),
        ({"Mode": 4}, "Backend Mode 4 is not a known mode; use separate, auto, ipv4"),
        ({"PSK": 7}, "Backend PSK (not shown) is not a WireGuard key: it is not text; write a key that `wg genpsk`"),
    ],
)
def test_a_wrong_option_is_refused_by_name_value_and_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        parsed(**options)


@pytest.mark.parametrize("psk", [PSK[:-1], PSK + "=", "*" + PSK[1:], PSK[:-2] + "==", PSK.replace("+", "é")])
def test_a_psk_that_is_no_key_is_refused_without_its_text(psk: str) -> None:
    with pytest.raises(ConfigError, match="is not a WireGuard key") as caught:
        parsed(PSK=psk)
    assert psk[2:20] not in "".join(traceback.format_exception(caught.type, caught.value, caught.tb))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"Network": "10.5.0.0/16", "Backend": {"Type": "wireguard", "PSK": PSK}})[:-1],
        json.dumps([{"PSK": PSK}]),
        json.dumps({"Network": "10.5.0.0/16", "Backend": [{"PSK": PSK}]}),
    ],
)
def test_an_invalid_config_is_reported_without_its_psk(text: str) -> None:
    with pytest.raises(ConfigError, match="not shown") as caught:
        NetworkConfig.parse(text)
    assert PSK not in str(caught.value)


def test_no_representation_of_the_config_contains_the_psk() -> None:
    config = NetworkConfig.parse(json.dumps({"Network": "10.5.0.0/16", "Backend": {"Type": "wireguard", "PSK": PSK}}))
    assert PSK not in f"{config} {config!r} {config._asdict()} {config.backend._asdict()}"
    assert "psk=(hidden)" in repr(config)


def test_a_config_with_another_psk_is_another_config() -> None:
    other = PSK.replace("2", "3")
    assert parsed(PSK=PSK) == parsed(PSK=PSK)
    assert parsed(PSK=PSK) != parsed(PSK=other)
