# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which subnet a host takes: flannel's order of choice, as functions on values."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Collection, Iterable

from .addresses import Subnet
from .errors import PoolExhaustedError
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
