# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ICMP echo (RFC 792) through one raw socket: many addresses and sizes at a time, never fragmented."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Collection, Iterable

from ..model.addresses import Subnet, format_ipv4
from ..named_tuple import NamedTuple
from .netlink.interfaces import addresses
from .netlink.rtnetlink import Netlink

HEADERS = 28  # bytes of the IP header and the ICMP header
_ECHO, _REPLY = 8, 0
_HEADER = struct.Struct("!BBHHH")
_IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE = 10, 3  # linux/in.h; sets "don't fragment" and ignores known path MTUs
_RECEIVE = 1 << 16


class Echo(NamedTuple):
    """One echo request: where to, and the size in bytes of its whole IP packet."""

    address: str
    size: int = 84


def inside(subnet: Subnet) -> tuple[str, ...]:
    """Return the addresses of a host in its subnet: of its tunnel device, and of its Docker bridge."""
    return tuple(format_ipv4(subnet.first + offset) for offset in (0, 1))


def own_address(own: Subnet) -> str:
    """Return this host's address in its own subnet: of Docker's bridge, else of the tunnel device; "" if none."""
    netlink = Netlink()
    try:
        held = {format_ipv4(one.address) for one in addresses(netlink)}
    finally:
        netlink.close()
    return next((address for address in reversed(inside(own)) if address in held), "")


def next_subnets(own: Subnet, others: Iterable[Subnet], count: int) -> list[Subnet]:
    """Return up to ``count`` subnets of others: the next ones after the own one, going round.

    So each host of a large fleet is chosen by ``count`` others.
    """
    known = sorted(others)
    return [*(each for each in known if each > own), *(each for each in known if each < own)][:count]


def ping(
    echoes: Iterable[Echo],
    source: str = "",
    tries: int = 2,
    timeout: float = 1.0,
    enough: Callable[[Collection[Echo]], bool] = lambda _answered: False,
) -> dict[Echo, float]:
    """Send the requests all at a time, again if there is no answer; return the delay in seconds of those answered.

    The wait ends when all are answered, or ``enough`` returns true for those answered so far.

    A request that the kernel refuses, for example because it is larger than the MTU of the device, has no answer.
    """
    waiting = list(dict.fromkeys(echoes))
    answered: dict[Echo, float] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_ICMP) as opened:
        opened.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE)
        if source:
            opened.bind((source, 0))
        for _attempt in range(tries):
            answered.update(_round(opened, waiting, timeout, lambda new: enough({*answered, *new})))
            waiting = [echo for echo in waiting if echo not in answered]
            if not waiting or enough(answered.keys()):
                break
    return answered


def _round(
    opened: socket.socket, echoes: list[Echo], timeout: float, enough: Callable[[Collection[Echo]], bool]
) -> dict[Echo, float]:
    """Send each request once, and collect answers until all have one or the time is over."""
    identifier = int.from_bytes(os.urandom(2), "big")
    sent: dict[int, tuple[Echo, float]] = {}
    for number, echo in enumerate(echoes):
        with contextlib.suppress(OSError):
            opened.sendto(_request(identifier, number, echo.size), (echo.address, 0))
            sent[number] = echo, time.monotonic()
    found: dict[Echo, float] = {}
    end = time.monotonic() + timeout
    while len(found) < len(sent) and not enough(found.keys()):
        if not select.select([opened], [], [], max(0.0, end - time.monotonic()))[0]:
            break
        packet, (address, _port) = opened.recvfrom(_RECEIVE)
        start = (packet[0] & 0xF) * 4
        if len(packet) < start + _HEADER.size:
            continue
        kind, _code, _sum, whose, number = _HEADER.unpack_from(packet, start)
        if kind == _REPLY and whose == identifier and number in sent and sent[number][0].address == address:
            found.setdefault(sent[number][0], time.monotonic() - sent[number][1])
    return found


def _request(identifier: int, number: int, size: int) -> bytes:
    data = bytes(max(0, size - HEADERS))
    blank = _HEADER.pack(_ECHO, 0, 0, identifier, number) + data
    return _HEADER.pack(_ECHO, 0, _checksum(blank), identifier, number) + data


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
