# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The leases as etcd holds them, and the kernel rows they ask for, kept up to date one event at a time.

One event goes through three steps, each of which passes on no more than what it really changed::

    note    the key's lease is parsed; its subnet is withdrawn, that is, it has to be judged again
    admit   a sound lease that overlaps no other with a better right is admitted (model.peers); subnets that
            come in or drop out by this one's change are withdrawn, too
    award   the backend gives each admitted lease its rows; where hosts say the same VtepMAC, one gets it
            (model.mac_claims), and the rows of the others are left out

A snapshot of etcd goes the same way, as one batch of all differences. So the result is the same, whether the leases
came one by one or all at once, except for the rule on renewals (``PeerTable.reset``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ..backends import Backend
from ..model.addresses import Subnet, format_ipv4, format_mac
from ..model.collector import collector_at_rest
from ..model.errors import LeaseError
from ..model.lease import SubnetLease, lease_key, lease_problem, parse_lease
from ..model.mac_claims import Claim, MacClaims
from ..model.network import NetworkConfig
from ..model.peers import Admission
from ..model.state import FdbEntry, PeerRows
from ..store.protocol import Event, Item, Put


class Change(NamedTuple):
    """One peer's rows before and after; None where it had or has none."""

    before: PeerRows | None
    after: PeerRows | None


class _Batch:
    """What a batch of events has touched so far."""

    def __init__(self) -> None:
        self.before: dict[Subnet, PeerRows | None] = {}  # the rows of each subnet that has to be judged again
        self.leases: dict[Subnet, SubnetLease] = {}  # those just parsed
        self.hosts: dict[bytes, int] = {}  # by each MAC to be awarded again, the host that had it


class PeerTable:
    """All leases under one config; ``rows`` by subnet is what the kernel should hold for them."""

    def __init__(self, config: NetworkConfig, own: Subnet, backend: Backend) -> None:
        """Start empty."""
        self._config = config
        self._own = own
        self._backend = backend
        self._leases: dict[str, SubnetLease] = {}
        self._values: dict[str, str] = {}
        self._written: dict[str, int] = {}
        self._returned: set[str] = set()  # leases that took a MAC back by a renewal
        self._twins: dict[Subnet, set[str]] = {}  # the keys other than the plain one
        self._garbage: dict[str, str] = {}
        self._unsound: dict[Subnet, str] = {}
        self._admission = Admission(config)
        self._macs = MacClaims(self._claim)
        self._left_out: dict[Subnet, PeerRows] = {}  # their MAC belongs to another host
        self._problems: list[str] | None = None
        self.rows: dict[Subnet, PeerRows] = {}

    @property
    def has_new_problems(self) -> bool:
        """Whether ``problems`` may differ from when it was last read."""
        return self._problems is None

    @property
    def problems(self) -> list[str]:
        """A sentence for each lease that cannot be used, in order."""
        if self._problems is None:
            clashes = map(self._clash, [*self._admission.rivals, *self._left_out])
            self._problems = sorted(
                [*self._garbage.values(), *self._unsound.values(), *filter(None, clashes), *self._second_keys()]
            )
        return self._problems

    def problem_of(self, subnet: Subnet) -> str | None:
        """Return why the lease of a subnet cannot be used, None for one that can, speaks another backend or is none."""
        return self._garbage.get(lease_key(subnet)) or self._unsound.get(subnet) or self._clash(subnet)

    @property
    def values(self) -> Mapping[str, str]:
        """Every lease as text, by lease key, as it is in etcd; those written last come last."""
        return self._values

    @collector_at_rest()
    def reset(self, items: Mapping[str, Item]) -> list[Change]:
        """Replace all leases by these, given by lease name; return the peers whose rows changed.

        Of several leases with one VtepMAC the one written last has it: the one with the highest ``Item.revision``.
        To write a lease again with the same text, as flanneld does to renew it, makes it the newest, too, but takes
        the MAC from another host only once until that contest is over or the text changes. So a host that goes back
        to a former address and lease is followed, and two running hosts with one MAC (a cloned machine), which both
        renew their leases, do not take it from each other for ever.

        A negative revision is that of a lease known from a former run: older than all in etcd.
        """
        batch = _Batch()
        for name in [name for name in self._values if name not in items]:
            self._note(name, None, batch)
        for name, item in sorted(items.items(), key=_age):
            self._note(name, item, batch)
        self._settle(batch)
        return list(self._changes(batch))

    def change(self, events: Iterable[Event]) -> list[Change]:
        """Apply events by lease name; return the peers whose rows changed, and some that stay as they are.

        The latter share the VtepMAC of a peer that goes, so that its FDB entry must stay. The rule on who has a MAC
        is that of ``reset``.
        """
        batch = _Batch()
        for event in events:
            if isinstance(event, Put):
                self._note(event.item.key, event.item, batch)
            else:
                self._note(event.key, None, batch)
        self._settle(batch)
        changes = list(self._changes(batch))
        return [*changes, *self._sharers(changes)]

    # note

    def _note(self, name: str, item: Item | None, batch: _Batch) -> None:
        """Keep one key's value, None for a deleted one, and withdraw its subnet."""
        value = self._values.get(name)
        if item is not None and item.value == value:
            self._renew(name, item.revision, batch)
            return
        if value is not None:
            self._forget(name, batch)
        if item is not None:
            self._keep(name, item, batch)

    def _forget(self, name: str, batch: _Batch) -> None:
        lease = self._leases.get(name)
        if lease is None:
            del self._garbage[name]
            self._problems = None
        else:
            self._withdraw(lease.subnet, batch)
            batch.leases.pop(lease.subnet, None)
            del self._leases[name]
            if lease.subnet in self._twins:
                self._twins[lease.subnet].discard(name)
                self._problems = None
        del self._values[name], self._written[name]
        self._returned.discard(name)

    def _keep(self, name: str, item: Item, batch: _Batch) -> None:
        try:
            lease = parse_lease(name, item.value)
        except LeaseError as error:
            self._garbage[name] = str(error)
            self._problems = None
        else:
            self._withdraw(lease.subnet, batch)
            self._leases[name] = batch.leases[lease.subnet] = lease
            # 10.5.7.0-24&fd00::-56 and 10.0.0.0-08 say the subnet of another key, too.
            if "&" in name or "-0" in name:
                self._twins.setdefault(lease.subnet, set()).add(name)
                self._problems = None
        self._values[name] = item.value
        self._written[name] = item.revision

    def _renew(self, name: str, revision: int, batch: _Batch) -> None:
        """Take note of a lease that was written again with the same text."""
        known = self._written[name]
        if known == revision:
            return
        lease = self._leases.get(name)
        subnet = lease.subnet if lease is not None else None
        if subnet in self._left_out and known >= 0:
            if name in self._returned:
                return
            self._returned.add(name)
        mac = _mac(self._offered(subnet)) if subnet is not None else None
        if subnet is not None and mac is not None and self._macs.is_shared(mac):
            self._withdraw(subnet, batch)
        self._written[name] = revision

    def _withdraw(self, subnet: Subnet, batch: _Batch) -> None:
        """Take back a subnet's claims, so that it is judged again; its rows stay until then."""
        if subnet in batch.before:
            return
        rows = batch.before[subnet] = self.rows.get(subnet)
        mac = _mac(rows or self._left_out.get(subnet))
        if mac is not None:
            self._contest(mac, batch)
            self._macs.discard(mac, subnet)

    # admit

    def _settle(self, batch: _Batch) -> None:
        """Judge again what a batch touched."""
        sound: dict[Subnet, SubnetLease] = {}
        gone: list[Subnet] = []
        come: list[Subnet] = []
        for subnet in batch.before:
            lease = self._sound_lease(subnet, batch)
            if lease is not None:
                sound[subnet] = lease
            if (subnet in self._admission) != (lease is not None):
                (gone if lease is None else come).append(subnet)
        if self._admission.rivals:
            self._problems = None
        for subnet in self._admission.update(gone, come):
            self._problems = None
            self._withdraw(subnet, batch)
            self._unsound.pop(subnet, None)
            sound.setdefault(subnet, self._leases[self._key(subnet)])
        for subnet in batch.before:
            self._offer(subnet, sound.get(subnet), batch)
        for mac, host in batch.hosts.items():
            self._award(mac, host, batch)

    def _sound_lease(self, subnet: Subnet, batch: _Batch) -> SubnetLease | None:
        """Return a subnet's lease if it is another host's and could be routed to; keep the reason if it could not."""
        if self._unsound and self._unsound.pop(subnet, None) is not None:
            self._problems = None
        lease = batch.leases.get(subnet)
        if lease is None or subnet in self._twins:
            lease = self._leases.get(self._key(subnet))
        own = self._own
        if lease is None or subnet == own:
            return None
        problem = lease_problem(lease, self._config)
        if problem is None and subnet.length != own.length and subnet.overlaps(own):
            problem = f"lease {lease.key}: overlaps this host's own subnet {own}"
        if problem is None:
            return lease
        self._unsound[subnet] = problem
        self._problems = None
        return None

    def _key(self, subnet: Subnet) -> str:
        """Return the key whose lease counts for a subnet: the plain one, else the shortest."""
        plain = lease_key(subnet)
        if plain in self._leases or not self._twins.get(subnet):
            return plain
        return min(self._twins[subnet], key=lambda name: (len(name), name))

    # award

    def _offer(self, subnet: Subnet, lease: SubnetLease | None, batch: _Batch) -> None:
        """Give a subnet the rows its sound lease asks for, or none."""
        if self._left_out and self._left_out.pop(subnet, None) is not None:
            self._problems = None
        rows = None
        if lease is not None and subnet not in self._admission.rivals:
            try:
                rows = self._backend.rows(lease)
            except LeaseError as error:
                self._unsound[subnet] = str(error)
                self._problems = None
        if rows is None:
            self.rows.pop(subnet, None)
            return
        entry = rows.fdb
        if entry is None:
            self.rows[subnet] = rows
            return
        if self._macs.is_claimed(entry.mac):
            self._contest(entry.mac, batch)
            self._leave_out(subnet, rows)
        else:
            self.rows[subnet] = rows
            if entry.mac in batch.hosts:  # all former claims were withdrawn
                batch.hosts[entry.mac] = entry.destination
        self._macs.add(entry.mac, subnet)

    def _award(self, mac: bytes, former: int, batch: _Batch) -> None:
        """Let the host of the newest lease with this MAC have it, after another one."""
        winner = self._macs.winner(mac)
        if winner is None:
            return
        host = self._claim(winner).host
        if host != former:
            for subnet in self._macs.of_host(mac, former):
                batch.before.setdefault(subnet, self.rows.get(subnet))
                if subnet in self.rows:
                    self._leave_out(subnet, self.rows[subnet])
        for subnet in self._macs.of_host(mac, host):
            batch.before.setdefault(subnet, self.rows.get(subnet))
            if subnet in self._left_out:
                self.rows[subnet] = self._left_out.pop(subnet)
                self._problems = None
            if not self._macs.is_contested(mac):
                self._returned.discard(self._key(subnet))

    def _leave_out(self, subnet: Subnet, rows: PeerRows) -> None:
        self.rows.pop(subnet, None)
        self._left_out[subnet] = rows
        self._problems = None

    def _contest(self, mac: bytes, batch: _Batch) -> None:
        """Take note that a MAC has to be awarded again, and who had it."""
        winner = self._macs.winner(mac)
        if winner is not None and mac not in batch.hosts:
            batch.hosts[mac] = self._claim(winner).host

    def _claim(self, subnet: Subnet) -> Claim:
        entry = _fdb(self._offered(subnet))
        return Claim(self._written.get(self._key(subnet), 0), entry.destination if entry else 0)

    def _offered(self, subnet: Subnet) -> PeerRows | None:
        return self.rows.get(subnet) or self._left_out.get(subnet)

    # what came of it

    def _changes(self, batch: _Batch) -> Iterator[Change]:
        for subnet, before in batch.before.items():
            after = self.rows.get(subnet)
            if before != after:
                yield Change(before, after)

    def _sharers(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Yield a peer that stays as it is for each MAC that one of the changed peers had and another still has."""
        found = {_mac(change.after) for change in changes}
        for change in changes:
            mac = _mac(change.before)
            if mac is None or mac in found:
                continue
            found.add(mac)
            winner = self._macs.winner(mac)
            if winner is not None:
                yield Change(self.rows[winner], self.rows[winner])

    def _clash(self, subnet: Subnet) -> str | None:
        """Return which other lease keeps this one out."""
        rival = self._admission.rivals.get(subnet)
        if rival is not None:
            return f"lease {lease_key(subnet)}: overlaps lease {rival}, which is kept"
        entry = _fdb(self._left_out.get(subnet))
        winner = self._macs.winner(entry.mac) if entry else None
        if entry is None or winner is None:
            return None
        host, other = format_ipv4(entry.destination), format_ipv4(self._claim(winner).host)
        return (
            f"lease {self._key(subnet)} of {host}: not routed: VtepMAC {format_mac(entry.mac)} is also that of another "
            f"host, {other}, whose lease {self._key(winner)} is newer; if {host} has moved to {other}, delete the old "
            f"lease or let it expire; if both hosts run, stop the overlay agent on one of them, run "
            f"`ip link delete {entry.device}` and `rm -r /var/lib/overlayd` there, and start it again"
        )

    def _second_keys(self) -> Iterator[str]:
        for subnet, names in self._twins.items():
            kept = self._key(subnet)
            for name in names - {kept}:
                yield f"lease {name}: its subnet is also leased as {kept}, which is kept"


def _age(entry: tuple[str, Item]) -> int:
    return entry[1].revision


def _fdb(rows: PeerRows | None) -> FdbEntry | None:
    return rows.fdb if rows is not None else None


def _mac(rows: PeerRows | None) -> bytes | None:
    return rows.fdb.mac if rows is not None and rows.fdb is not None else None
