# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A backend that refuses a peer whose subnet overlaps the host's own networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..kernel.state import PeerRows, Row
from ..kernel.tables.device import Device
from ..model.backends import EXTENSION
from ..model.lease import SubnetLease
from ..model.overlap import Reserved

if TYPE_CHECKING:
    from . import Backend


class Guarded:
    """The same backend, except for the peers that it refuses."""

    def __init__(self, backend: Backend, reserved: Reserved) -> None:
        """Refuse each lease that contains a reserved address."""
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
    def device(self) -> Device | None:
        """The tunnel device of this host."""
        return self._backend.device

    @property
    def own_rows(self) -> tuple[Row, ...]:
        """The rows of this host itself."""
        return self._backend.own_rows

    def rows(self, lease: SubnetLease) -> PeerRows | None:
        """Return the rows of a peer; raise LeaseError for a lease with a reserved address as well."""
        rows = self._backend.rows(lease)
        if rows is not None or lease.backend_type == EXTENSION:
            self._reserved.check(lease)
        return rows
