# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A v2 watch from the index after the last event, on its own connection: long polls, then one stream.

etcd answers a stream that begins at a past index with the first event after that index, and then with nothing more. So
a past event is read with a long poll for each, and a stream begins where the last poll had to wait for its event. The
index of the store at the beginning of a request, in its answer's header, shows which case it was."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..model.errors import StoreError
from .connection import Endpoint, EtcdConnection
from .errors import CompactedError, UnreachableError
from .failover import LONGEST_SILENCE
from .http1 import Response
from .protocol import Deleted, Event, Item, Put
from .v2_client import INDEX_CLEARED, KEY_NOT_FOUND, RefusedError, Reply, V2Client
from .wire import EndpointError, HttpWire

REMOVED = ("delete", "compareAndDelete", "expire")


class V2Watch:
    """All changes below a folder after an index; see Store.watch."""

    def __init__(self, client: V2Client, connection: EtcdConnection, folder: str, index: int, timeout: float) -> None:
        self._client = client
        self._connection = connection
        self._folder = folder
        self._index = index
        self._timeout = timeout
        self._wire: HttpWire | None = None  # to a server that has all events since the index
        self._response: Response | None = None  # of the request under way
        self._streams = False  # whether the next request is a stream
        self._losses: list[tuple[str, str]] = []  # endpoint and cause of each lost poll since the last successful one
        self._heard = time.monotonic()
        self._closed = False
        self.interruptions = 0

    def __iter__(self) -> V2Watch:
        """Return the watch itself."""
        return self

    def __next__(self) -> list[Event]:
        """Return the next events, [] if none arrived in time; see Store.watch."""
        while not self._closed:
            if self._wire is None:
                self._wire = self._client.failover.run(self._open)
            try:
                replies = self._read(self._wire)
            except EndpointError as error:
                self._lose(self._wire, str(error))
                continue
            except RefusedError as error:
                self.drop()
                if error.code == INDEX_CLEARED:
                    raise CompactedError(f"etcd no longer has the events since index {self._index}: {error}") from None
                raise
            except StoreError:
                self.drop()
                raise
            self._losses.clear()
            return self._arrived(replies)
        raise StoreError("the watch was closed")

    def interrupt(self) -> None:
        """End the wait of another thread for events."""
        self._closed = True
        if self._wire is not None:
            self._wire.interrupt()

    def close(self) -> None:
        """End the watch."""
        self._closed = True
        self.drop()

    def drop(self) -> None:
        """Close the connection; the next request opens another."""
        if self._wire is not None:
            self._wire.close()
        self._wire = self._response = None
        self._streams = False

    def _lose(self, wire: HttpWire, reason: str) -> None:
        self.drop()
        if self._closed:
            return
        self.interruptions += 1
        self._client.failover.avoid(wire.endpoint)
        self._losses.append((str(wire.endpoint), reason))
        # Try each endpoint once more, but not for ever: a cluster may accept polls and drop them at once.
        if len(self._losses) > len(self._connection.parsed_endpoints):
            losses, self._losses = self._losses, []
            raise UnreachableError(dict(losses))

    def _read(self, wire: HttpWire) -> list[Reply]:
        """Return the next changes, [] if none arrived in time."""
        if self._response is None:
            query = {"wait": "true", "recursive": "true", "waitIndex": str(self._index + 1)}
            self._client.begin(wire, self._folder, {**query, "stream": "true"} if self._streams else query)
            self._response = Response()
        response = self._response
        end = time.monotonic() + self._timeout
        while not response.complete:
            left = end - time.monotonic()
            if left <= 0 or not wire.poll(response, left):
                return []
            replies = self._client.arrived(wire, response) if self._streams else []
            if replies:
                if not self._waited(response):
                    wire.close()  # nothing more arrives in this stream
                    self._response, self._streams = None, False
                return replies
        self._response = None
        if not response.body.strip():
            return []  # etcd ends a request without an event after a long time, or when it shuts down
        reply = self._client.finish(wire, response)
        self._streams = self._waited(response)
        return [reply]

    def _waited(self, response: Response) -> bool:
        """Whether the store had no later index than ``self._index`` when the request began."""
        return int(response.headers.get("x-etcd-index") or 0) <= self._index

    def _arrived(self, replies: list[Reply]) -> list[Event]:
        now = time.monotonic()
        if replies:
            self._index, self._heard = int(replies[-1].node["modifiedIndex"]), now
            return [event for reply in replies for event in self._events(reply)]
        # A frozen server, or one that lost its leader, cannot be distinguished from a server without changes.
        if now - self._heard > LONGEST_SILENCE * self._connection.timeout:
            self.drop()
            self._heard = now
        return []

    def _open(self, endpoint: Endpoint) -> HttpWire:
        """Return a connection to a server with a leader and all events; raise CompactedError or StoreError."""
        wire = self._client.new_wire(endpoint)
        try:
            # A server that lost its data would send no event until its index reaches the watch's index. The key that
            # is read here never exists; the answer has the server's index.
            try:
                present = self._client.read_at(wire, f"{self._folder}/-", quorum="true").store_index
            except RefusedError as error:
                if error.code != KEY_NOT_FOUND:
                    raise
                present = error.index
            if present < self._index:
                raise CompactedError(
                    f"etcd at {endpoint} is at index {present}, lower than index {self._index} that was read before: "
                    f"it lags, or its data was restored or lost"
                )
        except StoreError:
            wire.close()
            raise
        return wire

    def _events(self, reply: Reply) -> list[Event]:
        """Return the events of a change; raise CompactedError if a directory was removed: its keys are not listed."""
        node, removed = reply.node, reply.action in REMOVED
        if node.get("dir") and removed:
            raise CompactedError(f"directory {node['key']} was deleted with all its keys")
        if not node["key"].startswith(self._folder.rstrip("/") + "/"):
            return []
        return [Deleted(node["key"]) if removed else Put(node_item(node))]


def node_item(node: Mapping[str, Any]) -> Item:
    """Return the item of a node in an answer of the v2 API."""
    ttl = node.get("ttl")
    return Item(node["key"], node.get("value", ""), int(node["modifiedIndex"]), 0, ttl, ttl is None, "dir" in node)
