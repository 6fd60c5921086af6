# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Questions about the host's network: which interfaces and addresses there are, and which way a packet would go."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Mapping
from typing import NamedTuple

from .netlink import Netlink, NetlinkError, attribute, attributes

RTM_NEWLINK, RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE = 16, 18, 22, 26
LINK = struct.Struct("=BBHiII")  # struct ifinfomsg: family, padding, hardware type, index, flags, change
ADDRESS = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, prefix length, flags, scope, index
ROUTE = struct.Struct(
    "=BBBBBBBBI"
)  # struct rtmsg: family, dst and src length, tos, table, protocol, scope, type, flags
IFF_UP, IFF_LOOPBACK = 0x1, 0x8
SCOPE_UNIVERSE, SCOPE_SITE, SCOPE_LINK, SCOPE_HOST = 0, 200, 253, 254
ADDRESS_SECONDARY, ADDRESS_DEPRECATED, ADDRESS_PERMANENT = 0x01, 0x20, 0x80
MAIN_TABLE = 254
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO = 1, 3, 4, 10, 18
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_RTA_DST, _RTA_SRC, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC, _RTA_TABLE = 1, 2, 4, 5, 6, 7, 15
_RTN_UNICAST = 1


class Link(NamedTuple):
    """A network interface; ``kind`` is empty for hardware, ``data`` the attributes of the kind."""

    ifindex: int
    name: str
    flags: int
    mtu: int
    mac: bytes
    kind: str
    data: Mapping[int, bytes]

    @property
    def up(self) -> bool:
        """Whether it was told to be up."""
        return bool(self.flags & IFF_UP)


class InterfaceAddress(NamedTuple):
    """An IPv4 address (integer) of an interface, with the length of the network it is on."""

    ifindex: int
    address: int
    length: int
    scope: int
    flags: int


class Path(NamedTuple):
    """The way a packet would take: interface, own address it would carry and next hop; None where there is none."""

    ifindex: int
    source: int | None
    gateway: int | None


def links(netlink: Netlink) -> list[Link]:
    """Return all interfaces, in the kernel's order."""
    return netlink.dump(RTM_GETLINK, LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0, 0), _parse_link)


def link(netlink: Netlink, name: str) -> Link:
    """Return the interface of that name; raise NetlinkError (errno ENODEV) where there is none."""
    body = LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0, 0) + attribute(_IFLA_IFNAME, name.encode() + bytes(1))
    return netlink.ask(RTM_GETLINK, body, _parse_link)


def link_name(netlink: Netlink, ifindex: int) -> str:
    """Return the name of an interface; raise NetlinkError (errno ENODEV) where there is none."""
    return netlink.ask(RTM_GETLINK, LINK.pack(socket.AF_UNSPEC, 0, 0, ifindex, 0, 0), _parse_link).name


def addresses(netlink: Netlink, index: int = 0) -> list[InterfaceAddress]:
    """Return the IPv4 addresses of one interface, or of all, in the kernel's order."""
    found = netlink.dump(RTM_GETADDR, ADDRESS.pack(socket.AF_INET, 0, 0, 0, index), _parse_address)
    return [address for address in found if index in (0, address.ifindex)]


def path_to(netlink: Netlink, address: int, source: int | None = None) -> Path:
    """Return the way to an address, by the kernel's own look-up; raise NetlinkError (ENETUNREACH, ...) for none.

    ``source`` is an address of this host that the packets carry, for routing policies that depend on it.
    """
    body = ROUTE.pack(socket.AF_INET, 32, 0 if source is None else 32, 0, 0, 0, 0, 0, 0)
    body += attribute(_RTA_DST, address.to_bytes(4, "big"))
    if source is not None:
        body += attribute(_RTA_SRC, source.to_bytes(4, "big"))
    return netlink.ask(RTM_GETROUTE, body, _parse_path)


def default_paths(netlink: Netlink) -> list[Path]:
    """Return the default routes of the main table, the one the kernel prefers first."""
    body = ROUTE.pack(socket.AF_INET, 0, 0, 0, MAIN_TABLE, 0, 0, _RTN_UNICAST, 0)
    try:
        found = netlink.dump(RTM_GETROUTE, body + attribute(_RTA_TABLE, struct.pack("=I", MAIN_TABLE)), _parse_default)
    except NetlinkError as error:
        if error.errno == errno.ENOENT:
            return []  # the main table comes into being with its first route
        raise
    return [path for _unused, path in sorted(found, key=lambda entry: entry[0])]


def _parse_link(buffer: bytes, start: int, end: int) -> Link:
    _unused, _unused, _unused, index, flags, _unused = LINK.unpack_from(buffer, start)
    found = attributes(buffer, start + LINK.size, end)
    information = found.get(_IFLA_LINKINFO, b"")
    inner = attributes(information, 0, len(information))
    data = inner.get(_IFLA_INFO_DATA, b"")
    return Link(
        ifindex=index,
        name=_text(found[_IFLA_IFNAME]),
        flags=flags,
        mtu=_number(found.get(_IFLA_MTU, b"")),
        mac=found.get(_IFLA_ADDRESS, b""),
        kind=_text(inner.get(_IFLA_INFO_KIND, b"")),
        data=attributes(data, 0, len(data)),
    )


def _parse_address(buffer: bytes, start: int, end: int) -> InterfaceAddress:
    _unused, length, flags, scope, index = ADDRESS.unpack_from(buffer, start)
    found = attributes(buffer, start + ADDRESS.size, end)
    value = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS, b"")
    flags = _number(found[_IFA_FLAGS]) if _IFA_FLAGS in found else flags
    return InterfaceAddress(index, int.from_bytes(value, "big"), length, scope, flags)


def _parse_path(buffer: bytes, start: int, end: int) -> Path:
    found = attributes(buffer, start + ROUTE.size, end)
    source, gateway = found.get(_RTA_PREFSRC), found.get(_RTA_GATEWAY)
    return Path(
        ifindex=_number(found.get(_RTA_OIF, b"")),
        source=None if source is None else int.from_bytes(source, "big"),
        gateway=None if gateway is None else int.from_bytes(gateway, "big"),
    )


def _parse_default(buffer: bytes, start: int, end: int) -> tuple[int, Path] | None:
    _family, length, _source, _tos, table, _protocol, _scope, kind, _flags = ROUTE.unpack_from(buffer, start)
    if length or table != MAIN_TABLE or kind != _RTN_UNICAST:
        return None
    found = attributes(buffer, start + ROUTE.size, end)
    return _number(found.get(_RTA_PRIORITY, b"")), _parse_path(buffer, start, end)


def _number(value: bytes) -> int:
    return int.from_bytes(value, sys.byteorder)


def _text(value: bytes) -> str:
    return value.rstrip(bytes(1)).decode(errors="replace")
