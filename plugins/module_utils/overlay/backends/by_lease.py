# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each peer is reached by the backend that its own lease names, whatever backend the network config names.

After a change of the config each host changes its lease at its own time, and a fleet may stay mixed. So a host has,
besides the backend of its own lease, a further backend for each type and each VNI in the leases of its peers. A peer
that has not read this host's new lease still sends to the old tunnel device. So a device that no lease names any more
is kept for GRACE.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from ..kernel.state import PeerRows, Row
from ..kernel.tables.device import Device
from ..kernel.tunnels import Tunnels
from ..model.addresses import Subnet
from ..model.backends import BackendOptions, supported
from ..model.errors import ConfigError, LeaseError
from ..model.lease import SubnetLease
from ..model.underlay import Underlay
from . import BACKENDS, Place

if TYPE_CHECKING:
    from ..kernel.tables.wireguard_device import WireguardEnd
    from . import Accepting, Backend

UDP, UDP_DEVICE = "udp", "flannel0"  # as in backends/udp.py, which is imported only if it is needed
GRACE = 30.0  # seconds that a tunnel device is kept after the last lease that needs it; peers read a lease within one
_ACCEPTING = "wireguard"  # the type of the backends that derive from Accepting
MOST_FURTHER = 8  # further devices: other hosts write the leases


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
        wireguard: Callable[[], WireguardEnd] | None = None,
    ) -> None:
        """Use ``backend`` with its ``options`` for this host's lease.

        ``kept`` are existing tunnel devices that stay for GRACE even if no lease needs them. ``tunnels`` are the tunnel
        devices that exist: a further device takes its settings from the existing one. ``wireguard`` returns this
        host's WireGuard key.
        """
        self._own = backend
        self._place = Place(options, underlay, own, tunnels, wireguard)
        self._further: dict[str, Backend] = {}
        self._unneeded: dict[str, float] = {}
        for name in kept:
            if backend.device is None or backend.device.name != name:
                self._further[name] = BACKENDS[tunnels.devices[name].backend]().further(name, self._place)
        self.accepting: Accepting | None = None
        self._find_accepting()

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
    def devices(self) -> list[Device]:
        """All tunnel devices: that of this host's lease first, then the further ones."""
        return [one.device for one in (self._own, *self._further.values()) if one.device is not None]

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
        rows = self._own.rows(lease)
        if rows is None and lease.backend_type:
            rows = self._further_of(lease).rows(lease)
        if rows is None:
            return None
        others = rows.others
        if self.accepting is not None and lease.backend_data:
            others = (*others, *self.accepting.accepting(lease))
        if rows.backend != UDP:
            others = (*others, *self._sources([lease]))
        return rows if others is rows.others else rows._replace(others=others)

    def _find_accepting(self) -> None:
        """Set ``accepting``: the backend, if there is one, that needs rows of peers whose lease names another one."""
        found = (one for one in (self._own, *self._further.values()) if one.type == _ACCEPTING)
        self.accepting = cast("Accepting | None", next(found, None))

    @property
    def key_data(self) -> Mapping[str, Any] | None:
        """The fields of BackendData that make peers accept packets of this host, whatever its lease names."""
        return self.accepting.key_data if self.accepting is not None else None

    def provide(self, options: BackendOptions) -> None:
        """Add the backend of a coming network config, so that its device exists before a lease names it."""
        kind, place = BACKENDS[options.type](), self._place._replace(options=options)
        if options.device_name and options.device_name not in {device.name for device in self.devices}:
            self._further[options.device_name] = kind.further(options.device_name, place)
            self._find_accepting()

    def prepared_rows(self, leases: Iterable[SubnetLease]) -> tuple[Row, ...]:
        """Return the rows that must exist before peers read this host's lease: they then use its device at once."""
        return (*self.device_rows, *self._sources(leases))

    def _sources(self, leases: Iterable[SubnetLease]) -> list[Row]:
        """Return the rows for packets from peers that send by udp, whatever their own leases name."""
        if self._own.type != UDP and UDP_DEVICE not in self._further:
            return []
        from ..kernel.tables.udp_peer import UdpPeer

        own = self._place.own
        return [UdpPeer(UDP_DEVICE, lease.subnet, lease.public_ip) for lease in leases if lease.subnet != own]

    def retire(self, peers: Collection[PeerRows], clock: Callable[[], float]) -> list[str]:
        """Forget the further devices that none of the peers has needed for GRACE; return their names.

        ``clock`` returns seconds; it is read only if there are further devices.
        """
        if not self._further:
            return []
        needed = {rows.route.device for rows in peers if rows.route is not None}
        now = clock()
        gone: list[str] = []
        for name, backend in list(self._further.items()):
            if backend.device is None or name in needed:
                self._unneeded.pop(name, None)
            elif now - self._unneeded.setdefault(name, now) >= GRACE:
                del self._further[name], self._unneeded[name]
                gone.append(name)
                self._find_accepting()
        return gone

    def _further_of(self, lease: SubnetLease) -> Backend:
        """Return the further backend for a lease; raise LeaseError if this host cannot have it."""
        if lease.backend_type not in BACKENDS:
            raise LeaseError(
                f"lease {lease.key}: BackendType {lease.backend_type!r} is not supported by this host, so its "
                f"containers cannot be reached; use {supported()} on all hosts"
            )
        kind = BACKENDS[lease.backend_type]()
        try:
            name = kind.further_name(lease, self._place)
            if name not in self._further:
                self._limit(name)
                self._further[name] = kind.further(name, self._place)
                self._find_accepting()
        except (LeaseError, ConfigError) as error:
            raise LeaseError(f"lease {lease.key}: {error}") from None
        return self._further[name]

    def _limit(self, name: str) -> None:
        if sum(one.device is not None for one in self._further.values()) >= MOST_FURTHER:
            raise LeaseError(
                f"{name}: this host has {MOST_FURTHER} other tunnel devices for its peers already, which is the limit; "
                f"delete the leases with wrong types or VNIs"
            )
