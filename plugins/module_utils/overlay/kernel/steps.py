# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps a plan is made of; ``str(step)`` is the ``ip`` or ``bridge`` command a person would type for it."""

from __future__ import annotations

from typing import NamedTuple, Union

from ..model.addresses import Subnet, format_ipv4, format_mac
from ..model.state import FdbEntry, Neighbour, Route, VxlanDevice

LAST_METRIC = 2**32 - 1  # of the unreachable route: any other route on the same range wins
PROTOCOL = 158  # marks our routes and next hops; no name in iproute2's rt_protos, below the dynamic daemons' 186 and up


class CreateDevice(NamedTuple):
    """Make the vxlan device; it is down and has no address yet."""

    device: VxlanDevice

    def __str__(self) -> str:
        mac, mtu = format_mac(self.device.mac), self.device.mtu
        gbp = " gbp" if self.device.gbp else ""
        return f"ip link add {self.device.name} address {mac} mtu {mtu} type vxlan {_tunnel(self.device)}{gbp}"


class SetTunnel(NamedTuple):
    """Change what a vxlan device can change while it lives: the interface below, the local address, learning."""

    device: VxlanDevice

    def __str__(self) -> str:
        return f"ip link set {self.device.name} type vxlan {_tunnel(self.device)}"


class SetMac(NamedTuple):
    """Give a device its MAC; the kernel then forgets the neighbours on it."""

    device: str
    mac: bytes

    def __str__(self) -> str:
        return f"ip link set {self.device} address {format_mac(self.mac)}"


class SetMtu(NamedTuple):
    """Give a device its MTU in bytes."""

    device: str
    mtu: int

    def __str__(self) -> str:
        return f"ip link set {self.device} mtu {self.mtu}"


class SetUp(NamedTuple):
    """Switch a device on."""

    device: str

    def __str__(self) -> str:
        return f"ip link set {self.device} up"


class DeleteDevice(NamedTuple):
    """Remove a vxlan device, and with it all neighbours, FDB rows, next hops and routes on it."""

    device: str

    def __str__(self) -> str:
        return f"ip link delete {self.device}"


class AddAddress(NamedTuple):
    """Give a device an address."""

    device: str
    address: int
    length: int

    def __str__(self) -> str:
        return f"ip address add {format_ipv4(self.address)}/{self.length} dev {self.device}"


class RemoveAddress(NamedTuple):
    """Take an address from a device."""

    device: str
    address: int
    length: int

    def __str__(self) -> str:
        return f"ip address delete {format_ipv4(self.address)}/{self.length} dev {self.device}"


class SetNeighbour(NamedTuple):
    """Add a neighbour, or give it another MAC."""

    neighbour: Neighbour

    def __str__(self) -> str:
        device, address, mac = self.neighbour
        return f"ip neighbour replace {format_ipv4(address)} lladdr {format_mac(mac)} dev {device} nud permanent"


class RemoveNeighbour(NamedTuple):
    """Remove a neighbour."""

    neighbour: Neighbour

    def __str__(self) -> str:
        return f"ip neighbour delete {format_ipv4(self.neighbour.address)} dev {self.neighbour.device}"


class SetFdb(NamedTuple):
    """Add a forwarding row, or point it at another host."""

    entry: FdbEntry

    def __str__(self) -> str:
        device, mac, destination = self.entry
        return f"bridge fdb replace {format_mac(mac)} dev {device} dst {format_ipv4(destination)} self permanent"


class RemoveFdb(NamedTuple):
    """Remove a forwarding row, or one of the hosts it points at."""

    entry: FdbEntry

    def __str__(self) -> str:
        device, mac, destination = self.entry
        return f"bridge fdb delete {format_mac(mac)} dev {device} dst {format_ipv4(destination)} self"


class AddRoute(NamedTuple):
    """Add a route where none is."""

    route: Route

    def __str__(self) -> str:
        return f"ip route add {_way(self.route)} proto {PROTOCOL}"


class AdoptRoute(NamedTuple):
    """Replace the same route as flannel left it by ours, in one step: no packet is without a route."""

    route: Route

    def __str__(self) -> str:
        return f"ip route replace {_way(self.route)} proto {PROTOCOL}"


class ChangeRoute(NamedTuple):
    """Lead a route of ours another way, without a moment in which there is none."""

    old: Route
    new: Route

    def __str__(self) -> str:
        return f"ip route change {_way(self.new)} proto {PROTOCOL}"


class RemoveRoute(NamedTuple):
    """Remove a route of ours, in whichever form it is there."""

    route: Route

    def __str__(self) -> str:
        return f"ip route delete {_way(self.route)}"


class AddUnreachable(NamedTuple):
    """Answer packets to subnets that nobody leases with ICMP, so that they do not leave by the default route."""

    network: Subnet

    def __str__(self) -> str:
        return f"ip route add unreachable {self.network} metric {LAST_METRIC} proto {PROTOCOL}"


class StrayRoute(NamedTuple):
    """A route that is ours by its device or protocol but of no shape we make; numbers as in the kernel, 0 for none."""

    subnet: Subnet
    device: str
    gateway: int
    metric: int
    tos: int
    protocol: int
    kind: int
    next_hop: int

    def __str__(self) -> str:
        way = f"nhid {self.next_hop}" if self.next_hop else f"via {format_ipv4(self.gateway)}" if self.gateway else ""
        device = f"dev {self.device}" if self.device else ""
        return " ".join(filter(None, (str(self.subnet), way, device, f"metric {self.metric}" if self.metric else "")))


class RemoveStray(NamedTuple):
    """Remove exactly one route that has no business where it is."""

    route: StrayRoute

    def __str__(self) -> str:
        return f"ip route delete {self.route} proto {self.route.protocol}"


class RemoveNextHop(NamedTuple):
    """Remove a next hop of ours that no route uses."""

    identifier: int

    def __str__(self) -> str:
        return f"ip nexthop delete id {self.identifier}"


Step = Union[
    CreateDevice,
    SetTunnel,
    SetMac,
    SetMtu,
    SetUp,
    DeleteDevice,
    AddAddress,
    RemoveAddress,
    SetNeighbour,
    RemoveNeighbour,
    SetFdb,
    RemoveFdb,
    AddRoute,
    AdoptRoute,
    ChangeRoute,
    RemoveRoute,
    RemoveStray,
    RemoveNextHop,
    AddUnreachable,
]


def _tunnel(device: VxlanDevice) -> str:
    learning = "learning" if device.learning else "nolearning"
    return f"id {device.vni} dev {device.underlay} local {format_ipv4(device.local)} dstport {device.port} {learning}"


def _way(route: Route) -> str:
    onlink = " onlink" if route.onlink else ""
    return f"{route.subnet} via {format_ipv4(route.gateway)} dev {route.device}{onlink}"
