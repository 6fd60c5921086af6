# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A v2 watch: one long poll for each event, from the index after the last one."""

from __future__ import annotations

import time
from typing import Any

from ..model.errors import StoreError
from .connection import EtcdConnection
from .errors import CompactedError, UnreachableError
from .failover import LONGEST_SILENCE
from .protocol import Deleted, Event, Item, Put
from .v2_client import V2Client

REMOVED = ("delete", "compareAndDelete", "expire")
SHORTEST_POLL = 0.01  # seconds; python-etcd takes 0 for "for ever"


class V2Watch:
    """All changes below a folder after an index; see Store.watch."""

    def __init__(self, client: V2Client, connection: EtcdConnection, folder: str, index: int, timeout: float) -> None:
        self._client = client
        self._etcd = client.etcd
        self._connection = connection
        self._folder = folder
        self._index = index
        self._timeout = max(timeout, SHORTEST_POLL)
        self._checked: Any = None  # the client whose server was seen to know the history
        self._heard = time.monotonic()
        self._closed = False
        self.interruptions = 0

    def __iter__(self) -> V2Watch:
        """Return the watch itself."""
        return self

    def __next__(self) -> list[Event]:
        """Return the events of the next poll, [] when none came in time; see Store.watch."""
        if self._closed:
            raise StoreError("the watch was closed")
        try:
            result = self._client.run(self._poll)
        except self._etcd.EtcdEventIndexCleared as error:
            raise CompactedError(f"etcd no longer has the events since index {self._index}: {error}") from None
        except UnreachableError:
            self.interruptions += 1
            self._checked = None
            raise
        now = time.monotonic()
        if result is None:
            # A server that is frozen, or has lost its leader, is as silent as a quiet one.
            if now - self._heard > LONGEST_SILENCE * self._connection.timeout:
                self._checked, self._heard = None, now
            return []
        self._index, self._heard = int(result.modifiedIndex), now
        return self._events(result)

    def close(self) -> None:
        """End the watch; a poll that another thread waits in lasts to its end."""
        self._closed = True

    def _poll(self, client: Any) -> Any:
        """Return the next event, None when there is none in time; make sure of the server's history first."""
        if client is not self._checked:
            self.interruptions += self._checked is not None
            self._check_history(client)
            self._checked = client
        try:
            return client.read(
                self._folder, recursive=True, wait=True, waitIndex=self._index + 1, timeout=self._timeout
            )
        except self._etcd.EtcdWatchTimedOut:
            return None

    def _check_history(self, client: Any) -> None:
        # A server whose data was lost would stay silent until its index has caught up with ours. What this reads is
        # never there; the answer carries the index.
        try:
            present = int(client.read(f"{self._folder}/-", quorum=True).etcd_index)
        except self._etcd.EtcdKeyNotFound as error:
            present = absent_index(error)
        if present < self._index:
            raise CompactedError(
                f"etcd at {client.base_uri} is at index {present}, behind {self._index} that was seen before: it lags, "
                f"or its data was restored or lost"
            )

    def _events(self, result: Any) -> list[Event]:
        """Return the event of a poll; raise CompactedError for the removal of a folder: it does not name its keys."""
        removed = result.action in REMOVED
        if result.dir and removed:
            raise CompactedError(f"the folder {result.key} was deleted, with all that was in it")
        if not result.key.startswith(self._folder.rstrip("/") + "/"):
            return []
        return [Deleted(result.key) if removed else Put(node_item(result))]


def node_item(node: Any) -> Item:
    """Return the item of a node of python-etcd."""
    return Item(node.key, node.value or "", int(node.modifiedIndex), 0, node.ttl, node.ttl is None, bool(node.dir))


def absent_index(error: Any) -> int:
    """Return the index that comes with an answer of "not found"."""
    return int(error.payload["index"])
