# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The choice of a subnet: the previous one where possible, else one of the first hundred free, never a taken one."""

from __future__ import annotations

import random

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.allocation import (
    CANDIDATES,
    choose_subnet,
    free_subnets,
    taken_subnets,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import PoolExhaustedError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig


def config_of(rest: str = "") -> NetworkConfig:
    return NetworkConfig.parse('{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}' + rest + "}")


SMALL = config_of(', "SubnetMin": "10.5.7.0", "SubnetMax": "10.5.9.0"')

LEASE = '{"PublicIP": "192.0.2.7"}'


def subnets(*texts: str) -> list[Subnet]:
    return [Subnet.parse(text) for text in texts]


def test_free_subnets_are_the_lowest_hundred_from_subnet_min() -> None:
    free = free_subnets(config_of(), [])
    assert len(free) == CANDIDATES
    assert (str(free[0]), str(free[-1])) == ("10.5.1.0/24", "10.5.100.0/24")


def test_free_subnets_begin_with_subnet_min_and_end_with_subnet_max() -> None:
    assert free_subnets(SMALL, []) == subnets("10.5.7.0/24", "10.5.8.0/24", "10.5.9.0/24")


@pytest.mark.parametrize(
    "taken, free",
    [
        (["10.5.8.0/24"], ["10.5.7.0/24", "10.5.9.0/24"]),
        (["10.5.8.128/26"], ["10.5.7.0/24", "10.5.9.0/24"]),
        (["10.5.8.0/23"], ["10.5.7.0/24"]),
        (["10.5.0.0/16"], []),
        (["0.0.0.0/0"], []),
        (["10.6.8.0/24"], ["10.5.7.0/24", "10.5.8.0/24", "10.5.9.0/24"]),
        (["10.5.8.0/25", "10.5.8.128/25", "10.5.8.0/24"], ["10.5.7.0/24", "10.5.9.0/24"]),
    ],
)
def test_whatever_overlaps_a_taken_subnet_of_any_length_is_not_free(taken: list[str], free: list[str]) -> None:
    assert free_subnets(SMALL, subnets(*taken)) == subnets(*free)


def test_free_subnets_agree_with_trying_every_one() -> None:
    draw = random.Random(5)
    config = config_of(', "SubnetLen": 26, "SubnetMin": "10.5.2.64", "SubnetMax": "10.5.9.0"')
    every = [Subnet(config.subnet_min.first + 64 * step, 26) for step in range(config.capacity)]
    for _attempt in range(200):
        taken = [
            Subnet.of(config.network.first + draw.randrange(4096), draw.choice([20, 23, 24, 25, 26, 27, 30, 32]))
            for _attempt in range(draw.randrange(12))
        ]
        expected = [subnet for subnet in every if not any(subnet.overlaps(other) for other in taken)]
        assert free_subnets(config, taken, limit=len(every)) == expected


def test_a_free_and_fitting_previous_subnet_is_taken_again() -> None:
    previous = Subnet.parse("10.5.200.0/24")
    assert choose_subnet(config_of(), subnets("10.5.1.0/24"), previous) == previous


@pytest.mark.parametrize("previous", ["10.5.8.0/24", "10.5.9.0/25", "10.5.6.0/24", "10.9.8.0/24"])
def test_a_held_or_unfitting_previous_subnet_is_not_taken_again(previous: str) -> None:
    taken = subnets("10.5.8.0/24")
    assert choose_subnet(SMALL, taken, Subnet.parse(previous)) in subnets("10.5.7.0/24", "10.5.9.0/24")


def test_hosts_that_start_together_draw_different_subnets() -> None:
    drawn = {choose_subnet(config_of(), []) for _attempt in range(200)}
    assert len(drawn) > 50
    assert drawn <= set(free_subnets(config_of(), []))


def test_a_full_pool_is_an_error_with_a_solution() -> None:
    with pytest.raises(PoolExhaustedError, match=r"out of subnets: all 3 of Network 10\.5\.0\.0/16 with SubnetLen 24"):
        choose_subnet(SMALL, subnets("10.5.7.0/24", "10.5.8.0/24", "10.5.9.0/24"))


@pytest.mark.parametrize(
    "name, value, taken",
    [
        ("10.5.7.0-24", LEASE, "10.5.7.0/24"),
        ("10.5.7.0-24", "garbage", "10.5.7.0/24"),
        ("10.5.7.0-24&fd00::-56", "garbage", "10.5.7.0/24"),
        ("10.5.7.128-25", "garbage", "10.5.7.128/25"),
        ("10.5.0.0-17", LEASE, "10.5.0.0/17"),
        ("10.5.0.0-17", "garbage", ""),
        ("10.5.0.0-17", '{"PublicIP": "10.5.3.3"}', ""),
        ("10.5.0.0-16", LEASE, ""),
        ("10.0.0.0-8", LEASE, ""),
        ("0.0.0.0-0", LEASE, ""),
        ("10.6.7.0-24", LEASE, ""),
        ("10.5.7.1-24", LEASE, ""),
        ("nonsense", LEASE, ""),
    ],
)
def test_only_a_usable_lease_occupies_more_than_one_subnet(name: str, value: str, taken: str) -> None:
    assert taken_subnets(config_of(), [(name, value)]) == (subnets(taken) if taken else [])


def test_a_directory_takes_exactly_the_subnet_that_it_is_named_like() -> None:
    names = ["10.5.7.0-24", "10.5.8.0-25", "10.5.0.0-16", "backup", "10.6.0.0-24"]
    assert taken_subnets(config_of(), [], names) == subnets("10.5.7.0/24")
