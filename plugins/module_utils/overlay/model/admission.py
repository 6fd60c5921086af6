# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Admission of subnets to routing if some overlap, updated change by change.

Two subnets are nested or disjoint. So all subnets that overlap a subnet are either around it (at most one of each
length) or within it (one slice of a list sorted by address)::

    10.5.0.0/21                       odd, excluded: 10.5.5.0/24 is within it
    ├── 10.5.0.0/22                   odd, admitted: the widest without a fitting subnet within it
    │   └── 10.5.1.128/25             odd, excluded: it is within 10.5.0.0/22
    └── 10.5.5.0/24                   fitting, always admitted
        └── 10.5.5.0/26               odd, excluded: it is within 10.5.5.0/24

A *fitting* subnet has the config's SubnetLen and is in the range from SubnetMin to SubnetMax; all others are *odd*. Odd
subnets are usual after a change of SubnetLen or SubnetMin, until their leases expire.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from .addresses import Subnet
from .network import NetworkConfig

_LENGTH_BITS = 6  # enough for a prefix length, 0 to 32
_LENGTH_MASK = (1 << _LENGTH_BITS) - 1
_FEW = 64  # up to this number of changes, single insertions are faster than sorting the whole list


class SubnetOrder:
    """A set of subnets sorted by address, wider ones first; one integer for each, so that sorting is fast."""

    def __init__(self) -> None:
        """Start without subnets."""
        self._numbers: list[int] = []
        self._lengths: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Subnet]:
        return map(_subnet, self._numbers)

    def __contains__(self, subnet: Subnet) -> bool:
        if not self._numbers:
            return False
        number = _number(subnet)
        position = bisect_left(self._numbers, number)
        return position < len(self._numbers) and self._numbers[position] == number

    def update(self, gone: Collection[Subnet], come: Collection[Subnet]) -> None:
        """Remove the subnets ``gone``, which are in the set, and add ``come``, which are not."""
        self._lengths.subtract(subnet.length for subnet in gone)
        self._lengths.update(subnet.length for subnet in come)
        if len(gone) + len(come) > _FEW:
            old = {_number(subnet) for subnet in gone}
            kept = [number for number in self._numbers if number not in old] if old else self._numbers
            self._numbers = sorted([*kept, *map(_number, come)])
            return
        for subnet in gone:
            del self._numbers[bisect_left(self._numbers, _number(subnet))]
        for subnet in come:
            insort(self._numbers, _number(subnet))

    def around(self, subnet: Subnet) -> Iterator[Subnet]:
        """Yield the subnets that contain this one, the widest first, without itself."""
        for length in sorted(length for length, count in self._lengths.items() if count and length < subnet.length):
            wider = Subnet.of(subnet.first, length)
            if wider in self:
                yield wider

    def within(self, subnet: Subnet) -> Iterator[Subnet]:
        """Yield the subnets inside this one, sorted, without itself; the set must not change during the iteration."""
        end = (subnet.last + 1) << _LENGTH_BITS
        for position in range(bisect_left(self._numbers, _number(subnet) + 1), len(self._numbers)):
            if self._numbers[position] >= end:
                return
            yield _subnet(self._numbers[position])

    def overlapping(self, subnet: Subnet) -> Iterator[Subnet]:
        """Yield the subnets that overlap this one, without itself: those around it first."""
        yield from self.around(subnet)
        yield from self.within(subnet)


class Admission:
    """The valid subnets of other hosts, and which of them are excluded; ``rivals`` has the reason.

    The rule does not depend on the order of events. A fitting subnet is admitted. An odd one is admitted if no fitting
    subnet overlaps it and no wider odd subnet around it is admitted. So an odd lease never diverts the traffic of a
    fitting one, and of nested odd subnets the widest without a fitting subnet is admitted.

    A change affects the subnets that it overlaps. If it admits or excludes an odd subnet, it also affects those within.
    """

    def __init__(self, config: NetworkConfig) -> None:
        """Start without subnets."""
        self._config = config
        self._fitting = SubnetOrder()
        self._odd = SubnetOrder()
        self.rivals: dict[Subnet, Subnet] = {}  # by each excluded subnet: the subnet that excludes it

    def __contains__(self, subnet: Subnet) -> bool:
        """Whether the subnet was added, admitted or not."""
        return subnet in (self._fitting if self._config.fits(subnet) else self._odd)

    def update(self, gone: Collection[Subnet], come: Collection[Subnet]) -> set[Subnet]:
        """Remove subnets and add others; return the odd subnets whose admission or rival changed."""
        (fitting_gone, odd_gone), (fitting_come, odd_come) = self._sorted(gone), self._sorted(come)
        self._fitting.update(fitting_gone, fitting_come)
        self._odd.update(odd_gone, odd_come)
        concerned: list[Subnet] = []
        for subnet in odd_gone:
            if self.rivals.pop(subnet, None) is None:
                concerned += self._odd.within(subnet)
        for subnet in odd_come:
            self.rivals[subnet] = subnet  # excluded until its rival is computed
        concerned += odd_come
        if self._odd:
            concerned += self._overlapped_by(fitting_gone, fitting_come)
        return self._judge(concerned)

    def _sorted(self, subnets: Iterable[Subnet]) -> tuple[list[Subnet], list[Subnet]]:
        """Return the fitting subnets and the odd ones."""
        sorts: tuple[list[Subnet], list[Subnet]] = [], []
        for subnet in subnets:
            sorts[not self._config.fits(subnet)].append(subnet)
        return sorts

    def _overlapped_by(self, *fitting: Collection[Subnet]) -> Iterable[Subnet]:
        """Return the odd subnets that overlap one of these; all odd ones if they are fewer."""
        if sum(map(len, fitting)) > len(self._odd):
            return self._odd
        return (odd for changed in fitting for subnet in changed for odd in self._odd.overlapping(subnet))

    def _judge(self, concerned: Iterable[Subnet]) -> set[Subnet]:
        """Compute the rivals of these subnets, and of those within each one that changes; return the changed ones."""
        waiting, seen = list(concerned), set[Subnet]()
        changed: set[Subnet] = set()
        while waiting:
            subnet = waiting.pop()
            if subnet in seen:
                continue
            seen.add(subnet)
            before, after = self.rivals.get(subnet), self._find_rival(subnet)
            if after is None:
                self.rivals.pop(subnet, None)
            else:
                self.rivals[subnet] = after
            if before != after:
                changed.add(subnet)
            if (before is None) != (after is None):
                waiting += self._odd.within(subnet)
        return changed

    def _find_rival(self, subnet: Subnet) -> Subnet | None:
        fitting = self._fitting_in_the_way(subnet)
        if fitting is not None:
            return fitting
        return next((odd for odd in self._odd.around(subnet) if self._fitting_in_the_way(odd) is None), None)

    def _fitting_in_the_way(self, subnet: Subnet) -> Subnet | None:
        return next(self._fitting.overlapping(subnet), None)


def _number(subnet: Subnet) -> int:
    return subnet.first << _LENGTH_BITS | subnet.length


def _subnet(number: int) -> Subnet:
    return Subnet(number >> _LENGTH_BITS, number & _LENGTH_MASK)
