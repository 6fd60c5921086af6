# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The data that a host writes into its lease, and by which it recognizes its own leases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model.addresses import Subnet, format_ipv4
from ..model.errors import LeaseError
from ..model.lease import SubnetLease, lease_key, parse_lease, parse_lease_key
from ..named_tuple import NamedTuple
from ..store.protocol import Item


class Claim(NamedTuple):
    """The data of this host's lease, and its previous subnet, public IP and MACs (text in lower case)."""

    public_ip: int
    backend_type: str
    backend_data: Mapping[str, Any] | str | None
    previous_subnet: Subnet | None = None
    previous_public_ip: int | None = None
    macs: frozenset[str] = frozenset()

    def lease(self, subnet: Subnet) -> SubnetLease:
        """Return this host's lease for a subnet."""
        return SubnetLease(subnet, self.public_ip, self.backend_type, self.backend_data)


def own_leases(claim: Claim, leases: Mapping[str, Item]) -> list[tuple[SubnetLease, Item]]:
    """Return this host's leases: those with its public IP, or with its previous subnet and previous public IP.

    ``leases`` are by lease name. Reservations come first, because the operator chose them. The lease of the previous
    subnet comes next, because another host may have had the address before. A lease of the previous subnet with an
    invalid value is returned with public IP 0.
    """
    own = []
    # Only a few of many thousand leases contain one of these texts; only those are parsed.
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
            if is_old:
                own.append((SubnetLease(subnet, 0), item))
            continue
        if lease.public_ip == claim.public_ip or (is_old and lease.public_ip == claim.previous_public_ip):
            own.append((lease, item))
    return sorted(own, key=lambda one: (not one[1].reservation, one[0].subnet != claim.previous_subnet))
