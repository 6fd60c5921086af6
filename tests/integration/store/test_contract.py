# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The contract of the store, the same for both APIs: reading, creating, compare-and-swap, TTL."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.api_choice import EtcdConnection, connect
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.errors import (
    ChangedError,
    GoneError,
    KeyExistsError,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Deleted, Item, Put, Store
from support.etcd_server import EtcdServer
from support.watching import LIMIT, brief, collect, eventually


def leases_of(etcd: EtcdServer) -> set[str]:
    return set(etcd.etcdctl("lease", "list").splitlines()[1:])


def test_a_missing_key_reads_as_none(store: Store, folder: str) -> None:
    assert store.get(f"{folder}/nothing") is None


def test_a_created_key_reads_back_as_it_was_returned(store: Store, folder: str) -> None:
    created = store.create(f"{folder}/10.5.7.0-24", '{"PublicIP":"192.0.2.1"}', 300)
    read = store.get(f"{folder}/10.5.7.0-24")
    assert read is not None
    assert read[:4] == created[:4]
    assert (read.value, read.reservation) == ('{"PublicIP":"192.0.2.1"}', False)
    assert store.ttl_left([read])[read.key] in range(290, 301)


@pytest.mark.parametrize("name", ["10.5.7.0-24&fd00:12:13::-56", "with space", "ünicode"])
@pytest.mark.parametrize("value", ["", 'ünicode "quoted" & 100% +plus+', "line\nbreak"])
def test_any_key_and_value_survive_the_round_trip(store: Store, folder: str, name: str, value: str) -> None:
    created = store.create(f"{folder}/{name}", value, None)
    assert store.snapshot(folder)[0] == {f"{folder}/{name}": created}
    store.delete(created)
    assert store.get(f"{folder}/{name}") is None


def test_a_key_that_exists_is_not_created_again(store: Store, folder: str, etcd: EtcdServer) -> None:
    first = store.create(f"{folder}/a", "first", None)
    before = leases_of(etcd)
    with pytest.raises(KeyExistsError, match=f"{folder}/a"):
        store.create(f"{folder}/a", "second", 300)
    assert store.get(f"{folder}/a") == first
    assert leases_of(etcd) <= before, "the failed create left an etcd lease behind"


def test_of_fifty_that_create_one_key_at_once_exactly_one_wins(api: str, etcd: EtcdServer, folder: str) -> None:
    before = leases_of(etcd)
    barrier = threading.Barrier(50)
    outcomes: list[Item | type[Exception]] = []

    def contend(number: int) -> None:
        store = connect(EtcdConnection(etcd.endpoints, api=api))
        barrier.wait(LIMIT)
        try:
            outcomes.append(store.create(f"{folder}/one", str(number), 300))
        except KeyExistsError as error:
            outcomes.append(type(error))
        finally:
            store.close()

    threads = [threading.Thread(target=contend, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [outcome for outcome in outcomes if isinstance(outcome, Item)]
    assert len(outcomes) == 50
    assert len(winners) == 1
    present = connect(EtcdConnection(etcd.endpoints, api=api)).get(f"{folder}/one")
    assert present is not None
    assert present.value == winners[0].value
    assert len(leases_of(etcd) - before) == (1 if api == "v3" else 0), "losers left etcd leases behind"


def test_a_snapshot_contains_only_keys_below_the_folder(store: Store, folder: str) -> None:
    inside = store.create(f"{folder}/subnets/a", "1", None)
    nested = store.create(f"{folder}/subnets/b/c", "2", None)
    store.create(f"{folder}/subnets-old/x", "3", None)
    store.create(f"{folder}/subnets0", "4", None)
    assert store.snapshot(f"{folder}/subnets")[0] == {inside.key: inside, nested.key: nested}


@pytest.mark.parametrize("api", ["v2"], indirect=True)
def test_an_empty_v2_directory_is_an_item_and_an_event(etcd: EtcdServer, store: Store, folder: str) -> None:
    etcd.etcdctl("mkdir", f"{folder}/subnets", api="2")
    assert store.snapshot(f"{folder}/subnets")[0] == {}
    revision = store.snapshot(folder)[1]
    etcd.etcdctl("mkdir", f"{folder}/subnets/10.5.7.0-24", api="2")
    items = store.snapshot(folder)[0]
    assert {key: item.directory for key, item in items.items()} == {f"{folder}/subnets/10.5.7.0-24": True}
    (event,) = collect(store.watch(folder, revision, 1.0), 1)
    assert isinstance(event, Put) and event.item == items[f"{folder}/subnets/10.5.7.0-24"]


def test_a_snapshot_of_a_missing_folder_is_empty_and_can_start_a_watch(store: Store, folder: str) -> None:
    items, revision = store.snapshot(folder)
    store.create(f"{folder}/a", "1", None)
    assert items == {}
    assert brief(collect(store.watch(folder, revision, 1.0), 1)) == ["a=1"]


def test_replacing_needs_the_revision_that_was_read(store: Store, folder: str) -> None:
    first = store.create(f"{folder}/a", "1", None)
    second = store.replace(first, "2", None)
    with pytest.raises(ChangedError, match=f"{folder}/a"):
        store.replace(first, "3", None)
    assert store.get(f"{folder}/a") == second


def test_of_many_that_replace_one_key_at_once_exactly_one_wins(store: Store, folder: str) -> None:
    item = store.create(f"{folder}/a", "0", 300)
    outcomes: list[str] = []

    def contend(number: int) -> None:
        try:
            outcomes.append(store.replace(item, str(number), 300).value)
        except ChangedError:
            outcomes.append("lost")

    threads = [threading.Thread(target=contend, args=(number,)) for number in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [outcome for outcome in outcomes if outcome != "lost"]
    present = store.get(f"{folder}/a")
    assert (len(outcomes), len(won)) == (20, 1)
    assert present is not None
    assert present.value == won[0]


def test_a_key_that_is_gone_cannot_be_replaced_deleted_or_kept_alive(store: Store, folder: str) -> None:
    item = store.create(f"{folder}/a", "1", 300)
    store.delete(item)
    with pytest.raises(GoneError):
        store.replace(item, "2", 300)
    with pytest.raises(GoneError):
        store.delete(item)
    with pytest.raises(GoneError):
        store.keep_alive(item, 300)
    assert store.get(f"{folder}/a") is None
    assert store.ttl_left([item]) == {}


def test_a_changed_key_is_not_deleted(store: Store, folder: str) -> None:
    first = store.create(f"{folder}/a", "1", None)
    second = store.replace(first, "2", None)
    with pytest.raises(ChangedError):
        store.delete(first)
    assert store.get(f"{folder}/a") == second


def test_a_deleted_lease_leaves_nothing_in_etcd(store: Store, folder: str, etcd: EtcdServer) -> None:
    before = leases_of(etcd)
    store.delete(store.create(f"{folder}/a", "1", 300))
    assert store.snapshot(folder)[0] == {}
    assert leases_of(etcd) <= before


def test_a_reservation_stays_without_time_to_live(store: Store, folder: str) -> None:
    reserved = store.create(f"{folder}/a", "1", None)
    assert store.keep_alive(reserved, 2) == reserved
    renewed = store.replace(reserved, "2", None)
    read = store.get(f"{folder}/a")
    assert read == renewed
    assert read.reservation
    assert store.ttl_left([read]) == {read.key: None}


def test_a_lease_becomes_a_reservation_and_a_reservation_a_lease(store: Store, folder: str) -> None:
    lease = store.create(f"{folder}/a", "1", 300)
    reserved = store.replace(lease, "1", None)
    assert store.ttl_left([reserved]) == {reserved.key: None}
    again = store.replace(reserved, "1", 300)
    assert not again.reservation
    assert store.ttl_left([again])[again.key] in range(290, 301)


def test_replacing_a_key_restarts_its_ttl(store: Store, folder: str) -> None:
    item = store.create(f"{folder}/a", "1", 60)
    longer = store.replace(item, "2", 600)
    assert store.ttl_left([longer])[longer.key] in range(590, 601)


def test_an_expired_key_is_an_event(store: Store, folder: str) -> None:
    _unused, revision = store.snapshot(folder)
    store.create(f"{folder}/a", "1", 1)
    events = collect(store.watch(folder, revision, 1.0), 2)
    assert brief(events) == ["a=1", "-a"]
    assert events[1] == Deleted(f"{folder}/a")
    assert store.get(f"{folder}/a") is None


def test_keep_alive_extends_a_key_without_an_event(store: Store, folder: str) -> None:
    item = store.create(f"{folder}/a", "1", 2)
    _unused, revision = store.snapshot(folder)
    watch = store.watch(folder, revision, 0.5)
    for _attempt in range(6):  # three seconds in all
        item = store.keep_alive(item, 2)
        assert next(watch) == []
    assert store.get(f"{folder}/a") is not None
    eventually(lambda: store.get(f"{folder}/a") is None)


def test_a_key_that_another_took_over_is_not_kept_alive(store: Store, folder: str) -> None:
    mine = store.create(f"{folder}/a", "mine", 300)
    store.replace(mine, "theirs", 600)
    with pytest.raises(ChangedError):
        store.keep_alive(mine, 300)


def test_the_revision_returned_by_keep_alive_can_be_replaced(store: Store, folder: str) -> None:
    item = store.keep_alive(store.create(f"{folder}/a", "1", 300), 300)
    assert store.replace(item, "2", 300).value == "2"


def test_the_remaining_seconds_are_known_for_each_key(store: Store, folder: str) -> None:
    items = [store.create(f"{folder}/{seconds}", "x", seconds) for seconds in (100, 200)]
    items.append(store.create(f"{folder}/for-ever", "x", None))
    left = store.ttl_left(items)
    assert left.pop(f"{folder}/for-ever") is None
    assert [value is not None and round(value, -1) for value in left.values()] == [100, 200]
