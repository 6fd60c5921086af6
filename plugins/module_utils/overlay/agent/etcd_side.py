# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one thread that speaks to etcd: joins the network, keeps the lease, and passes on what others write."""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import replace
from queue import SimpleQueue

from ..model.addresses import format_ipv4
from ..model.errors import ConfigError, LeaseError, OverlayError
from ..model.lease import parse_lease
from ..model.network import NetworkConfig
from ..store.connect import EtcdConnection, connect, other_api_hint
from ..store.errors import ChangedError, CompactedError, ConfigMissingError, GoneError
from ..store.protocol import Deleted, Event, Item, Put, Store
from .identity import Identity
from .keeper import HeldLease, LeaseKeeper
from .messages import Joined, LeaseRenewed, LeasesChanged, Message, StoreTrouble

WATCH_TICK = 5.0  # seconds without an event after which the thread looks at its clock
FULL_COMPARISON = 600.0  # seconds between two whole comparisons, should a watch have gone deaf unnoticed
RETRY = 1.0  # seconds between attempts while the config is missing or wrong, as in flannel
LONGEST_RETRY = 10.0  # seconds between attempts while etcd is out of reach
log = logging.getLogger("overlayd")


class EtcdSide(threading.Thread):
    """Repeats for ever: compare everything, then follow the changes until something needs a whole comparison again."""

    def __init__(
        self, connection: EtcdConnection, prefix: str, margin: float, identity: Identity, out: SimpleQueue[Message]
    ) -> None:
        """Post messages to ``out``; ``margin`` is the renewal margin in seconds."""
        super().__init__(name="etcd", daemon=True)
        self._connection = connection
        self._prefix = prefix
        self._margin = margin
        self._identity = identity
        self._out = out
        self._store: Store | None = None
        self._config_text: str | None = None  # the last good network config

    def run(self) -> None:
        """Never return; whatever fails is told and tried again, more slowly while etcd is away."""
        wait = RETRY
        while True:
            started = time.monotonic()
            try:
                self._join_and_follow()
            except (ConfigError, LeaseError) as error:
                self._out.put(StoreTrouble(str(error)))
                if isinstance(error, ConfigMissingError):
                    self._drop_connection()  # the config may yet be written with the other API
            except Exception as error:  # also a defect of ours: a host must not become deaf without a word
                if not isinstance(error, OverlayError):
                    log.exception("unexpected, please report it")
                self._out.put(StoreTrouble(str(error) or repr(error)))
                self._drop_connection()
                wait = min(wait * 2, LONGEST_RETRY)
                time.sleep(wait * random.uniform(0.5, 1.0))
                continue
            wait = RETRY
            # What ended soon after it began would end again: two hosts that claim one lease must not spin.
            if time.monotonic() - started < RETRY:
                time.sleep(RETRY * random.uniform(0.5, 1.0))

    def _join_and_follow(self) -> None:
        """Make one whole comparison and follow the changes; return when another whole comparison is due."""
        store = self._connected()
        keeper = LeaseKeeper(store, self._prefix, self._margin)
        items, revision = store.snapshot(self._prefix)
        text, trouble = self._usable_config(items.get(f"{self._prefix}/config"))
        config = NetworkConfig.parse(text)
        leases = {key: item for key, item in items.items() if key.startswith(f"{self._prefix}/subnets/")}
        held = keeper.acquire(config, self._identity.claim(config), leases)
        self._identity.known_as(held.lease)
        self._connection = replace(self._connection, api=store.api)  # an emptied etcd must not send us to the other
        self._out.put(Joined(config, text, held, leases, trouble))
        end = time.monotonic() + FULL_COMPARISON * random.uniform(0.5, 1.0)
        try:
            for events in store.watch(self._prefix, revision, WATCH_TICK):
                if self._concerns_me(events, held, items.get(f"{self._prefix}/config")):
                    return
                changes = [event for event in events if _key(event).startswith(f"{self._prefix}/subnets/")]
                if changes:
                    self._out.put(LeasesChanged(changes))
                now = time.monotonic()
                if held.renew_at is not None and now >= held.renew_at:
                    held = keeper.renew(held)
                    self._out.put(LeaseRenewed(held))
                if now >= end:
                    return
        except (CompactedError, GoneError, ChangedError) as error:
            log.info("comparing everything again: %s", error)

    def _concerns_me(self, events: list[Event], held: HeldLease, config: Item | None) -> bool:
        """Whether config or own lease are no longer what they were when this host joined, or it is to have another."""
        for event in events:
            key = _key(event)
            if key == f"{self._prefix}/config":
                if not (isinstance(event, Put) and config and event.item.value == config.value):
                    log.info("the network config was changed")
                    return True
            elif key == held.item.key and not (isinstance(event, Put) and event.item.value == held.item.value):
                _report_loss(event, held)
                return True
            elif isinstance(event, Put) and _reserves_another(event.item, held):
                log.info("the subnet of %s is reserved for this host", key.rpartition("/")[2])
                return True
        return False

    def _usable_config(self, item: Item | None) -> tuple[str, str]:
        """Return the config in etcd and nothing, or the last good one and why not that; raise ConfigError for none."""
        try:
            if item is None:
                raise ConfigMissingError(self._missing())
            self._identity.claim(NetworkConfig.parse(item.value))
        except ConfigError as error:
            told = str(error) if item is None else f"{self._prefix}/config: {error}"
            if self._config_text is None:
                raise type(error)(told) from None
            return self._config_text, f"{told}; going on with the last good network config"
        self._config_text = item.value
        return item.value, ""

    def _missing(self) -> str:
        hint = other_api_hint(self._connection, self._prefix)
        return hint or (
            f"there is no network config at {self._prefix}/config; write one, such as "
            f'{{"Network": "10.5.0.0/16", "Backend": {{"Type": "vxlan"}}}}, or mend --etcd-prefix'
        )

    def _connected(self) -> Store:
        if self._store is None:
            self._store = connect(self._connection, self._prefix)
        return self._store

    def _drop_connection(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


def _key(event: Event) -> str:
    return event.item.key if isinstance(event, Put) else event.key


def _reserves_another(item: Item, held: HeldLease) -> bool:
    """Whether an operator gives this host, which has an ordinary lease, a subnet of its own."""
    if not item.reservation or held.item.reservation or item.key == held.item.key:
        return False
    try:
        return parse_lease(item.key.rpartition("/")[2], item.value).public_ip == held.lease.public_ip
    except LeaseError:
        return False


def _report_loss(event: Event, held: HeldLease) -> None:
    name = held.lease.key
    if isinstance(event, Deleted):
        log.warning("lease %s was deleted or expired; claiming it again", name)
        return
    try:
        other = parse_lease(name, event.item.value)
    except LeaseError as error:
        log.warning("somebody spoiled this host's lease (%s); writing it again", error)
        return
    if other.public_ip == held.lease.public_ip:
        log.error(
            "another process writes lease %s with public IP %s, this host's own: is flanneld still running here, "
            "or does another host have the same --public-ip?",
            name,
            format_ipv4(other.public_ip),
        )
    else:
        log.error("lease %s is now held by %s; leasing another subnet", name, format_ipv4(other.public_ip))
