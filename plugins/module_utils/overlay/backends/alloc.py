# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The alloc backend: this host leases a subnet, and something else routes between the hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..kernel.state import PeerRows
from ..model.addresses import Subnet
from ..model.backends.alloc import ALLOC, AllocOptions
from ..model.lease import SubnetLease
from ..model.underlay import Underlay

if TYPE_CHECKING:
    from . import Place


class Alloc:
    """No peer has rows. Like a reservation, the lease of a host with alloc names no backend."""

    type = ALLOC
    device = None
    own_rows = ()

    def __init__(self, options: AllocOptions, underlay: Underlay, _own: Subnet, _mac: bytes | None) -> None:
        """Take the MTU of the underlay."""
        self.mtu = options.overlay_mtu(underlay.mtu)

    @staticmethod
    def lease_data(_options: AllocOptions, _mac: bytes | None) -> None:
        """Return None: nothing is needed to reach this host."""

    @staticmethod
    def further_name(_lease: SubnetLease, _place: Place) -> str:
        """Return the type: alloc has no device."""
        return ALLOC

    @classmethod
    def further(cls, _name: str, place: Place) -> Alloc:
        """Return the backend."""
        return cls(AllocOptions(), place.underlay, place.own, None)

    def rows(self, _lease: SubnetLease) -> PeerRows | None:
        """Return None."""
