# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows of the kernel's tables as plain values; the backends create them, and the kernel layer applies them.

A packet from a container on this host to 10.50.7.5 on a vxlan overlay uses the rows in this order::

    Route      10.50.7.0/24 via 10.50.7.0 dev flannel.1   selects the device
    Neighbour  10.50.7.0 lladdr 0e:1c:9a:04:7f:22         destination of the inner Ethernet frame
    FdbEntry   0e:1c:9a:04:7f:22 dst 192.0.2.12           destination of the outer IPv4 packet

host-gw needs only the route, with the address of the other host as gateway.
"""

from __future__ import annotations

from typing import NamedTuple

from .addresses import Subnet, format_ipv4, format_mac


class Underlay(NamedTuple):
    """The underlay interface: its address (integer), its MTU in bytes, and its connected networks."""

    name: str
    ifindex: int
    address: int
    mtu: int
    networks: tuple[Subnet, ...]

    def reaches_directly(self, address: int) -> bool:
        """Whether an address is in a connected network and is not its network or broadcast address."""
        return any(
            network.has(address) and (network.size <= 2 or address not in (network.first, network.last))
            for network in self.networks
        )


class VxlanDevice(NamedTuple):
    """A vxlan tunnel endpoint (VTEP); ``local`` is the underlay address, ``address`` the overlay address (integers)."""

    name: str
    vni: int
    underlay: str
    local: int
    port: int
    mtu: int
    mac: bytes
    address: int
    learning: bool = False
    gbp: bool = False


class Neighbour(NamedTuple):
    """A permanent neighbour entry: the overlay address of a peer's VTEP and its MAC."""

    device: str
    address: int
    mac: bytes

    def __str__(self) -> str:
        return f"neighbour {format_ipv4(self.address)} lladdr {format_mac(self.mac)} dev {self.device}"


class FdbEntry(NamedTuple):
    """A permanent FDB entry: the MAC of a peer's VTEP and the address of its host (integer)."""

    device: str
    mac: bytes
    destination: int

    def __str__(self) -> str:
        return f"fdb {format_mac(self.mac)} dst {format_ipv4(self.destination)} dev {self.device}"


class Route(NamedTuple):
    """A route to a peer's subnet; ``onlink`` if the gateway is not in a connected network (vxlan)."""

    subnet: Subnet
    gateway: int
    device: str
    onlink: bool

    def __str__(self) -> str:
        suffix = " onlink" if self.onlink else ""
        return f"route {self.subnet} via {format_ipv4(self.gateway)} dev {self.device}{suffix}"


class PeerRows(NamedTuple):
    """All rows of one peer; ``neighbour`` and ``fdb`` are None for a backend that does not need them."""

    route: Route
    neighbour: Neighbour | None = None
    fdb: FdbEntry | None = None
