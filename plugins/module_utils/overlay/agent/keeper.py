# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gets this host's subnet lease and never loses it: flannel's order of choice, silent renewal, claiming again."""

from __future__ import annotations

import time
from typing import NamedTuple

from ..host.claim import Claim, own_leases
from ..host.log import log
from ..model.addresses import format_ipv4
from ..model.allocation import choose_subnet, taken_subnets
from ..model.errors import LeaseError
from ..model.lease import LEASE_TTL, SubnetLease
from ..model.network import NetworkConfig
from ..store.errors import ChangedError, GoneError, KeyExistsError
from ..store.protocol import Item, Store
from ..store.schema import Keys, StoredNetwork, read_network
from .rivals import Rivals, answer_value, claimant_of

ATTEMPTS = 200  # lost races before giving up; a fleet of fifty starting at once needs a handful


class HeldLease(NamedTuple):
    """The lease as it stands in etcd; ``renew_at`` on the monotonic clock in seconds, None for a reservation."""

    lease: SubnetLease
    item: Item
    renew_at: float | None


class LeaseKeeper:
    """Speaks to etcd about the one lease of this host; every call may raise StoreError and may be repeated."""

    def __init__(
        self, store: Store, keys: Keys, margin: float, ttl: int = LEASE_TTL, rivals: Rivals | None = None
    ) -> None:
        """Keep the lease in the network; ``margin`` seconds before its end (``ttl`` seconds) it is renewed.

        ``rivals`` is what earlier keepers of this process knew of other hosts with its public IP.
        """
        self._store = store
        self._keys = keys
        self._margin = margin
        self._ttl = ttl
        self._rivals = rivals or Rivals()

    def acquire(self, config: NetworkConfig, claim: Claim, network: StoredNetwork) -> HeldLease:
        """Return this host's lease, made or taken over; ``network`` is what etcd held a moment ago.

        Raise PoolExhaustedError when every subnet is held by others, LeaseConflictError when another live host has the
        lease of this one's public IP, LeaseError when each attempt lost its race.
        """
        for _attempt in range(ATTEMPTS):
            try:
                held = self._acquire_once(config, claim, network)
                self._rivals.holds(held.lease)
                return held
            except (KeyExistsError, ChangedError, GoneError) as race:
                log.info("another host was faster (%s); choosing again", race)
                network = read_network(self._store, self._keys)
        raise LeaseError(
            f"no subnet after {ATTEMPTS} attempts: other hosts write to {self._keys.subnets} without pause"
        )

    def renew(self, held: HeldLease) -> HeldLease:
        """Extend the lease without waking any other host; raise GoneError or ChangedError when it is lost."""
        if held.item.reservation:
            return held
        return self._held(held.lease, self._store.keep_alive(held.item, self._ttl))

    def answer(self, held: HeldLease, challenge: Item) -> HeldLease:
        """Answer the challenge of another host; raise GoneError or ChangedError when the lease is lost."""
        self._rivals.challenged(held.lease, claimant_of(challenge.value))
        ttl = None if challenge.reservation else self._ttl
        return self._held(held.lease, self._store.replace(challenge, answer_value(held.lease), ttl))

    def release(self, item: Item) -> bool:
        """Give a subnet back; return False for a reservation, which stays this host's whether it runs or not."""
        if not item.reservation:
            self._store.delete(item)
        return not item.reservation

    def _acquire_once(self, config: NetworkConfig, claim: Claim, network: StoredNetwork) -> HeldLease:
        kept: HeldLease | None = None
        own = own_leases(claim, network.leases)
        for lease, item in self._rivals.settle(self._store, claim, own, self._ttl):
            if kept is None and config.fits(lease.subnet):
                kept = self._take_over(claim, lease, item)
            elif not item.reservation:
                reason = "this host has another" if kept else "it does not fit the network config any more"
                log.info("releasing lease %s: %s", lease.key, reason)
                self.release(item)
            elif kept is None:
                log.warning("the reservation %s is outside of what the network config offers: not used", lease.key)
        return kept or self._create(config, claim, network)

    def _take_over(self, claim: Claim, lease: SubnetLease, item: Item) -> HeldLease:
        wanted = claim.lease(lease.subnet)
        if lease != wanted:
            ttl = None if item.reservation else self._ttl
            log.info("taking over lease %s, updating what it says of this host", lease.key)
            return self._held(wanted, self._store.replace(item, wanted.value(), ttl))
        if claimant_of(item.value) is not None:
            return self.answer(self._held(lease, item), item)
        if lease.subnet != claim.previous_subnet:
            log.info("taking over lease %s of %s", lease.key, format_ipv4(lease.public_ip))
        return self.renew(self._held(lease, item))

    def _create(self, config: NetworkConfig, claim: Claim, network: StoredNetwork) -> HeldLease:
        taken = taken_subnets(config, network.values(), network.directories)
        lease = claim.lease(choose_subnet(config, taken, claim.previous_subnet))
        item = self._store.create(self._keys.lease(lease.subnet), lease.value(), self._ttl)
        log.info("leased subnet %s", lease.subnet)
        return self._held(lease, item)

    def _held(self, lease: SubnetLease, item: Item) -> HeldLease:
        return HeldLease(lease, item, None if item.reservation else self._due())

    def _due(self) -> float:
        return time.monotonic() + max(self._ttl - self._margin, 1.0)
