# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Stray routes: routes on our devices, or with our protocol, in a shape that overlayd never adds. They are removed."""

from __future__ import annotations

from ...model.addresses import Subnet, format_ipv4
from ...named_tuple import NamedTuple
from ..netlink.routes import RouteRow, remove_exactly
from ..step import Removal, Wire


class StrayRoute(NamedTuple):
    """A route of ours in a shape that we never add; numbers as in the kernel, 0 for a missing part."""

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


class _StrayStep(NamedTuple):
    route: StrayRoute

    @property
    def key(self) -> Subnet:
        """The key of the row in whose place the stray is."""
        return self.route.subnet


class RemoveStray(_StrayStep, Removal):
    """Remove exactly one stray route."""

    __slots__ = ()
    kind = "routes"

    def __str__(self) -> str:
        return f"ip route delete {self.route} proto {self.route.protocol}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        (first, length), device, gateway, metric, tos, protocol, kind, next_hop = self.route
        index = wire.index[device] if device else 0
        row = RouteRow(first, length, protocol, kind, tos, metric, next_hop, index, gateway)
        messages.append(remove_exactly(len(messages), row))

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"removed route {self.route}"
