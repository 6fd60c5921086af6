# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Acquires, renews and releases this host's subnet lease, in flannel's order of choice."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..host.claim import Claim, own_leases
from ..host.log import log
from ..model.addresses import Subnet, format_ipv4
from ..model.allocation import choose_subnet, taken_subnets
from ..model.errors import LeaseError
from ..model.lease import LEASE_TTL, SubnetLease
from ..model.network import NetworkConfig
from ..named_tuple import NamedTuple
from ..store.errors import ChangedError, GoneError, KeyExistsError
from ..store.protocol import Item, Store
from ..store.schema import Keys, StoredNetwork, read_network
from .rivals import Rivals, answer_value, claimant_of

ATTEMPTS = 200  # lost races before giving up; fifty hosts that start at once need about five


class SubnetLostError(LeaseError):
    """The subnet that this process programs is not available any more."""


class HeldLease(NamedTuple):
    """This host's lease in etcd; ``renew_at`` is in seconds of the monotonic clock, None for a reservation."""

    lease: SubnetLease
    item: Item
    renew_at: float | None


class LeaseKeeper:
    """The lease of this host; every method may raise StoreError and may be retried."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        margin: float,
        ttl: int = LEASE_TTL,
        rivals: Rivals | None = None,
        prepare: Callable[[Subnet], object] = bool,
    ) -> None:
        """Use leases of ``ttl`` seconds, each due for renewal ``margin`` seconds before its expiry.

        ``rivals`` has what earlier keepers of this process found out about other hosts with this host's public IP.
        ``prepare`` is called with the subnet before this host's lease is created or its content changes; it may raise
        ConfigError to prevent that.
        """
        self._store = store
        self._keys = keys
        self._margin = margin
        self._ttl = ttl
        self._rivals = rivals or Rivals()
        self._prepare = prepare

    def acquire(
        self, config: NetworkConfig, claim: Claim, network: StoredNetwork, served: Subnet | None = None
    ) -> HeldLease:
        """Return this host's lease, taken over or created; ``network`` is the last read of etcd.

        ``served`` is the subnet that this process programs. If a lease of another subnet would have to be created,
        SubnetLostError is raised instead: the re-executed process creates it, and so recognizes it as its own.
        Raise PoolExhaustedError if other hosts hold every subnet, LeaseConflictError if another live host holds the
        lease with this host's public IP, and LeaseError if each attempt lost a race.
        """
        for _attempt in range(ATTEMPTS):
            try:
                held = self._acquire_once(config, claim, network, served)
                self._rivals.holds(held.lease)
                return held
            except (KeyExistsError, ChangedError, GoneError) as race:
                log.info("another host was faster: %s; choosing again", race)
                network = read_network(self._store, self._keys)
        raise LeaseError(
            f"no subnet leased after {ATTEMPTS} attempts: other programs changed {self._keys.subnets} during each of "
            f"them; overlayd tries again"
        )

    def renew(self, held: HeldLease) -> HeldLease:
        """Renew the lease without an event for other hosts; raise GoneError or ChangedError if it was lost."""
        if held.item.reservation:
            return held
        return self._held(held.lease, self._store.keep_alive(held.item, self._ttl))

    def answer(self, held: HeldLease, challenge: Item) -> HeldLease:
        """Answer the challenge of another host (see rivals.py); raise GoneError or ChangedError if it came too late."""
        self._rivals.challenged(held.lease, claimant_of(challenge.value))
        ttl = None if challenge.reservation else self._ttl
        return self._held(held.lease, self._store.replace(challenge, answer_value(held.lease), ttl))

    def release(self, item: Item) -> bool:
        """Delete the lease; return False for a reservation, which is kept."""
        if not item.reservation:
            self._store.delete(item)
        return not item.reservation

    def _acquire_once(
        self, config: NetworkConfig, claim: Claim, network: StoredNetwork, served: Subnet | None
    ) -> HeldLease:
        kept: HeldLease | None = None
        own = own_leases(claim, network.leases)
        for lease, item in self._rivals.settle(self._store, claim, own, self._ttl):
            if kept is None and config.fits(lease.subnet):
                kept = self._take_over(claim, lease, item)
            elif not item.reservation:
                reason = "this host has another lease" if kept else "it does not fit the network config any more"
                log.info("releasing lease %s: %s", lease.key, reason)
                self.release(item)
            elif kept is None:
                log.warning(
                    "reservation %s is not used: it does not fit the network config; change one of them", lease.key
                )
        return kept or self._create(config, claim, network, served)

    def _take_over(self, claim: Claim, lease: SubnetLease, item: Item) -> HeldLease:
        wanted = claim.lease(lease.subnet)
        if lease != wanted or self._rivals.has_challenged(item):
            ttl = None if item.reservation else self._ttl
            self._prepare(lease.subnet)
            log.info("taking over lease %s and updating its data", lease.key)
            return self._held(wanted, self._store.replace(item, wanted.value(), ttl))
        if claimant_of(item.value) is not None:
            return self.answer(self._held(lease, item), item)
        if lease.subnet != claim.previous_subnet:
            log.info("taking over lease %s of %s", lease.key, format_ipv4(lease.public_ip))
        return self.renew(self._held(lease, item))

    def _create(self, config: NetworkConfig, claim: Claim, network: StoredNetwork, served: Subnet | None) -> HeldLease:
        taken = taken_subnets(config, network.values(), network.directories)
        lease = claim.lease(choose_subnet(config, taken, claim.previous_subnet))
        if served not in (None, lease.subnet):
            raise SubnetLostError(f"subnet {served} is not available to this host any more")
        self._prepare(lease.subnet)
        item = self._store.create(self._keys.lease(lease.subnet), lease.value(), self._ttl)
        log.info("leased subnet %s", lease.subnet)
        return self._held(lease, item)

    def _held(self, lease: SubnetLease, item: Item) -> HeldLease:
        return HeldLease(lease, item, None if item.reservation else self._due())

    def _due(self) -> float:
        return time.monotonic() + max(self._ttl - self._margin, 1.0)
