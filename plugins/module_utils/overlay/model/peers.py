# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which leases of a network are peers to be routed to: the sound ones, judged together."""

from __future__ import annotations

from collections.abc import Iterable

from .addresses import Subnet
from .lease import SubnetLease, lease_problem
from .network import NetworkConfig


def sound_peers(
    leases: Iterable[SubnetLease], config: NetworkConfig, own: Subnet
) -> tuple[dict[Subnet, SubnetLease], dict[Subnet, str]]:
    """Return the leases of others by subnet, and by subnet the sentence why each other lease is left out.

    The own lease is in neither. Where two leases overlap, the own subnet wins, then a lease of the config's SubnetLen,
    then the lower subnet: a lease that another host wrote must never divert what is rightfully routed.
    """
    peers: dict[Subnet, SubnetLease] = {}
    problems: dict[Subnet, str] = {}
    odd: list[SubnetLease] = []
    for lease in leases:
        if lease.subnet == own:
            continue
        problem = lease_problem(lease, config)
        if problem:
            problems[lease.subnet] = problem
        elif lease.subnet.overlaps(own):
            problems[lease.subnet] = f"lease {lease.key}: overlaps this host's own subnet {own}"
        elif config.fits(lease.subnet):
            peers[lease.subnet] = lease
        else:
            odd.append(lease)
    if odd:
        _admit_odd(odd, peers, problems)
    return peers, problems


def _admit_odd(odd: list[SubnetLease], peers: dict[Subnet, SubnetLease], problems: dict[Subnet, str]) -> None:
    """Add the leases of another length or range that overlap no other; one sweep over all in order of address."""
    fitting = sorted(peers)
    position, reach = 0, -1
    holder: Subnet | None = None
    for lease in sorted(odd, key=lambda lease: lease.subnet):
        subnet = lease.subnet
        while position < len(fitting) and fitting[position].last < subnet.first:
            position += 1
        rival = fitting[position] if position < len(fitting) and fitting[position].overlaps(subnet) else None
        if rival is None and subnet.first <= reach:
            rival = holder
        if rival is not None:
            problems[subnet] = f"lease {lease.key}: overlaps lease {rival}, which is kept"
            continue
        peers[subnet] = lease
        reach, holder = subnet.last, subnet
