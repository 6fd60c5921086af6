# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reports that another program changed a kernel object of the overlay.

The kernel filters the notifications (notification_filter.py). Most carry the port of the socket that made the change,
so that our own changes are dropped. Notifications of FDB entries do not: they are dropped while we change entries, and
the periodic reconciliation finds what is missed then.
"""

from __future__ import annotations

import errno
import socket
import struct
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..model.addresses import Subnet
from ..model.errors import KernelError
from .netlink.constants import (
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_LINK,
    RTNLGRP_NEIGH,
    RTNLGRP_NEXTHOP,
    SO_ATTACH_FILTER,
)
from .netlink.rtnetlink import Netlink
from .notification_filter import Watched, program

_GROUPS = (RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_NEXTHOP)
_RECEIVE_BUFFER = 256 << 10  # bytes; an overflow counts as a change
_LARGEST = 65536
_NOTHING = Watched(Subnet(0, 32), 0, (), 0)


class Monitor:
    """A socket that becomes readable after a change by another program. It receives nothing before ``watch``."""

    def __init__(self) -> None:
        """Listen in the network namespace of the calling thread; raise KernelError if that fails."""
        self._watched = _NOTHING
        self._is_muted = False
        self._netlink = Netlink(receive_buffer=_RECEIVE_BUFFER)
        self._socket = self._netlink.socket
        self._socket.setblocking(False)
        self._filter()
        self._netlink.join(_GROUPS)

    def fileno(self) -> int:
        """Return the file descriptor, for select and poll."""
        return self._socket.fileno()

    def close(self) -> None:
        """Stop listening."""
        self._netlink.close()

    def ignore(self, port: int) -> None:
        """Drop notifications of changes that are made through the netlink socket with this port: they are our own."""
        self._watched = self._watched._replace(port=port)
        self._filter()

    def watch(self, network: Subnet, underlay: int, devices: Iterable[int | None]) -> None:
        """Listen for changes in this overlay network and on the interfaces with these indexes; None for no device."""
        watched = self._watched._replace(network=network, underlay=underlay, devices=tuple(filter(None, devices)))
        if watched != self._watched:
            self._watched = watched
            self._filter()

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Drop the notifications of FDB entries meanwhile."""
        self._is_muted = True
        self._filter()
        try:
            yield
        finally:
            self._is_muted = False
            self._filter()

    def drain(self) -> bool:
        """Read all notifications; return whether there was one. An overflow of the buffer counts as a change."""
        changed = False
        while True:
            try:
                self._socket.recv(_LARGEST)
            except BlockingIOError:
                return changed
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise KernelError(f"netlink notifications: {error}") from error
            changed = True

    def _filter(self) -> None:
        """Replace the filter program by the one for the present state."""
        instructions = program(self._watched, with_fdb=not self._is_muted)
        code = array("B", b"".join(instructions))
        address, _unused = code.buffer_info()
        try:
            # struct sock_fprog: number of instructions, address.
            self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(instructions), address))
        except OSError as error:
            raise KernelError(f"cannot attach the notification filter: {error}") from error
