# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the v3 gateway's refusals mean: its error objects, turned into errors that name the way out."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..model.errors import StoreError
from .connection import Endpoint
from .errors import AuthenticationDisabledError, AuthenticationError, CompactedError, GoneError
from .wire import EndpointError

# gRPC's status codes (https://grpc.io/docs/guides/status-codes), as the error objects carry them.
DEADLINE_EXCEEDED, NOT_FOUND, PERMISSION_DENIED, OUT_OF_RANGE, UNAVAILABLE = 4, 5, 7, 11, 14
STALE_TOKEN = ("invalid auth token", "user name is empty", "revision of auth store is old")
NO_AUTHENTICATION = "authentication is not enabled"


class Refusal(NamedTuple):
    """A gRPC status: its code and etcd's message."""

    code: int
    message: str

    @classmethod
    def of(cls, raw: Any) -> Refusal | None:
        """Return the refusal in a decoded reply, of a call or of a stream, or None."""
        if not isinstance(raw, dict):
            return None
        inner = raw["error"] if isinstance(raw.get("error"), dict) else raw
        code = inner.get("code", inner.get("grpc_code"))
        return cls(code, str(inner.get("message", ""))) if isinstance(code, int) else None

    def says(self, *texts: str) -> bool:
        """Whether one of the texts is in the message."""
        return any(text in self.message for text in texts)

    def error(self, endpoint: Endpoint, username: str) -> StoreError:
        """Return the error to raise: an EndpointError where another endpoint may do better."""
        if self.says("user name is empty"):
            return AuthenticationError(f"etcd at {endpoint} asks for a user: give a username and a password")
        if self.says(NO_AUTHENTICATION):
            return AuthenticationDisabledError(f"etcd at {endpoint} has no authentication enabled")
        if self.says("authentication failed", *STALE_TOKEN):
            return AuthenticationError(f"etcd at {endpoint} refused user {username!r}: wrong username or password")
        if self.code == PERMISSION_DENIED or self.says("permission denied"):
            return AuthenticationError(
                f"etcd at {endpoint} denied user {username!r} the permission: grant the user's role readwrite on the "
                f"prefix (with a trailing slash, as a prefix)"
            )
        if self.code in (UNAVAILABLE, DEADLINE_EXCEEDED):
            hint = ""
            if endpoint.scheme == "https" and "etcdserver" not in self.message:
                # The gateway, a client of its own server, did not get through to it.
                hint = "; where client certificates are demanded, etcd's own must be fit for serverAuth and clientAuth"
            return EndpointError(self.message + hint, sent="no leader" not in self.message)
        if self.code == OUT_OF_RANGE and self.says("compacted"):
            return CompactedError(f"etcd at {endpoint} no longer has this revision: {self.message}")
        if self.code == NOT_FOUND and self.says("lease not found"):
            return GoneError("the etcd lease has expired or was revoked")
        return StoreError(f"etcd at {endpoint} refused: {self.message}")
