# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the next-hop objects of the kernel, Linux 5.3 and later (linux/nexthop.h)."""

from __future__ import annotations

import errno
import socket
import struct

from ...named_tuple import NamedTuple
from .codec import NHMSG, attributes, title, u32
from .constants import NHA_GATEWAY, NHA_ID, NHA_OIF, RTM_GETNEXTHOP
from .rtnetlink import Netlink, NetlinkError

_ANSWER = struct.Struct("=BBBxI4sI4sI4s4s")
_ID, _OIF, _GATEWAY = title(4, NHA_ID), title(4, NHA_OIF), title(4, NHA_GATEWAY)


class HopRow(NamedTuple):
    """A next-hop object; interface and gateway are 0 for groups and black holes."""

    identifier: int
    protocol: int
    ifindex: int
    gateway: int


def next_hops(netlink: Netlink) -> list[HopRow]:
    """Return all next-hop objects: the kernel has no filter by protocol."""
    return netlink.dump(RTM_GETNEXTHOP, NHMSG.pack(socket.AF_INET, 0, 0, 0), read_hop)


def next_hops_supported(netlink: Netlink) -> bool:
    """Whether the kernel has next-hop objects."""
    try:
        next_hops(netlink)
    except NetlinkError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
            return False
        raise
    return True


def read_hop(buffer: bytes, start: int, end: int) -> HopRow:
    """Return the next-hop object in a message."""
    if end - start == _ANSWER.size:
        _unused, _unused, protocol, _unused, one, identifier, two, ifindex, three, gateway = _ANSWER.unpack_from(
            buffer, start
        )
        if one == _ID and two == _OIF and three == _GATEWAY:
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
