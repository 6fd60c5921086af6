# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds out cheaply which endpoint accepts connections: one TCP handshake to each, all at once, nothing sent."""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Iterable, Iterator

from .connection import Endpoint

_UNDER_WAY = (0, errno.EINPROGRESS)


def first_accepting(endpoints: Iterable[Endpoint], timeout: float) -> Endpoint | None:
    """Return the endpoint whose connection is established first, None where none is within ``timeout`` seconds."""
    poller, waiting = select.poll(), dict[int, tuple[Endpoint, socket.socket]]()
    end = time.monotonic() + timeout
    try:
        for endpoint in endpoints:
            for opened in _handshakes(endpoint):
                waiting[opened.fileno()] = endpoint, opened
                poller.register(opened, select.POLLOUT)
        while waiting:
            ready = poller.poll(max(end - time.monotonic(), 0.0) * 1000)
            if not ready:
                return None
            for number, _events in ready:
                endpoint, opened = waiting[number]
                if opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    return endpoint
                poller.unregister(number)
                waiting.pop(number)[1].close()
        return None
    finally:
        for _endpoint, opened in waiting.values():
            opened.close()


def _handshakes(endpoint: Endpoint) -> Iterator[socket.socket]:
    """Yield a socket with its handshake under way for each address of the endpoint, less those refused at once."""
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except OSError:
        return  # the name is not known
    for family, kind, protocol, _name, address in found:
        try:
            opened = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        except OSError:
            continue  # this host has no such addresses
        if opened.connect_ex(address) in _UNDER_WAY:
            yield opened
        else:
            opened.close()
