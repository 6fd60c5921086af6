# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The store over etcd's v2 API, by python-etcd: folders, keys with a time to live, one event for each long poll."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from ..model.errors import StoreError
from .connection import EtcdConnection
from .errors import ChangedError, CompactedError, GoneError, KeyExistsError
from .failover import LONGEST_SILENCE
from .protocol import Deleted, Event, Item, Put
from .v2_client import V2Client

REMOVED = ("delete", "compareAndDelete", "expire")
SHORTEST_POLL = 0.01  # seconds; python-etcd takes 0 for "for ever"


class V2Store:
    """etcd over the v2 API; see Store for what each operation promises."""

    api = "v2"

    def __init__(self, connection: EtcdConnection) -> None:
        self.connection = connection
        self._client = V2Client(connection)
        self._etcd = self._client.etcd
        self._closed = False

    def get(self, key: str) -> Item | None:
        """Return the key's item, or None where there is no such key."""
        try:
            result = self._client.run(lambda client: client.read(key, quorum=True))
        except self._etcd.EtcdKeyNotFound:
            return None
        return None if result.dir else _item(result)

    def snapshot(self, folder: str) -> tuple[dict[str, Item], int]:
        """Return all items below folder + "/", by key, as of one moment, and the index to watch from."""
        try:
            result = self._client.run(lambda client: client.read(folder, recursive=True, quorum=True))
        except self._etcd.EtcdKeyNotFound as error:
            return {}, _index(error)
        if not result.dir:
            raise StoreError(f"{folder} is a key in etcd's v2 store where a folder is needed; delete the key")
        return {leaf.key: _item(leaf) for leaf in result.leaves if not leaf.dir}, int(result.etcd_index)

    def watch(self, folder: str, revision: int, timeout: float) -> Iterator[list[Event]]:
        """Yield what changed below folder + "/" after the index; see Store.watch."""
        index, heard = revision, time.monotonic()
        checked: Any = None

        def poll(client: Any) -> Any:
            nonlocal checked
            if client is not checked:
                self._check_history(client, folder, index)
                checked = client
            try:
                return client.read(
                    folder, recursive=True, wait=True, waitIndex=index + 1, timeout=max(timeout, SHORTEST_POLL)
                )
            except self._etcd.EtcdWatchTimedOut:
                return None

        while not self._closed:
            try:
                result = self._client.run(poll)
            except self._etcd.EtcdEventIndexCleared as error:
                raise CompactedError(f"etcd no longer has the events since index {index}: {error}") from None
            if result is None:
                # A server that is frozen, or has lost its leader, is as silent as a quiet one.
                if time.monotonic() - heard > LONGEST_SILENCE * self.connection.timeout:
                    checked, heard = None, time.monotonic()
                yield []
                continue
            index, heard = int(result.modifiedIndex), time.monotonic()
            yield _events(result, folder)
        raise StoreError("the watch was closed")

    def create(self, key: str, value: str, ttl: int | None) -> Item:
        """Create the key; raise KeyExistsError if it is there."""
        try:
            return _item(self._write(key, value, ttl, prevExist=False))
        except self._etcd.EtcdAlreadyExist:
            raise KeyExistsError(f"key {key} exists already") from None

    def replace(self, item: Item, value: str, ttl: int | None) -> Item:
        """Change the key if it is still as read."""
        try:
            return _item(self._write(item.key, value, ttl, prevIndex=item.revision))
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
        return _item(result)

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
        self._closed = True
        self._client.close()

    def _write(self, key: str, value: str | None, ttl: int | None, **conditions: Any) -> Any:
        return self._client.run(lambda client: client.write(key, value, ttl=ttl, **conditions), repeatable=False)

    def _check_history(self, client: Any, folder: str, index: int) -> None:
        # A server whose data was lost would stay silent until its index has caught up with ours. What this reads is
        # never there; the answer carries the index.
        try:
            present = int(client.read(f"{folder}/-", quorum=True).etcd_index)
        except self._etcd.EtcdKeyNotFound as error:
            present = _index(error)
        if present < index:
            raise CompactedError(
                f"etcd at {client.base_uri} is at index {present}, behind {index} that was seen before: it lags, or "
                f"its data was restored or lost"
            )


def _item(node: Any) -> Item:
    return Item(node.key, node.value or "", int(node.modifiedIndex), 0, node.ttl, node.ttl is None)


def _events(result: Any, folder: str) -> list[Event]:
    """Return the event of a poll; raise CompactedError for the removal of a folder, which says nothing of its keys."""
    removed = result.action in REMOVED
    if result.dir:
        if removed:
            raise CompactedError(f"the folder {result.key} was deleted, with all that was in it")
        return []
    if not result.key.startswith(folder.rstrip("/") + "/"):
        return []
    return [Deleted(result.key) if removed else Put(_item(result))]


def _index(error: Any) -> int:
    """Return the index that comes with an answer of "not found"."""
    return int(error.payload["index"])


def _lost_race(item: Item, error: Exception) -> StoreError:
    if type(error).__name__ == "EtcdKeyNotFound":
        return GoneError(f"key {item.key} is no longer there")
    return ChangedError(f"key {item.key} was changed by another writer: {error}")
