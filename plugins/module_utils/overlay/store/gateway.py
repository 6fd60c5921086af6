# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Client of etcd's v3 JSON gateway: calls and streams, with fail-over and authentication."""

from __future__ import annotations

import json
import threading
from typing import Any

from ..model.errors import StoreError
from .connection import Endpoint, EtcdConnection
from .failover import Failover
from .http1 import Response
from .refusal import NO_AUTHENTICATION, STALE_TOKEN, GrpcStatus
from .wire import EndpointError, HttpWire

VERSION_PATHS = ("/v3", "/v3beta", "/v3alpha")  # etcd 3.4 and later; 3.3; 3.2


class Stream:
    """A streamed reply: JSON objects that arrive one by one, without end."""

    def __init__(self, wire: HttpWire, response: Response, username: str) -> None:
        self.endpoint = wire.endpoint
        self._wire = wire
        self._response = response
        self._username = username

    def results(self, timeout: float) -> list[dict[str, Any]]:
        """Return the objects that arrived, [] if none did for ``timeout`` seconds.

        Raise EndpointError if the stream is lost, and the error of a refusal by etcd.
        """
        lines = self._response.take_lines()
        while not lines:
            if self._response.complete:
                raise EndpointError("the server ended the watch", sent=False)
            if not self._wire.poll(self._response, timeout):
                return []
            lines = self._response.take_lines()
        return [self._result(line) for line in lines]

    def interrupt(self) -> None:
        """End the wait of another thread for results."""
        self._wire.interrupt()

    def close(self) -> None:
        """Close the connection; the server then ends the stream, too."""
        self._wire.close()

    def _result(self, line: bytes) -> dict[str, Any]:
        raw = _decoded(line)
        refusal = GrpcStatus.of(raw)
        if refusal is not None:
            raise refusal.error(self.endpoint, self._username)
        result = raw.get("result")
        return result if isinstance(result, dict) else {}


class Gateway:
    """The gateway of a cluster; calls share one connection to each endpoint, each stream has its own."""

    def __init__(self, connection: EtcdConnection) -> None:
        self.failover = Failover(connection.parsed_endpoints, connection.observe)
        self._connection = connection
        self._context = connection.tls_context()
        self._wires = {endpoint: self._new_wire(endpoint) for endpoint in connection.parsed_endpoints}
        self._lock = threading.Lock()
        self._versions: tuple[str, ...] = VERSION_PATHS
        self._token: str | None = None  # None: not requested yet; "": the cluster has authentication disabled

    def call(self, path: str, body: dict[str, Any], repeatable: bool = True) -> dict[str, Any]:
        """Return the reply to a request; raise UnreachableError, or the error of a refusal by etcd.

        ``repeatable`` must be false for a change that must not be made twice.
        """
        with self._lock:
            return self.failover.run(lambda endpoint: self._call(self._wires[endpoint], path, body), repeatable)

    def open_stream(self, endpoint: Endpoint, path: str, body: dict[str, Any]) -> Stream:
        """Open a stream on its own connection and return it; raise EndpointError or StoreError."""
        wire = self._new_wire(endpoint)
        try:
            return Stream(wire, self._granted(wire, path, body), self._connection.username)
        except StoreError:
            wire.close()
            raise

    def renew_token(self) -> bool:
        """Make the next request authenticate again; return whether a user is set."""
        self._token = None
        return bool(self._connection.username)

    def close(self) -> None:
        """Close the connections of the calls."""
        for wire in self._wires.values():
            wire.interrupt()
        with self._lock:
            for wire in self._wires.values():
                wire.close()

    def _new_wire(self, endpoint: Endpoint) -> HttpWire:
        return HttpWire(endpoint, self._context, self._connection.timeout)

    def _call(self, wire: HttpWire, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._finished(wire, self._granted(wire, path, body))

    def _granted(self, wire: HttpWire, path: str, body: dict[str, Any]) -> Response:
        """Return the reply to an authorized request once its headers have arrived; an expired token is renewed."""
        response = self._send(wire, path, body, self._authorization(wire))
        if response.status == 200:
            return response
        refusal = self._refusal(wire, response)
        if refusal.mentions(*STALE_TOKEN) and self.renew_token():
            response = self._send(wire, path, body, self._authorization(wire))
            if response.status == 200:
                return response
            refusal = self._refusal(wire, response)
        raise refusal.error(wire.endpoint, self._connection.username)

    def _authorization(self, wire: HttpWire) -> dict[str, str]:
        if not self._connection.username:
            return {}
        if self._token is None:
            self._token = self._authenticate(wire)
        return {"Authorization": self._token} if self._token else {}

    def _authenticate(self, wire: HttpWire) -> str:
        credentials = {"name": self._connection.username, "password": self._connection.password}
        response = self._send(wire, "/auth/authenticate", credentials, {})
        if response.status == 200:
            return str(self._finished(wire, response).get("token", ""))
        refusal = self._refusal(wire, response)
        if refusal.mentions(NO_AUTHENTICATION):
            return ""
        raise refusal.error(wire.endpoint, self._connection.username)

    def _send(self, wire: HttpWire, path: str, body: dict[str, Any], authorization: dict[str, str]) -> Response:
        """Return the reply once its headers have arrived, from the first version path that the server has."""
        # With this header a member without a leader refuses at once, and ends its watches when it loses the leader.
        headers = {"Content-Type": "application/json", "Grpc-Metadata-Hasleader": "true", **authorization}
        data = json.dumps(body).encode()
        for version in self._versions:
            wire.send("POST", version + path, headers, data)
            response = Response()
            while not response.status:
                wire.receive(response, self._connection.timeout)
            if response.status != 404 or b'"code"' in self._rest(wire, response):
                self._versions = (version, *(other for other in VERSION_PATHS if other != version))
                return response
        raise EndpointError("the server has no v3 JSON API (older than 3.2, or --enable-grpc-gateway=false)", False)

    def _finished(self, wire: HttpWire, response: Response) -> dict[str, Any]:
        return _decoded(self._rest(wire, response))

    def _refusal(self, wire: HttpWire, response: Response) -> GrpcStatus:
        body = self._rest(wire, response)
        refusal = GrpcStatus.of(_decoded(body)) if body.startswith(b"{") else None
        if refusal is None:
            text = " ".join(body[:120].decode("ascii", "replace").split())
            hint = "; use a client certificate without a common name" if text.startswith("CommonName") else ""
            raise EndpointError(f"the server answered HTTP {response.status} {text}{hint}", sent=False)
        return refusal

    def _rest(self, wire: HttpWire, response: Response) -> bytearray:
        while not response.complete:
            wire.receive(response, self._connection.timeout)
        return response.body


def _decoded(data: bytes | bytearray) -> dict[str, Any]:
    try:
        raw = json.loads(data)
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        raise EndpointError("the answer is not JSON of etcd's v3 gateway", sent=True)
    return raw
