# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The etcd endpoints: each member answers a separate read that needs the quorum. Also their clock and certificate."""

from __future__ import annotations

import json
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

from ..named_tuple import NamedTuple
from ..store.connection import Endpoint, EtcdConnection
from ..store.wire import EndpointError, HttpWire
from .certificate import CertificateError, not_after


class Health(NamedTuple):
    """The health of the member at one endpoint; ``problem`` is None if it is healthy."""

    endpoint: str
    problem: str | None

    @property
    def is_healthy(self) -> bool:
        """Whether the member answered a read for which it needs the quorum."""
        return self.problem is None


class Member(NamedTuple):
    """The member at one endpoint, with "" or None for what is unknown.

    ``ahead`` is by how many seconds the clock of this host is ahead of the member's. ``expires`` is the time (seconds
    since 1970) at which its certificate expires.
    """

    endpoint: str
    problem: str | None = None
    version: str = ""
    ahead: float | None = None
    expires: float | None = None


def read_health(connection: EtcdConnection) -> list[Health]:
    """Return the health of each endpoint, in the order given; raise StoreError for an unusable certificate file.

    The requests to all endpoints run at the same time, so several endpoints that do not answer cost only one timeout.
    """
    context, endpoints = connection.tls_context(), connection.parsed_endpoints
    with ThreadPoolExecutor(max_workers=len(endpoints)) as pool:
        problems = pool.map(lambda endpoint: _problem(HttpWire(endpoint, context, connection.timeout)), endpoints)
        return [Health(str(endpoint), problem) for endpoint, problem in zip(endpoints, problems)]


def read_members(connection: EtcdConnection) -> list[Member]:
    """Return the status of each endpoint, in the given order; raise StoreError like ``read_health``."""
    context, endpoints = connection.tls_context(), connection.parsed_endpoints
    with ThreadPoolExecutor(max_workers=len(endpoints)) as pool:
        return list(pool.map(lambda endpoint: _member(endpoint, context, connection.timeout), endpoints))


def _member(endpoint: Endpoint, context: ssl.SSLContext | None, timeout: float) -> Member:
    member = Member(str(endpoint), _problem(HttpWire(endpoint, context, timeout)))
    if endpoint.scheme == "https":
        member = member._replace(expires=_expiry(endpoint, timeout))
    if member.problem is not None:
        return member
    wire = HttpWire(endpoint, context, timeout)
    try:
        response = wire.exchange("GET", "/version", {})
        ahead = time.time() - parsedate_to_datetime(response.headers.get("date", "")).timestamp()
        version = json.loads(response.body)["etcdserver"]
        return member._replace(version=str(version), ahead=ahead)
    except (EndpointError, ValueError, TypeError, KeyError):
        return member
    finally:
        wire.close()


def _expiry(endpoint: Endpoint, timeout: float) -> float | None:
    """Return when the endpoint's certificate expires, also if the certificate cannot be verified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((endpoint.host, endpoint.port), timeout) as plain,
            context.wrap_socket(plain) as tls,
        ):
            return not_after(ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True) or b""))
    except (OSError, CertificateError):
        return None


def _problem(wire: HttpWire) -> str | None:
    try:
        response = wire.exchange("GET", "/health", {})
    except EndpointError as error:
        return str(error)
    finally:
        wire.close()
    if response.status == 200:
        return None
    text = " ".join(response.body[:120].decode("ascii", "replace").split())
    return f"it answered HTTP {response.status} {text}; it has no quorum, or an alarm is set"
