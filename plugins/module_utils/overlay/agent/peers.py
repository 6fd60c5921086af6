# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The leases as etcd last told them, and the kernel rows they ask for: kept whole, changed one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..backends import Backend
from ..model.addresses import Subnet, format_mac
from ..model.collector import collector_at_rest
from ..model.errors import LeaseError
from ..model.lease import SubnetLease, lease_key, lease_problem, parse_lease
from ..model.network import NetworkConfig
from ..model.peers import sound_peers
from ..model.state import PeerRows
from ..store.protocol import Event, Item, Put


class Change(NamedTuple):
    """One peer's rows before and after; None where it had or has none."""

    before: PeerRows | None
    after: PeerRows | None


class PeerTable:
    """All leases under one config; ``rows`` by subnet is what the kernel should hold for them."""

    def __init__(self, config: NetworkConfig, own: Subnet, backend: Backend) -> None:
        """Start empty. Leases are kept in the order they were written, so that of two with one MAC the older wins."""
        self._config = config
        self._own = own
        self._backend = backend
        self._leases: dict[str, SubnetLease] = {}
        self._values: dict[str, str] = {}
        self._garbage: dict[str, str] = {}
        self._problems: dict[Subnet, str] = {}
        self._macs: Counter[bytes] = Counter()
        self._entangled = False
        self.rows: dict[Subnet, PeerRows] = {}

    @property
    def problems(self) -> list[str]:
        """A sentence for each lease that cannot be used, in order."""
        return sorted([*self._garbage.values(), *self._problems.values()])

    def problem_of(self, subnet: Subnet) -> str | None:
        """Return why the lease of a subnet cannot be used, None for one that can, speaks another backend or is none."""
        return self._garbage.get(lease_key(subnet)) or self._problems.get(subnet)

    @property
    def values(self) -> Mapping[str, str]:
        """Every lease as text, by lease key, as etcd last told it."""
        return self._values

    @collector_at_rest()
    def reset(self, items: Mapping[str, Item]) -> None:
        """Take these for all leases there are, by lease name."""
        self._leases.clear()
        self._values.clear()
        self._garbage.clear()
        for name, item in sorted(items.items(), key=_age):
            self._note(name, item.value)
        self._judge()

    def change(self, events: Iterable[Event]) -> list[Change] | None:
        """Take in events by lease name; return the peers whose rows changed, or None where all were judged anew."""
        changes: dict[Subnet, Change] = {}  # what was before the first event of a subnet, and is after the last
        alone = True
        for event in events:
            name, value = (event.item.key, event.item.value) if isinstance(event, Put) else (event.key, None)
            subnet = self._note(name, value)
            if subnet is None or not alone:
                continue
            change = None if "&" in name else self._judge_one(subnet, self._leases.get(name))
            if change is None:
                alone = False
            else:
                first = changes.get(subnet, change)
                changes[subnet] = Change(first.before, change.after)
        if not alone:
            self._judge()
            return None
        return [change for change in changes.values() if change.before != change.after]

    def _note(self, name: str, value: str | None) -> Subnet | None:
        """Keep one lease's value, None for a deleted one; return the subnet whose rows may change by it."""
        known = self._leases.pop(name, None)
        self._garbage.pop(name, None)
        self._values.pop(name, None)
        if value is not None:
            self._values[name] = value
            try:
                known = self._leases[name] = parse_lease(name, value)
            except LeaseError as error:
                self._garbage[name] = str(error)
        return known.subnet if known else None

    def _judge(self) -> None:
        """Work out every peer's rows from the leases, judged together."""
        held, twins = self._one_for_each_subnet()
        peers, self._problems = sound_peers(held.values(), self._config, self._own)
        self._problems.update(twins)
        self.rows = {}
        self._macs.clear()
        self._entangled = any(
            "&" in name or not self._config.fits(lease.subnet) for name, lease in self._leases.items()
        )
        destinations: dict[bytes, int] = {}
        for subnet, lease in peers.items():
            rows = self._rows(lease)
            if rows is None:
                continue
            if rows.fdb is not None:
                mac = rows.fdb.mac
                if destinations.setdefault(mac, rows.fdb.destination) != rows.fdb.destination:
                    self._entangled = True
                    self._problems[subnet] = (
                        f"lease {lease.key}: VtepMAC {format_mac(mac)} is also that of another host; "
                        f"one of the two must get a new one (delete its vxlan device and restart its agent)"
                    )
                    continue
                self._macs[mac] += 1
            self.rows[subnet] = rows

    def _one_for_each_subnet(self) -> tuple[Mapping[str, SubnetLease], dict[Subnet, str]]:
        """Return the leases by key less those whose subnet another key holds too, and a sentence for each such subnet.

        A dual stack key, such as 10.5.7.0-24&fd00::-56, yields to the plain one.
        """
        if not any("&" in name for name in self._leases):
            return self._leases, {}
        kept: dict[Subnet, str] = {}
        twins: dict[Subnet, str] = {}
        for name, lease in self._leases.items():
            rival = kept.setdefault(lease.subnet, name)
            if rival != name:
                plain, other = sorted((rival, name), key=len)
                kept[lease.subnet] = plain
                twins[lease.subnet] = f"lease {other}: its subnet is also leased as {plain}, which is kept"
        return {name: self._leases[name] for name in kept.values()}, twins

    def _judge_one(self, subnet: Subnet, lease: SubnetLease | None) -> Change | None:
        """Work out one peer's rows where no other peer can be touched by them; return None where one might be."""
        if self._entangled or not self._config.fits(subnet):
            return None
        before, after = self.rows.get(subnet), None
        self._problems.pop(subnet, None)
        if lease is not None and subnet != self._own:
            problem = lease_problem(lease, self._config)
            if problem:
                self._problems[subnet] = problem
            else:
                after = self._rows(lease)
        if self._shares_mac(before, after):
            return None
        self._replace(subnet, before, after)
        return Change(before, after)

    def _shares_mac(self, before: PeerRows | None, after: PeerRows | None) -> bool:
        """Whether a MAC that comes or goes is in use by another peer too."""
        old, new = _mac(before), _mac(after)
        if old is not None and self._macs[old] > 1:
            return True
        return new is not None and new != old and self._macs[new] > 0

    def _replace(self, subnet: Subnet, before: PeerRows | None, after: PeerRows | None) -> None:
        for rows, step in ((before, -1), (after, 1)):
            mac = _mac(rows)
            if mac is not None:
                self._macs[mac] += step
        if after is None:
            self.rows.pop(subnet, None)
        else:
            self.rows[subnet] = after

    def _rows(self, lease: SubnetLease) -> PeerRows | None:
        """Return the lease's rows; None where it has none to offer, with the reason kept if it is a defect."""
        try:
            return self._backend.rows(lease)
        except LeaseError as error:
            self._problems[lease.subnet] = str(error)
            return None


def _age(entry: tuple[str, Item]) -> int:
    return entry[1].revision


def _mac(rows: PeerRows | None) -> bytes | None:
    return rows.fdb.mac if rows is not None and rows.fdb is not None else None
