# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Netlink messages as bytes: headers, attributes, and the fixed part of each kind of message.

Headers are in the byte order of the machine, addresses in network byte order.
"""

from __future__ import annotations

import struct

from .constants import NLA_TYPE_MASK, NLM_F_REQUEST

HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
ATTRIBUTE = struct.Struct("=HH")  # struct nlattr: length with this header, type
IFINFOMSG = struct.Struct("=BBHiII")  # family, padding, hardware type, index, flags, change
IFADDRMSG = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
RTMSG = struct.Struct("=BBBBBBBBI")  # family, dst and src length, tos, table, protocol, scope, type, flags
NDMSG = struct.Struct("=BxxxiHBB")  # family, index, state, flags, type
NHMSG = struct.Struct("=BBBxI")  # family, scope, protocol, flags
U32 = struct.Struct("=I")
NO_PORT = bytes(4)  # the last field of struct nlmsghdr, of a message to the kernel
_HEAD = struct.Struct("=IHH")


def message(sequence: int, kind: int, flags: int, body: bytes) -> bytes:
    """Return a request: header and body."""
    return HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | flags, sequence, 0) + body


def head(layout: struct.Struct, kind: int, flags: int) -> bytes:
    """Return the first eight bytes of all requests of one layout: length, type and flags."""
    return _HEAD.pack(layout.size, kind, NLM_F_REQUEST | flags)


def title(size: int, kind: int) -> bytes:
    """Return the header of an attribute with a value of this size."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + size, kind)


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded to four bytes."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) & 3)


def attributes(buffer: bytes, start: int, end: int) -> dict[int, bytes]:
    """Return the attributes between two positions of a buffer, by type."""
    found: dict[int, bytes] = {}
    while start + ATTRIBUTE.size <= end:
        length, kind = ATTRIBUTE.unpack_from(buffer, start)
        if length < ATTRIBUTE.size:
            break
        found[kind & NLA_TYPE_MASK] = buffer[start + ATTRIBUTE.size : start + length]
        start += (length + 3) & ~3
    return found


def attribute_list(buffer: bytes) -> list[tuple[int, bytes]]:
    """Return the attributes in a buffer in their order: a list has several of one type."""
    found: list[tuple[int, bytes]] = []
    start = 0
    while start + ATTRIBUTE.size <= len(buffer):
        length, kind = ATTRIBUTE.unpack_from(buffer, start)
        if length < ATTRIBUTE.size:
            break
        found.append((kind & NLA_TYPE_MASK, buffer[start + ATTRIBUTE.size : start + length]))
        start += (length + 3) & ~3
    return found


def u32(value: bytes | None) -> int:
    """Return the 32 bit number in an attribute, 0 for a missing attribute."""
    return int(U32.unpack(value)[0]) if value else 0
