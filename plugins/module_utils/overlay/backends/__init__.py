# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ways to carry packets between hosts: what each wants in the kernel for a peer; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..model.addresses import Subnet
from ..model.backend import VxlanOptions
from ..model.lease import SubnetLease
from ..model.network import NetworkConfig
from ..model.state import PeerRows, Underlay, VxlanDevice
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
    def device(self) -> VxlanDevice | None:
        """The tunnel device this host should have; None without one, and as long as the own subnet is not known."""

    def lease_data(self) -> Mapping[str, Any] | None:
        """Return the BackendData of the own lease, None for none."""

    def rows(self, lease: SubnetLease) -> PeerRows | None:
        """Return what the kernel needs for a peer; None for one that speaks another backend or VNI, which is no error.

        Mixed backends do not talk to each other, and a fleet is mixed while it is moved from one to another. Raise
        LeaseError naming the lease and the reason for one that should be reachable and cannot be.
        """


def backend_for(config: NetworkConfig, underlay: Underlay, own: Subnet | None, mac: bytes | None) -> Backend:
    """Return the backend of a network config; ``mac`` is that of this host's tunnel device, where there is one.

    Raise ConfigError when the MTU that is left for containers is unusable.
    """
    if isinstance(config.backend, VxlanOptions):
        return Vxlan(config.backend, underlay, own, mac)
    return HostGw(config.backend, underlay)
