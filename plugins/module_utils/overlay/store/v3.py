# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The store over etcd's v3 API: range reads, transactions, and etcd leases for keys that expire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

from ..model.errors import StoreError
from .connection import EtcdConnection
from .errors import ChangedError, GoneError, KeyExistsError
from .gateway import Gateway
from .protocol import Item
from .v3_codec import encode, folder_range, items
from .v3_watch import V3Watch

# Keys in one reply: with leases of usual size it stays below the limit of 4 MiB in gateways of old releases.
PAGE = 10_000


class V3Store:
    """etcd over the v3 JSON gateway; see Store for the contract of each operation."""

    api = "v3"

    def __init__(self, connection: EtcdConnection) -> None:
        self.connection = connection
        self._gateway = Gateway(connection)
        self._watches: WeakSet[V3Watch] = WeakSet()

    def check(self) -> None:
        """Check that an endpoint serves this API; raise UnreachableError or AuthenticationError."""
        self._gateway.call("/maintenance/status", {})

    def root(self, prefix: str) -> str:
        """Return the prefix unchanged: keys of v3 are any text."""
        return prefix

    def get(self, key: str) -> Item | None:
        """Return the key's item, or None if the key does not exist."""
        found = items(self._gateway.call("/kv/range", {"key": encode(key)}))
        return found[0] if found else None

    def snapshot(self, folder: str) -> tuple[dict[str, Item], int]:
        """Return all items below folder + "/" by key, at one revision, and that revision to watch from."""
        first, end = folder_range(folder)
        request = {"key": first, "range_end": end, "limit": str(PAGE)}
        reply = self._gateway.call("/kv/range", request)
        request["revision"] = reply["header"]["revision"]
        found = items(reply)
        while reply.get("more"):
            request["key"] = encode(found[-1].key + "\0")
            reply = self._gateway.call("/kv/range", request)
            found += items(reply)
        return {item.key: item for item in found}, int(request["revision"])

    def watch(self, folder: str, revision: int, timeout: float) -> V3Watch:
        """Return the changes below folder + "/" after the revision; see Store.watch."""
        watch = V3Watch(self._gateway, self.connection, folder, revision, timeout)
        self._watches.add(watch)
        return watch

    def find_endpoint(self, timeout: float) -> bool:
        """Return whether an endpoint accepts connections in time; operations then begin at it."""
        return self._gateway.failover.find(timeout)

    def create(self, key: str, value: str, ttl: int | None) -> Item:
        """Create the key, with its own etcd lease if it has a time to live; raise KeyExistsError if it exists."""
        absent = {"key": encode(key), "target": "VERSION", "result": "EQUAL", "version": "0"}
        with self._lease(ttl) as lease:
            reply = self._transaction(absent, _put(key, value, lease))
            if not reply.get("succeeded"):
                raise KeyExistsError(f"key {key} already exists")
        return _written(reply, key, value, lease)

    def replace(self, item: Item, value: str, ttl: int | None) -> Item:
        """Change the key if it is unchanged since it was read; keep its etcd lease if that has the same ttl."""
        if ttl is not None and item.lease and self._prolong(item.lease) == ttl:
            return self._swap(item, value, item.lease)
        with self._lease(ttl) as lease:
            return self._swap(item, value, lease)

    def keep_alive(self, item: Item, ttl: int) -> Item:
        """Renew the key's etcd lease for its time to live; watchers of the key get no event."""
        if item.reservation:
            return item
        present = self.get(item.key)
        if present is None or present.lease != item.lease or present.value != item.value:
            raise _lost_race(item, present)
        if not self._prolong(item.lease):
            raise _lost_race(item, None)
        return present

    def delete(self, item: Item) -> None:
        """Delete the key if it is unchanged since it was read, and its etcd lease if no other key uses it."""
        request = {"request_delete_range": {"key": encode(item.key)}}
        reply = self._transaction(_unchanged(item), request)
        if not reply.get("succeeded"):
            raise _lost_race(item, _present(reply))
        if item.lease:
            with suppress(StoreError):  # the key is deleted; a remaining etcd lease expires by itself
                if not self._time_to_live(item.lease, keys=True).get("keys"):
                    self._revoke(item.lease)

    def ttl_left(self, items: Iterable[Item]) -> dict[str, int | None]:
        """Return the seconds until each key expires, None for a reservation: one call for each distinct etcd lease."""
        left: dict[str, int | None] = {}
        seconds: dict[int, int] = {}
        for item in items:
            if item.reservation:
                left[item.key] = None
                continue
            if item.lease not in seconds:
                seconds[item.lease] = int(self._time_to_live(item.lease).get("TTL", 0))
            if seconds[item.lease] >= 0:  # -1: the etcd lease expired, and the key with it
                left[item.key] = seconds[item.lease]
        return left

    def close(self) -> None:
        """Close all connections; a watch in which another thread waits ends with StoreError."""
        for watch in list(self._watches):
            watch.interrupt()
        self._gateway.close()

    def _swap(self, item: Item, value: str, lease: int) -> Item:
        reply = self._transaction(_unchanged(item), _put(item.key, value, lease))
        if not reply.get("succeeded"):
            raise _lost_race(item, _present(reply))
        return _written(reply, item.key, value, lease)

    def _transaction(self, compare: Mapping[str, str], change: Mapping[str, Any]) -> dict[str, Any]:
        """Make the change if the comparison is true, else read the key; return the reply."""
        otherwise = {"request_range": {"key": compare["key"]}}
        body = {"compare": [compare], "success": [change], "failure": [otherwise]}
        return self._gateway.call("/kv/txn", body, repeatable=False)

    @contextmanager
    def _lease(self, ttl: int | None) -> Iterator[int]:
        """Yield the id of a new etcd lease, 0 without a time to live; revoke it if the body raises an exception."""
        if ttl is None:
            yield 0
            return
        lease = int(self._gateway.call("/lease/grant", {"TTL": str(ttl)}, repeatable=False)["ID"])
        try:
            yield lease
        except BaseException:
            with suppress(StoreError):  # report the first error; the etcd lease expires by itself
                self._revoke(lease)
            raise

    def _prolong(self, lease: int) -> int:
        """Renew the etcd lease and return its time to live in seconds, 0 if the lease no longer exists."""
        return int(self._gateway.call("/lease/keepalive", {"ID": str(lease)})["result"].get("TTL", 0))

    def _revoke(self, lease: int) -> None:
        with suppress(GoneError):
            self._gateway.call("/kv/lease/revoke", {"ID": str(lease)})

    def _time_to_live(self, lease: int, keys: bool = False) -> dict[str, Any]:
        return self._gateway.call("/kv/lease/timetolive", {"ID": str(lease), "keys": keys})


def _put(key: str, value: str, lease: int) -> dict[str, Any]:
    return {"request_put": {"key": encode(key), "value": encode(value), "lease": str(lease)}}


def _unchanged(item: Item) -> dict[str, str]:
    return {"key": encode(item.key), "target": "MOD", "result": "EQUAL", "mod_revision": str(item.revision)}


def _written(reply: Mapping[str, Any], key: str, value: str, lease: int) -> Item:
    return Item(key, value, int(reply["header"]["revision"]), lease, None, lease == 0)


def _present(reply: Mapping[str, Any]) -> Item | None:
    """Return the key as read by a failed transaction, None if it does not exist."""
    found = items(reply["responses"][0].get("response_range", {}))
    return found[0] if found else None


def _lost_race(item: Item, present: Item | None) -> StoreError:
    if present is None:
        return GoneError(f"key {item.key} no longer exists")
    return ChangedError(f"key {item.key} was changed by another writer; its value is now {present.value}")
