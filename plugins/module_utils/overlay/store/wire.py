# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A persistent HTTP connection to one endpoint, and error messages for its failures."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..model.errors import StoreError
from .connection import Endpoint
from .http1 import ProtocolError, Response, render_request

if TYPE_CHECKING:
    import ssl

RECEIVE_SIZE = 1 << 18  # bytes
# A server that disappears without closing the connection is detected after idle + count * interval = 25 seconds.
KEEPALIVE = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))


class EndpointError(StoreError):
    """This endpoint cannot be used; ``sent`` is whether it may have executed the request."""

    def __init__(self, reason: str, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class HttpWire:
    """A persistent connection for successive exchanges or for one stream; one thread at a time may use it."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None, timeout: float) -> None:
        self.endpoint = endpoint
        self._context = context if endpoint.scheme == "https" else None
        self._timeout = timeout
        self._socket: socket.socket | None = None

    def exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Response:
        """Send a request and return the complete response; raise EndpointError."""
        self.send(method, path, headers, body)
        return self.answer(Response())

    def answer(self, response: Response) -> Response:
        """Return the response once it is complete; raise EndpointError."""
        while not response.complete:
            self.receive(response, self._timeout)
        return response

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Send a request over the open connection, or over a new one; raise EndpointError."""
        connected = self._ready()
        host = str(self.endpoint).partition("://")[2]
        try:
            connected.settimeout(self._timeout)
            connected.sendall(render_request(method, path, host, headers, body))
        except OSError as error:
            raise self._failure(error) from None

    def receive(self, response: Response, timeout: float) -> None:
        """Read the next data into the response; raise EndpointError, also if none arrives for ``timeout`` seconds."""
        if not self._feed(response, timeout):
            self.close()
            raise EndpointError(f"no answer within {timeout:g} seconds", sent=True)

    def poll(self, response: Response, timeout: float) -> bool:
        """Read the next data into a stream's response; return False if none arrives for ``timeout`` seconds."""
        return self._feed(response, timeout)

    def interrupt(self) -> None:
        """End the wait of another thread on this connection."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown, which removes the TLS state that the reading thread uses.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ready(self) -> socket.socket:
        if self._socket is not None and _ended(self._socket):
            self.close()
        if self._socket is None:
            try:
                self._socket = self._open()
            except OSError as error:
                raise EndpointError(self._reason(error), sent=False) from None
        return self._socket

    def _open(self) -> socket.socket:
        opened = self._connected()
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEPALIVE:
                opened.setsockopt(socket.IPPROTO_TCP, option, value)
            return opened if self._context is None else self._secured(opened, self._context)
        except OSError:
            opened.close()
            raise

    def _connected(self) -> socket.socket:
        """Return a connection to the first address of the endpoint that accepts one; raise OSError."""
        failure = OSError("the host name has no address")
        for family, kind, protocol, _name, address in socket.getaddrinfo(
            self.endpoint.ascii_host, self.endpoint.port, type=socket.SOCK_STREAM
        ):
            opened = socket.socket(family, kind, protocol)
            try:
                opened.settimeout(self._timeout)
                opened.connect(address)
            except OSError as error:
                opened.close()
                failure = error
            else:
                return opened
        raise failure

    def _secured(self, opened: socket.socket, context: ssl.SSLContext) -> socket.socket:
        try:
            return context.wrap_socket(opened, server_hostname=self.endpoint.host)
        except OSError as error:
            if isinstance(error, (ConnectionError, EOFError)) or "EOF" in str(error):
                raise ConnectionError(
                    "the server closed the connection during the TLS handshake; if it does not use TLS, write "
                    "http instead of https in the endpoint"
                ) from None
            raise

    def _feed(self, response: Response, timeout: float) -> bool:
        if self._socket is None:
            raise EndpointError("the connection is closed", sent=True)
        try:
            self._socket.settimeout(timeout)
            data = self._socket.recv(RECEIVE_SIZE)
            response.feed(data)
        except socket.timeout:
            return False
        except (OSError, ProtocolError) as error:
            raise self._failure(error) from None
        if response.complete and not response.reusable:
            self.close()
        return True

    def _failure(self, error: OSError | ProtocolError) -> EndpointError:
        self.close()
        # A server that requires a client certificate sends an alert after the handshake, before it reads the request.
        return EndpointError(self._reason(error), sent="ALERT" not in _tls_reason(error))

    def _reason(self, error: OSError | ProtocolError) -> str:
        if isinstance(error, ProtocolError):
            other = "http" if self._context is not None else "https"
            return f"{error} (if the server uses {other}, write {other} in the endpoint)"
        verification = getattr(error, "verify_message", "")
        if verification:
            return f"certificate verification failed: {verification}; check the CA file and the name in the endpoint"
        return _tls_words(_tls_reason(error)) or refusal_of(error, self.endpoint, self._timeout)


def refusal_of(error: OSError, endpoint: Endpoint, timeout: float) -> str:
    """Return in words why a TCP connection to the endpoint failed; ``timeout`` is its timeout in seconds."""
    if isinstance(error, socket.timeout):
        return f"no answer within {timeout:g} seconds"
    if isinstance(error, socket.gaierror):
        return f"the name {endpoint.host} cannot be resolved"
    return error.strerror.lower() if error.strerror else str(error)


def _ended(idle: socket.socket) -> bool:
    """Return whether the server closed an idle connection: only then is it readable."""
    poller = select.poll()
    poller.register(idle, select.POLLIN)
    return bool(poller.poll(0))


def _tls_reason(error: Exception) -> str:
    """Return OpenSSL's name of the error, such as TLSV13_ALERT_CERTIFICATE_REQUIRED, "" if it is not a TLS error."""
    return getattr(error, "reason", None) or ""


def _tls_words(reason: str) -> str:
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return f"the server requires a client certificate or refused it ({reason}); check cert_file and key_file"
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE", "RECORD_LAYER_FAILURE"):
        return f"the server does not use TLS ({reason}); write http instead of https in the endpoint"
    return f"TLS failed: {reason}" if reason else ""
