# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the host's own addresses and routes for the rule about overlaps (model/overlap.py)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..model.addresses import Subnet
from ..model.overlap import HostAddress, HostNetworks, HostRoute
from .netlink.codec import RTMSG
from .netlink.constants import IFF_NOARP, IFF_POINTOPOINT, RTN_UNICAST, RTPROT_KERNEL
from .netlink.interfaces import Link, addresses, links
from .netlink.routes import RouteRow, dump_routes, main_table, read_route
from .netlink.rtnetlink import Netlink
from .ownership import PROTOCOL


def read_host_networks(endpoints: Iterable[int] = ()) -> HostNetworks:
    """Return the addresses and the unicast routes of the main table, without the overlay's; raise KernelError."""
    netlink = Netlink()
    try:
        devices = {link.ifindex: link for link in links(netlink)}
        held = [
            HostAddress(one.address, devices[one.ifindex].name) for one in addresses(netlink) if one.ifindex in devices
        ]
        rows = dump_routes(netlink, main_table(), _read_foreign)
    finally:
        netlink.close()
    routes = (_host_route(row, devices) for row in rows if row.kind == RTN_UNICAST)
    return HostNetworks(tuple(held), tuple(routes), tuple(endpoints))


def _read_foreign(buffer: bytes, start: int, end: int) -> RouteRow | None:
    """Return a route, None for one of ours: a fleet has thousands of those."""
    protocol = RTMSG.unpack_from(buffer, start)[5]
    return None if protocol == PROTOCOL else read_route(buffer, start, end)


def _host_route(row: RouteRow, devices: Mapping[int, Link]) -> HostRoute:
    link = devices.get(row.ifindex)
    is_shared = link is not None and not link.flags & (IFF_POINTOPOINT | IFF_NOARP)
    connected = row.protocol == RTPROT_KERNEL and not row.gateway and is_shared
    return HostRoute(Subnet(row.first, row.length), link.name if link else "", row.gateway, connected)
