# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The underlay: the interface of this host that carries the overlay's packets."""

from __future__ import annotations

from ..named_tuple import NamedTuple
from .addresses import Subnet


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
