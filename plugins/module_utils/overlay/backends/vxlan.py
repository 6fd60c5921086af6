# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The vxlan backend: packets travel in UDP between tunnel end points (VTEPs), one on each host (RFC 7348)."""

from __future__ import annotations

from typing import Any

from ..model.addresses import Subnet, format_ipv4, format_mac, parse_mac
from ..model.backend import VXLAN, VxlanOptions
from ..model.errors import LeaseError
from ..model.lease import SubnetLease
from ..model.state import FdbEntry, Neighbour, PeerRows, Route, Underlay, VxlanDevice

_GROUP_BIT = 1  # of a MAC's first byte: set in multicast and broadcast addresses (IEEE 802)


class Vxlan:
    """Nothing is flooded or learned: each peer's lease says which MAC is behind which host."""

    type = VXLAN

    def __init__(self, options: VxlanOptions, underlay: Underlay, own: Subnet | None, mac: bytes | None) -> None:
        """Tunnel over this interface; without own subnet or MAC there is no device yet, and no lease data."""
        self.mtu = options.overlay_mtu(underlay.mtu)
        self.name = options.device_name
        self._options = options
        self._underlay = underlay
        self._own = own
        self._mac = mac

    @property
    def device(self) -> VxlanDevice | None:
        """This host's tunnel end point; its address is the subnet's own, as other hosts expect."""
        if self._own is None or self._mac is None:
            return None
        return VxlanDevice(
            name=self.name,
            vni=self._options.vni,
            underlay=self._underlay.name,
            local=self._underlay.address,
            port=self._options.port,
            mtu=self.mtu,
            mac=self._mac,
            address=self._own.first,
            learning=self._options.learning,
            gbp=self._options.gbp,
        )

    def lease_data(self) -> dict[str, Any] | None:
        """Return the VNI and the MAC that others must send to; None as long as there is no MAC."""
        return None if self._mac is None else {"VNI": self._options.vni, "VtepMAC": format_mac(self._mac)}

    def rows(self, lease: SubnetLease) -> PeerRows | None:
        """Return the peer's rows, the route alone where DirectRouting reaches it; None for another backend or VNI.

        Raise LeaseError when the lease's VtepMAC cannot be one, or its PublicIP is this host's own.
        """
        if lease.backend_type != self.type:
            return None
        data = lease.backend_data or {}
        if data.get("VNI", self._options.vni) != self._options.vni:  # leases of flannel before 0.14 do not tell it
            return None
        if lease.public_ip == self._underlay.address:
            raise LeaseError(f"lease {lease.key}: PublicIP {format_ipv4(lease.public_ip)} is this host's own address")
        mac = self._peer_mac(lease, data.get("VtepMAC"))
        if self._options.direct_routing and self._underlay.reaches_directly(lease.public_ip):
            return PeerRows(Route(lease.subnet, lease.public_ip, self._underlay.name, onlink=False))
        gateway = lease.subnet.first
        return PeerRows(
            Route(lease.subnet, gateway, self.name, onlink=True),
            Neighbour(self.name, gateway, mac),
            FdbEntry(self.name, mac, lease.public_ip),
        )

    def _peer_mac(self, lease: SubnetLease, value: Any) -> bytes:
        """Return the MAC of a peer's VTEP; raise LeaseError for one that no VTEP other than ours can have."""
        if value is None:
            raise LeaseError(f"lease {lease.key}: BackendData has no VtepMAC; restart the overlay agent of that host")
        try:
            mac = parse_mac(value)
        except ValueError as error:
            raise LeaseError(f"lease {lease.key}: VtepMAC {error}") from None
        if mac[0] & _GROUP_BIT or not any(mac):
            raise LeaseError(f"lease {lease.key}: VtepMAC {value} is not the address of one interface")
        if mac == self._mac:
            raise LeaseError(
                f"lease {lease.key}: VtepMAC {value} is this host's own; two hosts with one MAC cannot reach each "
                f"other: on that host run `ip link delete {self.name}` and restart its overlay agent"
            )
        return mac
