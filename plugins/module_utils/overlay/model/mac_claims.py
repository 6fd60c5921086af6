# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which host a VtepMAC belongs to when the leases of several hosts say the same one.

The kernel's FDB leads one MAC to one host, so only one host can have it: the host of the lease that was written last.
That is the live one where a host came back under another address and leased another subnet: its device, and with it
the MAC, is the same, and its old lease stays in etcd for up to a day. One host may hold several subnets with its MAC.

Almost every MAC has one claim, which costs one entry of a map. Several claims are kept by age and by host, so that
one more or less touches the claims of two hosts, the one that has the MAC before and the one that has it after.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Collection
from typing import NamedTuple

from .addresses import Subnet


class Claim(NamedTuple):
    """How new the lease of a subnet is (the higher the newer), and the public address of its host."""

    written: int
    host: int


class _Contest:
    """Several claims to one MAC."""

    def __init__(self) -> None:
        self.by_age: list[tuple[int, Subnet]] = []
        self.by_host: dict[int, set[Subnet]] = {}

    def add(self, subnet: Subnet, claim: Claim) -> None:
        insort(self.by_age, (claim.written, subnet))
        self.by_host.setdefault(claim.host, set()).add(subnet)

    def discard(self, subnet: Subnet, claim: Claim) -> None:
        del self.by_age[bisect_left(self.by_age, (claim.written, subnet))]
        subnets = self.by_host[claim.host]
        subnets.discard(subnet)
        if not subnets:
            del self.by_host[claim.host]


class MacClaims:
    """The subnets that claim each MAC."""

    def __init__(self, claim_of: Callable[[Subnet], Claim]) -> None:
        """Start with no claims; ``claim_of`` must give one answer for a subnet from ``add`` to ``discard``."""
        self._claim_of = claim_of
        self._single: dict[bytes, Subnet] = {}
        self._several: dict[bytes, _Contest] = {}

    def add(self, mac: bytes, subnet: Subnet) -> None:
        """Add a claim that is not there yet."""
        if mac not in self._several:
            first = self._single.setdefault(mac, subnet)
            if first is subnet:
                return
            del self._single[mac]
            self._several[mac] = _Contest()
            self._several[mac].add(first, self._claim_of(first))
        self._several[mac].add(subnet, self._claim_of(subnet))

    def discard(self, mac: bytes, subnet: Subnet) -> None:
        """Remove a claim that is there."""
        contest = self._several.get(mac)
        if contest is None:
            del self._single[mac]
            return
        contest.discard(subnet, self._claim_of(subnet))
        if len(contest.by_age) == 1:
            self._single[mac] = contest.by_age[0][1]
            del self._several[mac]

    def is_claimed(self, mac: bytes) -> bool:
        """Whether there is a claim to this MAC."""
        return mac in self._single or mac in self._several

    def is_shared(self, mac: bytes) -> bool:
        """Whether several subnets claim this MAC."""
        return mac in self._several

    def is_contested(self, mac: bytes) -> bool:
        """Whether several hosts claim this MAC."""
        contest = self._several.get(mac)
        return contest is not None and len(contest.by_host) > 1

    def winner(self, mac: bytes) -> Subnet | None:
        """Return the subnet with the newest claim, of equally new ones the highest; None where there is no claim."""
        contest = self._several.get(mac)
        return self._single.get(mac) if contest is None else contest.by_age[-1][1]

    def of_host(self, mac: bytes, host: int) -> Collection[Subnet]:
        """Return the subnets of a host that claim this MAC."""
        contest = self._several.get(mac)
        if contest is not None:
            return contest.by_host.get(host, ())
        subnet = self._single.get(mac)
        return (subnet,) if subnet is not None and self._claim_of(subnet).host == host else ()
