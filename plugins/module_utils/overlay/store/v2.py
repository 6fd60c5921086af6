# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The store over etcd's v2 API: directories, keys with a time to live, one event for each long poll."""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakSet

from ..model.errors import StoreError
from .connection import EtcdConnection
from .errors import ChangedError, GoneError, KeyExistsError
from .protocol import Item
from .v2_client import KEY_NOT_FOUND, NODE_EXISTS, RefusedError, V2Client
from .v2_watch import V2Watch, leaves, node_item


class V2Store:
    """etcd over the v2 API; see Store for the contract of each operation."""

    api = "v2"

    def __init__(self, connection: EtcdConnection) -> None:
        self.connection = connection
        self._client = V2Client(connection)
        self._watches: WeakSet[V2Watch] = WeakSet()
        # Folder, index and keys of the last snapshot, and the keys that were created since then.
        self._last: tuple[str, int, set[str]] | None = None

    def root(self, prefix: str) -> str:
        """Return the prefix with a leading slash, as all keys of v2 have one."""
        return prefix if prefix.startswith("/") or not prefix else f"/{prefix}"

    def get(self, key: str) -> Item | None:
        """Return the key's item, or None if the key does not exist."""
        try:
            node = self._client.read(key, quorum="true").node
        except RefusedError as error:
            if error.code == KEY_NOT_FOUND:
                return None
            raise
        return None if "dir" in node else node_item(node)

    def snapshot(self, folder: str) -> tuple[dict[str, Item], int]:
        """Return all items below folder + "/" by key, at one index, and that index to watch from."""
        try:
            reply = self._client.read(folder, recursive="true", quorum="true")
        except RefusedError as error:
            if error.code == KEY_NOT_FOUND:
                return {}, error.index
            raise
        if "dir" not in reply.node:
            raise StoreError(f"{folder} is a key in etcd's v2 store, but must be a directory; delete the key")
        items = {node["key"]: node_item(node) for node in leaves(reply.node)}
        self._last = folder, reply.store_index, set(items)
        return items, reply.store_index

    def watch(self, folder: str, revision: int, timeout: float) -> V2Watch:
        """Return the changes below folder + "/" after the index; see Store.watch."""
        known = set(self._last[2]) if self._last and self._last[:2] == (folder, revision) else None
        watch = V2Watch(self._client, self.connection, folder, revision, timeout, known)
        self._watches.add(watch)
        return watch

    def find_endpoint(self, timeout: float) -> bool:
        """Return whether an endpoint accepts connections in time; operations then begin at it."""
        return self._client.failover.find(timeout)

    def create(self, key: str, value: str, ttl: int | None) -> Item:
        """Create the key; raise KeyExistsError if it exists."""
        try:
            item = node_item(self._client.write(key, value=value, prevExist="false", **_lifetime(ttl)).node)
        except RefusedError as error:
            if error.code == NODE_EXISTS:
                raise KeyExistsError(f"key {key} already exists") from None
            raise
        if self._last and key.startswith(f"{self._last[0].rstrip('/')}/"):
            self._last[2].add(item.key)
        return item

    def replace(self, item: Item, value: str, ttl: int | None) -> Item:
        """Change the key if it is unchanged since it was read."""
        try:
            reply = self._client.write(item.key, value=value, prevIndex=str(item.revision), **_lifetime(ttl))
        except RefusedError as error:
            raise _lost_race(item, error) from None
        return node_item(reply.node)

    def keep_alive(self, item: Item, ttl: int) -> Item:
        """Renew the key for another ``ttl`` seconds; its watchers get no event, but its index changes."""
        if item.reservation:
            return item
        try:
            reply = self._client.write(item.key, refresh="true", prevValue=item.value, prevExist="true", ttl=str(ttl))
        except RefusedError as error:
            raise _lost_race(item, error) from None
        return node_item(reply.node)

    def delete(self, item: Item) -> None:
        """Delete the key if it is unchanged since it was read."""
        try:
            self._client.delete(item.key, prevIndex=str(item.revision))
        except RefusedError as error:
            raise _lost_race(item, error) from None

    def ttl_left(self, items: Iterable[Item]) -> dict[str, int | None]:
        """Return the seconds until each key expires, None for a reservation: one call for each folder."""
        keys = [item.key for item in items]
        present: dict[str, Item] = {}
        for folder in {key.rpartition("/")[0] for key in keys}:
            present.update(self.snapshot(folder)[0])
        return {key: present[key].ttl for key in keys if key in present}

    def close(self) -> None:
        """Close all connections; a watch in which another thread waits ends with StoreError."""
        for watch in list(self._watches):
            watch.interrupt()
        self._client.close()


def _lifetime(ttl: int | None) -> dict[str, str]:
    return {} if ttl is None else {"ttl": str(ttl)}


def _lost_race(item: Item, error: RefusedError) -> StoreError:
    if error.code == KEY_NOT_FOUND:
        return GoneError(f"key {item.key} no longer exists")
    return ChangedError(f"key {item.key} was changed by another writer: {error}")
