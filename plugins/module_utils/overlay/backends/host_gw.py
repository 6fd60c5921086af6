# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host-gw backend: each host is the gateway to its subnet; all hosts share one network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..kernel.state import PeerRows
from ..kernel.tables.route import Route
from ..model.addresses import Subnet, format_ipv4
from ..model.backends.host_gw import HOST_GW, HostGwOptions
from ..model.errors import LeaseError
from ..model.lease import SubnetLease
from ..model.underlay import Underlay

if TYPE_CHECKING:
    from . import Place


class HostGw:
    """Packets travel without encapsulation, so containers have the whole MTU. There is no device of our own."""

    type = HOST_GW
    device = None
    own_rows = ()

    def __init__(self, options: HostGwOptions, underlay: Underlay, _own: Subnet, _mac: bytes | None) -> None:
        """Route over the underlay."""
        self.mtu = options.overlay_mtu(underlay.mtu)
        self._underlay = underlay

    @staticmethod
    def lease_data(_options: HostGwOptions, _mac: bytes | None) -> None:
        """Return None: a peer needs no more than the PublicIP of a lease."""

    @staticmethod
    def further_name(_lease: SubnetLease, _place: Place) -> str:
        """Return the type: host-gw has no device."""
        return HOST_GW

    @classmethod
    def further(cls, _name: str, place: Place) -> HostGw:
        """Return the backend on the same underlay."""
        return cls(HostGwOptions(), place.underlay, place.own, None)

    def rows(self, lease: SubnetLease) -> PeerRows | None:
        """Return the peer's route, None for a peer of another backend; raise LeaseError if it is not one hop away."""
        if lease.backend_type != self.type:
            return None
        underlay = self._underlay
        if lease.public_ip == underlay.address:
            raise LeaseError(f"lease {lease.key}: PublicIP {format_ipv4(lease.public_ip)} is this host's own address")
        if not underlay.reaches_directly(lease.public_ip):
            address, networks = format_ipv4(lease.public_ip), ", ".join(map(str, underlay.networks)) or "none"
            raise LeaseError(
                f"lease {lease.key}: PublicIP {address} is not one hop away from {underlay.name} (its networks: "
                f"{networks}), which host-gw requires; use vxlan, or --public-ip with an address in one of them"
            )
        return PeerRows(Route(lease.subnet, lease.public_ip, underlay.name, onlink=False), backend=HOST_GW)
