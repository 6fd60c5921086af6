# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A backend that refuses a peer whose subnet overlaps the host's own networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..model.lease import SubnetLease
from ..model.overlap import Reserved
from ..model.state import PeerRows, VxlanDevice

if TYPE_CHECKING:
    from . import Backend


class Guarded:
    """The backend itself, but for the peers that it refuses."""

    def __init__(self, backend: Backend, reserved: Reserved) -> None:
        """Refuse each lease that takes a reserved address."""
        self._backend = backend
        self._reserved = reserved

    @property
    def type(self) -> str:
        """The Type in the network config, and BackendType in leases."""
        return self._backend.type

    @property
    def mtu(self) -> int:
        """The MTU in bytes for containers."""
        return self._backend.mtu

    @property
    def device(self) -> VxlanDevice | None:
        """The tunnel device this host should have."""
        return self._backend.device

    def lease_data(self) -> Mapping[str, Any] | None:
        """Return the BackendData of the own lease."""
        return self._backend.lease_data()

    def rows(self, lease: SubnetLease) -> PeerRows | None:
        """Return what the kernel needs for a peer; raise LeaseError for a peer on a reserved address as well."""
        rows = self._backend.rows(lease)
        if rows is not None:
            self._reserved.check(lease)
        return rows
