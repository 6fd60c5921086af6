# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the IPv4 routes of the main table and encodes requests about them (linux/rtnetlink.h).

A fleet has thousands of routes. Reading tries the layouts that the kernel uses for routes such as ours first, by one
unpack; any other layout is read attribute by attribute.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import TypeVar

from ...named_tuple import NamedTuple
from .codec import NO_PORT, RTMSG, U32, attribute, attributes, head, message, title, u32
from .constants import (
    RT_SCOPE_LINK,
    RT_SCOPE_NOWHERE,
    RT_TABLE_MAIN,
    RTA_DST,
    RTA_GATEWAY,
    RTA_MULTIPATH,
    RTA_NH_ID,
    RTA_OIF,
    RTA_PRIORITY,
    RTA_TABLE,
    RTM_DELROUTE,
    RTM_GETROUTE,
    RTN_UNICAST,
    RTNH_F_ONLINK,
)
from .rtnetlink import Netlink, NetlinkError

Row = TypeVar("Row")

_TABLE = title(4, RTA_TABLE) + U32.pack(RT_TABLE_MAIN)
_DST, _OIF, _GATEWAY, _NH_ID = title(4, RTA_DST), title(4, RTA_OIF), title(4, RTA_GATEWAY), title(4, RTA_NH_ID)

# Requests: length, type and flags; sequence; port; struct rtmsg; attributes.
_PLAIN_REQUEST = struct.Struct("=8sI4sBBBBBBBBI4s4s4sI4s4s")
_SHORT_REQUEST = struct.Struct("=8sI4sBBBBBBBBI4s4s4sI")
_HOP_ANSWER = struct.Struct("=BBBBBBBBI8s4s4s4sI")
_PLAIN_ANSWER = struct.Struct("=BBBBBBBBI8s4s4s4s4s4sI")


class RouteRow(NamedTuple):
    """A route of the main table in the kernel's numbers; 0 for a missing part, -1 for several next hops.

    ``bare`` is set for a unicast route that has a gateway and an interface and nothing else: no metric, no source
    address, not onlink.
    """

    first: int
    length: int
    protocol: int
    kind: int
    tos: int
    metric: int
    next_hop: int
    ifindex: int
    gateway: int
    bare: bool = False


class RouteWriter:
    """Encodes requests of one type about unicast routes, by gateway or by next hop."""

    def __init__(self, kind: int, flags: int, protocol: int) -> None:
        """Use this message type, these flags and this protocol; in removals, protocol 0 means any."""
        self._plain_head = head(_PLAIN_REQUEST, kind, flags)
        self._short_head = head(_SHORT_REQUEST, kind, flags)
        self._protocol = protocol
        self._scope = RT_SCOPE_NOWHERE if kind == RTM_DELROUTE else 0
        self._link_scope = RT_SCOPE_NOWHERE if kind == RTM_DELROUTE else RT_SCOPE_LINK

    def plain(self, sequence: int, first: int, length: int, gateway: int, ifindex: int, onlink: bool) -> bytes:
        """Return the request for a route by a gateway, or with gateway 0 for one directly on the interface."""
        if not gateway:
            return _SHORT_REQUEST.pack(
                self._short_head, sequence, NO_PORT,
                socket.AF_INET, length, 0, 0, RT_TABLE_MAIN, self._protocol, self._link_scope, RTN_UNICAST, 0,
                _DST, first.to_bytes(4, "big"), _OIF, ifindex,
            )  # fmt: skip
        return _PLAIN_REQUEST.pack(
            self._plain_head, sequence, NO_PORT,
            socket.AF_INET, length, 0, 0, RT_TABLE_MAIN, self._protocol, self._scope, RTN_UNICAST,
            RTNH_F_ONLINK if onlink else 0,
            _DST, first.to_bytes(4, "big"), _OIF, ifindex, _GATEWAY, gateway.to_bytes(4, "big"),
        )  # fmt: skip

    def by_hop(self, sequence: int, first: int, length: int, next_hop: int) -> bytes:
        """Return the request for a route by a next hop."""
        return _SHORT_REQUEST.pack(
            self._short_head, sequence, NO_PORT,
            socket.AF_INET, length, 0, 0, RT_TABLE_MAIN, self._protocol, self._scope, RTN_UNICAST, 0,
            _DST, first.to_bytes(4, "big"), _NH_ID, next_hop,
        )  # fmt: skip


def remove_exactly(sequence: int, row: RouteRow) -> bytes:
    """Return the request that removes this route and no other, whatever its shape."""
    body = RTMSG.pack(
        socket.AF_INET, row.length, 0, row.tos, RT_TABLE_MAIN, row.protocol, RT_SCOPE_NOWHERE, row.kind, 0
    ) + attribute(RTA_DST, row.first.to_bytes(4, "big"))
    if row.metric:
        body += attribute(RTA_PRIORITY, U32.pack(row.metric))
    if row.next_hop:
        body += attribute(RTA_NH_ID, U32.pack(row.next_hop))
    else:
        body += attribute(RTA_OIF, U32.pack(row.ifindex)) if row.ifindex else b""
        body += attribute(RTA_GATEWAY, row.gateway.to_bytes(4, "big")) if row.gateway else b""
    return message(sequence, RTM_DELROUTE, 0, body)


def main_table(protocol: int = 0, ifindex: int = 0, kind: int = 0) -> bytes:
    """Return the body of a dump of the main table, limited to a protocol, interface or type where these are not 0."""
    body = RTMSG.pack(socket.AF_INET, 0, 0, 0, RT_TABLE_MAIN, protocol, 0, kind, 0) + _TABLE
    return body + attribute(RTA_OIF, U32.pack(ifindex)) if ifindex else body


def dump_routes(netlink: Netlink, body: bytes, parse: Callable[[bytes, int, int], Row | None]) -> list[Row]:
    """Return the routes of a dump; none if there is no main table, which the kernel creates with its first route."""
    try:
        return netlink.dump(RTM_GETROUTE, body, parse)
    except NetlinkError as error:
        if error.errno == errno.ENOENT:
            return []
        raise


def read_route(buffer: bytes, start: int, end: int) -> RouteRow | None:
    """Return a route, None for one of another table. By a next hop, interface and gateway are 0."""
    if end - start >= _HOP_ANSWER.size:
        (
            _family, length, _source, tos, _table, protocol, _scope, kind, _flags,
            table, one, first, two, next_hop,
        ) = _HOP_ANSWER.unpack_from(buffer, start)  # fmt: skip
        if table == _TABLE and one == _DST and two == _NH_ID:
            return RouteRow(int.from_bytes(first, "big"), length, protocol, kind, tos, 0, next_hop, 0, 0)
    if end - start == _PLAIN_ANSWER.size:
        (
            _family, length, _source, tos, _table, protocol, _scope, kind, flags,
            table, one, first, two, gateway, three, ifindex,
        ) = _PLAIN_ANSWER.unpack_from(buffer, start)  # fmt: skip
        if table == _TABLE and one == _DST and two == _GATEWAY and three == _OIF:
            bare = kind == RTN_UNICAST and not tos and not flags & RTNH_F_ONLINK
            subnet, way = int.from_bytes(first, "big"), int.from_bytes(gateway, "big")
            return RouteRow(subnet, length, protocol, kind, tos, 0, 0, ifindex, way, bare)
    return _read_any_layout(buffer, start, end)


def _read_any_layout(buffer: bytes, start: int, end: int) -> RouteRow | None:
    _family, length, _source, tos, table, protocol, _scope, kind, _flags = RTMSG.unpack_from(buffer, start)
    found = attributes(buffer, start + RTMSG.size, end)
    if u32(found.get(RTA_TABLE)) not in (RT_TABLE_MAIN, 0) or table != RT_TABLE_MAIN:
        return None
    next_hop = u32(found.get(RTA_NH_ID))
    first = int.from_bytes(found.get(RTA_DST, b""), "big")
    metric = u32(found.get(RTA_PRIORITY))
    if next_hop or RTA_MULTIPATH in found:
        return RouteRow(first, length, protocol, kind, tos, metric, next_hop or -1, 0, 0)
    gateway = int.from_bytes(found.get(RTA_GATEWAY, b""), "big")
    return RouteRow(first, length, protocol, kind, tos, metric, 0, u32(found.get(RTA_OIF)), gateway)
