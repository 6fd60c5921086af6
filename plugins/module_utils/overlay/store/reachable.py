# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Search for an endpoint that accepts connections: one TCP handshake to each endpoint, all at the same time."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections.abc import Iterable, Iterator

from .connection import Endpoint, EtcdConnection
from .errors import UnreachableError
from .wire import refusal_of

_UNDER_WAY = (0, errno.EINPROGRESS)
_SHARE = 0.8  # share of an operation's timeout for the search; the rest is enough to report a failure in time


def reachable_first(connection: EtcdConnection) -> EtcdConnection:
    """Return the connection with an endpoint first that accepts connections.

    For programs that run once: all endpoints that do not answer cost one timeout together, and nothing if another
    endpoint answers. Raise UnreachableError if no endpoint accepts connections, and StoreError for a certificate file
    that cannot be used.
    """
    connection.tls_context()  # report a certificate file that cannot be used before anything else
    endpoints, timeout = connection.parsed_endpoints, connection.timeout * _SHARE
    failures: dict[Endpoint, OSError] = {}
    found = first_accepting(endpoints, timeout, failures)
    if found is None:
        silence = socket.timeout()
        raise UnreachableError(
            {str(each): refusal_of(failures.get(each, silence), each, timeout) for each in endpoints}
        )
    return connection.with_endpoints((str(found), *(str(each) for each in endpoints if each != found)))


def first_accepting(
    endpoints: Iterable[Endpoint], timeout: float, failures: dict[Endpoint, OSError] | None = None
) -> Endpoint | None:
    """Return the endpoint whose connection is established first, None if none is within ``timeout`` seconds.

    The errors of refused connections are added to ``failures``.
    """
    failures = {} if failures is None else failures
    poller, waiting = select.poll(), dict[int, tuple[Endpoint, socket.socket]]()
    end = time.monotonic() + timeout
    try:
        for endpoint in endpoints:
            for opened in _handshakes(endpoint, failures):
                waiting[opened.fileno()] = endpoint, opened
                poller.register(opened, select.POLLOUT)
        while waiting:
            ready = poller.poll(max(end - time.monotonic(), 0.0) * 1000)
            if not ready:
                return None
            for number, _events in ready:
                endpoint, opened = waiting[number]
                error = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error == 0:
                    return endpoint
                failures[endpoint] = OSError(error, os.strerror(error))
                poller.unregister(number)
                waiting.pop(number)[1].close()
        return None
    finally:
        for _endpoint, opened in waiting.values():
            opened.close()


def _handshakes(endpoint: Endpoint, failures: dict[Endpoint, OSError]) -> Iterator[socket.socket]:
    """Yield a socket with a started handshake for each address of the endpoint that was not refused at once."""
    try:
        found = socket.getaddrinfo(endpoint.ascii_host, endpoint.port, type=socket.SOCK_STREAM)
    except OSError as unknown_name:
        failures[endpoint] = unknown_name
        return
    for family, kind, protocol, _name, address in found:
        try:
            opened = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        except OSError:
            continue  # this host has no such addresses
        error = opened.connect_ex(address)
        if error in _UNDER_WAY:
            yield opened
        else:
            failures[endpoint] = OSError(error, os.strerror(error))
            opened.close()
