# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The peer table: what changes of leases mean for the kernel's rows, one by one, in a batch, and when they clash."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.peers import Change, PeerTable
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends import backend_for
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import (
    Subnet,
    format_ipv4,
    format_mac,
    parse_ipv4,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.state import PeerRows, Underlay
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Deleted, Event, Item, Put

CONFIG = NetworkConfig.parse('{"Network": "10.50.0.0/16", "Backend": {"Type": "vxlan"}}')
UNDERLAY = Underlay("eth0", 2, parse_ipv4("192.0.2.1"), 1500, (Subnet.parse("192.0.2.0/24"),))
OWN = Subnet.parse("10.50.1.0/24")
A, B = "10.50.7.0-24", "10.50.8.0-24"


@pytest.fixture
def table() -> PeerTable:
    return PeerTable(CONFIG, OWN, backend_for(CONFIG, UNDERLAY, OWN, bytes.fromhex("0e0000000001")))


def put(name: str, host: int, mac: int = 0, revision: int = 1) -> Put:
    """Return the lease of a host, with a MAC of the same number if no other is given."""
    data = {"VNI": 1, "VtepMAC": f"0e:00:00:00:00:{mac or host:02x}"}
    value = {"PublicIP": f"192.0.2.{host}", "BackendType": "vxlan", "BackendData": data}
    return Put(Item(name, json.dumps(value), revision))


def gone(name: str) -> Deleted:
    return Deleted(name)


def reset(table: PeerTable, *events: Put) -> None:
    table.reset({event.item.key: event.item for event in events})


def shown(rows: PeerRows | None) -> str:
    """Return rows as host and MAC."""
    assert rows is None or rows.fdb is not None
    return f"{format_ipv4(rows.fdb.destination)} {format_mac(rows.fdb.mac)}" if rows and rows.fdb else ""


def peers(table: PeerTable) -> dict[str, str]:
    return {str(subnet): shown(rows) for subnet, rows in table.rows.items()}


def changes(table: PeerTable, events: Iterable[Event]) -> list[tuple[str, str]]:
    found = table.change(events)
    assert found is not None
    return [(shown(change.before), shown(change.after)) for change in found]


def test_a_lease_that_comes_changes_and_goes_is_one_change_each_time(table: PeerTable) -> None:
    reset(table)
    one, two = "192.0.2.7 0e:00:00:00:00:07", "192.0.2.9 0e:00:00:00:00:09"
    assert changes(table, [put(A, 7)]) == [("", one)]
    assert changes(table, [put(A, 7)]) == []
    assert changes(table, [put(A, 9)]) == [(one, two)]
    assert changes(table, [gone(A)]) == [(two, "")]
    assert changes(table, [gone(A)]) == []
    assert table.rows == {}


def test_several_changes_of_a_peer_in_one_batch_are_one_from_the_first_to_the_last(table: PeerTable) -> None:
    one, three = "192.0.2.7 0e:00:00:00:00:07", "192.0.2.8 0e:00:00:00:00:08"
    reset(table)
    assert changes(table, [put(A, 7), put(A, 9), put(A, 8)]) == [("", three)]
    assert changes(table, [put(A, 9), gone(A)]) == [(three, "")]
    assert changes(table, [put(A, 7), gone(A)]) == []
    assert changes(table, [put(A, 7)]) == [("", one)]
    assert changes(table, [gone(A), put(A, 7)]) == []
    assert changes(table, [gone(A), put(A, 8)]) == [(one, three)]


def test_a_mac_that_moves_to_another_subnet_in_one_batch_is_told_of_as_both(table: PeerTable) -> None:
    reset(table, put(A, 7))
    assert changes(table, [gone(A), put(B, 7)]) == [
        ("192.0.2.7 0e:00:00:00:00:07", ""),
        ("", "192.0.2.7 0e:00:00:00:00:07"),
    ]


def test_garbage_in_a_batch_changes_nothing_but_the_problems(table: PeerTable) -> None:
    reset(table)
    garbage = Put(Item(B, "garbage", 2))
    assert changes(table, [garbage, put(A, 7)]) == [("", "192.0.2.7 0e:00:00:00:00:07")]
    assert table.problems == [f"lease {B}: the value is not JSON (Expecting value: line 1 column 1 (char 0))"]
    assert changes(table, [gone(B)]) == []
    assert table.problems == []


def test_the_own_lease_is_no_peer(table: PeerTable) -> None:
    reset(table, put("10.50.1.0-24", 7))
    assert changes(table, [put("10.50.1.0-24", 8)]) == []
    assert (table.rows, table.problems) == ({}, [])


@pytest.mark.parametrize("order", [(A, B), (B, A)])
def test_of_two_hosts_with_one_mac_the_older_lease_wins_wherever_it_stands(
    table: PeerTable, order: tuple[str, str]
) -> None:
    older, newer = order
    reset(table, put(newer, 9, 5, revision=20), put(older, 7, 5, revision=10))
    assert list(peers(table).values()) == ["192.0.2.7 0e:00:00:00:00:05"]
    reset(table, put(older, 7, 5, revision=10))
    assert table.change([put(newer, 9, 5, revision=20)]) is None
    assert list(peers(table).values()) == ["192.0.2.7 0e:00:00:00:00:05"]
    assert len(table.problems) == 1
    assert "is also that of another host" in table.problems[0]
    table.change([gone(older)])
    assert list(peers(table).values()) == ["192.0.2.9 0e:00:00:00:00:05"]
    assert table.problems == []


def test_one_host_may_hold_several_subnets_with_its_one_mac(table: PeerTable) -> None:
    reset(table, put(A, 7), put(B, 7))
    assert len(table.rows) == 2
    table.change([gone(A)])
    assert list(peers(table)) == ["10.50.8.0/24"]


def test_a_second_key_for_a_subnet_yields_to_the_plain_one(table: PeerTable) -> None:
    dual = f"{A}&fd00:12:13::-56"
    reset(table, put(dual, 9))
    assert peers(table) == {"10.50.7.0/24": "192.0.2.9 0e:00:00:00:00:09"}
    table.change([put(A, 7)])
    assert peers(table) == {"10.50.7.0/24": "192.0.2.7 0e:00:00:00:00:07"}
    assert table.problems == [f"lease {dual}: its subnet is also leased as {A}, which is kept"]
    table.change([gone(A)])
    assert peers(table) == {"10.50.7.0/24": "192.0.2.9 0e:00:00:00:00:09"}
    assert table.problems == []


def test_a_wider_lease_never_covers_one_that_fits_and_comes_in_when_that_goes(table: PeerTable) -> None:
    wide = "10.50.6.0-23"
    reset(table, put(A, 7))
    table.change([put(wide, 9)])
    assert list(peers(table)) == ["10.50.7.0/24"]
    table.change([gone(A)])
    assert list(peers(table)) == ["10.50.6.0/23"]


def test_every_value_is_kept_as_etcd_told_it(table: PeerTable) -> None:
    garbage = Put(Item("x", "garbage", 2))
    reset(table, put(A, 7), garbage)
    assert dict(table.values) == {A: put(A, 7).item.value, "x": "garbage"}
    table.change([gone("x")])
    assert list(table.values) == [A]


def test_a_change_names_what_was_there_and_what_should_be(table: PeerTable) -> None:
    reset(table)
    (change,) = table.change([put(A, 7)]) or []
    assert change == Change(None, table.rows[Subnet.parse("10.50.7.0/24")])
