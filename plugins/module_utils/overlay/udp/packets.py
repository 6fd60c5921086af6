# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IPv4 packets as bytes: checks, checksums (RFC 1071) and ICMP errors (RFC 792). Pure."""

from __future__ import annotations

import struct

IPV4_HEADER = 20  # bytes, without options
ICMP, TCP = 1, 6  # protocol numbers
NET_UNREACHABLE = (3, 0)  # ICMP type and code
TIME_EXCEEDED = (11, 0)
_ICMP_ERRORS = {3, 4, 5, 11, 12}  # ICMP types that must not be answered by an error (RFC 1122, section 3.2.2)
_MULTICAST = 224  # the first byte of a multicast address; above it are reserved addresses and broadcasts
_HEADER = struct.Struct("!BBHHHBBH4s4s")
_ICMP_TTL = 64
_PART = 4096  # bytes, an even number


def ones_sum(data: bytes | bytearray | memoryview) -> int:
    """Return the sum of the 16-bit words modulo 65535; a last single byte is the upper half of a word.

    Long data are summed in parts, because the modulo takes twice as long as all the rest.
    """
    size = len(data)
    if size <= _PART:
        value = int.from_bytes(data, "big")
        return (value << 8 if size % 2 else value) % 65535
    whole = size - size % _PART
    value = sum([int.from_bytes(data[start : start + _PART], "big") for start in range(0, whole, _PART)])
    return (value + ones_sum(data[whole:])) % 65535


def checksum(data: bytes | bytearray | memoryview) -> int:
    """Return the Internet checksum of bytes whose checksum field is zero."""
    return 65535 - ones_sum(data)


def packet_length(view: memoryview) -> int:
    """Return the length of the IPv4 packet at the start of a datagram, 0 for anything else.

    Bytes after the packet are not part of it. Only what is needed to forward it is checked; the kernel that receives
    it checks the rest.
    """
    size = len(view)
    if size < IPV4_HEADER or view[0] >> 4 != 4:
        return 0
    header, total = (view[0] & 15) * 4, view[2] << 8 | view[3]
    return total if IPV4_HEADER <= header <= total <= size else 0


def carry_around(packet: bytearray, start: int) -> None:
    """Add 1 to the checksum's upper byte, which is 255, in the packet that starts at this position (RFC 1141).

    That is what a TTL smaller by one does to the checksum.
    """
    lower = packet[start + 11]
    packet[start + 10], packet[start + 11] = (0, lower + 1) if lower < 255 else (1, 0)


def icmp_error(kind: tuple[int, int], source: bytes, packet: bytes) -> bytes | None:
    """Return an IPv4 packet with an ICMP error about a packet, sent by the address ``source``.

    None if the packet must not be answered: an ICMP error, a later fragment, or one from or to many hosts
    (RFC 1122, section 3.2.2).
    """
    header = (packet[0] & 15) * 4
    is_error = packet[9] == ICMP and (len(packet) <= header or packet[header] in _ICMP_ERRORS)
    is_later_fragment = (packet[6] & 0x1F) << 8 | packet[7]
    sender = packet[12:16]
    if is_error or is_later_fragment or packet[16] >= _MULTICAST or sender[0] >= _MULTICAST or sender[0] in (0, 127):
        return None
    body = bytes(4) + packet[: header + 8]
    message = struct.pack("!BBH", *kind, checksum(struct.pack("!BBH", *kind, 0) + body)) + body
    start = _HEADER.pack(0x45, 0, IPV4_HEADER + len(message), 0, 0, _ICMP_TTL, ICMP, 0, source, sender)
    return start[:10] + checksum(start).to_bytes(2, "big") + start[12:] + message
