# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A v3 watch; after a lost connection it resumes at another endpoint after the last event it returned."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from ..model.errors import StoreError
from .connection import Endpoint, EtcdConnection
from .errors import AuthenticationError, CompactedError, UnreachableError
from .failover import LONGEST_SILENCE
from .gateway import Gateway, Stream
from .protocol import Event
from .refusal import UNAVAILABLE, GrpcStatus
from .v3_codec import events, folder_range
from .wire import EndpointError


class V3Watch:
    """All changes below a folder after a revision; see Store.watch."""

    def __init__(
        self, gateway: Gateway, connection: EtcdConnection, folder: str, revision: int, timeout: float
    ) -> None:
        self._gateway = gateway
        self._connection = connection
        self._range = folder_range(folder)
        self._revision = revision
        self._timeout = timeout
        self._stream: Stream | None = None
        self._waiting: list[Event] = []  # events that arrived together with the server's confirmation
        self._losses: list[tuple[str, str]] = []  # endpoint and cause of each lost stream since the last successful one
        self.interruptions = 0
        self._closed = False
        self._heard = 0.0  # monotonic time of the last data from the server

    def __iter__(self) -> V3Watch:
        """Return the watch itself."""
        return self

    def __next__(self) -> list[Event]:
        """Return the next events as soon as they arrive, [] if none did in time; see Store.watch."""
        while not self._closed:
            if self._stream is None:
                self._stream = self._gateway.failover.run(self._open)
            try:
                arrived = self._waiting or self._events(self._stream.endpoint, self._stream.results(self._timeout))
            except EndpointError as error:
                self._lose(self._stream, str(error))
                continue
            except StoreError:
                self.close()
                raise
            self._waiting = []
            self._losses.clear()
            self._check_silence(bool(arrived))
            return arrived
        raise StoreError("the watch was closed")

    def interrupt(self) -> None:
        """End the wait of another thread for events."""
        self._closed = True
        if self._stream is not None:
            self._stream.interrupt()

    def close(self) -> None:
        """Close the connection."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _check_silence(self, heard: bool) -> None:
        """Reopen the stream after a long silence: a frozen server looks the same as one without changes."""
        now = time.monotonic()
        if heard:
            self._heard = now
        elif now - self._heard > LONGEST_SILENCE * self._connection.timeout:
            self.close()

    def _lose(self, stream: Stream, reason: str) -> None:
        self.close()
        if self._closed:
            return
        self.interruptions += 1
        self._gateway.failover.avoid(stream.endpoint)
        self._losses.append((str(stream.endpoint), reason))
        # Try each endpoint once more, but not for ever: a cluster may accept watches and drop them at once.
        if len(self._losses) > len(self._connection.parsed_endpoints):
            losses, self._losses = self._losses, []
            raise UnreachableError(dict(losses))

    def _open(self, endpoint: Endpoint) -> Stream:
        try:
            return self._begin(endpoint)
        except AuthenticationError:
            # With an expired token a watch is created and canceled at once, whereas a call is refused.
            if not self._gateway.renew_token():
                raise
            return self._begin(endpoint)

    def _begin(self, endpoint: Endpoint) -> Stream:
        key, end = self._range
        request = {"key": key, "range_end": end, "start_revision": str(self._revision + 1)}
        stream = self._gateway.open_stream(endpoint, "/watch", {"create_request": request})
        try:
            results = stream.results(self._connection.timeout)
            if not results:
                raise EndpointError(f"no answer within {self._connection.timeout:g} seconds", sent=False)
            self._check_history(endpoint, int(results[0]["header"]["revision"]))
            self._waiting = self._events(endpoint, results)
            self._heard = time.monotonic()
        except StoreError:
            stream.close()
            raise
        return stream

    def _check_history(self, endpoint: Endpoint, revision: int) -> None:
        # Such a server would send no event until its revision reaches the watch's revision.
        if revision < self._revision:
            raise CompactedError(
                f"etcd at {endpoint} is at revision {revision}, lower than revision {self._revision} that was read "
                f"before: it lags, or its data was restored or lost"
            )

    def _events(self, endpoint: Endpoint, results: Iterable[Mapping[str, Any]]) -> list[Event]:
        arrived: list[Event] = []
        for result in results:
            if result.get("canceled"):
                raise self._cancellation(endpoint, result)
            raw = result.get("events", ())
            if raw:
                # The header's revision may be newer than the events in this reply; that of the last event is not.
                self._revision = int(raw[-1]["kv"]["mod_revision"])
                arrived += events(raw)
        return arrived

    def _cancellation(self, endpoint: Endpoint, result: Mapping[str, Any]) -> StoreError:
        if "compact_revision" in result:
            return CompactedError(
                f"etcd at {endpoint} compacted its history up to revision {result['compact_revision']}, which includes "
                f"events after revision {self._revision}, the last one read"
            )
        reason = result.get("cancel_reason") or "the server canceled the watch"
        return GrpcStatus(UNAVAILABLE, reason).error(endpoint, self._connection.username)
