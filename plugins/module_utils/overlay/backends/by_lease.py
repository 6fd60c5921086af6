# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each peer is reached by the backend that its own lease names, whatever backend the network config names.

Leases follow a changed config host by host, and a fleet may stay mixed. So a host has, next to the tunnel device of its
own lease, one further vxlan device for each VNI in the leases of its peers. The packets of a peer may also arrive on a
device that no lease names any more, until that peer has read this host's new lease: such a device stays for GRACE.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from ..kernel.state import PeerRows, Row
from ..kernel.tables.device import Device
from ..kernel.tunnels import Tunnels
from ..model.addresses import Subnet
from ..model.backend import (
    HOST_GW,
    MAXIMUM_VNI,
    VXLAN,
    VXLAN_OVERHEAD,
    BackendOptions,
    HostGwOptions,
    VxlanOptions,
)
from ..model.errors import ConfigError, LeaseError
from ..model.lease import SubnetLease
from ..model.underlay import Underlay
from .host_gw import HostGw
from .vxlan import Vxlan

if TYPE_CHECKING:
    from . import Backend

GRACE = 30.0  # seconds that a tunnel device stays after the last lease that needs it; peers follow within a second
MOST_VNIS = 8  # further VNIs: each is one device, and leases are written by other hosts


class ByLease:
    """The backend of this host's own lease, and for each peer the backend of the peer's lease."""

    def __init__(
        self,
        backend: Backend,
        options: BackendOptions,
        underlay: Underlay,
        own: Subnet,
        tunnels: Tunnels,
        kept: Iterable[str] = (),
    ) -> None:
        """Use ``backend`` with its ``options`` for this host's lease.

        ``kept`` are existing tunnel devices that stay for GRACE even if no lease needs them. ``tunnels`` are the tunnel
        devices that exist: a further device takes their port, MAC and MTU.
        """
        self._own = backend
        self._options = options
        self._underlay = underlay
        self._subnet = own
        self._tunnels = tunnels
        self._host_gw: HostGw | None = None
        self._further: dict[int, Vxlan] = {}
        self._unneeded: dict[int, float] = {}
        for name in kept:
            vni = tunnels.devices[name].vni
            if backend.device is None or backend.device.name != name:
                self._further[vni] = self._vxlan(vni)

    @property
    def type(self) -> str:
        """The Type in the network config, and BackendType in this host's lease."""
        return self._own.type

    @property
    def mtu(self) -> int:
        """The MTU in bytes for containers."""
        return self._own.mtu

    @property
    def device(self) -> Device | None:
        """The tunnel device of this host's lease."""
        return self._own.device

    @property
    def device_rows(self) -> tuple[Row, ...]:
        """The rows of the tunnel device of this host's lease: the device and its address."""
        return self._own.own_rows

    @property
    def own_rows(self) -> tuple[Row, ...]:
        """The rows of this host itself: its tunnel device, the further ones, and their addresses."""
        if not self._further:
            return self._own.own_rows
        return (*self._own.own_rows, *(row for one in self._further.values() for row in one.own_rows))

    def rows(self, lease: SubnetLease) -> PeerRows | None:
        """Return the rows of a peer by the backend of its lease; None for a lease that names none (a reservation).

        Raise LeaseError naming the lease and the reason for a peer that cannot be reached.
        """
        backend = self._backend_of(lease)
        return backend.rows(lease) if backend is not None else None

    def retire(self, peers: Collection[PeerRows], clock: Callable[[], float]) -> list[str]:
        """Forget the further devices that none of the peers has needed for GRACE; return their names.

        ``clock`` returns seconds; it is read only if there are further devices.
        """
        if not self._further:
            return []
        needed = {rows.neighbour.device for rows in peers if rows.neighbour is not None}
        now = clock()
        gone: list[str] = []
        for vni, backend in list(self._further.items()):
            if backend.device.name in needed:
                self._unneeded.pop(vni, None)
            elif now - self._unneeded.setdefault(vni, now) >= GRACE:
                del self._further[vni], self._unneeded[vni]
                gone.append(backend.device.name)
        return gone

    def _backend_of(self, lease: SubnetLease) -> Backend | None:
        kind = lease.backend_type
        if not kind:
            return None
        if kind == VXLAN:
            return self._vxlan_of(lease)
        if kind == self._own.type:
            return self._own
        if kind == HOST_GW:
            self._host_gw = self._host_gw or HostGw(HostGwOptions(), self._underlay, self._subnet, None)
            return self._host_gw
        raise LeaseError(
            f"lease {lease.key}: BackendType {kind!r} is not supported by this host, so its containers cannot be "
            f"reached; use vxlan or host-gw on all hosts"
        )

    def _vxlan_of(self, lease: SubnetLease) -> Backend:
        own = self._options
        vni = (lease.backend_data or {}).get("VNI", own.vni if isinstance(own, VxlanOptions) else VxlanOptions().vni)
        if isinstance(own, VxlanOptions) and vni == own.vni:
            return self._own
        if isinstance(vni, bool) or not isinstance(vni, int) or not 1 <= vni <= MAXIMUM_VNI:
            raise LeaseError(f"lease {lease.key}: VNI {vni!r} is not a whole number from 1 to {MAXIMUM_VNI}")
        if vni not in self._further:
            self._further[vni] = self._new_vxlan(lease, vni)
        return self._further[vni]

    def _new_vxlan(self, lease: SubnetLease, vni: int) -> Vxlan:
        if len(self._further) >= MOST_VNIS:
            raise LeaseError(
                f"lease {lease.key}: VNI {vni}: this host has devices of {MOST_VNIS} other VNIs already, which is the "
                f"limit; delete the leases with wrong VNIs"
            )
        problem = self._tunnels.problem(VxlanOptions(vni).device_name, vni, self._port)
        if problem:
            raise LeaseError(f"lease {lease.key}: VNI {vni}: {problem}")
        try:
            return self._vxlan(vni)
        except ConfigError as error:
            raise LeaseError(f"lease {lease.key}: VNI {vni}: {error}") from None

    @property
    def _port(self) -> int:
        """The UDP port of a further device that does not exist yet: leases do not contain it."""
        return self._options.port if isinstance(self._options, VxlanOptions) else VxlanOptions().port

    def _vxlan(self, vni: int) -> Vxlan:
        """Return the backend of a further VNI; its device is the existing one, if there is one."""
        direct = isinstance(self._options, VxlanOptions) and self._options.direct_routing
        options = VxlanOptions(vni, self._port, direct_routing=direct)
        # No peer sends to this MAC, because this host's lease does not contain it.
        mac = bytes([0x02, vni & 0xFF]) + self._subnet.first.to_bytes(4, "big")
        found = self._tunnels.devices.get(options.device_name)
        if found is not None:
            path = min(found.mtu + VXLAN_OVERHEAD, self._underlay.mtu)
            options = options._replace(port=found.port, mtu=path, gbp=found.gbp, learning=found.learning)
            mac = found.mac
        return Vxlan(options, self._underlay, self._subnet, mac)
