# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Choice of a host's subnet, in flannel's order."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Collection, Iterable
from contextlib import suppress

from .addresses import Subnet
from .errors import LeaseError, PoolExhaustedError
from .lease import lease_problem, parse_lease, parse_lease_key
from .network import NetworkConfig

CANDIDATES = 100  # as in flannel: a random one of the first 100, so that hosts that start together rarely collide


def free_subnets(config: NetworkConfig, taken: Iterable[Subnet], limit: int = CANDIDATES) -> list[Subnet]:
    """Return up to ``limit`` subnets from SubnetMin to SubnetMax that overlap no taken subnet, lowest first."""
    size = config.subnet_min.size
    blocked = _merged(subnet for subnet in taken if subnet.overlaps(config.network))
    starts = [block[0] for block in blocked]
    free: list[Subnet] = []
    first = config.subnet_min.first
    while first <= config.subnet_max.first and len(free) < limit:
        index = bisect_right(starts, first + size - 1) - 1
        if index >= 0 and blocked[index][1] >= first:
            # Continue at the first boundary after the block.
            first = Subnet.of(blocked[index][1], config.subnet_len).last + 1
        else:
            free.append(Subnet(first, config.subnet_len))
            first += size
    return free


def taken_subnets(
    config: NetworkConfig, leases: Iterable[tuple[str, str]], directories: Iterable[str] = ()
) -> list[Subnet]:
    """Return the subnets that must not be leased; ``leases`` are pairs of lease name and value, see ``taken_by``.

    ``directories`` are lease names that cannot be created; each that is the key of a subnet takes this subnet.
    """
    taken = [subnet for subnet in (taken_by(config, name, value) for name, value in leases) if subnet is not None]
    for name in directories:
        with suppress(LeaseError):
            taken += filter(config.fits, [parse_lease_key(name)])
    return taken


def taken_by(config: NetworkConfig, name: str, value: str) -> Subnet | None:
    """Return the subnet that a key takes from the pool, None if it takes none.

    A key inside Network that is not wider than SubnetLen takes its subnet, even with an invalid value: it may be a live
    lease that was overwritten, and it takes at most one subnet. A wider key takes its subnet if it is a valid lease, as
    after a change of SubnetLen. Any other key, such as 0.0.0.0-0 or Network itself, takes none: it would fill the pool.
    """
    try:
        subnet = parse_lease_key(name)
        if not config.network.covers(subnet):
            return None
        if subnet.length < config.subnet_len and lease_problem(parse_lease(name, value), config):
            return None
    except LeaseError:
        return None
    return subnet


def candidates(config: NetworkConfig, taken: Collection[Subnet]) -> list[Subnet]:
    """Return the first free subnets, lowest first; raise PoolExhaustedError if every subnet is taken."""
    free = free_subnets(config, taken)
    if not free:
        raise PoolExhaustedError(
            f"out of subnets: all {config.capacity} of Network {config.network} with SubnetLen {config.subnet_len} are "
            f"leased; delete the leases of hosts that no longer exist, widen SubnetMin to SubnetMax, or use a larger "
            f"Network"
        )
    return free


def choose_subnet(config: NetworkConfig, taken: Collection[Subnet], previous: Subnet | None = None) -> Subnet:
    """Return the subnet for a host without a lease: its previous one if it is free and fits, else a random free one.

    Raise PoolExhaustedError if every subnet is taken.
    """
    if previous is not None and config.fits(previous) and not any(previous.overlaps(other) for other in taken):
        return previous
    return random.choice(candidates(config, taken))


def _merged(subnets: Iterable[Subnet]) -> list[tuple[int, int]]:
    """Return the address ranges (first, last) of the subnets, sorted, with overlapping ranges merged."""
    ranges: list[tuple[int, int]] = []
    for subnet in sorted(subnets):
        if ranges and subnet.first <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(ranges[-1][1], subnet.last))
        else:
            ranges.append((subnet.first, subnet.last))
    return ranges
