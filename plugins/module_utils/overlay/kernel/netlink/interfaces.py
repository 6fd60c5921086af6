# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the interfaces of the host, their addresses, and the path that a packet would take."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping

from ...named_tuple import NamedTuple
from .codec import IFADDRMSG, IFINFOMSG, RTMSG, attribute, attributes
from .constants import (
    IFA_ADDRESS,
    IFA_FLAGS,
    IFA_LOCAL,
    IFF_UP,
    IFLA_ADDRESS,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    IFLA_MTU,
    RT_TABLE_MAIN,
    RTA_DST,
    RTA_GATEWAY,
    RTA_OIF,
    RTA_PREFSRC,
    RTA_PRIORITY,
    RTA_SRC,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETROUTE,
    RTN_UNICAST,
)
from .routes import dump_routes, main_table
from .rtnetlink import Netlink


class Link(NamedTuple):
    """A network interface. ``kind`` is empty for hardware; ``data`` holds the attributes of the kind."""

    ifindex: int
    name: str
    flags: int
    mtu: int
    mac: bytes
    kind: str
    data: Mapping[int, bytes]

    @property
    def up(self) -> bool:
        """Whether it is administratively up."""
        return bool(self.flags & IFF_UP)


class InterfaceAddress(NamedTuple):
    """An IPv4 address (integer) of an interface, with its prefix length."""

    ifindex: int
    address: int
    length: int
    scope: int
    flags: int


class Path(NamedTuple):
    """The path of a packet: interface, source address and gateway; None for a missing address."""

    ifindex: int
    source: int | None
    gateway: int | None


def links(netlink: Netlink) -> list[Link]:
    """Return all interfaces, in the kernel's order."""
    return netlink.dump(RTM_GETLINK, IFINFOMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0, 0), _parse_link)


def link(netlink: Netlink, name: str) -> Link:
    """Return the interface of that name; raise NetlinkError (errno ENODEV) if it does not exist."""
    body = IFINFOMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0, 0) + attribute(IFLA_IFNAME, name.encode() + bytes(1))
    return netlink.ask(RTM_GETLINK, body, _parse_link)


def link_name(netlink: Netlink, ifindex: int) -> str:
    """Return the name of an interface, "" for index 0; raise NetlinkError (errno ENODEV) if it does not exist."""
    if ifindex == 0:  # a tunnel device that is not bound to an interface
        return ""
    return netlink.ask(RTM_GETLINK, IFINFOMSG.pack(socket.AF_UNSPEC, 0, 0, ifindex, 0, 0), _parse_link).name


def addresses(netlink: Netlink, index: int = 0) -> list[InterfaceAddress]:
    """Return the IPv4 addresses of one interface, or of all, in the kernel's order."""
    found = netlink.dump(RTM_GETADDR, IFADDRMSG.pack(socket.AF_INET, 0, 0, 0, index), _parse_address)
    return [address for address in found if index in (0, address.ifindex)]


def path_to(netlink: Netlink, address: int, source: int | None = None) -> Path:
    """Return the path to an address, as the kernel would route; raise NetlinkError (ENETUNREACH, ...) for none.

    ``source`` is the source address of the packets, an address of this host: routing policies may depend on it.
    """
    body = RTMSG.pack(socket.AF_INET, 32, 0 if source is None else 32, 0, 0, 0, 0, 0, 0)
    body += attribute(RTA_DST, address.to_bytes(4, "big"))
    if source is not None:
        body += attribute(RTA_SRC, source.to_bytes(4, "big"))
    return netlink.ask(RTM_GETROUTE, body, _parse_path)


def default_paths(netlink: Netlink) -> list[Path]:
    """Return the default routes of the main table; the one that the kernel prefers comes first."""
    found = dump_routes(netlink, main_table(kind=RTN_UNICAST), _parse_default)
    return [path for _unused, path in sorted(found, key=lambda entry: entry[0])]


def _parse_link(buffer: bytes, start: int, end: int) -> Link:
    _unused, _unused, _unused, index, flags, _unused = IFINFOMSG.unpack_from(buffer, start)
    found = attributes(buffer, start + IFINFOMSG.size, end)
    information = found.get(IFLA_LINKINFO, b"")
    inner = attributes(information, 0, len(information))
    data = inner.get(IFLA_INFO_DATA, b"")
    return Link(
        ifindex=index,
        name=_text(found[IFLA_IFNAME]),
        flags=flags,
        mtu=_number(found.get(IFLA_MTU, b"")),
        mac=found.get(IFLA_ADDRESS, b""),
        kind=_text(inner.get(IFLA_INFO_KIND, b"")),
        data=attributes(data, 0, len(data)),
    )


def _parse_address(buffer: bytes, start: int, end: int) -> InterfaceAddress:
    _unused, length, flags, scope, index = IFADDRMSG.unpack_from(buffer, start)
    found = attributes(buffer, start + IFADDRMSG.size, end)
    value = found.get(IFA_LOCAL) or found.get(IFA_ADDRESS, b"")
    flags = _number(found[IFA_FLAGS]) if IFA_FLAGS in found else flags
    return InterfaceAddress(index, int.from_bytes(value, "big"), length, scope, flags)


def _parse_path(buffer: bytes, start: int, end: int) -> Path:
    found = attributes(buffer, start + RTMSG.size, end)
    source, gateway = found.get(RTA_PREFSRC), found.get(RTA_GATEWAY)
    return Path(
        ifindex=_number(found.get(RTA_OIF, b"")),
        source=None if source is None else int.from_bytes(source, "big"),
        gateway=None if gateway is None else int.from_bytes(gateway, "big"),
    )


def _parse_default(buffer: bytes, start: int, end: int) -> tuple[int, Path] | None:
    _family, length, _source, _tos, table, _protocol, _scope, kind, _flags = RTMSG.unpack_from(buffer, start)
    if length or table != RT_TABLE_MAIN or kind != RTN_UNICAST:
        return None
    found = attributes(buffer, start + RTMSG.size, end)
    return _number(found.get(RTA_PRIORITY, b"")), _parse_path(buffer, start, end)


def _number(value: bytes) -> int:
    return int.from_bytes(value, sys.byteorder)


def _text(value: bytes) -> str:
    return value.rstrip(bytes(1)).decode(errors="replace")
