# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The subnet file: flannel's lines in flannel's order, and errors that name the file and the key."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.subnet_env import (
    SubnetEnv,
    parse_subnet_env,
)

TEXT = "FLANNEL_NETWORK=10.50.0.0/16\nFLANNEL_SUBNET=10.50.7.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
FACTS = SubnetEnv(Subnet.parse("10.50.0.0/16"), Subnet.parse("10.50.7.0/24"), 1450, True)


def test_facts_and_text_are_each_others_inverse() -> None:
    assert FACTS.render() == TEXT
    assert parse_subnet_env(TEXT) == FACTS


def test_the_bridge_has_the_first_address_of_the_subnet() -> None:
    assert FACTS.bip == "10.50.7.1/24"


def test_quotes_comments_blank_lines_and_foreign_keys_are_accepted() -> None:
    text = "# FLANNEL_MTU=9\n\nFLANNEL_IPV6_NETWORK=fd00::/48\n" + TEXT.replace("1450", '"1450"').replace(
        "true", "'false'"
    )
    assert parse_subnet_env(text) == SubnetEnv(FACTS.network, FACTS.subnet, 1450, False)


@pytest.mark.parametrize("key", ["FLANNEL_NETWORK", "FLANNEL_SUBNET", "FLANNEL_MTU", "FLANNEL_IPMASQ"])
def test_a_missing_key_is_named_with_the_file(key: str) -> None:
    with pytest.raises(OverlayError, match=f"/run/x.env: {key} is missing; check whether the overlay agent runs"):
        parse_subnet_env(TEXT.replace(key, "OTHER"), "/run/x.env")


@pytest.mark.parametrize(
    "good, bad, message",
    [
        ("10.50.0.0/16", "10.50.0.0", "'10.50.0.0' is not an IPv4 network"),
        ("10.50.7.1/24", "x/24", "'x' is not an IPv4 address"),
        ("1450", "big", "'big'"),
        ("true", "maybe", "FLANNEL_IPMASQ 'maybe' is neither true nor false"),
    ],
)
def test_a_bad_value_is_named_with_the_file(good: str, bad: str, message: str) -> None:
    with pytest.raises(OverlayError, match=f"/run/x.env: .*{message}"):
        parse_subnet_env(TEXT.replace(good, bad), "/run/x.env")
