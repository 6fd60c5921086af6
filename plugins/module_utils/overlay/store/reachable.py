# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds out cheaply which endpoint accepts connections: one TCP handshake to each, all at once, nothing sent."""

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
_SHARE = 0.8  # of the timeout of an operation: what is left is enough to report the failure within the whole of it


def reachable_first(connection: EtcdConnection) -> EtcdConnection:
    """Return the connection with an endpoint in front that accepts connections; raise UnreachableError if none does.

    Raise StoreError for a certificate file that cannot be used.

    For programs that run once: endpoints that do not answer cost them one timeout together, and none if another does.
    """
    connection.tls_context()  # a certificate file that cannot be used is the first cause to name
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
    """Return the endpoint whose connection is established first, None where none is within ``timeout`` seconds.

    Write into ``failures`` why a connection was refused.
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
    """Yield a socket with its handshake under way for each address of the endpoint, less those refused at once."""
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
