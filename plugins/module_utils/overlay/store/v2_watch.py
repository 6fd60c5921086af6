# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A v2 watch from the index after the last event, on its own connection: long polls, then one stream.

etcd answers a stream that begins at a past index with the first event after that index, and then with nothing more. So
a past event is read with a long poll for each, and a stream begins where the last poll had to wait for its event. The
index of the store at the beginning of a request, in its answer's header, shows which case it was.

If many events are past, for example while a whole fleet starts, one read of the folder replaces their polls."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
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
FAR_BEHIND = 8  # past changes of the store for which the folder is read, in a folder of a few keys
KEYS_PER_POLL = 20  # keys that are read in about the time of one poll


class V2Watch:
    """All changes below a folder after an index; see Store.watch."""

    def __init__(
        self,
        client: V2Client,
        connection: EtcdConnection,
        folder: str,
        index: int,
        timeout: float,
        known: set[str] | None,
    ) -> None:
        """Watch from an index on; ``known`` has the keys in the folder at that index, None if they are not known."""
        self._client = client
        self._connection = connection
        self._folder = folder
        self._index = index
        self._timeout = timeout
        self._known = known
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
                events, index = self._next_events(self._wire)
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
            return self._arrived(events, index)
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

    def _next_events(self, wire: HttpWire) -> tuple[list[Event], int]:
        """Return the next events, [] if none arrived in time, and the index after them."""
        replies, present = self._read(wire)
        if not replies:
            return [], self._index
        index = int(replies[-1].node["modifiedIndex"])
        if self._known is not None and present - index > FAR_BEHIND + len(self._known) // KEYS_PER_POLL:
            return self._difference(wire, self._known)
        events = [event for reply in replies for event in self._events(reply)]
        if self._known is not None:
            for event in events:
                if isinstance(event, Put):
                    self._known.add(event.item.key)
                else:
                    self._known.discard(event.key)
        return events, index

    def _difference(self, wire: HttpWire, known: set[str]) -> tuple[list[Event], int]:
        """Read the folder; return the events that make the known state the present one, and its index."""
        try:
            reply = self._client.read_at(wire, self._folder, recursive="true")
            nodes, present = leaves(reply.node), reply.store_index
        except RefusedError as error:
            if error.code != KEY_NOT_FOUND:
                raise
            nodes, present = iter(()), error.index
        if present < self._index:
            raise self._lost_history(wire.endpoint, present)
        items = sorted(map(node_item, nodes), key=lambda item: item.revision)
        gone = known - {item.key for item in items}
        known.clear()
        known.update(item.key for item in items)
        changed = [Put(item) for item in items if item.revision > self._index]
        return [*map(Deleted, sorted(gone)), *changed], present

    def _lost_history(self, endpoint: Endpoint, present: int) -> CompactedError:
        return CompactedError(
            f"etcd at {endpoint} is at index {present}, lower than index {self._index} that was read before: "
            f"it lags, or its data was restored or lost"
        )

    def _read(self, wire: HttpWire) -> tuple[list[Reply], int]:
        """Return the next changes, [] if none arrived in time, and the store's index when their request began."""
        if self._response is None:
            query = {"wait": "true", "recursive": "true", "waitIndex": str(self._index + 1)}
            self._client.begin(wire, self._folder, {**query, "stream": "true"} if self._streams else query)
            self._response = Response()
        response = self._response
        end = time.monotonic() + self._timeout
        while not response.complete:
            left = end - time.monotonic()
            if left <= 0 or not wire.poll(response, left):
                return [], 0
            replies = self._client.arrived(wire, response) if self._streams else []
            if replies:
                if not self._waited(response):
                    wire.close()  # nothing more arrives in this stream
                    self._response, self._streams = None, False
                return replies, _index_of(response)
        self._response = None
        if not response.body.strip():
            return [], 0  # etcd ends a request without an event after a long time, or when it shuts down
        reply = self._client.finish(wire, response)
        self._streams = self._waited(response)
        return [reply], _index_of(response)

    def _waited(self, response: Response) -> bool:
        """Whether the store had no later index than ``self._index`` when the request began."""
        return _index_of(response) <= self._index

    def _arrived(self, events: list[Event], index: int) -> list[Event]:
        now = time.monotonic()
        if index > self._index:
            self._index, self._heard = index, now
            return events
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
                raise self._lost_history(endpoint, present)
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


def leaves(folder: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the keys and the empty directories below a folder."""
    for node in folder.get("nodes", ()):
        if node.get("nodes"):
            yield from leaves(node)
        else:
            yield node


def _index_of(response: Response) -> int:
    return int(response.headers.get("x-etcd-index") or 0)


def node_item(node: Mapping[str, Any]) -> Item:
    """Return the item of a node in an answer of the v2 API."""
    ttl = node.get("ttl")
    return Item(node["key"], node.get("value", ""), int(node["modifiedIndex"]), 0, ttl, ttl is None, "dir" in node)
