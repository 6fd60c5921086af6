# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The backends: what each wants in the kernel for this host and for a peer. Pure; one file each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..kernel.state import PeerRows, Row
from ..kernel.tables.device import Device
from ..model.addresses import Subnet
from ..model.backend import HOST_GW, VXLAN, BackendOptions
from ..model.lease import SubnetLease
from ..model.network import NetworkConfig
from ..model.underlay import Underlay
from .host_gw import HostGw
from .vxlan import Vxlan


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


class BackendClass(Protocol):
    """The class of a backend: its constructor, and what is known before there is a subnet."""

    def __call__(self, options: Any, underlay: Underlay, own: Subnet, mac: bytes | None, /) -> Backend:
        """Return the backend. Raise ConfigError if the MTU that is left for containers is unusable."""

    def lease_data(self, options: Any, mac: bytes | None, /) -> Mapping[str, Any] | None:
        """Return the BackendData of this host's lease, None for none."""


# The registration of the backends, by Type.
BACKENDS: dict[str, BackendClass] = {VXLAN: Vxlan, HOST_GW: HostGw}


def backend_for(config: NetworkConfig, underlay: Underlay, own: Subnet, mac: bytes | None) -> Backend:
    """Return the backend of a network config for this host's subnet; ``mac`` is that of its tunnel device, if any.

    Raise ConfigError if the MTU that is left for containers is unusable.
    """
    return BACKENDS[config.backend.type](config.backend, underlay, own, mac)


def lease_data(options: BackendOptions, mac: bytes | None) -> Mapping[str, Any] | None:
    """Return the BackendData of this host's lease, None for none."""
    return BACKENDS[options.type].lease_data(options, mac)
