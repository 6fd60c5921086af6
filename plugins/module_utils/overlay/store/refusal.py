# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Error objects of the v3 gateway, converted to exceptions with cause and solution."""

from __future__ import annotations

from typing import Any

from ..model.errors import StoreError
from ..named_tuple import NamedTuple
from .connection import Endpoint
from .errors import AuthenticationDisabledError, AuthenticationError, CompactedError, GoneError
from .wire import EndpointError

# gRPC's status codes (https://grpc.io/docs/guides/status-codes) in the error objects.
DEADLINE_EXCEEDED, NOT_FOUND, PERMISSION_DENIED, OUT_OF_RANGE, UNAVAILABLE = 4, 5, 7, 11, 14
STALE_TOKEN = ("invalid auth token", "user name is empty", "revision of auth store is old")
NO_AUTHENTICATION = "authentication is not enabled"


class GrpcStatus(NamedTuple):
    """A gRPC status: its code and etcd's message."""

    code: int
    message: str

    @classmethod
    def of(cls, raw: Any) -> GrpcStatus | None:
        """Return the refusal in a decoded reply of a call or of a stream, None if it has none."""
        if not isinstance(raw, dict):
            return None
        inner = raw["error"] if isinstance(raw.get("error"), dict) else raw
        code = inner.get("code", inner.get("grpc_code"))
        return cls(code, str(inner.get("message", ""))) if isinstance(code, int) else None

    def mentions(self, *texts: str) -> bool:
        """Whether one of the texts is in the message."""
        return any(text in self.message for text in texts)

    def error(self, endpoint: Endpoint, username: str) -> StoreError:
        """Return the error to raise: an EndpointError if the request may succeed at another endpoint."""
        if self.mentions("user name is empty"):
            return AuthenticationError(f"etcd at {endpoint} requires authentication: set username and password")
        if self.mentions(NO_AUTHENTICATION):
            return AuthenticationDisabledError(f"etcd at {endpoint} has authentication disabled")
        if self.mentions("authentication failed", *STALE_TOKEN):
            return AuthenticationError(f"etcd at {endpoint} refused user {username!r}: wrong username or password")
        if self.code == PERMISSION_DENIED or self.mentions("permission denied"):
            return AuthenticationError(
                f"etcd at {endpoint} refused user {username!r}: permission denied; grant readwrite on the etcd prefix "
                f"and all keys below it to a role of the user"
            )
        if self.code in (UNAVAILABLE, DEADLINE_EXCEEDED):
            hint = ""
            if endpoint.scheme == "https" and "etcdserver" not in self.message:
                # The gateway could not connect to its own server, of which it is a client.
                hint = "; if etcd requires client certificates, its own must allow serverAuth and clientAuth"
            return EndpointError(self.message + hint, sent="no leader" not in self.message)
        if self.code == OUT_OF_RANGE and self.mentions("compacted"):
            return CompactedError(f"etcd at {endpoint} no longer has this revision: {self.message}")
        if self.code == NOT_FOUND and self.mentions("lease not found"):
            return GoneError("the etcd lease expired or was revoked")
        return StoreError(f"etcd at {endpoint} refused the request: {self.message}")
