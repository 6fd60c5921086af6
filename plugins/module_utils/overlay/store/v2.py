# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The store over etcd's v2 API: folders, keys with a time to live, one event for each long poll."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from weakref import WeakSet

from ..model.errors import StoreError
from .connection import EtcdConnection
from .errors import ChangedError, GoneError, KeyExistsError
from .protocol import Item
from .v2_client import KEY_NOT_FOUND, NODE_EXISTS, RefusedError, V2Client
from .v2_watch import V2Watch, node_item


class V2Store:
    """etcd over the v2 API; see Store for what each operation promises."""

    api = "v2"

    def __init__(self, connection: EtcdConnection) -> None:
        self.connection = connection
        self._client = V2Client(connection)
        self._watches: WeakSet[V2Watch] = WeakSet()

    def root(self, prefix: str) -> str:
        """Return the prefix with the slash that all keys of v2 begin with."""
        return prefix if prefix.startswith("/") or not prefix else f"/{prefix}"

    def get(self, key: str) -> Item | None:
        """Return the key's item, or None where there is no such key."""
        try:
            node = self._client.read(key, quorum="true").node
        except RefusedError as error:
            if error.code == KEY_NOT_FOUND:
                return None
            raise
        return None if "dir" in node else node_item(node)

    def snapshot(self, folder: str) -> tuple[dict[str, Item], int]:
        """Return all items below folder + "/", by key, as of one moment, and the index to watch from."""
        try:
            reply = self._client.read(folder, recursive="true", quorum="true")
        except RefusedError as error:
            if error.code == KEY_NOT_FOUND:
                return {}, error.index
            raise
        if "dir" not in reply.node:
            raise StoreError(f"{folder} is a key in etcd's v2 store where a folder is needed; delete the key")
        return {node["key"]: node_item(node) for node in _leaves(reply.node)}, reply.store_index

    def watch(self, folder: str, revision: int, timeout: float) -> V2Watch:
        """Return what changes below folder + "/" after the index; see Store.watch."""
        watch = V2Watch(self._client, self.connection, folder, revision, timeout)
        self._watches.add(watch)
        return watch

    def find_endpoint(self, timeout: float) -> bool:
        """Return whether an endpoint accepts connections in time; operations then begin at it."""
        return self._client.failover.find(timeout)

    def create(self, key: str, value: str, ttl: int | None) -> Item:
        """Create the key; raise KeyExistsError if it is there."""
        try:
            return node_item(self._client.write(key, value=value, prevExist="false", **_lifetime(ttl)).node)
        except RefusedError as error:
            if error.code == NODE_EXISTS:
                raise KeyExistsError(f"key {key} exists already") from None
            raise

    def replace(self, item: Item, value: str, ttl: int | None) -> Item:
        """Change the key if it is still as read."""
        try:
            reply = self._client.write(item.key, value=value, prevIndex=str(item.revision), **_lifetime(ttl))
        except RefusedError as error:
            raise _lost_race(item, error) from None
        return node_item(reply.node)

    def keep_alive(self, item: Item, ttl: int) -> Item:
        """Let the key live for another ``ttl`` seconds; its watchers hear nothing, but its index changes."""
        if item.reservation:
            return item
        try:
            reply = self._client.write(item.key, refresh="true", prevValue=item.value, prevExist="true", ttl=str(ttl))
        except RefusedError as error:
            raise _lost_race(item, error) from None
        return node_item(reply.node)

    def delete(self, item: Item) -> None:
        """Delete the key if it is still as read."""
        try:
            self._client.delete(item.key, prevIndex=str(item.revision))
        except RefusedError as error:
            raise _lost_race(item, error) from None

    def ttl_left(self, items: Iterable[Item]) -> dict[str, int | None]:
        """Return the seconds each key has left, None for a reservation: one call for each folder."""
        keys = [item.key for item in items]
        present: dict[str, Item] = {}
        for folder in {key.rpartition("/")[0] for key in keys}:
            present.update(self.snapshot(folder)[0])
        return {key: present[key].ttl for key in keys if key in present}

    def close(self) -> None:
        """Close all connections; a watch that another thread waits in ends with StoreError."""
        for watch in list(self._watches):
            watch.interrupt()
        self._client.close()


def _leaves(folder: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the keys and the empty directories below a folder."""
    for node in folder.get("nodes", ()):
        if node.get("nodes"):
            yield from _leaves(node)
        else:
            yield node


def _lifetime(ttl: int | None) -> dict[str, str]:
    return {} if ttl is None else {"ttl": str(ttl)}


def _lost_race(item: Item, error: RefusedError) -> StoreError:
    if error.code == KEY_NOT_FOUND:
        return GoneError(f"key {item.key} is no longer there")
    return ChangedError(f"key {item.key} was changed by another writer: {error}")
