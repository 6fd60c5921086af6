# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Joins the TCP segments of one flow into one large packet for the TUN device, which the kernel takes as a whole.

The kernel receives a burst of datagrams of equal size as one buffer (UDP_GRO). Writing each packet to the TUN device
costs a system call and the way through the network stack; one large packet with a virtio_net_hdr (linux/virtio_net.h)
costs that once. The kernel does not verify the checksum of such a packet, so all checksums are verified here, in one
sum over the buffer.
"""

from __future__ import annotations

import struct

from ..named_tuple import NamedTuple
from .packets import TCP, checksum, ones_sum

_NEEDS_CHECKSUM, _GSO_TCPV4 = 1, 1  # flags and gso_type of struct virtio_net_hdr
_VNET = struct.Struct("=BBHHHH")  # flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
_TCP_CHECKSUM = 16  # position of the checksum in a TCP header
_ACK, _PUSH = 0x10, 0x08
_DONT_FRAGMENT = 0x4000
_LARGEST = 65535  # bytes in an IPv4 packet
# IPv4 header without options, then the TCP header: version to TOS, length, fragment bits to protocol, addresses and
# ports, sequence number, acknowledgement, offset, flags, window, urgent pointer.
_FIELDS = struct.Struct("!H H 2x H BB 2x 12s I I B B H 2x H")
_FIXED = 40  # bytes of both headers without options


class Run(NamedTuple):
    """Consecutive packets that can be written as one: the position after the last, their number, their TCP flags."""

    end: int
    number: int
    flags: int


def joinable(view: memoryview, start: int, end: int, size: int) -> Run | None:
    """Return the longest run of packets from ``start`` that can be joined; None if fewer than two can.

    There is a packet at each multiple of ``size`` bytes from there; the last may be shorter. Joinable are segments of
    one flow that differ in nothing but their sequence numbers, which continue, as in the kernel's GRO. The last one may
    have the flag PSH and be shorter.
    """
    # Packets of an odd length would put every second one at an odd position, where sums need swapped bytes.
    if end - start < size + _FIXED or size < _FIXED or size % 2:
        return None
    first = _FIELDS.unpack_from(view, start)
    kind, length, fragment, _ttl, protocol, _flow, sequence, _unused, offset, flags, _window, urgent = first
    headers = 20 + (offset >> 4) * 4
    if (
        kind >> 8 != 0x45
        or protocol != TCP
        or length != size
        or fragment != _DONT_FRAGMENT
        or flags != _ACK
        or urgent
        or not _FIXED <= headers < size
    ):
        return None
    head, tail, rest = first[2:6], first[7:9], first[10:]
    options = bytes(view[start + _FIXED : start + headers])
    payload, position, count = size - headers, start + size, 1
    limit = min(end, start + _LARGEST - size)
    while position + headers < limit:
        other = _FIELDS.unpack_from(view, position)
        sequence = (sequence + payload) & 0xFFFFFFFF
        flags, length = other[9], other[1]
        if (
            other[6] != sequence
            or other[2:6] != head
            or other[7:9] != tail
            or other[10:] != rest
            or other[0] != kind
            or flags & ~_PUSH != _ACK
            or not headers < length <= size
            or position + length > end
            or view[position + _FIXED : position + headers] != options
        ):
            break
        position += length
        count += 1
        if flags != _ACK or length != size:
            return Run(position, count, flags)
    return Run(position, count, _ACK) if count > 1 else None


def join(view: memoryview, start: int, size: int, run: Run) -> list[bytes | memoryview] | None:
    """Return the parts of the joined packet, to be written by one writev; None if a checksum is wrong."""
    headers = 20 + (view[start + 32] >> 4) * 4
    payload = run.end - start - run.number * headers
    addresses = ones_sum(view[start + 12 : start + 20]) + TCP
    # A correct IPv4 header sums up to zero, and so does a correct segment together with its pseudo header.
    pseudo = run.number * (addresses + headers - 20) + payload
    if (ones_sum(view[start : run.end]) + pseudo) % 65535:
        return None
    header = bytearray(view[start : start + headers])
    header[2:4] = (headers + payload).to_bytes(2, "big")
    header[10:12] = bytes(2)
    header[10:12] = checksum(header[:20]).to_bytes(2, "big")
    header[33] = run.flags
    # A partial checksum, which the kernel completes: the sum of the pseudo header.
    partial = (addresses + headers - 20 + payload) % 65535
    header[20 + _TCP_CHECKSUM : 22 + _TCP_CHECKSUM] = partial.to_bytes(2, "big")
    vnet = _VNET.pack(_NEEDS_CHECKSUM, _GSO_TCPV4, headers, size - headers, 20, _TCP_CHECKSUM)
    starts = range(start + headers, run.end, size)
    return [vnet, bytes(header), *(view[one : min(one + size - headers, run.end)] for one in starts)]
