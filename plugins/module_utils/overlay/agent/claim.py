# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host writes into its lease, and what tells it that a lease is its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..model.addresses import Subnet
from ..model.lease import SubnetLease


class Claim(NamedTuple):
    """What this host says of itself in its lease, and what it was known by before; ``macs`` are in lower case."""

    public_ip: int
    backend_type: str
    backend_data: Mapping[str, Any] | None
    previous_subnet: Subnet | None = None
    previous_public_ip: int | None = None
    macs: frozenset[str] = frozenset()

    def lease(self, subnet: Subnet) -> SubnetLease:
        """Return the lease this host wants for a subnet."""
        return SubnetLease(subnet, self.public_ip, self.backend_type, self.backend_data)
