# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The leases in etcd and the kernel rows for them, updated event by event.

An event passes three steps, and each step passes only real changes to the next one::

    note    parse the lease of the key; withdraw its subnet, so that it is validated again
    admit   admit a valid lease unless it overlaps a lease with a higher priority (model.admission); withdraw
            the subnets that are admitted or excluded because of this change, too
    award   create the rows of each admitted lease with the backend; if several hosts have one VtepMAC or
            one WireGuard key, award it to one of them (model.mac_claims) and leave out the rows of the others;
            a lease that only makes this host accept a key never takes it from its host (accepted_keys)

A snapshot of etcd is one batch of all differences. So the result does not depend on whether the leases arrive one by
one or all at once, except for the rule on renewals (``PeerTable.reset``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from ..backends import Backend
from ..kernel.state import PeerRows
from ..model.addresses import Subnet
from ..model.admission import Admission
from ..model.collector import collector_at_rest
from ..model.errors import LeaseError
from ..model.lease import SubnetLease, lease_key, lease_problem, parse_lease
from ..model.mac_claims import MacClaim, MacClaims
from ..model.network import NetworkConfig
from ..named_tuple import NamedTuple
from ..store.protocol import Event, Item, Put
from .accepted_keys import AcceptedKeys, with_accepted
from .tunnel_end import Rival, conflict, end_of, ends_of, mac_of


class PeerChange(NamedTuple):
    """One peer's rows before and after a change; None if it has no rows."""

    before: PeerRows | None
    after: PeerRows | None


class _Batch:
    """The subnets and MACs that a batch of events affects."""

    def __init__(self) -> None:
        self.before: dict[Subnet, PeerRows | None] = {}  # former rows of each subnet to validate again
        self.leases: dict[Subnet, SubnetLease] = {}  # leases parsed in this batch
        self.hosts: dict[bytes, int] = {}  # by each MAC to award again: the host that had it


class PeerTable:
    """All leases under one config; ``rows`` has the desired kernel rows by subnet."""

    def __init__(self, config: NetworkConfig, own: Subnet, backend: Backend) -> None:
        """Start without leases; ``own`` is this host's subnet."""
        self._config = config
        self._own = own
        self._backend = backend
        self._leases: dict[str, SubnetLease] = {}
        self._values: dict[str, str] = {}
        self._written: dict[str, int] = {}
        self._returned: set[str] = set()  # leases that won a MAC back by a renewal
        self._twins: dict[Subnet, set[str]] = {}  # keys of a subnet other than its plain one
        self._garbage: dict[str, str] = {}
        self._unsound: dict[Subnet, str] = {}
        self._admission = Admission(config)
        self._macs = MacClaims(self._claim)
        self._accepted = AcceptedKeys()
        self._left_out: dict[Subnet, PeerRows] = {}  # rows not used because their MAC belongs to another host
        self._problems: list[str] | None = None
        self.rows: dict[Subnet, PeerRows] = {}

    @property
    def has_new_problems(self) -> bool:
        """Whether ``problems`` may have changed since it was last read."""
        return self._problems is None

    @property
    def problems(self) -> list[str]:
        """A sentence for each lease that cannot be used, sorted."""
        if self._problems is None:
            clashes = [*map(self._clash, [*self._admission.rivals, *self._left_out])]
            clashes += self._accepted.problems(self._key)
            self._problems = sorted(
                [*self._garbage.values(), *self._unsound.values(), *filter(None, clashes), *self._second_keys()]
            )
        return self._problems

    def problem_of(self, subnet: Subnet) -> str | None:
        """Return why a subnet's lease cannot be used; None if it can, has another backend, or does not exist."""
        return self._garbage.get(lease_key(subnet)) or self._unsound.get(subnet) or self._clash(subnet)

    def admitted(self, kind: str, with_unusable: bool = False) -> dict[Subnet, SubnetLease]:
        """Return the leases of other hosts with this BackendType; also those that the backend refuses, if wanted."""
        return {
            lease.subnet: lease
            for name, lease in self._leases.items()
            if lease.backend_type == kind
            and lease.subnet in self._admission
            and lease.subnet not in self._admission.rivals
            and (with_unusable or lease.subnet not in self._unsound)
            and name == self._key(lease.subnet)
        }

    @property
    def values(self) -> Mapping[str, str]:
        """The values of all leases in etcd by lease name; the lease written last comes last."""
        return self._values

    @collector_at_rest()
    def reset(self, items: Mapping[str, Item]) -> list[PeerChange]:
        """Replace all leases by these, by lease name; return the peers whose rows changed.

        Of several leases with one VtepMAC, the lease written last has it: the one with the highest ``Item.revision``.
        A lease that is written again with the same text, as flanneld does to renew it, becomes the newest, too. But
        such a write takes the MAC from another host only once, until the conflict is over or the text changes. So a
        host that returns to a former address and lease is followed, and two running hosts with one MAC (a cloned
        machine), which both renew their leases, do not take it from each other for ever.

        A negative revision marks a lease from the memory file: it is older than all leases in etcd.
        """
        batch = _Batch()
        for name in [name for name in self._values if name not in items]:
            self._note(name, None, batch)
        for name, item in sorted(items.items(), key=lambda entry: entry[1].revision):
            self._note(name, item, batch)
        self._settle(batch)
        return list(self._changes(batch).values())

    def change(self, events: Iterable[Event]) -> list[PeerChange]:
        """Apply events with lease names as keys; return the peers whose rows changed, and some with unchanged rows.

        The unchanged ones share the VtepMAC of a removed peer, so that its FDB entry must stay, or its WireGuard key. A
        MAC is awarded by the rule of ``reset``.
        """
        batch = _Batch()
        for event in events:
            if isinstance(event, Put):
                self._note(event.item.key, event.item, batch)
            else:
                self._note(event.key, None, batch)
        self._settle(batch)
        changes = self._changes(batch)
        return [*changes.values(), *self._sharers(changes)]

    def refresh(self) -> list[PeerChange]:
        """Create the rows of all leases again, because the backend changed; return the peers whose rows changed."""
        batch = _Batch()
        for lease in self._leases.values():
            self._withdraw(lease.subnet, batch)
        self._settle(batch)
        return list(self._changes(batch).values())

    # note

    def _note(self, name: str, item: Item | None, batch: _Batch) -> None:
        """Record the value of a key, None for a deleted key, and withdraw its subnet."""
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
            # 10.5.7.0-24&fd00::-56 and 10.0.0.0-08 have the same subnet as a plain key.
            if "&" in name or "-0" in name:
                self._twins.setdefault(lease.subnet, set()).add(name)
                self._problems = None
        self._values[name] = item.value
        self._written[name] = item.revision

    def _renew(self, name: str, revision: int, batch: _Batch) -> None:
        """Record that a lease was written again with the same text."""
        known = self._written[name]
        if known == revision:
            return
        lease = self._leases.get(name)
        subnet = lease.subnet if lease is not None else None
        if subnet in self._left_out and known >= 0:
            if name in self._returned:
                return
            self._returned.add(name)
        mac = mac_of(self._offered(subnet))
        if subnet is not None and mac is not None and self._macs.is_shared(mac):
            self._withdraw(subnet, batch)
        self._written[name] = revision

    def _withdraw(self, subnet: Subnet, batch: _Batch) -> None:
        """Withdraw a subnet's claim to its MAC, so that it is validated again; its rows stay until then."""
        if subnet in batch.before:
            return
        rows = batch.before[subnet] = self.rows.get(subnet)
        mac = mac_of(rows or self._left_out.get(subnet))
        if mac is not None:
            self._contest(mac, batch)
            self._macs.discard(mac, subnet)
            self._accepted.touch(mac)

    # admit

    def _settle(self, batch: _Batch) -> None:
        """Validate and award again all that a batch affects."""
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
        for key in self._accepted.take_touched():
            self._accept(key, batch)

    def _sound_lease(self, subnet: Subnet, batch: _Batch) -> SubnetLease | None:
        """Return a subnet's lease if it is a valid lease of another host, else None; record why it is not valid."""
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
        """Return the key that is used for a subnet: the plain one, else the shortest."""
        plain = lease_key(subnet)
        if plain in self._leases or not self._twins.get(subnet):
            return plain
        return min(self._twins[subnet], key=lambda name: (len(name), name))

    # award

    def _offer(self, subnet: Subnet, lease: SubnetLease | None, batch: _Batch) -> None:
        """Set the rows of a subnet by its valid lease, none without one."""
        if self._left_out and self._left_out.pop(subnet, None) is not None:
            self._problems = None
        rows = None
        if lease is not None and subnet not in self._admission.rivals:
            try:
                rows = self._backend.rows(lease)
            except LeaseError as error:
                self._unsound[subnet] = str(error)
                self._problems = None
        self._accepted.offer(subnet, rows, self._written.get(self._key(subnet), 0))
        if rows is None:
            self.rows.pop(subnet, None)
            return
        end = end_of(rows)
        if end is None:
            self.rows[subnet] = rows
            return
        if self._macs.is_claimed(end.mac):
            self._contest(end.mac, batch)
            self._leave_out(subnet, rows)
        else:
            self.rows[subnet] = rows
            if end.mac in batch.hosts:  # all former claims are withdrawn
                batch.hosts[end.mac] = end.host
        self._macs.add(end.mac, subnet)
        self._accepted.touch(end.mac)

    def _award(self, mac: bytes, former: int, batch: _Batch) -> None:
        """Award the MAC to the host of the newest lease with it; ``former`` is the host that had it."""
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

    def _accept(self, key: bytes, batch: _Batch) -> None:
        """Award a WireGuard key among the leases of another type that have it."""
        self._problems = None
        strong = self._macs.winner(key)
        for subnet, row in self._accepted.award(key, strong, self._offered(strong)).items():
            offered = self._offered(subnet)
            if offered is not None:
                batch.before.setdefault(subnet, self.rows.get(subnet))
                (self.rows if subnet in self.rows else self._left_out)[subnet] = with_accepted(offered, row)

    def _leave_out(self, subnet: Subnet, rows: PeerRows) -> None:
        self.rows.pop(subnet, None)
        self._left_out[subnet] = rows
        self._problems = None

    def _contest(self, mac: bytes, batch: _Batch) -> None:
        """Record that a MAC must be awarded again, and the host that has it."""
        winner = self._macs.winner(mac)
        if winner is not None and mac not in batch.hosts:
            batch.hosts[mac] = self._claim(winner).host

    def _claim(self, subnet: Subnet) -> MacClaim:
        end = end_of(self._offered(subnet))
        return MacClaim(self._written.get(self._key(subnet), 0), end.host if end else 0)

    def _offered(self, subnet: Subnet | None) -> PeerRows | None:
        return None if subnet is None else self.rows.get(subnet) or self._left_out.get(subnet)

    # results

    def _changes(self, batch: _Batch) -> dict[Subnet, PeerChange]:
        changes = {subnet: PeerChange(before, self.rows.get(subnet)) for subnet, before in batch.before.items()}
        return {subnet: change for subnet, change in changes.items() if change.before != change.after}

    def _sharers(self, changes: Mapping[Subnet, PeerChange]) -> Iterator[PeerChange]:
        """Yield the unchanged peers with each MAC or key that a changed peer lost; they are subnets of one host."""
        lost = {end for one in changes.values() for end in ends_of(one.before) - ends_of(one.after)}
        found: set[Subnet] = set()
        for end in lost:
            winner = self._macs.winner(end)
            found.update(self._macs.of_host(end, self._claim(winner).host) if winner is not None else ())
            found.update(self._accepted.subnets(end))
        for subnet in found - changes.keys():
            rows = self.rows.get(subnet)
            if rows is not None and not lost.isdisjoint(ends_of(rows)):
                yield PeerChange(rows, rows)

    def _clash(self, subnet: Subnet) -> str | None:
        """Return the problem of a lease that another lease excludes, None if none does."""
        rival = self._admission.rivals.get(subnet)
        if rival is not None:
            return f"lease {lease_key(subnet)}: not routed: it overlaps lease {rival}; delete one of them"
        end = end_of(self._left_out.get(subnet))
        if end is None or (winner := self._macs.winner(end.mac)) is None:
            return None
        other = Rival(self._key(winner), self._claim(winner).host, "is newer")
        return conflict(self._key(subnet), end, "not routed", other)

    def _second_keys(self) -> Iterator[str]:
        for subnet, names in self._twins.items():
            kept = self._key(subnet)
            for name in names - {kept}:
                yield f"lease {name}: not routed: lease {kept} has the same subnet; delete {name}"


def readable_leases(items: Mapping[str, Item]) -> Iterator[SubnetLease]:
    """Yield the leases among these items, by lease name, that can be read; they are not validated further."""
    for name, item in items.items():
        with suppress(LeaseError):
            yield parse_lease(name, item.value)
