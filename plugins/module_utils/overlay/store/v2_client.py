# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""python-etcd with our fail-over, TLS settings and errors: one client an endpoint, no retries of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any

from ..model.errors import StoreError
from .connection import Endpoint, EtcdConnection
from .errors import AuthenticationError, CompactedError
from .failover import Failover
from .wire import EndpointError

Request = Callable[[Any], Any]


class V2Client:
    """Requests by python-etcd; its results are passed on, its errors become ours unless they are asked for."""

    def __init__(self, connection: EtcdConnection) -> None:
        try:
            self.etcd: Any = import_module("etcd")
            self._urllib3: Any = import_module("urllib3")
        except ImportError as error:
            raise StoreError(
                f"speaking etcd's v2 API takes python-etcd, which cannot be imported ({error}); install the package "
                f"python3-etcd, or python-etcd with pip, or speak v3"
            ) from None
        # It logs each failed request on its own; what matters of that is in our errors.
        logging.getLogger("etcd").setLevel(logging.CRITICAL)
        self.failover = Failover(connection.parsed_endpoints)
        self._connection = connection
        context = connection.tls_context()
        if context is not None:
            # urllib3 then compares the names itself; before 2.0 it fails on an address where the context is to do it.
            context.check_hostname = False
        self._clients = {endpoint: self._client(endpoint, context) for endpoint in connection.parsed_endpoints}

    def run(self, request: Request, repeatable: bool = True) -> Any:
        """Return what the request gives at the first endpoint that can be used.

        etcd's answers about keys (not found, exists already, compare failed, event index cleared) are raised as
        python-etcd's; raise UnreachableError, AuthenticationError or StoreError for all else.
        """
        return self.failover.run(lambda endpoint: self.run_at(endpoint, request), repeatable)

    def run_at(self, endpoint: Endpoint, request: Request) -> Any:
        """Do as run, at one endpoint; raise EndpointError when it cannot be used."""
        etcd = self.etcd
        try:
            return request(self._clients[endpoint])
        except (etcd.EtcdKeyError, etcd.EtcdCompareFailed, etcd.EtcdEventIndexCleared, etcd.EtcdWatchTimedOut):
            raise
        except etcd.EtcdConnectionFailed as error:
            raise self._unreachable(error.cause) from None
        except etcd.EtcdInsufficientPermissions:
            raise AuthenticationError(self._permission(endpoint)) from None
        except (etcd.EtcdClusterIdChanged, etcd.EtcdWatcherCleared) as error:
            raise CompactedError(f"etcd at {endpoint} has another history than before: {error}") from None
        except etcd.EtcdException as error:
            raise self._failure(endpoint, error) from None

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.http.clear()

    def _client(self, endpoint: Endpoint, context: Any) -> Any:
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        client = self.etcd.Client(
            host=host,
            port=endpoint.port,
            protocol=endpoint.scheme,
            read_timeout=self._connection.timeout,
            username=self._connection.username or None,
            password=self._connection.password or None,
        )
        # Its own pool repeats requests, writes too, and with older releases of urllib3 trusts any certificate.
        tls = {"ssl_context": context} if endpoint.scheme == "https" else {}
        client.http = self._urllib3.PoolManager(retries=False, timeout=self._connection.timeout, **tls)
        return client

    def _permission(self, endpoint: Endpoint) -> str:
        if not self._connection.username:
            return f"etcd at {endpoint} asks for a user: give a username and a password"
        return (
            f"etcd at {endpoint} refused user {self._connection.username!r}: wrong username or password, or the "
            f"user's role lacks readwrite on the prefix (as <prefix>/*)"
        )

    def _unreachable(self, cause: Exception | None) -> EndpointError:
        exceptions = self._urllib3.exceptions
        if isinstance(cause, exceptions.SSLError):
            advice = "is the endpoint http instead of https, the CA file wrong, or a client certificate wanted?"
            return EndpointError(f"TLS failed: {cause}; {advice}", sent=False)
        if isinstance(cause, exceptions.TimeoutError) and not isinstance(cause, exceptions.NewConnectionError):
            sent = isinstance(cause, exceptions.ReadTimeoutError)
            return EndpointError(f"no answer within {self._connection.timeout:g} seconds", sent)
        if isinstance(cause, exceptions.NewConnectionError):
            reason = str(cause).rpartition("] ")[2].rstrip(")").lower() or "cannot connect"
            return EndpointError(reason, False)
        return EndpointError(f"the connection was lost ({cause}); does it speak another protocol?", True)

    def _failure(self, endpoint: Endpoint, error: Exception) -> StoreError:
        payload = getattr(error, "payload", None) or {}
        cause = payload.get("cause", "")
        if payload.get("errorCode") in (300, 301):  # Raft: no leader, or no answer from the other members
            return EndpointError(cause or str(error), sent=True)
        if "404 page not found" in str(cause):
            return EndpointError("it does not serve the v2 API (start etcd with --enable-v2, or speak v3)", sent=False)
        if "not valid JSON" in str(error):
            return EndpointError("it broke off in the middle of an answer", sent=True)
        return StoreError(f"etcd at {endpoint} refused: {error}")
