# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The vxlan backend: packets travel in UDP between tunnel end points (VTEPs), one on each host (RFC 7348)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..kernel.state import PeerRows, Row
from ..kernel.tables.address import Address
from ..kernel.tables.fdb import FdbEntry
from ..kernel.tables.neighbour import Neighbour
from ..kernel.tables.route import Route
from ..kernel.tables.vxlan_device import VxlanDevice
from ..model.addresses import Subnet, format_ipv4, format_mac, parse_mac
from ..model.backends.vxlan import MAXIMUM_VNI, VXLAN, VXLAN_OVERHEAD, VxlanOptions
from ..model.errors import LeaseError
from ..model.lease import SubnetLease
from ..model.underlay import Underlay

if TYPE_CHECKING:
    from . import Place

_GROUP_BIT = 1  # of a MAC's first byte: set in multicast and broadcast addresses (IEEE 802)


class Vxlan:
    """No packet is flooded and no MAC learned: the lease of each peer has the MAC of its VTEP."""

    type = VXLAN

    def __init__(self, options: VxlanOptions, underlay: Underlay, own: Subnet, mac: bytes | None) -> None:
        """Tunnel over the underlay. Raise LeaseError without a MAC."""
        if mac is None:
            raise LeaseError(
                f"lease of this host's subnet {own}: BackendData has no VtepMAC, which the vxlan backend requires; "
                f"restart the overlay agent"
            )
        self.mtu = options.overlay_mtu(underlay.mtu)
        self._name, self._mac = options.device_name, mac  # read for each peer
        self.device = VxlanDevice(
            name=options.device_name,
            vni=options.vni,
            underlay=underlay.name,
            local=underlay.address,
            port=options.port,
            mtu=self.mtu,
            mac=mac,
            learning=options.learning,
            gbp=options.gbp,
        )
        # The other hosts send to the first address of the subnet.
        self.own_rows: tuple[Row, ...] = (self.device, Address(options.device_name, own.first))
        self._options = options
        self._underlay = underlay

    @staticmethod
    def lease_data(options: VxlanOptions, mac: bytes | None) -> dict[str, Any] | None:
        """Return the VNI, and the MAC that others must send to; None without a MAC."""
        return None if mac is None else {"VNI": options.vni, "VtepMAC": format_mac(mac)}

    @staticmethod
    def further_name(lease: SubnetLease, place: Place) -> str:
        """Return the name of the device with the VNI of a lease; raise LeaseError for a VNI that is none."""
        options = place.options
        default = options if isinstance(options, VxlanOptions) else VxlanOptions()
        vni = lease.data.get("VNI", default.vni)
        if isinstance(vni, bool) or not isinstance(vni, int) or not 1 <= vni <= MAXIMUM_VNI:
            raise LeaseError(f"VNI {vni!r} is not a whole number from 1 to {MAXIMUM_VNI}")
        return VxlanOptions(vni).device_name

    @classmethod
    def further(cls, name: str, place: Place) -> Vxlan:
        """Return the backend of a further VNI. Its device is the existing one, if there is one.

        A new device has the port of the network config, because leases do not contain it. No peer sends to its MAC,
        because this host's lease does not contain that.
        """
        used = place.options if isinstance(place.options, VxlanOptions) else VxlanOptions()
        options = VxlanOptions(int(name.rpartition(".")[2]), used.port, direct_routing=used.direct_routing)
        found = place.tunnels.devices.get(name)
        if isinstance(found, VxlanDevice):
            path = min(found.mtu + VXLAN_OVERHEAD, place.underlay.mtu)
            options = options._replace(port=found.port, mtu=path, gbp=found.gbp, learning=found.learning)
            return cls(options, place.underlay, place.own, found.mac)
        problem = place.tunnels.vxlan_problem(name, options.vni, options.port)
        if problem:
            raise LeaseError(f"VNI {options.vni}: {problem}")
        mac = bytes([0x02, options.vni & 0xFF]) + place.own.first.to_bytes(4, "big")
        return cls(options, place.underlay, place.own, mac)

    def rows(self, lease: SubnetLease) -> PeerRows | None:
        """Return the peer's rows, the route alone where DirectRouting reaches it; None for another backend or VNI.

        Raise LeaseError when the lease's VtepMAC cannot be one, or its PublicIP is this host's own.
        """
        if lease.backend_type != self.type:
            return None
        data = lease.data
        if data.get("VNI", self._options.vni) != self._options.vni:  # leases of flannel before 0.14 have no VNI
            return None
        if lease.public_ip == self._underlay.address:
            raise LeaseError(f"lease {lease.key}: PublicIP {format_ipv4(lease.public_ip)} is this host's own address")
        mac = self._peer_mac(lease, data.get("VtepMAC"))
        if self._options.direct_routing and self._underlay.reaches_directly(lease.public_ip):
            return PeerRows(Route(lease.subnet, lease.public_ip, self._underlay.name, onlink=False))
        gateway = lease.subnet.first
        return PeerRows(
            Route(lease.subnet, gateway, self._name, onlink=True),
            Neighbour(self._name, gateway, mac),
            FdbEntry(self._name, mac, lease.public_ip),
        )

    def _peer_mac(self, lease: SubnetLease, value: Any) -> bytes:
        """Return the MAC of a peer's VTEP; raise LeaseError for a MAC that it cannot have."""
        if value is None:
            raise LeaseError(f"lease {lease.key}: BackendData has no VtepMAC; restart the overlay agent of that host")
        try:
            mac = parse_mac(value)
        except ValueError as error:
            raise LeaseError(f"lease {lease.key}: VtepMAC {error}") from None
        if mac[0] & _GROUP_BIT or not any(mac):
            raise LeaseError(f"lease {lease.key}: VtepMAC {value} is a group address or zero")
        if mac == self._mac:
            raise LeaseError(
                f"lease {lease.key}: VtepMAC {value} is this host's own; two hosts with one MAC cannot reach each "
                f"other: on that host run `ip link delete {self._name}` and restart its overlay agent"
            )
        return mac
