# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows of the kernel's tables as messages and back; each kind has one fixed layout, packed in one go.

A fleet has thousands of these rows, so reading tries the layout the kernel uses for rows such as ours first, and only
walks the attributes one by one where that does not fit. Layouts: linux/neighbour.h, linux/rtnetlink.h,
linux/nexthop.h.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from ...model.addresses import Subnet
from ..steps import LAST_METRIC, PROTOCOL
from .codec import ATTRIBUTE, HEADER, NDMSG, NHMSG, RTMSG, U32, attribute, attributes, u32
from .constants import (
    NDA_DST,
    NDA_IFINDEX,
    NDA_LLADDR,
    NDA_PORT,
    NDA_VNI,
    NHA_GATEWAY,
    NHA_ID,
    NHA_OIF,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    NTF_SELF,
    NUD_PERMANENT,
    RT_SCOPE_NOWHERE,
    RT_TABLE_MAIN,
    RTA_DST,
    RTA_GATEWAY,
    RTA_MULTIPATH,
    RTA_NH_ID,
    RTA_OIF,
    RTA_PRIORITY,
    RTA_TABLE,
    RTM_DELNEXTHOP,
    RTM_DELROUTE,
    RTM_NEWNEXTHOP,
    RTM_NEWROUTE,
    RTN_UNICAST,
    RTN_UNREACHABLE,
    RTNH_F_ONLINK,
)

_DETOURS = {NDA_PORT, NDA_VNI, NDA_IFINDEX}


def _title(size: int, kind: int) -> bytes:
    return ATTRIBUTE.pack(ATTRIBUTE.size + size, kind)


_DST, _LLADDR = _title(4, NDA_DST), _title(6, NDA_LLADDR)
_ROUTE_TABLE = _title(4, RTA_TABLE) + U32.pack(RT_TABLE_MAIN)
_ROUTE_DST, _ROUTE_OIF, _ROUTE_GATEWAY = _title(4, RTA_DST), _title(4, RTA_OIF), _title(4, RTA_GATEWAY)
_ROUTE_NH_ID = _title(4, RTA_NH_ID)
_HOP_ID, _HOP_OIF, _HOP_GATEWAY = _title(4, NHA_ID), _title(4, NHA_OIF), _title(4, NHA_GATEWAY)

# What a message says: head (length, type, flags), sequence, then port, fixed header and attributes.
_WRITE_NEIGHBOUR = struct.Struct("=8sI20s4s4s6s2x")
_WRITE_FDB = struct.Struct("=8sI20s6s2x4s4s")
_WRITE_PLAIN_ROUTE = struct.Struct("=8sI4sBBBBBBBBI4s4s4sI4s4s")
_WRITE_HOP_ROUTE = struct.Struct("=8sI4sBBBBBBBBI4s4s4sI")
_WRITE_HOP = struct.Struct("=8sI16sI4sI4s4s")
_WRITE_HOP_ID = struct.Struct("=8sI16sI")
_HEAD = struct.Struct("=IHH")
_NO_PORT = bytes(4)

_READ_NEIGHBOUR = struct.Struct("=BxxxiHBB4s4s4s6s")
_READ_FDB = struct.Struct("=BxxxiHBB4s6s2x4s4s")
_USUAL_FDB_SIZE = _READ_FDB.size + ATTRIBUTE.size + 16  # behind what we read: NDA_CACHEINFO
_READ_HOP_ROUTE = struct.Struct("=BBBBBBBBI8s4s4s4sI")
_READ_PLAIN_ROUTE = struct.Struct("=BBBBBBBBI8s4s4s4s4s4sI")
_READ_HOP = struct.Struct("=BBBxI4sI4sI4s4s")


class RouteRow(NamedTuple):
    """A route of the main table as the kernel tells it; 0 where it has no such thing, -1 for several next hops.

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


class HopRow(NamedTuple):
    """A next hop as the kernel tells it."""

    identifier: int
    protocol: int
    ifindex: int
    gateway: int


def _head(layout: struct.Struct, kind: int, flags: int) -> bytes:
    return _HEAD.pack(layout.size, kind, NLM_F_REQUEST | flags)


class NeighbourWriter:
    """Writes requests about the neighbours on one interface."""

    def __init__(self, kind: int, flags: int, ifindex: int) -> None:
        """Write requests of this type and these flags."""
        self._head = _head(_WRITE_NEIGHBOUR, kind, flags)
        self._middle = _NO_PORT + NDMSG.pack(socket.AF_INET, ifindex, NUD_PERMANENT, 0, RTN_UNICAST) + _DST

    def write(self, sequence: int, address: int, mac: bytes) -> bytes:
        """Return the request for one neighbour."""
        return _WRITE_NEIGHBOUR.pack(self._head, sequence, self._middle, address.to_bytes(4, "big"), _LLADDR, mac)


class FdbWriter:
    """Writes requests about the forwarding rows of one vxlan device."""

    def __init__(self, kind: int, flags: int, ifindex: int) -> None:
        """Write requests of this type and these flags."""
        self._head = _head(_WRITE_FDB, kind, flags)
        self._middle = _NO_PORT + NDMSG.pack(socket.AF_BRIDGE, ifindex, NUD_PERMANENT, NTF_SELF, 0) + _LLADDR

    def write(self, sequence: int, mac: bytes, destination: int) -> bytes:
        """Return the request for one forwarding row."""
        return _WRITE_FDB.pack(self._head, sequence, self._middle, mac, _DST, destination.to_bytes(4, "big"))


class RouteWriter:
    """Writes requests about routes of the main table, by gateway or by next hop."""

    def __init__(self, kind: int, flags: int, protocol: int) -> None:
        """Write requests of this type and these flags; a protocol of 0 stands for any, in removals."""
        self._plain_head = _head(_WRITE_PLAIN_ROUTE, kind, flags)
        self._hop_head = _head(_WRITE_HOP_ROUTE, kind, flags)
        self._protocol = protocol
        self._scope = RT_SCOPE_NOWHERE if kind == RTM_DELROUTE else 0

    def plain(self, sequence: int, first: int, length: int, gateway: int, ifindex: int, onlink: bool) -> bytes:
        """Return the request for a route by a gateway."""
        return _WRITE_PLAIN_ROUTE.pack(
            self._plain_head, sequence, _NO_PORT,
            socket.AF_INET, length, 0, 0, RT_TABLE_MAIN, self._protocol, self._scope, RTN_UNICAST,
            RTNH_F_ONLINK if onlink else 0,
            _ROUTE_DST, first.to_bytes(4, "big"), _ROUTE_OIF, ifindex, _ROUTE_GATEWAY, gateway.to_bytes(4, "big"),
        )  # fmt: skip

    def by_hop(self, sequence: int, first: int, length: int, next_hop: int) -> bytes:
        """Return the request for a route by a next hop."""
        return _WRITE_HOP_ROUTE.pack(
            self._hop_head, sequence, _NO_PORT,
            socket.AF_INET, length, 0, 0, RT_TABLE_MAIN, self._protocol, self._scope, RTN_UNICAST, 0,
            _ROUTE_DST, first.to_bytes(4, "big"), _ROUTE_NH_ID, next_hop,
        )  # fmt: skip


class HopWriter:
    """Writes requests that make or change next hops on one interface."""

    def __init__(self, flags: int, ifindex: int) -> None:
        """Write requests with these flags."""
        self._head = _head(_WRITE_HOP, RTM_NEWNEXTHOP, flags)
        self._middles = [
            _NO_PORT + NHMSG.pack(socket.AF_INET, 0, PROTOCOL, given) + _HOP_ID for given in (0, RTNH_F_ONLINK)
        ]
        self._ifindex = ifindex

    def write(self, sequence: int, identifier: int, gateway: int, onlink: bool) -> bytes:
        """Return the request for one next hop."""
        return _WRITE_HOP.pack(
            self._head, sequence, self._middles[onlink], identifier,
            _HOP_OIF, self._ifindex, _HOP_GATEWAY, gateway.to_bytes(4, "big"),
        )  # fmt: skip


_REMOVE_HOP = _head(_WRITE_HOP_ID, RTM_DELNEXTHOP, 0), _NO_PORT + NHMSG.pack(0, 0, 0, 0) + _HOP_ID


def remove_hop(sequence: int, identifier: int) -> bytes:
    """Return the request that removes a next hop."""
    head, middle = _REMOVE_HOP
    return _WRITE_HOP_ID.pack(head, sequence, middle, identifier)


def add_unreachable(sequence: int, network: Subnet) -> bytes:
    """Return the request for the unreachable route of a network, after all routes into it."""
    body = RTMSG.pack(socket.AF_INET, network.length, 0, 0, RT_TABLE_MAIN, PROTOCOL, 0, RTN_UNREACHABLE, 0)
    body += attribute(RTA_DST, network.first.to_bytes(4, "big"))
    body += attribute(RTA_PRIORITY, U32.pack(LAST_METRIC))
    flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL
    return HEADER.pack(HEADER.size + len(body), RTM_NEWROUTE, flags, sequence, 0) + body


def remove_route(sequence: int, row: RouteRow) -> bytes:
    """Return the request that removes exactly this route, whatever its shape."""
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
    return HEADER.pack(HEADER.size + len(body), RTM_DELROUTE, NLM_F_REQUEST, sequence, 0) + body


def hop_identifier(subnet: Subnet) -> int:
    """Return the id of a subnet's next hop: its middle address, which no other subnet of any length has too."""
    return subnet.first + (1 << (32 - subnet.length) >> 1)


def ask_neighbours(family: int, ifindex: int) -> bytes:
    """Return the body that asks for the neighbours (AF_INET) or forwarding rows (AF_BRIDGE) of one interface."""
    if family == socket.AF_BRIDGE:
        return NDMSG.pack(family, ifindex, 0, 0, 0)
    return NDMSG.pack(family, 0, 0, 0, 0) + attribute(NDA_IFINDEX, U32.pack(ifindex))


def ask_routes(protocol: int = 0, ifindex: int = 0) -> bytes:
    """Return the body that asks for routes of the main table, of one protocol or interface where these are not 0."""
    body = RTMSG.pack(socket.AF_INET, 0, 0, 0, RT_TABLE_MAIN, protocol, 0, 0, 0) + _ROUTE_TABLE
    return body + attribute(RTA_OIF, U32.pack(ifindex)) if ifindex else body


def ask_hops() -> bytes:
    """Return the body that asks for all next hops: there is no filter by protocol."""
    return NHMSG.pack(socket.AF_INET, 0, 0, 0)


def read_neighbour(buffer: bytes, start: int, end: int) -> tuple[int, int, bytes] | None:
    """Return interface index, address and MAC of a permanent neighbour; None for any other."""
    if end - start >= _READ_NEIGHBOUR.size:
        _unused, ifindex, state, _unused, _unused, dst, address, lladdr, mac = _READ_NEIGHBOUR.unpack_from(
            buffer, start
        )
        if not state & NUD_PERMANENT:
            return None
        if dst == _DST and lladdr == _LLADDR:
            return ifindex, int.from_bytes(address, "big"), mac
    return _read_any_neighbour(buffer, start, end)


def read_fdb(buffer: bytes, start: int, end: int) -> tuple[int, int, bytes] | None:
    """Return interface index, destination and MAC of a permanent forwarding row; None for any other.

    The destination is 0, as no row of ours has it, where the row also names another port, VNI or interface.
    """
    if end - start == _USUAL_FDB_SIZE:
        _unused, ifindex, state, _unused, _unused, lladdr, mac, dst, destination = _READ_FDB.unpack_from(buffer, start)
        if not state & NUD_PERMANENT:
            return None
        if lladdr == _LLADDR and dst == _DST:
            return ifindex, int.from_bytes(destination, "big"), mac
    row = _read_any_neighbour(buffer, start, end)
    if row is None or not attributes(buffer, start + NDMSG.size, end).keys() & _DETOURS:
        return row
    ifindex, _unused, mac = row
    return ifindex, 0, mac


def _read_any_neighbour(buffer: bytes, start: int, end: int) -> tuple[int, int, bytes] | None:
    _unused, ifindex, state, _unused, _unused = NDMSG.unpack_from(buffer, start)
    found = attributes(buffer, start + NDMSG.size, end)
    address, mac = found.get(NDA_DST, b""), found.get(NDA_LLADDR, b"")
    if not state & NUD_PERMANENT or len(address) != 4 or len(mac) != 6:
        return None
    return ifindex, int.from_bytes(address, "big"), mac


def read_hop(buffer: bytes, start: int, end: int) -> HopRow:
    """Return a next hop; interface and gateway are 0 for groups and black holes."""
    if end - start == _READ_HOP.size:
        _unused, _unused, protocol, _unused, one, identifier, two, ifindex, three, gateway = _READ_HOP.unpack_from(
            buffer, start
        )
        if one == _HOP_ID and two == _HOP_OIF and three == _HOP_GATEWAY:
            return HopRow(identifier, protocol, ifindex, int.from_bytes(gateway, "big"))
    _unused, _unused, protocol, _unused = NHMSG.unpack_from(buffer, start)
    found = attributes(buffer, start + NHMSG.size, end)
    gateway = found.get(NHA_GATEWAY, b"")
    return HopRow(
        u32(found.get(NHA_ID)),
        protocol,
        u32(found.get(NHA_OIF)),
        int.from_bytes(gateway, "big") if len(gateway) == 4 else 0,
    )


def read_route(buffer: bytes, start: int, end: int) -> RouteRow | None:
    """Return a route; None where it is not of the main table. By a next hop, interface and gateway are 0."""
    if end - start >= _READ_HOP_ROUTE.size:
        (
            _family, length, _source, tos, _table, protocol, _scope, kind, _flags,
            table, title, first, one, next_hop,
        ) = _READ_HOP_ROUTE.unpack_from(buffer, start)  # fmt: skip
        if table == _ROUTE_TABLE and title == _ROUTE_DST and one == _ROUTE_NH_ID:
            return RouteRow(int.from_bytes(first, "big"), length, protocol, kind, tos, 0, next_hop, 0, 0)
    if end - start == _READ_PLAIN_ROUTE.size:
        (
            _family, length, _source, tos, _table, protocol, _scope, kind, flags,
            table, title, first, one, gateway, two, ifindex,
        ) = _READ_PLAIN_ROUTE.unpack_from(buffer, start)  # fmt: skip
        if table == _ROUTE_TABLE and title == _ROUTE_DST and one == _ROUTE_GATEWAY and two == _ROUTE_OIF:
            way = int.from_bytes(gateway, "big")
            bare = kind == RTN_UNICAST and not tos and not flags & RTNH_F_ONLINK
            return RouteRow(int.from_bytes(first, "big"), length, protocol, kind, tos, 0, 0, ifindex, way, bare)
    return _read_any_route(buffer, start, end)


def _read_any_route(buffer: bytes, start: int, end: int) -> RouteRow | None:
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
