# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the kernel holds of ours: dumps of just those tables and rows, sorted into what a plan compares.

Ours is everything on our vxlan device, whoever made it (a host that had flannel), and elsewhere every route and next
hop with our protocol number inside the overlay network.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping

from ..model.addresses import Subnet
from ..model.errors import KernelError
from ..model.state import FdbEntry, Neighbour, Route, VxlanDevice
from . import vxlan
from .netlink.constants import (
    RTM_GETNEIGH,
    RTM_GETNEXTHOP,
    RTM_GETROUTE,
    RTN_UNICAST,
    RTN_UNREACHABLE,
    RTPROT_BOOT,
    RTPROT_KERNEL,
)
from .netlink.interfaces import Link, addresses, link, link_name, links
from .netlink.rows import (
    HopRow,
    RouteRow,
    ask_hops,
    ask_neighbours,
    ask_routes,
    hop_identifier,
    read_fdb,
    read_hop,
    read_neighbour,
    read_route,
)
from .netlink.rtnetlink import Netlink, NetlinkError
from .plan import DesiredState, ForeignRoute, FoundDevice, ObservedState
from .steps import LAST_METRIC, PROTOCOL, StrayRoute


def hops_supported(netlink: Netlink) -> bool:
    """Whether the kernel has next hops as objects of their own (5.3 and later)."""
    try:
        _hops(netlink)
    except NetlinkError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
            return False
        raise
    return True


class Observation:
    """One look at the kernel, for one overlay network."""

    def __init__(self, netlink: Netlink, has_hops: bool, by_hops: bool, network: Subnet) -> None:
        """Look through this socket; the kernel has next hops, and our own routes go by them, or not."""
        self._netlink = netlink
        self._has_hops = has_hops
        self._by_hops = by_hops
        self._network = network
        self._names: dict[int, str] = {}
        self._own: set[int] = set()
        self._routes: dict[Subnet, Route] = {}
        self._strays: list[StrayRoute] = []
        self._unreachable: StrayRoute | None = None

    def take(self, desired: DesiredState, leftovers: Collection[str]) -> ObservedState:
        """Return what is there. Raise KernelError where something else stands in the device's place."""
        found = self._device(desired.device) if desired.device else None
        left = [known.name for known in map(self._vxlan_link, leftovers) if known is not None]
        hops = {hop.identifier: hop for hop in _hops(self._netlink)} if self._has_hops else {}
        self._sort_routes(hops)
        neighbours, fdb, stray_fdb = (
            self._tunnel_rows(desired.device.name) if found and desired.device else ({}, {}, [])
        )
        missing = desired.routes.keys() - self._routes.keys()
        return ObservedState(
            device=found,
            routes=self._routes,
            neighbours=neighbours,
            fdb=fdb,
            leftovers=tuple(left),
            stray_routes=tuple(self._strays),
            stray_fdb=tuple(stray_fdb),
            stray_next_hops=tuple(self._unused(hops)),
            unreachable=self._unreachable,
            foreign_routes=self._foreign(missing, hops) if missing else {},
        )

    def _vxlan_link(self, name: str) -> Link | None:
        """Return the vxlan interface of that name and count it as ours, None where there is none."""
        try:
            found = link(self._netlink, name)
        except NetlinkError as error:
            if error.errno == errno.ENODEV:
                return None
            raise
        if found.kind != vxlan.KIND:
            raise KernelError(
                f"interface {name} is there but is {found.kind or 'hardware'}, not vxlan; it is left alone: "
                f"rename or remove it, or choose another VNI in the network config"
            )
        self._own.add(found.ifindex)
        self._names[found.ifindex] = name
        return found

    def _device(self, wanted: VxlanDevice) -> FoundDevice | None:
        found = self._vxlan_link(wanted.name)
        if found is None or vxlan.identity(found.data) != (wanted.vni, wanted.port):
            self._refuse_rival(wanted)
        if found is None:
            return None
        below = vxlan.underlay_index(found)
        held = tuple((one.address, one.length) for one in addresses(self._netlink, found.ifindex))
        return FoundDevice(vxlan.read(found, self._name(below)), found.up, held)

    def _refuse_rival(self, wanted: VxlanDevice) -> None:
        """Raise KernelError for a device that keeps the kernel from making ours."""
        for other in links(self._netlink):
            if other.name == wanted.name or other.kind != vxlan.KIND:
                continue
            if vxlan.identity(other.data) == (wanted.vni, wanted.port):
                raise KernelError(
                    f"{wanted.name} cannot be made: {other.name} already has VNI {wanted.vni} on port {wanted.port}; "
                    f"run `ip link delete {other.name}` if nothing needs it, or choose another VNI in the config"
                )

    def _sort_routes(self, hops: Mapping[int, HopRow]) -> None:
        """Sort the routes on our devices and those with our protocol number into rows and strays."""
        for own in self._own:
            for row in self._dump_routes(ask_routes(ifindex=own)):
                ifindex, gateway = _way(row, hops)
                # A kernel before 4.20 tells of all routes; its own ones it takes away with the address.
                if ifindex == own and row.protocol != RTPROT_KERNEL:
                    self._sort_route(row, ifindex, gateway)
        for row in self._dump_routes(ask_routes(protocol=PROTOCOL)):
            ifindex, gateway = _way(row, hops)
            inside = self._network.has(row.first) and row.length >= self._network.length
            if ifindex not in self._own and row.protocol == PROTOCOL and inside:
                self._sort_route(row, ifindex, gateway)

    def _sort_route(self, row: RouteRow, ifindex: int, gateway: int) -> None:
        first, length, protocol, kind, tos, metric, next_hop, *_unused = row
        subnet = Subnet(first, length)
        is_plain_shape = kind == RTN_UNICAST and gateway and not metric and not tos
        is_our_way = not next_hop or (self._by_hops and next_hop == hop_identifier(subnet))
        if is_plain_shape and is_our_way and subnet not in self._routes:
            self._routes[subnet] = Route(subnet, gateway, self._name(ifindex), ifindex in self._own)
        elif next_hop >= 0:
            name = self._name(ifindex) if ifindex else ""
            stray = StrayRoute(subnet, name, gateway, metric, tos, protocol, kind, next_hop)
            if (subnet, kind, metric, tos) == (self._network, RTN_UNREACHABLE, LAST_METRIC, 0):
                self._unreachable = stray
            else:
                self._strays.append(stray)

    def _unused(self, hops: Mapping[int, HopRow]) -> Iterator[int]:
        """Yield the ids of our next hops that no route of ours goes by."""
        used = {hop_identifier(subnet) for subnet in self._routes}
        for identifier, protocol, ifindex, _unused in hops.values():
            ours = protocol == PROTOCOL and (ifindex in self._own or self._network.has(identifier))
            if ours and not (self._by_hops and identifier in used):
                yield identifier

    def _tunnel_rows(self, name: str) -> tuple[dict[int, Neighbour], dict[bytes, FdbEntry], list[FdbEntry]]:
        """Return the neighbours and forwarding rows of our device, and the rows that repeat a MAC."""
        neighbours: dict[int, Neighbour] = {}
        fdb: dict[bytes, FdbEntry] = {}
        strays: list[FdbEntry] = []
        index = next(index for index, known in self._names.items() if known == name)
        body = ask_neighbours(socket.AF_INET, index)
        for ifindex, address, mac in self._netlink.dump(RTM_GETNEIGH, body, read_neighbour):
            if ifindex == index:
                neighbours[address] = Neighbour(name, address, mac)
        body = ask_neighbours(socket.AF_BRIDGE, index)
        for ifindex, destination, mac in self._netlink.dump(RTM_GETNEIGH, body, read_fdb):
            if ifindex != index:
                continue
            entry = FdbEntry(name, mac, destination)
            if fdb.setdefault(mac, entry) is not entry:
                strays.append(entry)
        return neighbours, fdb, strays

    def _foreign(self, missing: Collection[Subnet], hops: Mapping[int, HopRow]) -> dict[Subnet, ForeignRoute]:
        """Return the routes of others where we want one, by subnet; only metric 0, as ours wins over any other.

        Of several on one subnet it is the first, which the kernel uses.
        """
        found: dict[Subnet, ForeignRoute] = {}
        for row in self._dump_routes(ask_routes()):
            subnet = Subnet(row.first, row.length)
            if subnet not in missing or row.metric or row.tos:
                continue
            ifindex, gateway = _way(row, hops)
            if ifindex not in self._own and row.protocol != PROTOCOL:
                name = self._name(ifindex) if ifindex else ""
                route = Route(subnet, gateway, name, onlink=False)
                is_flannels = row.bare and row.protocol == RTPROT_BOOT
                found.setdefault(subnet, ForeignRoute(route, row.protocol, is_flannels))
        return found

    def _dump_routes(self, body: bytes) -> Iterable[RouteRow]:
        try:
            return self._netlink.dump(RTM_GETROUTE, body, read_route)
        except NetlinkError as error:
            if error.errno == errno.ENOENT:
                return []  # the main table comes into being with its first route
            raise

    def _name(self, ifindex: int) -> str:
        if ifindex not in self._names:
            self._names[ifindex] = link_name(self._netlink, ifindex)
        return self._names[ifindex]


def _way(row: RouteRow, hops: Mapping[int, HopRow]) -> tuple[int, int]:
    """Return interface index and gateway of a route; 0 for a part it does not have."""
    if row.next_hop:
        hop = hops.get(row.next_hop)
        return (hop.ifindex, hop.gateway) if hop else (0, 0)
    return row.ifindex, row.gateway


def _hops(netlink: Netlink) -> list[HopRow]:
    return netlink.dump(RTM_GETNEXTHOP, ask_hops(), read_hop)
