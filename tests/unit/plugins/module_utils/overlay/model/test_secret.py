# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""No text about a network config contains a pre-shared key, whatever shape the config has."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import ConfigError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.secret import (
    HIDDEN,
    secret_values,
    shown_config,
)

KEY = "JIeHzaf+qMeQv8EVrSdRVhrihVWhgWStyzxixjfQHl0="
NETWORK = "10.50.0.0/16"


def shapes(psk: str) -> list[Any]:
    """Return configs with a pre-shared key in a place where it belongs, and in wrong ones."""
    wireguard = {"Type": "wireguard"}
    backends: list[Any] = [
        {**wireguard, "PSK": psk, "ListenPort": "x"},
        {**wireguard, "PSK": {"PSK": psk}},
        {**wireguard, "psk": [psk]},
        {**wireguard, "PreSharedKey": psk, "Mode": psk},
        {**wireguard, "pre_shared_key": psk, "MTU": psk},
        {**wireguard, "x": {"PSK": psk}, "PersistentKeepaliveInterval": [psk]},
        {"Type": "ipsec", "PSK": psk},
        {"Type": {"PSK": psk}},
        {"Type": ["PSK", psk]},
        ["wireguard", "PSK", psk],
        json.dumps({"Type": "wireguard", "PSK": psk}),
    ]
    whole: list[Any] = [{"Network": NETWORK, "Backend": backend} for backend in backends]
    whole += [
        [{"PSK": psk}],
        {"Network": {"PSK": psk}},
        {"Network": NETWORK, "SubnetLen": {"PSK": psk}},
        {"Network": NETWORK, "SubnetMin": ["psk", psk]},
        {"Network": NETWORK, "PSK": psk, "Backend": wireguard},
        {"Network": NETWORK, "backend": {"Type": "vxlan"}, "Backend": {**wireguard, "PSK": psk}},
        {"Network": NETWORK, "Backend": {**wireguard, "PSK": psk}, "backend": {"Type": "vxlan"}},
    ]
    return whole


def bare_shapes(key: str) -> list[Any]:
    """Return configs with a key without the name PSK."""
    backends: list[Any] = [["wireguard", key], {"Type": "wireguard", "Mode": key}, {"Type": key}, key, [[key]]]
    backends += [
        {"Type": "wireguard", key: 1, "ListenPort": f"x {key}"},
        {"Type": "extension", "SubnetAddCommand": [key]},
    ]
    return [key, {"Network": key}, *({"Network": NETWORK, "Backend": backend} for backend in backends)]


def texts(config: Any) -> list[str]:
    """Return what a person sees of a config, and of the same config as JSON that is cut off."""
    whole = json.dumps(config)
    found = []
    for text in (whole, whole[:-1], whole.replace("PSK", "\\u0050SK")):
        found.append(shown_config(text))
        try:
            found.append(repr(NetworkConfig.parse(text)))
        except ConfigError as error:
            found.append(str(error))
    return found


@pytest.mark.parametrize("psk", [KEY, KEY[:-2], f"{KEY} ", "short!secret", "it's\\one\n", 'a"quoted"one'])
@pytest.mark.parametrize("number", range(18))
def test_no_text_about_a_config_contains_its_psk(number: int, psk: str) -> None:
    forms = {psk, repr(psk)[1:-1], json.dumps(psk)[1:-1], psk[:20] if len(psk) > 20 else psk}
    for text in texts(shapes(psk)[number]):
        assert not any(form in text for form in forms), text


@pytest.mark.parametrize("key", [KEY, KEY[:-1], KEY[:-4], "A" * 43 + "="])
@pytest.mark.parametrize("number", range(9))
def test_no_text_about_a_config_contains_a_wireguard_key_under_a_wrong_name(number: int, key: str) -> None:
    for text in texts(bare_shapes(key)[number]):
        assert key not in text, text


@pytest.mark.parametrize(
    "text",
    [
        '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}',
        '{"Network": "10.5.0.0/16",  "Backend": {"SubnetAddCommand": "/usr/local/libexec/overlay/addsubnet"}}',
        "garbage",
        "",
    ],
)
def test_a_config_without_secrets_is_shown_unchanged(text: str) -> None:
    assert shown_config(text) in (text, repr(text))


def test_the_other_settings_of_a_config_with_a_psk_are_shown() -> None:
    config = {"Network": NETWORK, "Backend": {"Type": "wireguard", "PSK": KEY, "ListenPort": 4000}}
    hidden = {"Network": NETWORK, "Backend": {"Type": "wireguard", "PSK": HIDDEN, "ListenPort": 4000}}
    assert json.loads(shown_config(json.dumps(config))) == hidden


def test_the_secrets_of_a_backend_are_found_for_the_log_of_the_module() -> None:
    assert secret_values({"Type": "wireguard", "PSK": KEY, "Mode": "auto"}) == {KEY}
    assert secret_values({"Type": "vxlan", "VNI": 7}) == set()
