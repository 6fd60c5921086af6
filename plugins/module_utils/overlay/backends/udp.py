# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The udp backend: a companion process (overlay/udp) carries each packet as the payload of one UDP datagram.

A lease of flannel's udp backend has no BackendType. overlayd writes "udp", which flannel ignores, so that hosts with
another backend can distinguish the lease from a reservation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..kernel.state import PeerRows, Row
from ..kernel.tables.address import Address
from ..kernel.tables.route import Route
from ..kernel.tables.tun_device import KIND, TunDevice
from ..kernel.tables.udp_peer import UdpPeer
from ..model.addresses import Subnet, format_ipv4
from ..model.backends.udp import DEVICE, UDP, UdpOptions
from ..model.errors import LeaseError
from ..model.lease import SubnetLease
from ..model.underlay import Underlay

if TYPE_CHECKING:
    from . import Place


class Udp:
    """Packets travel in UDP datagrams between the data path processes of the hosts."""

    type = UDP

    def __init__(self, options: UdpOptions, underlay: Underlay, own: Subnet, _mac: bytes | None) -> None:
        """Listen on the address of the underlay."""
        self.mtu = options.overlay_mtu(underlay.mtu)
        self.device = TunDevice(DEVICE, self.mtu, underlay.address, options.port, own.first)
        self.own_rows: tuple[Row, ...] = (self.device, Address(DEVICE, own.first))
        self._underlay = underlay
        self._port = options.port

    @staticmethod
    def lease_data(_options: UdpOptions, _mac: bytes | None) -> None:
        """Return None: a peer needs no more than the PublicIP of a lease."""

    @staticmethod
    def further_name(_lease: SubnetLease, _place: Place) -> str:
        """Return the name of the device, which is the same for all peers."""
        return DEVICE

    @classmethod
    def further(cls, name: str, place: Place) -> Udp:
        """Return the backend for peers with udp; it has the port of the existing process, else the default."""
        found = place.tunnels.devices.get(name)
        if isinstance(found, TunDevice) and found.port:
            return cls(UdpOptions(found.port), place.underlay, place.own, None)
        problem = place.tunnels.name_problem(name, KIND)
        if problem:
            raise LeaseError(problem)
        return cls(UdpOptions(), place.underlay, place.own, None)

    def rows(self, lease: SubnetLease) -> PeerRows | None:
        """Return the peer's rows, also for a lease of flannel, which has no type; None for another backend.

        Raise LeaseError when the PublicIP is this host's own.
        """
        if lease.backend_type not in ("", UDP):
            return None
        if lease.public_ip == self._underlay.address:
            raise LeaseError(f"lease {lease.key}: PublicIP {format_ipv4(lease.public_ip)} is this host's own address")
        peer = UdpPeer(DEVICE, lease.subnet, lease.public_ip, self._port)
        return PeerRows(Route(lease.subnet, 0, DEVICE, onlink=False), others=(peer,), backend=UDP, host=lease.public_ip)
