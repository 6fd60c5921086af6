# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides which host a VtepMAC belongs to if the leases of several hosts have the same one.

The kernel's FDB forwards a MAC to one host only, so the host of the lease that was written last has it. That is the
live one if a host returned with another address and leased another subnet: its device keeps the MAC, and its old lease
stays in etcd for up to a day. One host may hold several subnets with its MAC.

Most MACs have one claim, which costs one entry of a dictionary. Several claims are kept by age and by host, so that an
added or removed claim affects only two hosts: the one that had the MAC and the one that has it now.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Collection

from ..named_tuple import NamedTuple
from .addresses import Subnet


class MacClaim(NamedTuple):
    """The revision of a subnet's lease (a higher one is newer), and the public IP of its host (integer)."""

    written: int
    host: int


class _Contest:
    """Several claims to one MAC."""

    def __init__(self) -> None:
        self.by_age: list[tuple[int, Subnet]] = []
        self.by_host: dict[int, set[Subnet]] = {}

    def add(self, subnet: Subnet, claim: MacClaim) -> None:
        insort(self.by_age, (claim.written, subnet))
        self.by_host.setdefault(claim.host, set()).add(subnet)

    def discard(self, subnet: Subnet, claim: MacClaim) -> None:
        del self.by_age[bisect_left(self.by_age, (claim.written, subnet))]
        subnets = self.by_host[claim.host]
        subnets.discard(subnet)
        if not subnets:
            del self.by_host[claim.host]


class MacClaims:
    """The subnets that claim each MAC."""

    def __init__(self, claim_of: Callable[[Subnet], MacClaim]) -> None:
        """Start without claims; ``claim_of`` must return the same value for a subnet from ``add`` to ``discard``."""
        self._claim_of = claim_of
        self._single: dict[bytes, Subnet] = {}
        self._several: dict[bytes, _Contest] = {}

    def add(self, mac: bytes, subnet: Subnet) -> None:
        """Add a claim that does not exist yet."""
        if mac not in self._several:
            first = self._single.setdefault(mac, subnet)
            if first is subnet:
                return
            del self._single[mac]
            self._several[mac] = _Contest()
            self._several[mac].add(first, self._claim_of(first))
        self._several[mac].add(subnet, self._claim_of(subnet))

    def discard(self, mac: bytes, subnet: Subnet) -> None:
        """Remove a claim that exists."""
        contest = self._several.get(mac)
        if contest is None:
            del self._single[mac]
            return
        contest.discard(subnet, self._claim_of(subnet))
        if len(contest.by_age) == 1:
            self._single[mac] = contest.by_age[0][1]
            del self._several[mac]

    def is_claimed(self, mac: bytes) -> bool:
        """Whether a subnet claims this MAC."""
        return mac in self._single or mac in self._several

    def is_shared(self, mac: bytes) -> bool:
        """Whether several subnets claim this MAC."""
        return mac in self._several

    def is_contested(self, mac: bytes) -> bool:
        """Whether several hosts claim this MAC."""
        contest = self._several.get(mac)
        return contest is not None and len(contest.by_host) > 1

    def winner(self, mac: bytes) -> Subnet | None:
        """Return the subnet with the newest claim (the highest subnet of equally new ones), None without a claim."""
        contest = self._several.get(mac)
        return self._single.get(mac) if contest is None else contest.by_age[-1][1]

    def of_host(self, mac: bytes, host: int) -> Collection[Subnet]:
        """Return the subnets of a host that claim this MAC."""
        contest = self._several.get(mac)
        if contest is not None:
            return contest.by_host.get(host, ())
        subnet = self._single.get(mac)
        return (subnet,) if subnet is not None and self._claim_of(subnet).host == host else ()
