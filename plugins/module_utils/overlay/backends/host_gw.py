# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host-gw backend: every other host is the gateway to its subnet, on a network all of them share."""

from __future__ import annotations

from ..model.addresses import format_ipv4
from ..model.backend import HOST_GW, HostGwOptions
from ..model.errors import LeaseError
from ..model.lease import SubnetLease
from ..model.state import PeerRows, Route, Underlay


class HostGw:
    """Packets travel as they are, so containers have the whole MTU."""

    type = HOST_GW
    device = None

    def __init__(self, options: HostGwOptions, underlay: Underlay) -> None:
        """Route over this interface."""
        self.mtu = options.overlay_mtu(underlay.mtu)
        self._underlay = underlay

    def lease_data(self) -> None:
        """Return None: the PublicIP of a lease says it all."""
        return None

    def rows(self, lease: SubnetLease) -> PeerRows | None:
        """Return the peer's route, None for a peer of another backend; raise LeaseError when it is not one hop away."""
        if lease.backend_type != self.type:
            return None
        underlay = self._underlay
        if lease.public_ip == underlay.address:
            raise LeaseError(f"lease {lease.key}: PublicIP {format_ipv4(lease.public_ip)} is this host's own address")
        if not underlay.reaches_directly(lease.public_ip):
            address, networks = format_ipv4(lease.public_ip), ", ".join(map(str, underlay.networks)) or "none"
            raise LeaseError(
                f"lease {lease.key}: PublicIP {address} is no host one hop away from {underlay.name} (its networks: "
                f"{networks}), as host-gw needs; use vxlan, or --public-ip with an address there"
            )
        return PeerRows(Route(lease.subnet, lease.public_ip, underlay.name, onlink=False))
