# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keys below <prefix>/subnets as rows: valid leases, reservations and invalid entries."""

from __future__ import annotations

from typing import Any

from ..model.addresses import Subnet, format_ipv4
from ..model.allocation import taken_by
from ..model.errors import LeaseError
from ..model.lease import SubnetLease, lease_problem, overlapping, parse_lease, parse_lease_key
from ..model.network import NetworkConfig
from ..named_tuple import NamedTuple
from ..store.protocol import Item
from ..store.schema import StoredNetwork


class LeaseRow(NamedTuple):
    """A key below subnets, with its lease name.

    ``subnet`` is None if the name is invalid, ``lease`` is None if name or value is invalid; ``problem`` is the reason.
    """

    name: str
    item: Item
    subnet: Subnet | None
    lease: SubnetLease | None
    problem: str | None

    def __str__(self) -> str:
        kind = "reservation" if self.item.reservation else "live lease"
        holder = f"of {format_ipv4(self.lease.public_ip)}" if self.lease else f"with an unusable value ({self.problem})"
        return f"{kind} {self.name} {holder}"

    def is_of(self, public_ip: int | None) -> bool:
        """Whether the host with this public IP holds the lease."""
        return self.lease is not None and self.lease.public_ip == public_ip

    def takes(self, subnet: Subnet, config: NetworkConfig) -> bool:
        """Whether the key takes a subnet from the pool."""
        taken = taken_by(config, self.name, self.item.value)
        return taken is not None and taken.overlaps(subnet)


def row_of(name: str, item: Item) -> LeaseRow:
    """Return the row of a lease name and the item of its key."""
    subnet: Subnet | None = None
    try:
        subnet = parse_lease_key(name)
        return LeaseRow(name, item, subnet, parse_lease(name, item.value), None)
    except LeaseError as error:
        return LeaseRow(name, item, subnet, None, str(error))


def rows_of(network: StoredNetwork) -> list[LeaseRow]:
    """Return the rows of a network sorted by subnet; invalid names come last."""
    rows = [row_of(name, item) for name, item in network.leases.items()]
    return sorted(rows, key=lambda row: (row.subnet is None, row.subnet or Subnet(0, 0), row.item.key))


def lease_facts(row: LeaseRow, ttl: int | None, config: NetworkConfig | None) -> dict[str, Any]:
    """Return a row for a module's result; ``ttl`` is in seconds, None for a reservation."""
    lease = row.lease
    return {
        "key": row.item.key,
        "subnet": str(row.subnet) if row.subnet else None,
        "public_ip": format_ipv4(lease.public_ip) if lease else None,
        "backend_type": lease.backend_type if lease else None,
        "backend_data": lease.backend_data if lease else None,
        "ttl": ttl,
        "reservation": row.item.reservation,
        "revision": row.item.revision or None,
        "problem": row_problem(row, config),
    }


def row_problem(row: LeaseRow, config: NetworkConfig | None) -> str | None:
    """Return the problem of a single row as a sentence, None without one; without a config, check only its format."""
    return row.problem or (lease_problem(row.lease, config) if row.lease and config else None)


def table_problems(rows: list[LeaseRow], config: NetworkConfig | None) -> list[str]:
    """Return a sentence for each conflict between valid leases."""
    leases = [row.lease for row in rows if row.lease]
    sound = [row.lease for row in rows if row.lease and not row_problem(row, config)]
    problems = [
        f"leases {one.key} of {format_ipv4(one.public_ip)} and {two.key} of {format_ipv4(two.public_ip)} overlap"
        for one, two in overlapping(sound)
    ]
    held: dict[int, list[str]] = {}
    for lease in leases:
        held.setdefault(lease.public_ip, []).append(lease.key)
    return problems + [
        f"host {format_ipv4(public_ip)} holds {len(keys)} leases: {', '.join(keys)}"
        for public_ip, keys in held.items()
        if len(keys) > 1
    ]
