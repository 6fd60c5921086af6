# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A watch delivers each event once and at once, and reports a lost history."""

from __future__ import annotations

import statistics
import threading
import time
import urllib.request

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import StoreError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.api_choice import EtcdConnection, connect
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.errors import (
    CompactedError,
    UnreachableError,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Item, Put, Store
from support.etcd_server import EtcdServer
from support.watching import LIMIT, brief, collect


def test_changes_arrive_once_and_in_order_and_siblings_do_not(store: Store, folder: str) -> None:
    _unused, revision = store.snapshot(f"{folder}/subnets")
    a = store.create(f"{folder}/subnets/a", "1", None)
    store.create(f"{folder}/subnets-old/a", "1", None)
    store.create(f"{folder}/config", "1", None)
    a = store.replace(a, "2", None)
    store.delete(a)
    b = store.create(f"{folder}/subnets/b", "3", 300)
    events = collect(store.watch(f"{folder}/subnets", revision, 1.0), 4)
    assert brief(events) == ["a=1", "a=2", "-a", "b=3"]
    assert isinstance(events[3], Put)
    assert events[3].item == b


def test_a_quiet_watch_yields_nothing_after_its_timeout(store: Store, folder: str) -> None:
    _unused, revision = store.snapshot(folder)
    watch = store.watch(folder, revision, 0.2)
    began = time.monotonic()
    assert [next(watch), next(watch)] == [[], []]
    assert 0.3 < time.monotonic() - began < 3


def test_snapshot_and_watch_together_miss_nothing_under_concurrent_writes(
    store: Store, api: str, etcd: EtcdServer, folder: str
) -> None:
    done = threading.Event()

    def write() -> None:
        writer = connect(EtcdConnection(etcd.endpoints, api=api))
        kept: dict[int, Item] = {}
        for number in range(300):
            kept[number] = writer.create(f"{folder}/{number}", "1", None)
            if number % 3 == 0:
                kept[number] = writer.replace(kept[number], "2", None)
            if number % 5 == 0:
                writer.delete(kept[number])
        writer.create(f"{folder}/last", "1", None)
        writer.close()
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not store.snapshot(folder)[0]:
        assert thread.is_alive()
    seen, revision = store.snapshot(folder)
    deadline = time.monotonic() + 3 * LIMIT
    for batch in store.watch(folder, revision, 1.0):
        for event in batch:
            if isinstance(event, Put):
                assert event.item.revision > revision
                seen[event.item.key] = event.item
            else:
                del seen[event.key]
        if f"{folder}/last" in seen:
            break
        assert time.monotonic() < deadline
    thread.join()
    assert done.is_set()
    assert seen == store.snapshot(folder)[0]
    assert len(seen) == 241


def test_a_put_wakes_the_watcher_at_once(store: Store, folder: str) -> None:
    _unused, revision = store.snapshot(folder)
    arrived: list[float] = []
    ready = threading.Event()

    def listen() -> None:
        for batch in store.watch(folder, revision, 0.2):
            ready.set()
            arrived.extend([time.perf_counter()] * len(batch))
            if len(arrived) >= 51:
                return

    thread = threading.Thread(target=listen)
    thread.start()
    store.create(f"{folder}/first", "1", None)
    assert ready.wait(LIMIT)
    returned: list[float] = []
    for number in range(50):
        store.create(f"{folder}/{number}", "1", None)
        returned.append(time.perf_counter())
        time.sleep(0.005)
    thread.join(LIMIT)
    delays = [(at - put) * 1000 for at, put in zip(arrived[1:], returned)]
    assert len(delays) == 50
    # Generous for a busy machine; polling or Nagle's algorithm would cost 40 and more.
    assert statistics.median(delays) < 10, f"milliseconds: {delays}"


def test_a_v3_watch_from_a_compacted_revision_requires_a_new_snapshot(etcd: EtcdServer, folder: str) -> None:
    store = connect(EtcdConnection(etcd.endpoints, api="v3"))
    item = store.create(f"{folder}/a", "1", None)
    for value in ("2", "3", "4"):
        item = store.replace(item, value, None)
    etcd.etcdctl("compact", str(item.revision))
    with pytest.raises(CompactedError, match="compacted"):
        collect(store.watch(folder, item.revision - 3, 1.0), 1)
    items, revision = store.snapshot(folder)
    item = store.replace(items[item.key], "5", None)
    assert brief(collect(store.watch(folder, revision, 1.0), 1)) == ["a=5"]
    store.close()


def test_a_v2_watch_from_a_cleared_index_requires_a_new_snapshot(etcd: EtcdServer, folder: str) -> None:
    store = connect(EtcdConnection(etcd.endpoints, api="v2"))
    _unused, revision = store.snapshot(folder)
    item = store.create(f"{folder}-elsewhere/a", "0", 300)
    for number in range(1010):  # etcd keeps a thousand events
        item = store.replace(item, str(number), 300)
    with pytest.raises(CompactedError, match="index"):
        collect(store.watch(folder, revision, 1.0), 1)
    store.close()


def test_a_v2_watch_reads_the_events_that_it_waits_for_in_one_request(etcd: EtcdServer, folder: str) -> None:
    store = connect(EtcdConnection(etcd.endpoints, api="v2"))
    store.create(f"{folder}/a", "past", None)
    _unused, revision = store.snapshot(folder)
    for name in ("b", "c", "d"):
        store.create(f"{folder}/{name}", "past", None)
    watch = store.watch(folder, revision, 0.2)
    assert brief(collect(watch, 3)) == ["b=past", "c=past", "d=past"]
    before = watch_requests(etcd)
    for name in ("by-poll", "by-stream"):
        assert next(watch) == []
        store.create(f"{folder}/{name}", "", None)
        assert brief(collect(watch, 1)) == [f"{name}="]
    for number in range(50):
        store.create(f"{folder}/{number}", "", None)
        assert brief(collect(watch, 1)) == [f"{number}="]
    assert watch_requests(etcd) - before == 2
    store.close()


def test_a_v2_watch_that_is_far_behind_reads_the_folder_instead_of_each_event(etcd: EtcdServer, folder: str) -> None:
    store = connect(EtcdConnection(etcd.endpoints, api="v2"))
    kept, lost = (store.create(f"{folder}/{name}", "0", None) for name in ("kept", "lost"))
    _unused, revision = store.snapshot(folder)
    own = store.create(f"{folder}/own", "0", None)  # a key that the snapshot does not have
    other = connect(EtcdConnection(etcd.endpoints, api="v2"))
    for item in (lost, own):
        other.delete(item)
    for number in range(50):
        kept = other.replace(kept, str(number), None)
        other.create(f"{folder}/{number}", "", None)
    before = watch_requests(etcd)
    watch = store.watch(folder, revision, 0.2)
    events = brief(collect(watch, 1))
    assert watch_requests(etcd) - before == 1
    assert events[:2] == ["-lost", "-own"]
    assert events[2:] == [*(f"{number}=" for number in range(49)), "kept=49", "49="]
    other.create(f"{folder}/later", "1", None)
    assert brief(collect(watch, 1)) == ["later=1"]
    for item in other.snapshot(folder)[0].values():
        other.delete(item)
    request = urllib.request.Request(f"{etcd.endpoint}/v2/keys{folder}?dir=true", method="DELETE")
    with urllib.request.urlopen(request):
        assert len(collect(watch, 1)) == 52
    store.close()
    other.close()


def watch_requests(etcd: EtcdServer) -> int:
    """Return how many watches of the v2 API the server has begun."""
    with urllib.request.urlopen(f"{etcd.endpoint}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("etcd_debugging_store_watch_requests_total")))


def test_the_removal_of_a_whole_v2_folder_requires_a_new_snapshot(etcd: EtcdServer, folder: str) -> None:
    store = connect(EtcdConnection(etcd.endpoints, api="v2"))
    store.create(f"{folder}/subnets/a", "1", None)
    _unused, revision = store.snapshot(f"{folder}/subnets")
    etcd.etcdctl("rm", "--recursive", folder, api="2")
    with pytest.raises(CompactedError, match=r"directory .* was deleted"):
        collect(store.watch(f"{folder}/subnets", revision, 1.0), 1)
    assert store.snapshot(f"{folder}/subnets")[0] == {}
    store.close()


def test_the_removal_of_a_whole_v3_prefix_is_an_event_for_each_key(etcd: EtcdServer, folder: str) -> None:
    store = connect(EtcdConnection(etcd.endpoints, api="v3"))
    for name in "abc":
        store.create(f"{folder}/{name}", "1", None)
    _unused, revision = store.snapshot(folder)
    etcd.etcdctl("del", "--prefix", folder)
    assert brief(collect(store.watch(folder, revision, 1.0), 3)) == ["-a", "-b", "-c"]
    store.close()


def test_closing_the_store_ends_a_watch_in_another_thread(store: Store, api: str, folder: str) -> None:
    _unused, revision = store.snapshot(folder)
    ended: list[StoreError] = []
    watching = threading.Event()
    poll = 60.0 if api == "v3" else 1.0  # a long poll of v2 lasts to its end

    def listen() -> None:
        watch = store.watch(folder, revision, poll)
        collect(watch, 1)
        watching.set()
        try:
            next(watch)
            next(watch)
        except StoreError as error:
            ended.append(error)

    thread = threading.Thread(target=listen)
    thread.start()
    store.create(f"{folder}/a", "1", None)
    assert watching.wait(LIMIT)
    store.close()
    thread.join(LIMIT)
    assert not thread.is_alive()
    assert "closed" in str(ended[0])


@pytest.mark.parametrize("wipe", [False, True])
def test_a_server_killed_during_a_watch_is_reported_and_can_be_watched_again(api: str, folder: str, wipe: bool) -> None:
    with EtcdServer() as own:
        store = connect(EtcdConnection(own.endpoints, api=api))
        store.create(f"{folder}/a", "1", None)
        _unused, revision = store.snapshot(folder)
        watch = store.watch(folder, revision, 0.5)
        assert next(watch) == []
        own.kill()
        with pytest.raises(UnreachableError, match=own.endpoint):
            collect(watch, 1)
        own.restart(wipe=wipe)
        items, later = store.snapshot(folder)
        assert list(items) == ([] if wipe else [f"{folder}/a"])
        store.create(f"{folder}/b", "2", None)
        assert brief(collect(store.watch(folder, later, 0.5), 1)) == ["b=2"]
        store.close()


def test_a_watch_on_a_server_that_lost_its_data_ends_with_an_error(api: str, folder: str) -> None:
    with EtcdServer() as own:
        store = connect(EtcdConnection(own.endpoints, api=api))
        item = store.create(f"{folder}/a", "0", None)
        for number in range(20):
            item = store.replace(item, str(number), None)
        _unused, revision = store.snapshot(folder)
        own.restart(wipe=True)
        with pytest.raises(CompactedError, match="lower than"):
            collect(store.watch(folder, revision, 0.5), 1)
        store.close()
