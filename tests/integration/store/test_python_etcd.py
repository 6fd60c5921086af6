# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The v2 client together with python-etcd, an independent client: each reads what the other writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import etcd as python_etcd
import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.api_choice import EtcdConnection, connect
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.errors import (
    ChangedError,
    GoneError,
    KeyExistsError,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Deleted, Put, Store
from support.etcd_server import EtcdServer
from support.watching import collect

VALUE = '{"PublicIP":"192.0.2.7","naïve":"ü"}'


@pytest.fixture
def reference(etcd: EtcdServer) -> Any:
    """python-etcd, connected to the same etcd."""
    return python_etcd.Client(host="127.0.0.1", port=int(etcd.endpoint.rpartition(":")[2]))


@pytest.fixture
def v2(etcd: EtcdServer) -> Iterator[Store]:
    store = connect(EtcdConnection(etcd.endpoints, api="v2"))
    yield store
    store.close()


def test_keys_of_python_etcd_are_read_with_value_revision_and_ttl(v2: Store, reference: Any, folder: str) -> None:
    lease = reference.write(f"{folder}/subnets/10.5.7.0-24", VALUE, ttl=300)
    reservation = reference.write(f"{folder}/subnets/10.5.8.0-24", VALUE)
    items, revision = v2.snapshot(folder)
    assert {key: (item.value, item.revision, item.reservation) for key, item in items.items()} == {
        lease.key: (VALUE, lease.modifiedIndex, False),
        reservation.key: (VALUE, reservation.modifiedIndex, True),
    }
    assert revision >= reservation.modifiedIndex
    assert 290 <= (v2.ttl_left(items.values())[lease.key] or 0) <= 300


def test_python_etcd_reads_keys_that_are_created_replaced_and_kept_alive(
    v2: Store, reference: Any, folder: str
) -> None:
    key = f"{folder}/subnets/10.5.7.0-24"
    item = v2.create(key, VALUE, 100)
    assert (reference.read(key).value, reference.read(key).modifiedIndex) == (VALUE, item.revision)
    item = v2.replace(item, "other", 100)
    v2.keep_alive(item, 300)
    assert (reference.read(key).value, reference.read(key).ttl > 200) == ("other", True)
    v2.delete(v2.get(key) or item)
    with pytest.raises(python_etcd.EtcdKeyNotFound):
        reference.read(key)


def test_a_key_that_python_etcd_changed_is_not_overwritten(v2: Store, reference: Any, folder: str) -> None:
    key = f"{folder}/config"
    item = v2.create(key, VALUE, None)
    with pytest.raises(KeyExistsError):
        v2.create(key, VALUE, None)
    reference.write(key, "another writer's")
    with pytest.raises(ChangedError):
        v2.replace(item, "ours", None)
    reference.delete(key)
    with pytest.raises(GoneError):
        v2.replace(item, "ours", None)


def test_a_watch_reports_keys_that_python_etcd_writes_and_deletes(v2: Store, reference: Any, folder: str) -> None:
    reference.write(f"{folder}/config", "1")
    _unused, revision = v2.snapshot(folder)
    put = reference.write(f"{folder}/subnets/10.5.7.0-24", VALUE, ttl=300)
    reference.delete(f"{folder}/config")
    seen = collect(v2.watch(folder, revision, 1.0), 2)
    assert [(type(event), event.item.key if isinstance(event, Put) else event.key) for event in seen] == [
        (Put, put.key),
        (Deleted, f"{folder}/config"),
    ]
