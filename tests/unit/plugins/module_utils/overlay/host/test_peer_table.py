# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The peer table: changes of leases as changes of kernel rows, one by one, in batches and in conflict."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterable, Mapping

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends import Backend, backend_for
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends.vxlan import Vxlan
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.peer_table import PeerChange, PeerTable
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.plan import plan
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.state import (
    DesiredState,
    ObservedState,
    PeerRows,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.fdb import (
    FdbEntry,
    RemoveFdb,
    SetFdb,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.neighbour import (
    Neighbour,
    RemoveNeighbour,
    SetNeighbour,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.route import (
    AddRoute,
    ChangeRoute,
    RemoveRoute,
    Route,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import (
    Subnet,
    format_ipv4,
    format_mac,
    parse_ipv4,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.backends.vxlan import VxlanOptions
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import LeaseError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import (
    SubnetLease,
    lease_key,
    lease_problem,
    parse_lease,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.underlay import Underlay
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
    return [(shown(change.before), shown(change.after)) for change in table.change(events)]


def test_a_lease_that_is_added_changed_and_removed_is_one_change_each(table: PeerTable) -> None:
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


def test_a_mac_that_moves_to_another_subnet_in_one_batch_is_two_changes(table: PeerTable) -> None:
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
def test_of_two_leases_with_one_mac_the_one_written_last_has_it(table: PeerTable, order: tuple[str, str]) -> None:
    older, newer = order
    reset(table, put(newer, 9, 5, revision=20), put(older, 7, 5, revision=10))
    assert list(peers(table).values()) == ["192.0.2.9 0e:00:00:00:00:05"]
    reset(table, put(older, 7, 5, revision=10))
    assert changes(table, [put(newer, 9, 5, revision=20)]) == [
        ("", "192.0.2.9 0e:00:00:00:00:05"),
        ("192.0.2.7 0e:00:00:00:00:05", ""),
    ]
    (problem,) = table.problems
    assert f"lease {older} of 192.0.2.7: not routed: VtepMAC 0e:00:00:00:00:05 is also that of another host" in problem
    assert f"192.0.2.9, whose lease {newer} is newer" in problem
    table.change([gone(newer)])
    assert list(peers(table).values()) == ["192.0.2.7 0e:00:00:00:00:05"]
    assert table.problems == []


def test_a_host_that_returns_to_its_former_lease_is_followed(table: PeerTable) -> None:
    reset(table, put(A, 7, 5, revision=10), put(B, 9, 5, revision=20))
    table.change([put(A, 7, 5, revision=30)])
    assert list(peers(table)) == ["10.50.7.0/24"]


def test_two_hosts_with_one_mac_do_not_take_it_from_each_other_at_each_renewal(
    table: PeerTable,
) -> None:
    reset(table, put(A, 7, 5, revision=10), put(B, 9, 5, revision=20))
    holders: list[str] = []
    for revision in range(30, 60, 2):
        table.change([put(A, 7, 5, revision=revision)])
        holders += peers(table)
        table.change([put(B, 9, 5, revision=revision + 1)])
        holders += peers(table)
    assert holders[:2] == ["10.50.7.0/24", "10.50.8.0/24"]
    assert set(holders[2:]) == {"10.50.8.0/24"}
    reset(table, put(A, 7, 5, revision=71), put(B, 9, 5, revision=70))
    assert list(peers(table)) == ["10.50.8.0/24"]
    table.change([put(A, 6, 5, revision=80)])
    assert list(peers(table)) == ["10.50.7.0/24"]


def test_leases_known_from_a_former_run_are_older_than_all_in_etcd(table: PeerTable) -> None:
    reset(table, put(A, 7, 5, revision=-2), put(B, 9, 5, revision=-1))
    assert list(peers(table)) == ["10.50.8.0/24"]
    reset(table, put(A, 7, 5, revision=2), put(B, 9, 5, revision=1))
    assert list(peers(table)) == ["10.50.7.0/24"]


def test_the_mac_of_a_removed_peer_passes_to_the_other_subnet_of_its_host(table: PeerTable) -> None:
    reset(table, put(A, 7), put(B, 7))
    both = "192.0.2.7 0e:00:00:00:00:07"
    assert changes(table, [gone(A)]) == [(both, ""), (both, both)]


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
    assert table.problems == [f"lease {dual}: not routed: lease {A} has the same subnet; delete {dual}"]
    table.change([gone(A)])
    assert peers(table) == {"10.50.7.0/24": "192.0.2.9 0e:00:00:00:00:09"}
    assert table.problems == []


def test_a_wider_lease_is_routed_only_while_no_fitting_lease_overlaps_it(table: PeerTable) -> None:
    wide = "10.50.6.0-23"
    reset(table, put(A, 7))
    table.change([put(wide, 9)])
    assert list(peers(table)) == ["10.50.7.0/24"]
    table.change([gone(A)])
    assert list(peers(table)) == ["10.50.6.0/23"]


def test_every_value_is_kept_unchanged(table: PeerTable) -> None:
    garbage = Put(Item("x", "garbage", 2))
    reset(table, put(A, 7), garbage)
    assert dict(table.values) == {A: put(A, 7).item.value, "x": "garbage"}
    table.change([gone("x")])
    assert list(table.values) == [A]


def test_a_change_has_the_rows_before_and_after_it(table: PeerTable) -> None:
    reset(table)
    (change,) = table.change([put(A, 7)])
    assert change == PeerChange(None, table.rows[Subnet.parse("10.50.7.0/24")])


def drawn_event(draw: random.Random, revision: int) -> Event:
    """Return an event for a random lease of any length, range, backend and form."""
    network = CONFIG.network
    length = draw.choice([22, 23, 24, 24, 24, 25, 26])
    name = lease_key(Subnet.of(network.first + draw.randrange(1 << 12), length))
    name = draw.choice(["10.60.0.0-24", "x"]) if draw.random() < 0.02 else name
    name += draw.choice(["", "", "", "&fd00::-56", "&fd00:1::-64"])
    if draw.random() < 0.35:
        return gone(name)
    event = put(name, draw.choice([1, 7, 8, 9, 10]), draw.randrange(1, 12), revision)
    value = json.loads(event.item.value)
    value["written"] = revision  # so that no lease is a mere renewal
    if draw.random() < 0.1:
        value |= draw.choice([{"PublicIP": "127.0.0.1"}, {"BackendType": "host-gw"}, {"BackendData": {}}])
    return Put(event.item._replace(value="garbage" if draw.random() < 0.03 else json.dumps(value)))


def judged_whole(items: Mapping[str, Item], backend: Backend) -> dict[Subnet, PeerRows]:
    """Return the routed leases by a comparison of each lease with each other."""
    leases: dict[Subnet, tuple[SubnetLease, int]] = {}
    for name, item in sorted(items.items(), key=lambda one: (len(one[0]), one[0])):
        with contextlib.suppress(LeaseError):
            lease = parse_lease(name, item.value)
            leases.setdefault(lease.subnet, (lease, item.revision))
    rows: dict[Subnet, tuple[PeerRows, int]] = {}
    admitted: list[Subnet] = []
    for subnet in sorted(leases, key=lambda subnet: (not CONFIG.fits(subnet), subnet)):
        lease, revision = leases[subnet]
        if subnet.overlaps(OWN) or lease_problem(lease, CONFIG) or any(map(subnet.overlaps, admitted)):
            continue
        admitted.append(subnet)
        with contextlib.suppress(LeaseError):
            found = backend.rows(lease)
            if found is not None:
                rows[subnet] = found, revision
    newest: dict[bytes, tuple[int, int]] = {}
    for found, revision in rows.values():
        assert found.fdb is not None
        newest[found.fdb.mac] = max(newest.get(found.fdb.mac, (0, 0)), (revision, found.fdb.destination))
    return {
        subnet: found
        for subnet, (found, _revision) in rows.items()
        if found.fdb is not None and newest[found.fdb.mac][1] == found.fdb.destination
    }


class Kernel:
    """The tables as the plans for single events leave them."""

    def __init__(self) -> None:
        self.routes: dict[Subnet, Route] = {}
        self.neighbours: dict[tuple[str, int], Neighbour] = {}
        self.fdb: dict[tuple[str, bytes], FdbEntry] = {}

    def apply(self, found: Iterable[PeerChange]) -> None:
        """Apply the plan for these changes."""
        found = list(found)
        wanted = DesiredState.of((), (change.after for change in found if change.after))
        known = DesiredState.of((), (change.before for change in found if change.before))
        for step in plan(wanted, ObservedState.of(known)).steps:
            if isinstance(step, AddRoute):
                assert step.route.subnet not in self.routes
                self.routes[step.route.subnet] = step.route
            elif isinstance(step, ChangeRoute):
                assert self.routes[step.old.subnet] == step.old
                self.routes[step.new.subnet] = step.new
            elif isinstance(step, RemoveRoute):
                assert self.routes.pop(step.route.subnet) == step.route
            elif isinstance(step, SetNeighbour):
                self.neighbours[step.neighbour.key] = step.neighbour
            elif isinstance(step, RemoveNeighbour):
                assert self.neighbours.pop(step.neighbour.key) == step.neighbour
            elif isinstance(step, SetFdb):
                self.fdb[step.entry.key] = step.entry
            elif isinstance(step, RemoveFdb):
                assert self.fdb.pop(step.entry.key) == step.entry
            else:
                raise AssertionError(step)

    def holds(self, rows: Iterable[PeerRows]) -> bool:
        """Whether the tables hold exactly these rows."""
        wanted = DesiredState.of((), rows)
        return (self.routes, self.neighbours, self.fdb) == tuple(map(wanted.rows, (Route, Neighbour, FdbEntry)))


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_events_has_the_result_of_a_full_read(seed: int) -> None:
    draw = random.Random(seed)
    backend = backend_for(CONFIG, UNDERLAY, OWN, bytes.fromhex("0e0000000001"))
    table, kernel, items = PeerTable(CONFIG, OWN, backend), Kernel(), dict[str, Item]()
    revision = 0
    for step in range(300):
        batch: list[Event] = []
        for _one in range(draw.choice([1, 1, 1, 1, 2, 3, 20])):
            revision += 1
            event = drawn_event(draw, revision)
            batch.append(event)
            if isinstance(event, Put):
                items[event.item.key] = event.item
            else:
                items.pop(event.key, None)
        if draw.random() < 0.03:
            table.reset(items)
            kernel = Kernel()  # what follows a reset compares everything
            kernel.apply(PeerChange(None, rows) for rows in table.rows.values())
        else:
            kernel.apply(table.change(batch))
        assert kernel.holds(table.rows.values())
        if step % 5:
            continue
        fresh = PeerTable(CONFIG, OWN, backend)
        fresh.reset(items)
        assert table.rows == fresh.rows == judged_whole(items, backend)
        assert table.problems == fresh.problems
        assert dict(table.values) == {name: item.value for name, item in items.items()}


def test_an_event_judges_no_lease_that_it_does_not_touch() -> None:
    asked: list[Subnet] = []

    class Counting(Vxlan):
        def rows(self, lease: SubnetLease) -> PeerRows | None:
            asked.append(lease.subnet)
            return super().rows(lease)

    options = CONFIG.backend
    assert isinstance(options, VxlanOptions)
    table = PeerTable(CONFIG, OWN, Counting(options, UNDERLAY, OWN, bytes.fromhex("0e0000000001")))
    names = [f"10.50.{number}.0-24&fd00::-56" for number in range(10, 100)]
    names += [f"10.50.{number}.0-25" for number in range(100, 200)]
    names += [f"10.50.{number}.128-26" for number in range(100, 200)]
    reset(table, *(put(name, 10 + number % 200, 2 + number // 2 % 200) for number, name in enumerate(names)))
    asked.clear()
    for events in ([put(A, 7, 251)], [put("10.50.250.0-23", 8, 252)], [put("10.50.10.0-24", 9, 253)], [gone(A)]):
        table.change(events)
    assert len(asked) <= 6
