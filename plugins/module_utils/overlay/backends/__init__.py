# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The backends: the kernel rows of each for this host and for a peer. Pure; one file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Union

from ..kernel.state import PeerRows, Row
from ..kernel.tables.device import Device
from ..kernel.tunnels import Tunnels
from ..model.addresses import Subnet
from ..model.backends import BackendOptions
from ..model.lease import SubnetLease
from ..model.network import NetworkConfig
from ..model.underlay import Underlay
from ..named_tuple import NamedTuple

if TYPE_CHECKING:
    from ..kernel.tables.wireguard_device import WireguardEnd


class Backend(Protocol):
    """One way to carry packets, on this host."""

    @property
    def type(self) -> str:
        """The Type in the network config, and BackendType in leases."""

    @property
    def mtu(self) -> int:
        """The MTU in bytes for containers: FLANNEL_MTU in the subnet file."""

    @property
    def device(self) -> Device | None:
        """The tunnel device of this host, None for a backend without one."""

    @property
    def own_rows(self) -> tuple[Row, ...]:
        """The rows of this host itself: its tunnel device and the address of that."""

    def rows(self, lease: SubnetLease) -> PeerRows | None:
        """Return the rows of a peer; None for a peer with another backend or VNI, which by_lease.py reaches.

        Raise LeaseError naming the lease and the reason for a peer that should be reachable and is not.
        """


class Place(NamedTuple):
    """Where a further backend works: the options of the network config, the underlay, this host's own subnet, the
    tunnel devices that exist, and this host's WireGuard key (read when it is needed)."""

    options: BackendOptions
    underlay: Underlay
    own: Subnet
    tunnels: Tunnels
    wireguard: Callable[[], WireguardEnd] | None = None


# This host's end of its tunnels: the MAC of its vxlan device, or its WireGuard key; None for another backend.
OwnEnd = Union[bytes, "WireguardEnd", None]


class Accepting(Protocol):
    """A backend that drops packets of a peer unless it has rows of this peer, also while it sends by another one."""

    @property
    def key_data(self) -> Mapping[str, Any]:
        """The fields of BackendData that make peers accept packets of this host."""

    def initiate(self) -> None:
        """Establish sessions with the peers from now on, before a packet needs them."""

    def accepting(self, lease: SubnetLease) -> tuple[Row, ...]:
        """Return the rows by which packets of a peer are accepted whose lease names another backend."""


class BackendClass(Protocol):
    """The class of a backend: its constructor, and what is known before there is a subnet."""

    def __call__(self, options: Any, underlay: Underlay, own: Subnet, end: Any, /) -> Backend:
        """Return the backend. Raise ConfigError if the MTU that is left for containers is unusable."""

    def lease_data(self, options: Any, end: Any, /) -> Mapping[str, Any] | None:
        """Return the BackendData of this host's lease, None for none."""

    def further_name(self, lease: SubnetLease, place: Place, /) -> str:
        """Return the name of the device that reaches the host of a lease, whose type is not that of the network config
        or whose device is another one; any fixed name for a backend without a device.

        Raise LeaseError, with a sentence about the wrong value, for BackendData that cannot be used.
        """

    def further(self, name: str, place: Place, /) -> Backend:
        """Return the backend of the device with this name, for peers whose lease needs it; the device of an existing
        one keeps its settings.

        Raise LeaseError or ConfigError, with a sentence about the reason, if the device cannot be created or used.
        """


def _vxlan() -> BackendClass:
    from .vxlan import Vxlan

    return Vxlan


def _host_gw() -> BackendClass:
    from .host_gw import HostGw

    return HostGw


def _alloc() -> BackendClass:
    from .alloc import Alloc

    return Alloc


def _extension() -> BackendClass:
    from .extension import Extension

    return Extension


def _wireguard() -> BackendClass:
    from .wireguard import Wireguard

    return Wireguard


def _udp() -> BackendClass:
    from .udp import Udp

    return Udp


def _ipip() -> BackendClass:
    from .ipip import Ipip

    return Ipip


# The registration of the backends, by Type. A backend is imported when a config or a lease names it. The imports are
# statements, because Ansible copies a module's imports to a host by these, and mypy checks the classes.
BACKENDS: dict[str, Callable[[], BackendClass]] = {
    "vxlan": _vxlan,
    "host-gw": _host_gw,
    "ipip": _ipip,
    "alloc": _alloc,
    "extension": _extension,
    "wireguard": _wireguard,
    "udp": _udp,
}


def backend_for(config: NetworkConfig, underlay: Underlay, own: Subnet, end: OwnEnd) -> Backend:
    """Return the backend of a network config for this host's subnet; ``end`` is this host's end of its tunnels.

    Raise ConfigError if the MTU that is left for containers is unusable.
    """
    return BACKENDS[config.backend.type]()(config.backend, underlay, own, end)


def lease_data(options: BackendOptions, end: OwnEnd) -> Mapping[str, Any] | None:
    """Return the BackendData of this host's lease, None for none."""
    return BACKENDS[options.type]().lease_data(options, end)
