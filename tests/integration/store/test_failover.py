# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Operations and watches on a cluster whose members are killed, paused or without a leader."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.api_choice import EtcdConnection, connect
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.errors import UnreachableError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Store
from support.etcd_server import EtcdServer, free_ports
from support.watching import LIMIT, brief, collect, eventually

TIMEOUT = 1.0  # seconds an endpoint is given; a frozen one takes all of it


@pytest.fixture(scope="module")
def cluster() -> Iterator[EtcdServer]:
    with EtcdServer(members=3) as server:
        yield server


@pytest.fixture
def healthy(cluster: EtcdServer) -> Iterator[EtcdServer]:
    yield cluster
    cluster.heal()


@pytest.fixture
def store(api: str, healthy: EtcdServer) -> Iterator[Store]:
    opened = connect(EtcdConnection(healthy.endpoints, api=api, timeout=TIMEOUT))
    yield opened
    opened.close()


def test_an_endpoint_that_refuses_connections_is_skipped(healthy: EtcdServer, api: str, folder: str) -> None:
    dead = f"http://127.0.0.1:{free_ports(1)[0]}"
    store = connect(EtcdConnection((dead, *healthy.endpoints), api=api))
    store.create(f"{folder}/a", "1", 300)
    assert list(store.snapshot(folder)[0]) == [f"{folder}/a"]
    store.close()


def test_operations_continue_when_the_member_in_use_is_killed(healthy: EtcdServer, store: Store, folder: str) -> None:
    item = store.create(f"{folder}/a", "1", 300)
    healthy.kill(0)
    healthy.wait_healthy(1)
    item = store.replace(item, "2", 300)
    assert store.get(item.key) == item


def test_reads_continue_when_the_member_in_use_is_frozen(healthy: EtcdServer, store: Store, folder: str) -> None:
    item = store.create(f"{folder}/a", "1", None)
    healthy.pause(0)
    healthy.wait_healthy(1)
    assert store.get(f"{folder}/a") == item


def test_the_error_of_an_unanswered_write_warns_that_it_may_have_succeeded(
    healthy: EtcdServer, store: Store, folder: str
) -> None:
    other = connect(EtcdConnection(healthy.endpoints[1:], api=store.api))
    item = other.create(f"{folder}/a", "1", None)
    other.close()
    healthy.pause(0)  # the first operation of a store goes to its first endpoint
    with pytest.raises(UnreachableError, match="may have made the change"):
        store.replace(item, "2", None)


def test_a_watch_continues_at_another_member_and_misses_nothing(healthy: EtcdServer, store: Store, folder: str) -> None:
    _unused, revision = store.snapshot(folder)
    watch = store.watch(folder, revision, 0.2)
    other = connect(EtcdConnection(healthy.endpoints[1:], api=store.api, timeout=TIMEOUT))
    other.create(f"{folder}/before", "1", None)
    assert brief(collect(watch, 1)) == ["before=1"]
    healthy.kill(0)
    healthy.wait_healthy(1)
    other.create(f"{folder}/while-dead", "1", None)
    assert brief(collect(watch, 1)) == ["while-dead=1"]
    other.create(f"{folder}/after", "1", None)
    assert brief(collect(watch, 1)) == ["after=1"]
    other.close()


def test_a_watch_leaves_a_member_that_is_frozen_and_misses_nothing(
    healthy: EtcdServer, store: Store, folder: str
) -> None:
    _unused, revision = store.snapshot(folder)
    watch = store.watch(folder, revision, 0.2)
    assert next(watch) == []
    healthy.pause(0)
    healthy.wait_healthy(1)
    other = connect(EtcdConnection(healthy.endpoints[1:], api=store.api, timeout=LIMIT))
    other.create(f"{folder}/while-frozen", "1", None)
    assert brief(collect(watch, 1, 2 * LIMIT)) == ["while-frozen=1"]
    other.close()


def test_a_watch_without_events_checks_its_server_and_continues(healthy: EtcdServer, api: str, folder: str) -> None:
    store = connect(EtcdConnection(healthy.endpoints, api=api, timeout=0.3))
    _unused, revision = store.snapshot(folder)
    watch = store.watch(folder, revision, 0.2)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        assert next(watch) == []
    store.create(f"{folder}/after", "1", None)
    assert brief(collect(watch, 1)) == ["after=1"]
    store.close()


def test_without_a_quorum_every_endpoint_is_named_with_its_reason(
    healthy: EtcdServer, store: Store, folder: str
) -> None:
    healthy.kill(1)
    healthy.kill(2)
    with pytest.raises(UnreachableError) as caught:
        eventually(lambda: store.get(f"{folder}/a") is not None)
    assert list(caught.value.reasons) == list(healthy.endpoints)
    assert all(endpoint in str(caught.value) for endpoint in healthy.endpoints)
    assert "refused" in caught.value.reasons[healthy.endpoints[1]]


def test_a_v3_watch_on_a_member_that_lost_its_leader_moves_on(healthy: EtcdServer, folder: str) -> None:
    store = connect(EtcdConnection(healthy.endpoints, api="v3", timeout=TIMEOUT))
    _unused, revision = store.snapshot(folder)
    watch = store.watch(folder, revision, 0.2)
    assert next(watch) == []
    # Alive, yet cut off: both others are frozen, so the first one knows no leader and would stay silent for ever.
    healthy.pause(1)
    healthy.pause(2)
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="no leader"):
        while time.monotonic() - began < LIMIT:
            next(watch)
    store.close()
