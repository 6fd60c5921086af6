# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The data path: sends packets of the TUN device to the host of their subnet, one in each datagram, and receives them.

Each wake-up carries many packets. The kernel segments the packets of containers and completes their checksums.
Consecutive packets to one host are sent by one system call (UDP_SEGMENT), and received by one (UDP_GRO). TCP segments
among them enter the network stack as one packet (segments.py).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import sys
import time
from collections.abc import Mapping

from .packets import IPV4_HEADER, NET_UNREACHABLE, TIME_EXCEEDED, carry_around, icmp_error, packet_length
from .protocol import Settings
from .segments import join, joinable
from .tun import VNET_HEADER

Host = tuple[str, int]  # public address and UDP port
Peers = Mapping[tuple[int, int], Host]  # by first address and prefix length of the subnet

_UDP_SEGMENT, _UDP_GRO = 103, 104  # linux/udp.h
_GRO_SPACE = socket.CMSG_SPACE(4)
_NO_WAIT, _TRUNCATED = int(socket.MSG_DONTWAIT), int(socket.MSG_TRUNC)
_MOST_SEGMENTS = 64  # UDP_MAX_SEGMENTS of older kernels
_MOST_BYTES = 65000  # of payload in one call
_TUN_BURST, _SOCKET_BURST = 256, 16  # packets and buffers for one wake-up
_SOCKET_BUFFER = 4 << 20  # bytes; a burst, or what arrives while the process is replaced
_MOST_CACHED = 16384  # destinations
_ERRORS_PER_SECOND = 100  # ICMP errors
_DESTINATION = struct.Struct("=I")
_PLAIN = bytes(VNET_HEADER)  # struct virtio_net_hdr of a packet without offloads
# Errors of a single datagram, after which the socket still works; the packet is lost, as on any network.
_NO_SEGMENTS = (errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.ENOPROTOOPT, errno.EOPNOTSUPP)


class Counters:
    """Numbers of packets, for the status."""

    __slots__ = ("corrupt", "errors", "foreign", "received", "sent", "ttl", "unknown", "unsent")

    def __init__(self) -> None:
        self.sent = self.received = self.unsent = self.unknown = self.ttl = self.foreign = self.corrupt = 0
        self.errors = 0

    def values(self) -> dict[str, int]:
        """Return the numbers by name."""
        return {name: getattr(self, name) for name in self.__slots__}


def open_socket(address: str, port: int) -> socket.socket:
    """Return the UDP socket of the data path; raise OSError if the port is in use."""
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        for option, plain in ((33, socket.SO_RCVBUF), (32, socket.SO_SNDBUF)):  # SO_RCVBUFFORCE, SO_SNDBUFFORCE
            try:
                out.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER)
            except OSError:
                out.setsockopt(socket.SOL_SOCKET, plain, _SOCKET_BUFFER)
        with contextlib.suppress(OSError):  # Linux before 5.0
            out.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
        out.bind((address, port))
    except BaseException:
        out.close()
        raise
    return out


class Datapath:
    """Carries packets between a TUN device and a UDP socket; the caller waits until one of them is readable."""

    def __init__(
        self, tun: int, out: socket.socket, settings: Settings, peers: Peers, sources: set[str] | None
    ) -> None:
        """Take over the descriptors. Packets are accepted from the addresses in ``sources``, None for any."""
        self.tun = tun
        self.socket = out
        self.settings = settings
        self.counters = Counters()
        self._peers: dict[tuple[int, int], Host] = {}
        self._lengths: list[int] = []
        self._sources = sources
        self._cache: dict[int, Host] = {}
        self._segments = True  # whether the socket takes UDP_SEGMENT
        self._room = 65536
        self._out = bytearray(max(_TUN_BURST * (settings.mtu + 1), 4 * self._room))
        self._in = bytearray(1 << 16)
        self._out_view, self._in_view = memoryview(self._out), memoryview(self._in)
        self._head = bytearray(VNET_HEADER)
        self._icmp: socket.socket | None = None
        self._allowance, self._refilled = float(_ERRORS_PER_SECOND), time.monotonic()
        self.set_peers(peers, sources)

    def set_peers(self, peers: Peers, sources: set[str] | None) -> None:
        """Replace all peers, and the addresses from which packets are accepted."""
        self._peers = dict(peers)
        self._lengths = sorted({length for _first, length in self._peers}, reverse=True)
        self._sources = sources
        self._cache = {}

    def host_of(self, destination: int) -> Host | None:
        """Return the host of a destination (address in network byte order as a native integer), None for none."""
        address = int.from_bytes(_DESTINATION.pack(destination), "big")
        for length in self._lengths:
            host = self._peers.get((address & ~((1 << (32 - length)) - 1), length))
            if host is not None:
                if len(self._cache) >= _MOST_CACHED:
                    self._cache.clear()
                self._cache[destination] = host
                return host
        return None

    def from_tun(self) -> None:
        """Send what waits in the TUN device. Raise OSError if the device is gone."""
        buffer, view, tun, head, readv = self._out, self._out_view, self.tun, self._head, os.readv
        find, destination_of, last = self._cache.get, _DESTINATION.unpack_from, len(self._out) - self._room
        start = end = size = count = 0
        to: Host | None = None
        for _unused in range(_TUN_BURST):
            try:
                length = readv(tun, (head, view[end:])) - VNET_HEADER
            except BlockingIOError:
                break
            if length < IPV4_HEADER or buffer[end] >> 4 != 4:
                continue  # IPv6, for example router solicitations
            key = destination_of(buffer, end + 16)[0]
            host = find(key) or self.host_of(key)
            ttl, upper = buffer[end + 8], buffer[end + 10]
            if host is None or ttl <= 1:
                self._refuse(host is None, bytes(view[end : end + min(length, 128)]))
                continue
            buffer[end + 8] = ttl - 1
            if upper < 255:
                buffer[end + 10] = upper + 1
            else:
                carry_around(buffer, end)
            if host is to and length <= size and count < _MOST_SEGMENTS and end + length - start <= _MOST_BYTES:
                count += 1
            else:
                if to is not None:
                    self._send(view[start:end], size, count, to)
                start, size, to, count = end, length, host, 1
            end += length
            if length < size or end > last:  # only the last packet of a call may be shorter
                if to is not None:
                    self._send(view[start:end], size, count, to)
                to = None
                start = end = 0
        if to is not None:
            self._send(view[start:end], size, count, to)

    def from_socket(self) -> None:
        """Write what waits in the socket to the TUN device. Raise OSError if the device is gone."""
        view, sources = self._in_view, self._sources
        for _unused in range(_SOCKET_BURST):
            try:
                length, notes, flags, source = self.socket.recvmsg_into((view,), _GRO_SPACE, _NO_WAIT)
            except BlockingIOError:
                return
            if sources is not None and source[0] not in sources:
                self.counters.foreign += 1
            elif flags & _TRUNCATED:
                self.counters.corrupt += 1
            else:
                self._deliver(length, struct.unpack("=i", notes[0][2])[0] if notes else length)

    def close(self) -> None:
        """Close the sockets, but not the TUN device."""
        self.socket.close()
        if self._icmp is not None:
            self._icmp.close()

    def _send(self, data: memoryview, size: int, count: int, to: Host) -> None:
        """Send packets of one size, of which the last may be shorter, in one datagram each."""
        counters = self.counters
        if count > 1 and self._segments:
            try:
                self.socket.sendmsg(
                    (data,), ((socket.IPPROTO_UDP, _UDP_SEGMENT, size.to_bytes(2, sys.byteorder)),), 0, to
                )
            except OSError as error:
                if error.errno not in _NO_SEGMENTS:
                    counters.unsent += count
                    return
                # EMSGSIZE and EINVAL: the path has a smaller MTU, and the kernel fragments single datagrams.
                self._segments = error.errno in (errno.EMSGSIZE, errno.EINVAL)
            else:
                counters.sent += count
                return
        for start in range(0, len(data), size or 1):
            try:
                self.socket.sendto(data[start : start + size], to)
                counters.sent += 1
            except OSError:
                counters.unsent += 1

    def _deliver(self, length: int, size: int) -> None:
        """Write the packets in the receive buffer, of which there is one at each multiple of ``size``."""
        view, start = self._in_view, 0
        while start < length:
            run = joinable(view, start, length, size) if start + size < length else None
            parts = join(view, start, size, run) if run is not None else None
            if run is not None and parts is not None:
                self._write(parts, run.number)
                start += run.number * size
                continue
            # A run with a wrong checksum is delivered packet by packet: the receiver drops the corrupt one.
            for _unused in range(run.number if run is not None else 1):
                total = packet_length(view[start : min(start + size, length)])
                if total:
                    self._write([_PLAIN, view[start : start + total]], 1)
                else:
                    self.counters.corrupt += 1
                start += size

    def _write(self, parts: list[bytes | memoryview], count: int) -> None:
        try:
            os.writev(self.tun, parts)
            self.counters.received += count
        except OSError as error:
            if error.errno in (errno.EBADFD, errno.EBADF):
                raise
            self.counters.corrupt += count  # EINVAL: not a packet; EIO: the device is down

    def _refuse(self, unknown: bool, packet: bytes) -> None:
        """Answer a packet that cannot be sent by an ICMP error, a limited number of times per second."""
        if unknown:
            self.counters.unknown += 1
        else:
            self.counters.ttl += 1
        now = time.monotonic()
        self._allowance = min(_ERRORS_PER_SECOND, self._allowance + (now - self._refilled) * _ERRORS_PER_SECOND)
        self._refilled = now
        if self._allowance < 1:
            return
        self._allowance -= 1
        kind = NET_UNREACHABLE if unknown else TIME_EXCEEDED
        message = icmp_error(kind, socket.inet_aton(self.settings.own), packet)
        if message is None:
            return
        with contextlib.suppress(OSError):
            # Through a raw socket: the kernel drops what comes from a device with an address of its own.
            self._icmp = self._icmp or socket.socket(
                socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW
            )
            self._icmp.sendto(message, (socket.inet_ntoa(message[16:20]), 0))
            self.counters.errors += 1
