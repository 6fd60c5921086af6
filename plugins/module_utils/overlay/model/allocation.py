# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which subnet a host takes: flannel's order of choice, as functions on values."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Collection, Iterable
from contextlib import suppress

from .addresses import Subnet
from .errors import LeaseError, PoolExhaustedError
from .lease import lease_problem, parse_lease, parse_lease_key
from .network import NetworkConfig

CANDIDATES = 100  # flannel draws one of the first hundred free subnets, so that hosts starting together rarely collide


def free_subnets(config: NetworkConfig, taken: Iterable[Subnet], limit: int = CANDIDATES) -> list[Subnet]:
    """Return up to ``limit`` subnets from SubnetMin to SubnetMax that overlap none of those taken, lowest first."""
    size = config.subnet_min.size
    blocked = _merged(subnet for subnet in taken if subnet.overlaps(config.network))
    starts = [block[0] for block in blocked]
    free: list[Subnet] = []
    first = config.subnet_min.first
    while first <= config.subnet_max.first and len(free) < limit:
        index = bisect_right(starts, first + size - 1) - 1
        if index >= 0 and blocked[index][1] >= first:
            # Go on at the first boundary behind whatever blocks this place.
            first = Subnet.of(blocked[index][1], config.subnet_len).last + 1
        else:
            free.append(Subnet(first, config.subnet_len))
            first += size
    return free


def taken_subnets(
    config: NetworkConfig, leases: Iterable[tuple[str, str]], directories: Iterable[str] = ()
) -> list[Subnet]:
    """Return the subnets that must not be leased; ``leases`` are lease names and values, see ``taken_by``.

    ``directories`` are names that cannot be created: one that is exactly the key of a subnet takes that subnet.
    """
    taken = [subnet for subnet in (taken_by(config, name, value) for name, value in leases) if subnet is not None]
    for name in directories:
        with suppress(LeaseError):
            taken += filter(config.fits, [parse_lease_key(name)])
    return taken


def taken_by(config: NetworkConfig, name: str, value: str) -> Subnet | None:
    """Return the subnet that a key keeps from others, None where it keeps nothing.

    A key inside Network that is no wider than SubnetLen keeps its subnet whatever its value is: it may be a live lease
    that somebody spoiled, and it takes one place at most. A wider one keeps its subnet if it is a usable lease, as
    after a change of SubnetLen. Anything else, such as 0.0.0.0-0 or Network itself, must not fill the pool.
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
    """Return the free subnets to draw one from, lowest first; raise PoolExhaustedError when every one is held."""
    free = free_subnets(config, taken)
    if not free:
        raise PoolExhaustedError(
            f"out of subnets: all {config.capacity} of Network {config.network} with SubnetLen {config.subnet_len} are "
            f"leased; release leases of hosts that are gone, widen SubnetMin..SubnetMax, or use a larger Network"
        )
    return free


def choose_subnet(config: NetworkConfig, taken: Collection[Subnet], previous: Subnet | None = None) -> Subnet:
    """Return the subnet a host without a lease should create: the one it had, if free and fitting, else a random one.

    Raise PoolExhaustedError when every subnet is held.
    """
    if previous is not None and config.fits(previous) and not any(previous.overlaps(other) for other in taken):
        return previous
    return random.choice(candidates(config, taken))


def _merged(subnets: Iterable[Subnet]) -> list[tuple[int, int]]:
    """Return the address ranges (first, last) of the subnets, sorted, overlapping ones joined."""
    ranges: list[tuple[int, int]] = []
    for subnet in sorted(subnets):
        if ranges and subnet.first <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(ranges[-1][1], subnet.last))
        else:
            ranges.append((subnet.first, subnet.last))
    return ranges
