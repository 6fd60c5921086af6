# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lease table of the modules: keys below subnets as rows, and the problems of rows and of the whole table."""

from __future__ import annotations

import json

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.lease_table import (
    lease_facts,
    row_of,
    row_problem,
    rows_of,
    table_problems,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Item
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.schema import StoredNetwork

CONFIG = NetworkConfig.parse('{"Network": "10.50.0.0/16", "Backend": {"Type": "host-gw"}}')


def lease(public_ip: str) -> str:
    """The value of a lease."""
    return json.dumps({"PublicIP": public_ip, "BackendType": "host-gw"})


def item(name: str, value: str, reservation: bool = False) -> Item:
    """A key below subnets."""
    return Item(f"/coreos.com/network/subnets/{name}", value, 3, reservation=reservation)


def network(**values: str) -> StoredNetwork:
    """A network whose leases have these values; underscores in names stand for what Python does not allow."""
    leases = {name.lstrip("_").replace("_", "."): value for name, value in values.items()}
    keys = {f"{name}-24": item(f"{name}-24", value) for name, value in leases.items()}
    return StoredNetwork(None, keys, (), frozenset(), 1)


def test_rows_are_sorted_by_address_and_unusable_keys_come_last() -> None:
    found = rows_of(network(_garbage="{}", _10_50_10_0=lease("192.0.2.1"), _10_50_9_0=lease("192.0.2.2")))
    assert [row.name for row in found] == ["10.50.9.0-24", "10.50.10.0-24", "garbage-24"]


def test_a_sound_row_has_its_lease_and_no_problem() -> None:
    row = row_of("10.50.7.0-24", item("10.50.7.0-24", lease("192.0.2.7")))
    assert (str(row.subnet), row.problem, row_problem(row, CONFIG)) == ("10.50.7.0/24", None, None)
    assert row.is_of(parse_ipv4("192.0.2.7"))
    assert not row.is_of(parse_ipv4("192.0.2.8"))


def test_a_row_with_an_unusable_value_keeps_its_subnet_and_has_no_host() -> None:
    row = row_of("10.50.7.0-24", item("10.50.7.0-24", "garbage"))
    assert (str(row.subnet), row.lease) == ("10.50.7.0/24", None)
    assert (row.problem or "").startswith("lease 10.50.7.0-24: the value is not JSON")
    assert not row.is_of(None)


def test_a_key_that_is_no_subnet_has_neither_subnet_nor_lease() -> None:
    row = row_of("garbage", item("garbage", lease("192.0.2.7")))
    assert (row.subnet, row.lease) == (None, None)
    assert row.problem == "lease key 'garbage' is not a subnet such as 10.5.7.0-24"


@pytest.mark.parametrize(
    ("value", "reservation", "text"),
    [
        (lease("192.0.2.7"), False, "live lease 10.50.7.0-24 of 192.0.2.7"),
        (lease("192.0.2.7"), True, "reservation 10.50.7.0-24 of 192.0.2.7"),
        ("{}", False, "live lease 10.50.7.0-24 with an unusable value (lease 10.50.7.0-24: PublicIP "),
    ],
)
def test_a_row_as_text_names_its_kind_its_key_and_its_holder(value: str, reservation: bool, text: str) -> None:
    assert str(row_of("10.50.7.0-24", item("10.50.7.0-24", value, reservation))).startswith(text)


@pytest.mark.parametrize(
    ("name", "subnet", "taken"),
    [
        ("10.50.7.0-24", "10.50.7.0/24", True),
        ("10.50.7.0-25", "10.50.7.0/24", True),
        ("10.50.6.0-24", "10.50.7.0/24", False),
        ("garbage", "10.50.7.0/24", False),
    ],
)
def test_a_key_takes_each_subnet_that_overlaps_its_own(name: str, subnet: str, taken: bool) -> None:
    row = row_of(name, item(name, lease("192.0.2.7")))
    assert row.takes(Subnet.parse(subnet), CONFIG) is taken


def test_the_facts_of_a_row_are_those_of_its_key_and_lease() -> None:
    row = row_of("10.50.7.0-24", item("10.50.7.0-24", lease("192.0.2.7")))
    assert lease_facts(row, 600, CONFIG) == {
        "key": "/coreos.com/network/subnets/10.50.7.0-24",
        "subnet": "10.50.7.0/24",
        "public_ip": "192.0.2.7",
        "backend_type": "host-gw",
        "backend_data": None,
        "ttl": 600,
        "reservation": False,
        "revision": 3,
        "problem": None,
    }


def test_the_facts_of_an_unusable_row_have_the_problem_and_no_lease() -> None:
    facts = lease_facts(row_of("garbage", item("garbage", "", reservation=True)), None, None)
    assert (facts["subnet"], facts["public_ip"], facts["backend_type"], facts["reservation"]) == (
        None,
        None,
        None,
        True,
    )
    assert facts["problem"] == "lease key 'garbage' is not a subnet such as 10.5.7.0-24"


def test_a_lease_outside_the_network_is_a_problem_only_with_a_config() -> None:
    row = row_of("10.60.7.0-24", item("10.60.7.0-24", lease("192.0.2.7")))
    assert row_problem(row, None) is None
    assert row_problem(row, CONFIG) == "lease 10.60.7.0-24: subnet 10.60.7.0/24 is not a part of Network 10.50.0.0/16"


def test_leases_that_overlap_are_a_problem_of_the_table() -> None:
    rows = [
        row_of(name, item(name, lease(address)))
        for name, address in (("10.50.7.0-24", "192.0.2.1"), ("10.50.7.128-25", "192.0.2.2"))
    ]
    assert table_problems(rows, CONFIG) == ["leases 10.50.7.0-24 of 192.0.2.1 and 10.50.7.128-25 of 192.0.2.2 overlap"]


def test_an_unsound_lease_does_not_overlap_sound_ones() -> None:
    rows = [
        row_of(name, item(name, lease(address)))
        for name, address in (("10.50.7.0-24", "192.0.2.1"), ("10.50.7.128-25", "127.0.0.1"))
    ]
    assert table_problems(rows, CONFIG) == []


def test_a_host_with_two_leases_is_a_problem_of_the_table() -> None:
    found = rows_of(network(_10_50_7_0=lease("192.0.2.1"), _10_50_8_0=lease("192.0.2.1")))
    assert table_problems(found, CONFIG) == ["host 192.0.2.1 holds 2 leases: 10.50.7.0-24, 10.50.8.0-24"]


def test_a_sound_table_has_no_problems() -> None:
    found = rows_of(network(_10_50_7_0=lease("192.0.2.1"), _10_50_8_0=lease("192.0.2.2"), _garbage="{}"))
    assert table_problems(found, CONFIG) == []
