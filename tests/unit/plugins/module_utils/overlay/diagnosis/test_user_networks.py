# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The division of a host's subnet, and what is said of user-defined networks."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.user_networks import (
    UserNetwork,
    UserNetworks,
    network_notes,
    network_problems,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.subnet_env import parse_subnet_env

ENV = parse_subnet_env(
    "FLANNEL_NETWORK=10.50.0.0/16\nFLANNEL_SUBNET=10.50.7.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
)
HALVES = UserNetworks(25, 28)


def network(subnet: str, mtu: int = 1450, internal: bool = False) -> UserNetwork:
    return UserNetwork("shop", Subnet.parse(subnet) if subnet else None, mtu, internal)


@pytest.mark.parametrize(
    ("lengths", "subnet", "bip", "pools", "free"),
    [
        ((25, 28), "10.50.7.0/24", "10.50.7.1/25", ["10.50.7.128/25"], 8),
        ((26, 27), "10.50.7.0/24", "10.50.7.1/26", ["10.50.7.64/26", "10.50.7.128/25"], 6),
        ((28, 26), "10.50.7.0/24", "10.50.7.1/28", ["10.50.7.64/26", "10.50.7.128/25"], 3),
        (
            (24, 24),
            "10.50.16.0/20",
            "10.50.16.1/24",
            ["10.50.17.0/24", "10.50.18.0/23", "10.50.20.0/22", "10.50.24.0/21"],
            15,
        ),
        ((25, 25), "10.50.7.0/24", "10.50.7.1/25", ["10.50.7.128/25"], 1),
    ],
)
def test_docker0_gets_the_first_part_and_networks_the_rest(
    lengths: tuple[int, int], subnet: str, bip: str, pools: list[str], free: int
) -> None:
    division, own = UserNetworks(*lengths), Subnet.parse(subnet)
    assert division.bip(own) == bip
    assert [str(pool) for pool in division.pools(own)] == pools
    assert division.free(own, []) == free


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ((24, 28), r"bridge_len 24: docker0 would take the whole subnet 10\.50\.7\.0/24.*at least 25"),
        ((25, 24), r"network_len 24: no part of the subnet 10\.50\.7\.0/24.*at least 25"),
    ],
)
def test_a_division_that_leaves_nothing_is_refused(lengths: tuple[int, int], message: str) -> None:
    with pytest.raises(OverlayError, match=message):
        UserNetworks(*lengths).pools(ENV.subnet)


def test_lengths_outside_of_an_address_are_refused() -> None:
    assert UserNetworks.of(None) is None
    with pytest.raises(OverlayError, match="network_len 31: a prefix length is from 1 to 30"):
        UserNetworks.of({"bridge_len": 25, "network_len": 31})


def test_a_network_in_the_own_subnet_with_the_right_mtu_needs_no_word() -> None:
    networks = [network("10.50.7.128/28"), network("172.18.0.0/16", internal=True), network("")]
    assert (network_notes(networks, HALVES, ENV), network_problems(networks, ENV)) == ([], [])


def test_a_network_outside_of_the_overlay_is_named_with_what_to_do() -> None:
    (note,) = network_notes([network("172.18.0.0/16", 1500)], HALVES, ENV)
    assert note.startswith("the user-defined network shop has the range 172.18.0.0/16: other hosts cannot reach")
    assert "docker network rm shop" in note


def test_a_network_with_a_larger_mtu_is_named_with_the_option_to_set() -> None:
    (note,) = network_notes([network("10.50.7.128/28", 1500)], HALVES, ENV)
    assert "has MTU 1500: packets larger than 1450 bytes" in note
    assert "com.docker.network.driver.mtu=1450" in note


def test_a_network_in_the_subnet_of_another_host_is_a_problem() -> None:
    former = [network("10.50.9.128/28")]
    assert network_notes(former, HALVES, ENV) == []
    (problem,) = network_problems(former, ENV)
    assert "10.50.9.128/28, which is outside of this host's subnet 10.50.7.0/24" in problem


def test_the_last_range_in_use_is_reported() -> None:
    taken = [network(f"10.50.7.{128 + 16 * number}/28") for number in range(7)]
    assert HALVES.free(ENV.subnet, taken) == 1
    (note,) = network_notes([*taken, network("10.50.7.240/29")], HALVES, ENV)
    assert note.startswith("all ranges for user-defined networks in 10.50.7.0/24 are in use")
