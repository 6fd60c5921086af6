# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Chooses the underlay: the interface that carries the overlay, and its address for other hosts, as flannel does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..model.addresses import Subnet, format_ipv4, parse_ipv4
from ..model.errors import KernelError
from ..model.overlap import is_exempt
from ..model.underlay import Underlay
from ..named_tuple import NamedTuple
from .netlink.constants import IFA_F_DEPRECATED, IFA_F_PERMANENT, IFF_LOOPBACK, RT_SCOPE_LINK
from .netlink.interfaces import InterfaceAddress, Link, addresses, default_paths, links, path_to
from .netlink.rtnetlink import Netlink, NetlinkError
from .tunnels import PREFIX, READERS

NOT_FOUND = "Failed to find interface to use that matches the interfaces and/or regexes provided"


class _Interface(NamedTuple):
    link: Link
    addresses: tuple[InterfaceAddress, ...]

    @property
    def is_tunnel(self) -> bool:
        """Whether it is a tunnel device of the overlay."""
        return self.link.kind in READERS and self.link.name.startswith(PREFIX)

    @property
    def is_own_or_loopback(self) -> bool:
        """Whether --iface-regex ignores it: loopback, or a tunnel device of the overlay."""
        return self.is_tunnel or bool(self.link.flags & IFF_LOOPBACK)

    @property
    def is_dockers(self) -> bool:
        """Whether it is a bridge of Docker."""
        return is_exempt(self.link.name)

    def __str__(self) -> str:
        shown = ", ".join(f"{format_ipv4(one.address)}/{one.length}" for one in self.addresses)
        return f"{self.link.name} ({shown})"


def choose_underlay(
    iface: Sequence[str], iface_regex: Sequence[str], can_reach: str, public_ip: str
) -> tuple[Underlay, int]:
    """Return the underlay interface and the address (integer) by which other hosts reach this one.

    In this order, as flannel does: the first of ``iface`` (names or addresses) that can be used, the first of
    ``iface_regex`` that matches an address or else a name, the path to ``can_reach``, the interface that holds
    ``public_ip``, the default route. Raise KernelError with the options, the
    existing interfaces and what to do.
    """
    public = _address("--public-ip", public_ip) if public_ip else None
    netlink = Netlink()
    try:
        known = _interfaces(netlink)
        if iface or iface_regex:
            underlay = _by_name(known, iface, iface_regex)
        elif can_reach:
            underlay = _by_path(netlink, known, _address("--iface-can-reach", can_reach))
        else:
            holder = None if public is None else _holder(known, public)
            underlay = _underlay(holder, public) if holder else _by_default_route(netlink, known)
    finally:
        netlink.close()
    return underlay, underlay.address if public is None else public


def _interfaces(netlink: Netlink) -> list[_Interface]:
    found = addresses(netlink)
    return [
        _Interface(link, tuple(address for address in found if address.ifindex == link.ifindex))
        for link in links(netlink)
    ]


def _by_name(known: Sequence[_Interface], iface: Iterable[str], iface_regex: Iterable[str]) -> Underlay:
    found = [_named(known, wanted) for wanted in iface] + [_matching(known, pattern) for pattern in iface_regex]
    problems: list[KernelError] = []
    for candidate in found:
        if candidate is None:
            continue
        try:
            return _underlay(*candidate)
        except KernelError as error:
            problems.append(error)
    if problems:
        raise problems[0]
    asked = [f"--iface={name}" for name in iface] + [f"--iface-regex={pattern}" for pattern in iface_regex]
    raise KernelError(f"{NOT_FOUND}: {' '.join(asked)}; {_usable_interfaces(known)}")


def _named(known: Iterable[_Interface], wanted: str) -> tuple[_Interface, int | None] | None:
    """Return the interface of that name, or the one that holds the address with that address chosen."""
    try:
        address = parse_ipv4(wanted)
    except ValueError:
        return next(((interface, None) for interface in known if interface.link.name == wanted), None)
    holder = _holder(known, address)
    return None if holder is None else (holder, address)


def _matching(known: Iterable[_Interface], pattern: str) -> tuple[_Interface, int | None] | None:
    """Return the first interface whose address, else whose name, the expression is found in."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise KernelError(f"--iface-regex={pattern} is not a regular expression: {error}") from None
    candidates = [interface for interface in known if not interface.is_own_or_loopback]
    for interface in candidates:
        for one in _usable(interface):
            if expression.search(format_ipv4(one.address)):
                return interface, one.address
    return next(((interface, None) for interface in candidates if expression.search(interface.link.name)), None)


def _by_path(netlink: Netlink, known: Iterable[_Interface], address: int) -> Underlay:
    """Return the interface of the path to an address; of an own address, the interface that holds it.

    The kernel's path to an own address is loopback. A fleet may have one value for all hosts, so one host may hold it.
    """
    holder = _holder(known, address)
    if holder is not None:
        return _underlay(holder, address)
    try:
        path = path_to(netlink, address)
    except NetlinkError as error:
        asked = f"--iface-can-reach={format_ipv4(address)}"
        raise KernelError(f"{NOT_FOUND}: {asked} cannot be reached ({error}); {_usable_interfaces(known)}") from error
    return _underlay(_by_index(known, path.ifindex), path.source)


def _by_default_route(netlink: Netlink, known: Iterable[_Interface]) -> Underlay:
    for path in default_paths(netlink):
        if path.ifindex:
            return _underlay(_by_index(known, path.ifindex), None)
    raise KernelError(f"{NOT_FOUND}: no interface is named and there is no default route; {_usable_interfaces(known)}")


def _by_index(known: Iterable[_Interface], index: int) -> _Interface:
    for interface in known:
        if interface.link.ifindex == index:
            return interface
    raise KernelError(
        f"{NOT_FOUND}: the interface with index {index} of the route no longer exists; {_usable_interfaces(known)}"
    )


def _holder(known: Iterable[_Interface], address: int) -> _Interface | None:
    return next((one for one in known if any(held.address == address for held in one.addresses)), None)


def _underlay(chosen: _Interface, address: int | None) -> Underlay:
    link = chosen.link
    if chosen.is_tunnel:
        raise KernelError(
            f"interface {link.name} is a tunnel device of the overlay, which cannot carry the overlay; set --iface to "
            f"another interface"
        )
    if not link.up:
        raise KernelError(
            f"interface {link.name} is down; bring it up (ip link set {link.name} up), or set --iface to another "
            f"interface"
        )
    usable = _usable(chosen)
    if address is None and not usable:
        raise KernelError(
            f"interface {link.name} has no usable IPv4 address; add an address (ip address add ADDRESS/LENGTH dev "
            f"{link.name}), or set --iface to another interface"
        )
    networks = dict.fromkeys(Subnet.of(one.address, one.length) for one in chosen.addresses)
    best = usable[0].address if address is None else address
    return Underlay(link.name, link.ifindex, best, link.mtu, tuple(networks))


def _usable(interface: _Interface) -> list[InterfaceAddress]:
    """Return the possible public IPs, best first: global before link-local, permanent before dynamic."""
    fit = [one for one in interface.addresses if one.scope <= RT_SCOPE_LINK and not one.flags & IFA_F_DEPRECATED]
    return sorted(fit, key=lambda one: (_is_local(one), not one.flags & IFA_F_PERMANENT))


def _is_local(one: InterfaceAddress) -> bool:
    return one.scope == RT_SCOPE_LINK or one.address >> 16 == 0xA9FE  # 169.254.0.0/16, RFC 3927


def _address(option: str, text: str) -> int:
    try:
        return parse_ipv4(text)
    except ValueError as error:
        raise KernelError(f"{option}: {error}") from None


def _usable_interfaces(known: Iterable[_Interface]) -> str:
    """Return the interfaces that can carry the overlay, in words."""
    fit = [one for one in known if one.link.up and _usable(one) and not (one.is_own_or_loopback or one.is_dockers)]
    return f"usable interfaces: {', '.join(map(str, fit)) or 'none'}"
