# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Test packets from a container's network namespace: ping with small and full-size packets, and a file over TCP."""

from __future__ import annotations

import ctypes
import errno
import http.client
import os
import socket
import struct
import time
from pathlib import Path
from typing import NamedTuple

from ..overlay.model.errors import KernelError

IP_HEADER, ICMP_HEADER = 20, 8  # bytes (RFC 791, RFC 792)
_CLONE_NEWNET = 0x40000000
_IP_MTU_DISCOVER, _IP_PMTUDISC_DO = 10, 2
_ECHO_REQUEST, _ECHO_REPLY = 8, 0
_ECHO = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence


class ProbeResult(NamedTuple):
    """The results for one peer; ``milliseconds`` is the round trip of a small packet, None without an answer."""

    milliseconds: float | None
    full_size: bool
    oversize_refused: bool
    tcp_bytes: int
    problems: list[str]


def enter_network(process: int) -> None:
    """Move this thread permanently into the network namespace of a process; raise KernelError if that fails."""
    path = Path(f"/proc/{process}/ns/net")
    try:
        with path.open("rb") as namespace:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    except OSError as error:
        raise KernelError(
            f"cannot enter the network of process {process}: {error.strerror}; check whether its container runs"
        ) from error


def probe_peer(address: str, mtu: int, port: int, path: str, timeout: float) -> ProbeResult:
    """Send test packets to a container: a small ping, one of ``mtu`` bytes, a larger one, and a request for a file."""
    problems: list[str] = []
    small = echo(address, IP_HEADER + ICMP_HEADER + 16, timeout)
    full = oversize = False
    received = 0
    if small is None:
        problems.append(f"{address} does not answer to ping")
    else:
        try:
            full = echo(address, mtu, timeout) is not None
        except OSError as error:
            problems.append(f"a packet of {mtu} bytes to {address} cannot be sent: {error.strerror}")
        else:
            if not full:
                problems.append(f"a packet of {mtu} bytes to {address} is lost: the path has a smaller MTU")
        oversize = _is_refused(address, mtu + 1, timeout)
        if not oversize:
            problems.append(f"a packet of {mtu + 1} bytes is sent: containers on this host do not have MTU {mtu}")
    try:
        received = fetch(address, port, path, timeout)
    except OSError as error:
        problems.append(f"TCP to {address}:{port} fails: {error.strerror or error}")
    return ProbeResult(None if small is None else round(small * 1000, 3), full, oversize, received, problems)


def echo(address: str, size: int, timeout: float, attempts: int = 3) -> float | None:
    """Send an unfragmented ICMP echo of ``size`` bytes with its IP header; return the round trip in seconds.

    Return None if no attempt is answered. Raise OSError (EMSGSIZE) if the packet is larger than the interface's MTU.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.getprotobyname("icmp")) as raw:
        raw.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO)
        identifier = int.from_bytes(os.urandom(2), "big")
        for sequence in range(attempts):
            packet = _echo_request(identifier, sequence, size - IP_HEADER - ICMP_HEADER)
            started = time.monotonic()
            try:
                raw.sendto(packet, (address, 0))
            except OSError as error:
                if error.errno == errno.EMSGSIZE:
                    raise
                time.sleep(timeout / attempts)  # the route or the peer's MAC may not be known yet
                continue
            if _answered(raw, address, identifier, sequence, started + timeout / attempts):
                return time.monotonic() - started
    return None


def fetch(address: str, port: int, path: str, timeout: float) -> int:
    """Return the size in bytes of a file from a web server; raise OSError if it cannot be read."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise OSError(errno.EPROTO, f"the server answered HTTP {response.status} to GET {path}")
        return len(body)
    except http.client.HTTPException as error:
        raise OSError(errno.EPROTO, f"the answer is incomplete: {error}") from error
    finally:
        connection.close()


def _is_refused(address: str, size: int, timeout: float) -> bool:
    try:
        return echo(address, size, timeout / 3, attempts=1) is None
    except OSError:
        return True


def _echo_request(identifier: int, sequence: int, length: int) -> bytes:
    payload = bytes(length)
    header = _ECHO.pack(_ECHO_REQUEST, 0, 0, identifier, sequence)
    return _ECHO.pack(_ECHO_REQUEST, 0, _checksum(header + payload), identifier, sequence) + payload


def _checksum(data: bytes) -> int:
    """Return the internet checksum (RFC 1071)."""
    padded = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _answered(raw: socket.socket, address: str, identifier: int, sequence: int, end: float) -> bool:
    while True:
        left = end - time.monotonic()
        if left <= 0:
            return False
        raw.settimeout(left)
        try:
            packet, (sender, _unused) = raw.recvfrom(65535)
        except socket.timeout:
            return False
        start = (packet[0] & 0x0F) * 4
        kind, _unused, _unused, its_identifier, its_sequence = _ECHO.unpack_from(packet, start)
        if (sender, kind, its_identifier, its_sequence) == (address, _ECHO_REPLY, identifier, sequence):
            return True
