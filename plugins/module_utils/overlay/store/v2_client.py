# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Client of etcd's v2 API: requests with fail-over, and exceptions for etcd's refusals."""

from __future__ import annotations

import json
import threading
from binascii import b2a_base64
from collections.abc import Mapping
from typing import Any

from ..model.errors import StoreError
from ..named_tuple import NamedTuple
from .connection import Endpoint, EtcdConnection
from .errors import AuthenticationError, CompactedError
from .failover import Failover
from .http1 import Response
from .wire import EndpointError, HttpWire

KEY_NOT_FOUND, COMPARE_FAILED, NODE_EXISTS = 100, 101, 105
INDEX_CLEARED, WATCHER_CLEARED = 401, 400
UNAUTHORIZED, _NO_LEADER = 110, (300, 301)
_UNQUOTED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~/")


class RefusedError(StoreError):
    """etcd refused an operation on a key; ``code`` is v2's error code, ``index`` the store's index."""

    def __init__(self, text: str, code: int, index: int) -> None:
        super().__init__(text)
        self.code = code
        self.index = index


class Reply(NamedTuple):
    """The result of an operation: the action, the node that it affected, and the store's index."""

    action: str
    node: Mapping[str, Any]
    store_index: int


class V2Client:
    """The v2 API of a cluster; calls share one connection to each endpoint, each watch has its own."""

    def __init__(self, connection: EtcdConnection) -> None:
        self.failover = Failover(connection.parsed_endpoints, connection.observe)
        self._connection = connection
        self._context = connection.tls_context()
        self._wires = {endpoint: self.new_wire(endpoint) for endpoint in connection.parsed_endpoints}
        self._lock = threading.Lock()
        self._cluster = ""  # the cluster's id in the last answer
        self._headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if connection.username:
            pair = f"{connection.username}:{connection.password}".encode()
            self._headers["Authorization"] = "Basic " + b2a_base64(pair, newline=False).decode("ascii")

    def read(self, key: str, **query: str) -> Reply:
        """Return the node of a key; raise RefusedError, UnreachableError, AuthenticationError or StoreError."""
        return self._call("GET", target(key, query), b"", repeatable=True)

    def write(self, key: str, **form: str) -> Reply:
        """Set a key under the conditions in the form; raise the same errors as ``read``."""
        return self._call("PUT", target(key, {}), quoted(form).encode(), repeatable=False)

    def delete(self, key: str, **query: str) -> Reply:
        """Delete a key under the conditions in the query; raise the same errors as ``read``."""
        return self._call("DELETE", target(key, query), b"", repeatable=False)

    def read_at(self, wire: HttpWire, key: str, **query: str) -> Reply:
        """Return the node of a key like ``read``, over this connection; raise EndpointError if it cannot be used."""
        self.begin(wire, key, query)
        return self.finish(wire, wire.answer(Response()))

    def begin(self, wire: HttpWire, key: str, query: Mapping[str, str]) -> None:
        """Send the request to read a key."""
        wire.send("GET", target(key, query), self._headers)

    def new_wire(self, endpoint: Endpoint) -> HttpWire:
        """Return a new connection to an endpoint, for one user."""
        return HttpWire(endpoint, self._context, self._connection.timeout)

    def close(self) -> None:
        """Close the connections of the calls."""
        for wire in self._wires.values():
            wire.interrupt()
        with self._lock:
            for wire in self._wires.values():
                wire.close()

    def _call(self, method: str, path: str, body: bytes, repeatable: bool) -> Reply:
        def attempt(endpoint: Endpoint) -> Reply:
            wire = self._wires[endpoint]
            return self.finish(wire, wire.exchange(method, path, self._headers, body))

        with self._lock:
            return self.failover.run(attempt, repeatable)

    def finish(self, wire: HttpWire, response: Response) -> Reply:
        """Return the content of a complete answer; raise the same errors as ``read_at``."""
        try:
            raw = json.loads(response.body)
        except ValueError:
            raw = None
        if not isinstance(raw, dict):
            raise self._no_json(response)
        self._check_cluster(wire.endpoint, response.headers.get("x-etcd-cluster-id", ""))
        index = int(response.headers.get("x-etcd-index") or raw.get("index") or 0)
        if "node" in raw:
            return Reply(str(raw.get("action", "")), raw["node"], index)
        raise self._refusal(wire.endpoint, response.status, raw, index)

    def arrived(self, wire: HttpWire, response: Response) -> list[Reply]:
        """Return the results that arrived so far in the answer to a stream; raise CompactedError or EndpointError."""
        if response.status != 200:
            return []
        self._check_cluster(wire.endpoint, response.headers.get("x-etcd-cluster-id", ""))
        try:
            found = [json.loads(line) for line in response.take_lines()]
            return [Reply(raw["action"], raw["node"], 0) for raw in found]
        except (ValueError, KeyError, TypeError):
            raise self._no_json(response) from None

    def _check_cluster(self, endpoint: Endpoint, cluster: str) -> None:
        before, self._cluster = self._cluster, cluster or self._cluster
        if before not in ("", self._cluster):
            raise CompactedError(f"etcd at {endpoint} belongs to cluster {cluster}, not to cluster {before} as before")

    def _refusal(self, endpoint: Endpoint, status: int, raw: Mapping[str, Any], index: int) -> StoreError:
        code, message, cause = int(raw.get("errorCode", 0)), raw.get("message", ""), raw.get("cause", "")
        if code == UNAUTHORIZED or status == 401:
            return AuthenticationError(self._permission(endpoint))
        text = f"{message}: {cause}" if cause else str(message)
        if code in _NO_LEADER or (not code and status >= 500):
            return EndpointError(text, sent=True)
        if code == WATCHER_CLEARED:
            return CompactedError(f"etcd at {endpoint} ended the watch: {text}")
        if code in (KEY_NOT_FOUND, COMPARE_FAILED, NODE_EXISTS, INDEX_CLEARED):
            return RefusedError(text, code, index)
        return StoreError(f"etcd at {endpoint} refused the request: {text}")

    def _no_json(self, response: Response) -> EndpointError:
        if response.status == 404:
            return EndpointError(
                "the server does not serve the v2 API (start etcd with --enable-v2, or use the v3 API)", sent=False
            )
        return EndpointError(f"the answer (HTTP {response.status}) is not from etcd's v2 API", sent=True)

    def _permission(self, endpoint: Endpoint) -> str:
        if not self._connection.username:
            return f"etcd at {endpoint} requires authentication: set username and password"
        return (
            f"etcd at {endpoint} refused user {self._connection.username!r}: wrong username or password, or the "
            f"user's role lacks readwrite on the prefix (as <prefix>/*)"
        )


def target(key: str, query: Mapping[str, str]) -> str:
    """Return the path and query of a request for a key."""
    path = "/v2/keys/" + quote(key.lstrip("/"))
    return f"{path}?{quoted(query)}" if query else path


def quoted(pairs: Mapping[str, str]) -> str:
    """Return names and values encoded for a query or a form."""
    return "&".join(f"{name}={quote(value)}" for name, value in pairs.items())


def quote(text: str) -> str:
    """Return text percent-encoded for a URL (RFC 3986)."""
    return "".join(chr(byte) if byte in _UNQUOTED else f"%{byte:02X}" for byte in text.encode())
