# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One observation of the kernel: dumps of just the tables and rows that belong to the overlay (ownership.py)."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..model.addresses import Subnet
from .netlink import interfaces
from .netlink.interfaces import Link
from .netlink.next_hops import HopRow, next_hops
from .netlink.rtnetlink import Netlink, NetlinkError
from .state import DesiredState, ObservedState

if TYPE_CHECKING:
    from .table import Table
    from .wireguard import WireguardState


class Observation:
    """What the tables need to read their rows, and what they learn for each other, in the order of registration.

    ``own`` maps the indexes of our devices to their names (from the device tables); ``used_hops`` are the ids of the
    next hops that our routes use and ``unreachable`` our unreachable routes (both from the route table). ``wireguard``
    has the state of our WireGuard devices (from their table).
    """

    def __init__(
        self,
        netlink: Netlink,
        *,
        has_hops: bool,
        by_hops: bool,
        network: Subnet,
        desired: DesiredState,
        leftovers: Collection[str] = (),
    ) -> None:
        """Read through this socket. ``has_hops``: the kernel has next-hop objects; ``by_hops``: our routes use them.

        ``leftovers`` are the names of further devices of ours, which the desired state does not have.
        """
        self.netlink = netlink
        self.by_hops = by_hops
        self.network = network
        self.desired = desired
        self.leftovers = leftovers
        self.hops: Mapping[int, HopRow] = {hop.identifier: hop for hop in next_hops(netlink)} if has_hops else {}
        self.own: dict[int, str] = {}
        self.used_hops: set[int] = set()
        self.unreachable: list[Subnet] = []
        self.wireguard: dict[str, WireguardState] = {}
        self._names: dict[int, str] = {0: ""}

    def take(self, tables: Iterable[Table[Any]]) -> ObservedState:
        """Read these tables, in order. Raise KernelError if an interface of another kind has the name of a device."""
        return ObservedState({table.row: table.observe(self) for table in tables})

    def link(self, name: str) -> Link | None:
        """Return an interface, None if it does not exist."""
        try:
            return interfaces.link(self.netlink, name)
        except NetlinkError as error:
            if error.errno == errno.ENODEV:
                return None
            raise

    def links(self) -> list[Link]:
        """Return all interfaces."""
        return interfaces.links(self.netlink)

    def adopt(self, ifindex: int, name: str) -> None:
        """Take note that a device is ours."""
        self.own[ifindex] = self._names[ifindex] = name

    def name(self, ifindex: int) -> str:
        """Return the name of an interface, "" for index 0."""
        if ifindex not in self._names:
            self._names[ifindex] = interfaces.link_name(self.netlink, ifindex)
        return self._names[ifindex]
