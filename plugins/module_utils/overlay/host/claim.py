# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host writes into its lease, and what tells it that a lease is its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..model.addresses import Subnet, format_ipv4
from ..model.errors import LeaseError
from ..model.lease import SubnetLease, lease_key, parse_lease, parse_lease_key
from ..store.protocol import Item


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


def own_leases(claim: Claim, leases: Mapping[str, Item]) -> list[tuple[SubnetLease, Item]]:
    """Return of all leases, by lease name, those of this host, best first: with its public IP, or its old subnet.

    A reservation comes before the others: it is the operator's word on which subnet this host has. The old subnet
    comes next: an address may have been another host's before.
    """
    own = []
    # Most of many thousand leases name neither: a look for the text spares understanding each.
    texts = (format_ipv4(claim.public_ip), lease_key(claim.previous_subnet) if claim.previous_subnet else "/")
    for name, item in leases.items():
        if texts[0] not in item.value and not name.startswith(texts[1]):
            continue
        try:
            subnet = parse_lease_key(name)
        except LeaseError:
            continue
        is_old = subnet == claim.previous_subnet
        try:
            lease = parse_lease(name, item.value)
        except LeaseError:
            if is_old:  # somebody spoiled it
                own.append((SubnetLease(subnet, 0), item))
            continue
        if lease.public_ip == claim.public_ip or (is_old and lease.public_ip == claim.previous_public_ip):
            own.append((lease, item))
    return sorted(own, key=lambda one: (not one[1].reservation, one[0].subnet != claim.previous_subnet))
