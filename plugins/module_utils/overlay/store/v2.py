# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The store over etcd's v2 API, by python-etcd: folders, keys with a time to live, one event for each long poll."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakSet

from ..model.errors import StoreError
from .connection import EtcdConnection
from .errors import ChangedError, GoneError, KeyExistsError
from .protocol import Item
from .v2_client import V2Client
from .v2_watch import V2Watch, absent_index, node_item


class V2Store:
    """etcd over the v2 API; see Store for what each operation promises."""

    api = "v2"

    def __init__(self, connection: EtcdConnection) -> None:
        self.connection = connection
        self._client = V2Client(connection)
        self._etcd = self._client.etcd
        self._watches: WeakSet[V2Watch] = WeakSet()

    def root(self, prefix: str) -> str:
        """Return the prefix with the slash that all keys of v2 begin with."""
        return prefix if prefix.startswith("/") or not prefix else f"/{prefix}"

    def get(self, key: str) -> Item | None:
        """Return the key's item, or None where there is no such key."""
        try:
            result = self._client.run(lambda client: client.read(key, quorum=True))
        except self._etcd.EtcdKeyNotFound:
            return None
        return None if result.dir else node_item(result)

    def snapshot(self, folder: str) -> tuple[dict[str, Item], int]:
        """Return all items below folder + "/", by key, as of one moment, and the index to watch from."""
        try:
            result = self._client.run(lambda client: client.read(folder, recursive=True, quorum=True))
        except self._etcd.EtcdKeyNotFound as error:
            return {}, absent_index(error)
        if not result.dir:
            raise StoreError(f"{folder} is a key in etcd's v2 store where a folder is needed; delete the key")
        leaves = {leaf.key: node_item(leaf) for leaf in result.leaves if leaf is not result}
        return leaves, int(result.etcd_index)

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
            return node_item(self._write(key, value, ttl, prevExist=False))
        except self._etcd.EtcdAlreadyExist:
            raise KeyExistsError(f"key {key} exists already") from None

    def replace(self, item: Item, value: str, ttl: int | None) -> Item:
        """Change the key if it is still as read."""
        try:
            return node_item(self._write(item.key, value, ttl, prevIndex=item.revision))
        except (self._etcd.EtcdCompareFailed, self._etcd.EtcdKeyNotFound) as error:
            raise _lost_race(item, error) from None

    def keep_alive(self, item: Item, ttl: int) -> Item:
        """Let the key live for another ``ttl`` seconds; its watchers hear nothing, but its index changes."""
        if item.reservation:
            return item
        try:
            result = self._write(item.key, None, ttl, refresh=True, prevValue=item.value)
        except (self._etcd.EtcdCompareFailed, self._etcd.EtcdKeyNotFound) as error:
            raise _lost_race(item, error) from None
        return node_item(result)

    def delete(self, item: Item) -> None:
        """Delete the key if it is still as read."""
        try:
            self._client.run(lambda client: client.delete(item.key, prevIndex=item.revision), repeatable=False)
        except (self._etcd.EtcdCompareFailed, self._etcd.EtcdKeyNotFound) as error:
            raise _lost_race(item, error) from None

    def ttl_left(self, items: Iterable[Item]) -> dict[str, int | None]:
        """Return the seconds each key has left, None for a reservation: one call for each folder."""
        keys = [item.key for item in items]
        present: dict[str, Item] = {}
        for folder in {key.rpartition("/")[0] for key in keys}:
            present.update(self.snapshot(folder)[0])
        return {key: present[key].ttl for key in keys if key in present}

    def close(self) -> None:
        """Close all connections; a watch that another thread waits in ends with StoreError when its poll does."""
        for watch in list(self._watches):
            watch.close()
        self._client.close()

    def _write(self, key: str, value: str | None, ttl: int | None, **conditions: Any) -> Any:
        return self._client.run(lambda client: client.write(key, value, ttl=ttl, **conditions), repeatable=False)


def _lost_race(item: Item, error: Exception) -> StoreError:
    if type(error).__name__ == "EtcdKeyNotFound":
        return GoneError(f"key {item.key} is no longer there")
    return ChangedError(f"key {item.key} was changed by another writer: {error}")
