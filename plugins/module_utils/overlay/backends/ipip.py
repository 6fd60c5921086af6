# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ipip backend: packets travel in IPv4 packets of protocol 4 between the hosts (RFC 2003), without UDP or TCP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..kernel.state import PeerRows, Row
from ..kernel.tables.address import Address
from ..kernel.tables.ipip_device import IpipDevice, rival_problem
from ..kernel.tables.route import Route
from ..model.addresses import Subnet, format_ipv4
from ..model.backends.ipip import DEVICE, IPIP, IpipOptions
from ..model.errors import LeaseError
from ..model.lease import SubnetLease
from ..model.underlay import Underlay

if TYPE_CHECKING:
    from . import Place


class Ipip:
    """One tunnel device sends to all hosts: the gateway of a peer's route is the destination of the outer packet."""

    type = IPIP

    def __init__(self, options: IpipOptions, underlay: Underlay, own: Subnet, _mac: bytes | None) -> None:
        """Tunnel from the address of the underlay."""
        self.mtu = options.overlay_mtu(underlay.mtu)
        self.device = IpipDevice(DEVICE, underlay.address, self.mtu)
        # The source address of packets from the host itself.
        self.own_rows: tuple[Row, ...] = (self.device, Address(DEVICE, own.first))
        self._direct_routing = options.direct_routing
        self._underlay = underlay

    @staticmethod
    def lease_data(_options: IpipOptions, _mac: bytes | None) -> None:
        """Return None: a peer needs no more than the PublicIP of a lease."""

    @staticmethod
    def further_name(_lease: SubnetLease, _place: Place) -> str:
        """Return the name of the device: it reaches the hosts of all ipip leases."""
        return DEVICE

    @classmethod
    def further(cls, _name: str, place: Place) -> Ipip:
        """Return the backend with the existing device or a new one."""
        backend = cls(IpipOptions(), place.underlay, place.own, None)
        rivals = (rival for rival in place.tunnels.rivals if isinstance(rival, IpipDevice))
        problems = (rival_problem(rival, backend.device) for rival in rivals)
        problem = place.tunnels.name_problem(DEVICE, IPIP) or next(filter(None, problems), None)
        if problem:
            raise LeaseError(problem)
        return backend

    def rows(self, lease: SubnetLease) -> PeerRows | None:
        """Return the peer's route, over the underlay where DirectRouting reaches it; None for another backend.

        Raise LeaseError if the lease's PublicIP is this host's own.
        """
        if lease.backend_type != self.type:
            return None
        underlay = self._underlay
        if lease.public_ip == underlay.address:
            raise LeaseError(f"lease {lease.key}: PublicIP {format_ipv4(lease.public_ip)} is this host's own address")
        if self._direct_routing and underlay.reaches_directly(lease.public_ip):
            return PeerRows(Route(lease.subnet, lease.public_ip, underlay.name, onlink=False), backend=IPIP)
        return PeerRows(Route(lease.subnet, lease.public_ip, DEVICE, onlink=True), backend=IPIP)
