# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two hosts with one public IP: decides which of them keeps the lease, and reports the conflict on both.

A lease with this host's public IP is **certain** to be its own if it has a MAC that this host has or remembers. A lease
without a MAC is certain if it is a reservation, or has the subnet that this host had before. Any other lease is
**doubtful**: this host may have lost its state, or another live host has the same public IP.

- A host with a certain lease leaves a doubtful one untouched and reports it, unless the doubtful one is a reservation.
- Before a host takes over or releases a doubtful lease, it challenges the holder: it writes the same lease with an
  additional field ``Claimant``, which all readers ignore. A live overlayd answers within milliseconds: it writes its
  lease again with a field ``Holder``. The claimant then gets no subnet and reports both hosts. It challenges again
  after one minute, two, four and so on, or at once when the lease was deleted or changed.
- Without an answer within ANSWER_TIME the holder counts as dead, and the lease is taken over. A holder that has
  answered before must leave SILENT challenges unanswered, because its overlayd may only be restarting.
- A host whose lease was overwritten writes it again: at once, then after one second, two, four and so on. If the other
  host took the lease over after a challenge, this write proves that the former holder lives, and the other host yields.

flanneld and overlayd 1.0.0 do not answer. overlayd 1.0.0 writes its lease again, so the claimant yields; flanneld does
so only when it renews.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from ..host.claim import Claim
from ..model.addresses import format_ipv4
from ..model.errors import LeaseError
from ..model.lease import LEASE_TTL, SubnetLease
from ..named_tuple import NamedTuple
from ..store.protocol import Item, Store

ANSWER_TIME = 3.0  # seconds in which a live holder answers a challenge
POLL = 0.1  # seconds between two reads of the answer
FIRST_PAUSE = 60.0  # seconds from an answer to the next challenge, doubled each time
SILENT, SILENT_PAUSE = 3, 20.0  # unanswered challenges after which a known holder counts as dead; seconds between them
FIRST_WRITE_PAUSE = 1.0  # seconds between two writes of a lease that another host overwrites, doubled each time
QUIET = 600.0  # seconds without an overwritten lease: the write pause is reset and the report ends; it was one write
REPORT = float(LEASE_TTL)  # seconds for which a holder reports its last claimant
Own = tuple[SubnetLease, Item]


class LeaseConflictError(LeaseError):
    """Another live host holds the lease of this host's public IP."""


class _Answered(NamedTuple):
    """A lease whose holder answered a challenge; the next challenge is due at ``until`` (monotonic clock)."""

    lease: SubnetLease
    holder: str
    until: float
    pause: float
    silent: int = 0


class Rivals:
    """Conflicts of this process with other hosts that have its public IP; one object for the life of the process."""

    def __init__(self) -> None:
        self._held: SubnetLease | None = None
        self._displaced: dict[str, SubnetLease] = {}  # by key: leases taken over after an unanswered challenge
        self._answered: dict[str, _Answered] = {}
        self._challenged: dict[str, int] = {}  # by key: the revisions of the last challenges of this process
        self._next_write = self._last_write = float("-inf")
        self._write_pause = FIRST_WRITE_PAUSE
        self._sentence, self._report_ends = "", 0.0
        self._twin = ""  # a sentence about another lease with this host's public IP

    def holds(self, lease: SubnetLease) -> None:
        """Record the lease that this host holds now."""
        self._held = lease

    def has_challenged(self, item: Item) -> bool:
        """Return whether the item is a challenge that this process wrote in the last ``settle``."""
        return self._challenged.get(item.key) == item.revision

    def report(self) -> str:
        """Return the sentence about the last claimant of this host's lease, or about a second lease, "" if none."""
        return self._sentence if time.monotonic() < self._report_ends else self._twin

    def challenged(self, lease: SubnetLease, claimant: Mapping[str, Any] | str | None, seconds: float = REPORT) -> str:
        """Record that another host claimed this host's lease; return the sentence, which is reported for so long."""
        self._sentence = _sentence(lease, f"this host, {_shown(_named(lease.backend_data))}", _shown(claimant))
        self._report_ends = time.monotonic() + seconds
        return self._sentence

    def settle(self, store: Store, claim: Claim, own: list[Own], ttl: int) -> list[Own]:
        """Challenge the holders of doubtful leases; return this host's leases as they are in etcd afterwards.

        Raise LeaseConflictError if another live host holds one of them; no lease is then taken over or released.
        """
        own = self._without_others(claim, own)
        unproven = [(lease, item) for lease, item in own if not is_certain(claim, lease, item)]
        doubtful = [(lease, item) for lease, item in unproven if not self._wins(lease, item)]
        for lease, item in doubtful:
            known = self._answered.get(item.key)
            if known is not None and known.lease == lease and time.monotonic() < known.until:
                raise LeaseConflictError(_lost_sentence(lease, known.holder, claim))
        challenged = {
            item.key: store.replace(item, _challenge(item, claim), None if item.reservation else ttl)
            for _unused, item in doubtful
        }
        self._challenged = {key: item.revision for key, item in challenged.items()}
        answers = _answers(store, challenged)
        for lease, item in doubtful:
            self._judge(lease, item.key, answers.get(item.key), claim)
        return [(lease, challenged.get(item.key, item)) for lease, item in own]

    def _without_others(self, claim: Claim, own: list[Own]) -> list[Own]:
        """Return the leases that this host may take over or release; report a second lease with its public IP."""
        certain = [one for one in own if is_certain(claim, *one)]
        kept = next((lease for lease, _unused in certain if lease.public_ip == claim.public_ip), None)
        self._twin = ""
        mine: list[Own] = []
        for lease, item in own:
            if (lease, item) in certain:
                mine.append((lease, item))
            elif lease.public_ip != claim.public_ip:
                continue  # the former subnet and address of this host, which another host has now
            elif kept is None or item.reservation or lease.subnet == kept.subnet:
                mine.append((lease, item))
            else:
                self._twin = _twin_sentence(kept, lease)
        return mine

    def _wins(self, lease: SubnetLease, item: Item) -> bool:
        """Return whether this process held the lease, another host overwrote it, and it may be written again now."""
        if self._held is None or lease.subnet != self._held.subnet:
            return False
        now = time.monotonic()
        if self._displaced.get(item.key) == lease:
            known = self._answered.get(item.key)
            if known is None or known.lease != lease:
                self._record_answer(lease, item.key, lease.backend_data)
            return False
        sentence = self.challenged(self._held, lease.backend_data, QUIET)
        if now < self._next_write:
            raise LeaseConflictError(sentence)
        self._write_pause = FIRST_WRITE_PAUSE if now - self._last_write > QUIET else self._write_pause * 2
        self._last_write, self._next_write = now, now + self._write_pause
        return True

    def _judge(self, lease: SubnetLease, key: str, answer: Item | None, claim: Claim) -> None:
        """Record an answer or a missing answer; raise LeaseConflictError unless the holder counts as dead."""
        known = self._answered.get(key)
        if answer is not None:
            self._record_answer(lease, key, _field(answer.value, "Holder") or lease.backend_data)
        elif known is not None and known.lease == lease and known.silent + 1 < SILENT:
            until = time.monotonic() + SILENT_PAUSE
            self._answered[key] = known._replace(silent=known.silent + 1, until=until)
        else:
            self._answered.pop(key, None)
            self._displaced[key] = lease
            return
        raise LeaseConflictError(_lost_sentence(lease, self._answered[key].holder, claim))

    def _record_answer(self, lease: SubnetLease, key: str, holder: Mapping[str, Any] | str | None) -> None:
        known = self._answered.get(key)
        pause = known.pause * 2 if known is not None and known.lease == lease else FIRST_PAUSE
        self._answered[key] = _Answered(lease, _shown(holder), time.monotonic() + pause, pause)


def is_certain(claim: Claim, lease: SubnetLease, item: Item) -> bool:
    """Return whether a lease is certain to be this host's own.

    PublicIP 0 means this host's own lease with an invalid value (see host/claim.py).
    """
    mac = lease.data.get("VtepMAC")
    if isinstance(mac, str):
        return mac.lower() in claim.macs
    return item.reservation or lease.subnet == claim.previous_subnet or lease.public_ip == 0


def claimant_of(value: str) -> Mapping[str, Any] | None:
    """Return the data of the host that claims the lease, None if the value is not a challenge."""
    return _field(value, "Claimant")


def answer_value(lease: SubnetLease) -> str:
    """Return the value that the holder writes to answer a challenge."""
    return json.dumps({**json.loads(lease.value()), "Holder": _named(lease.backend_data)}, separators=(",", ":"))


def _challenge(item: Item, claim: Claim) -> str:
    fields = {name: value for name, value in json.loads(item.value).items() if name != "Holder"}
    return json.dumps({**fields, "Claimant": _named(claim.backend_data)}, separators=(",", ":"))


def _answers(store: Store, challenged: Mapping[str, Item]) -> dict[str, Item]:
    """Return the challenged keys that were written again within ANSWER_TIME; a deleted key is not an answer."""
    answers: dict[str, Item] = {}
    end = time.monotonic() + ANSWER_TIME
    while len(answers) < len(challenged) and time.monotonic() < end:
        time.sleep(POLL)
        for key in challenged.keys() - answers.keys():
            present = store.get(key)
            if present is not None and present.revision != challenged[key].revision:
                answers[key] = present
    return answers


def _named(data: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """Return the backend data of this host with its name, as shown to other hosts."""
    return {"Host": os.uname().nodename, **({"Data": data} if isinstance(data, str) else data or {})}


def _field(value: str, name: str) -> Mapping[str, Any] | None:
    try:
        raw = json.loads(value)
    except (ValueError, RecursionError):
        return None
    found = raw.get(name) if isinstance(raw, dict) else None
    return found if isinstance(found, dict) else None


def _shown(data: Mapping[str, Any] | str | None) -> str:
    """Return the data of a host as text of limited length: another host may have written it."""
    return json.dumps(data or {})[:200]


def _twin_sentence(kept: SubnetLease, other: SubnetLease) -> str:
    return (
        f"public IP {format_ipv4(kept.public_ip)}: two leases have it: {kept.key} of this host, "
        f"{_shown(_named(kept.backend_data))}, and {other.key} of {_shown(other.backend_data)}; "
        f"delete {other.key} if no host uses it, or set another --public-ip (agent_public_ip) on one of the hosts"
    )


def _lost_sentence(lease: SubnetLease, holder: str, claim: Claim) -> str:
    return _sentence(lease, holder, f"this host, {_shown(_named(claim.backend_data))}")


def _sentence(lease: SubnetLease, holder: str, claimant: str) -> str:
    return (
        f"public IP {format_ipv4(lease.public_ip)}: two hosts have it: {holder} keeps lease {lease.key}; {claimant} "
        f"claims the same lease and gets no subnet; set another --public-ip (agent_public_ip) on one of them"
    )
