# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the kernel should hold, as plain rows: the language between the backends, which say it, and the kernel layer.

A packet from a container here to one at 10.50.7.5 on a vxlan overlay meets the rows in this order::

    Route      10.50.7.0/24 via 10.50.7.0 dev flannel.1   which way out
    Neighbour  10.50.7.0 is at 0e:1c:9a:04:7f:22          the inner Ethernet frame's destination
    FdbEntry   0e:1c:9a:04:7f:22 is behind 192.0.2.12     the outer IPv4 packet's destination

host-gw needs the route alone, with the other host's own address as gateway.
"""

from __future__ import annotations

from typing import NamedTuple

from .addresses import Subnet, format_ipv4, format_mac


class Underlay(NamedTuple):
    """The interface that carries the overlay: its address (integer), its MTU in bytes, the networks it is on."""

    name: str
    ifindex: int
    address: int
    mtu: int
    networks: tuple[Subnet, ...]

    def reaches_directly(self, address: int) -> bool:
        """Whether a host is one hop away: on a network of this interface, where the first and last are no host's."""
        return any(
            network.has(address) and (network.size <= 2 or address not in (network.first, network.last))
            for network in self.networks
        )


class VxlanDevice(NamedTuple):
    """A vxlan tunnel end point (VTEP); ``local`` and ``address`` are integers, the latter the overlay address (/32)."""

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
    """A permanent neighbour row: the overlay address of a peer's VTEP and its MAC."""

    device: str
    address: int
    mac: bytes

    def __str__(self) -> str:
        return f"neighbour {format_ipv4(self.address)} lladdr {format_mac(self.mac)} dev {self.device}"


class FdbEntry(NamedTuple):
    """A permanent forwarding row: which host (integer address) a VTEP's MAC is behind."""

    device: str
    mac: bytes
    destination: int

    def __str__(self) -> str:
        return f"fdb {format_mac(self.mac)} dst {format_ipv4(self.destination)} dev {self.device}"


class Route(NamedTuple):
    """A route to a peer's subnet; ``onlink`` where the gateway has no route of its own (vxlan)."""

    subnet: Subnet
    gateway: int
    device: str
    onlink: bool

    def __str__(self) -> str:
        suffix = " onlink" if self.onlink else ""
        return f"route {self.subnet} via {format_ipv4(self.gateway)} dev {self.device}{suffix}"


class PeerRows(NamedTuple):
    """All that one peer needs in the kernel; neighbour and fdb are None where the backend needs none."""

    route: Route
    neighbour: Neighbour | None = None
    fdb: FdbEntry | None = None
