# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one thread that speaks to etcd: joins the network, keeps the lease, and passes on what others write."""

from __future__ import annotations

import random
import threading
import time
from queue import SimpleQueue

from ..host.identity import Identity
from ..host.log import log
from ..model.addresses import format_ipv4
from ..model.errors import ConfigError, LeaseError, OverlayError
from ..model.lease import parse_lease
from ..model.network import NetworkConfig
from ..store.config import parse_config
from ..store.connect import EtcdConnection, connect
from ..store.errors import ChangedError, CompactedError, ConfigMissingError, GoneError, UnreachableError
from ..store.failover import Failover
from ..store.protocol import Deleted, Event, Item, Put, Store, Watch
from ..store.schema import Keys, NestedKeys, key_of, lease_events, read_network
from .keeper import HeldLease, LeaseKeeper
from .messages import (
    ConfigChanged,
    Joined,
    KeysIgnored,
    LeaseConflict,
    LeaseRenewed,
    LeasesChanged,
    Message,
    StoreTrouble,
)
from .outage import Outage
from .rivals import LeaseConflictError, Rivals, claimant_of

WATCH_TICK = 5.0  # seconds without an event after which the thread looks at its clock
FULL_COMPARISON = 600.0  # seconds between two whole comparisons, should a watch have gone deaf unnoticed
RETRY = 1.0  # seconds between attempts while the config is missing or wrong, as in flannel
LONGEST_RETRY = 10.0  # seconds between attempts to join while etcd accepts connections but refuses or does not answer
PROBE_TIMEOUT = 1.0  # seconds for an endpoint to accept a connection during an outage


class EtcdSide(threading.Thread):
    """Repeats for ever: compare everything, then follow the changes until something needs a whole comparison again."""

    def __init__(
        self, connection: EtcdConnection, prefix: str, margin: float, identity: Identity, out: SimpleQueue[Message]
    ) -> None:
        """Post messages to ``out``; ``margin`` is the renewal margin in seconds."""
        super().__init__(name="etcd", daemon=True)
        self._connection = connection
        self._prefix = prefix
        self._keys = Keys(prefix)  # as keys begin in the API that is spoken
        self._margin = margin
        self._identity = identity
        self._out = out
        self._store: Store | None = None
        self._nested = NestedKeys(self._keys, ())
        self._rivals = Rivals()
        self._config_text: str | None = None  # the last good network config
        self._joined: NetworkConfig | None = None  # the config that the lease follows
        self._hosts = 0  # leases at the last whole comparison

    def run(self) -> None:
        """Never return; each failure is reported and tried again, less often the longer etcd is out of reach."""
        wait = RETRY
        while True:
            started = time.monotonic()
            try:
                self._join_and_follow()
            except LeaseConflictError as error:
                self._out.put(StoreTrouble(""))
                self._out.put(LeaseConflict(str(error)))
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
                if not (isinstance(error, UnreachableError) and self._waited_for_endpoint()):
                    time.sleep(wait * random.uniform(0.5, 1.0))
                continue
            wait = RETRY
            # What ended soon after it began would end again: two hosts that claim one lease must not spin.
            if time.monotonic() - started < RETRY:
                time.sleep(RETRY * random.uniform(0.5, 1.0))

    def _waited_for_endpoint(self) -> bool:
        """Return once an endpoint accepts connections: False where one did at once, so that etcd itself is at fault."""
        endpoints, outage = Failover(self._connection.parsed_endpoints), Outage(self._hosts)
        if endpoints.find(PROBE_TIMEOUT):
            return False
        while not endpoints.find(PROBE_TIMEOUT):
            time.sleep(outage.pause())
        return True

    def _join_and_follow(self) -> None:
        """Make one whole comparison and follow the changes; return when another whole comparison is due."""
        store = self._connected()
        keeper = LeaseKeeper(store, self._keys, self._margin, rivals=self._rivals)
        network = read_network(store, self._keys)
        text, trouble = self._usable_config(store, network.config)
        config = NetworkConfig.parse(text)
        if self._joined not in (None, config):
            # The process that starts again leases the subnet: it must know the new lease as its own.
            self._out.put(ConfigChanged())
            threading.Event().wait()
        held = keeper.acquire(config, self._identity.claim(config), network)
        self._joined = config
        self._hosts = len(network.leases)
        self._nested = NestedKeys(self._keys, network.nested)
        self._identity.known_as(held.lease)
        self._connection = self._connection.with_api(store.api)  # an emptied etcd must not send us to the other
        ignored, conflict = self._nested.sentences(), self._rivals.report()
        self._out.put(Joined(config, text, held, network.leases, trouble, ignored, conflict))
        watch = store.watch(self._keys.folder or "/", network.revision, WATCH_TICK)
        try:
            self._follow(store, watch, keeper, held, network.config, trouble)
        except (CompactedError, GoneError, ChangedError) as error:
            log.info("comparing everything again: %s", error)
        finally:
            watch.close()

    def _follow(
        self, store: Store, watch: Watch, keeper: LeaseKeeper, held: HeldLease, config: Item | None, trouble: str
    ) -> None:
        """Pass changes on and renew the lease, also after an outage; return when a whole comparison is due."""
        end = time.monotonic() + FULL_COMPARISON * random.uniform(0.5, 1.0)
        outage: Outage | None = None
        interruptions = 0
        while time.monotonic() < end:
            try:
                events = next(watch)
                if outage is not None:
                    end = min(end, time.monotonic() + outage.comparison_pause())
                    outage = None
                    self._out.put(StoreTrouble(trouble))
                held = self._answered(keeper, events, held)
                if self._concerns_me(events, held, config):
                    return
                self._pass_on(events)
                if watch.interruptions != interruptions:
                    if _lost(store, held):
                        log.warning("lease %s is no longer in etcd; claiming it again", held.lease.key)
                        return
                    interruptions = watch.interruptions
                if held.renew_at is not None and time.monotonic() >= held.renew_at:
                    held = keeper.renew(held)
                    self._out.put(LeaseRenewed(held))
            except UnreachableError as error:
                if outage is None:
                    outage = Outage(self._hosts)
                    self._out.put(StoreTrouble(str(error)))
                self._pause(store, outage)

    def _pause(self, store: Store, outage: Outage) -> None:
        """Wait before the next attempt; while no endpoint accepts connections that is all there is to do."""
        time.sleep(outage.pause())
        while not store.find_endpoint(PROBE_TIMEOUT):
            time.sleep(outage.pause())

    def _pass_on(self, events: list[Event]) -> None:
        changes = lease_events(self._keys, events)
        if changes:
            self._out.put(LeasesChanged(changes))
        if self._nested.follow(events):
            self._out.put(KeysIgnored(self._nested.sentences()))

    def _answered(self, keeper: LeaseKeeper, events: list[Event], held: HeldLease) -> HeldLease:
        """Answer the challenge of another host with this public IP, if there is one; return the lease as it is then."""
        for event in events:
            if isinstance(event, Put) and _challenges(event.item, held):
                held = keeper.answer(held, event.item)
                self._out.put(LeaseConflict(self._rivals.report()))
        return held

    def _concerns_me(self, events: list[Event], held: HeldLease, config: Item | None) -> bool:
        """Whether config or own lease are no longer what they were when this host joined, or it is to have another."""
        for event in events:
            key = key_of(event)
            if key == self._keys.config:
                if not (isinstance(event, Put) and config and event.item.value == config.value):
                    log.info("the network config was changed")
                    return True
            elif key == held.item.key and not (isinstance(event, Put) and _is_known(event.item, held)):
                _report_loss(event, held)
                return True
            elif isinstance(event, Put) and _reserves_another(self._keys.lease_name(key), event.item, held):
                log.info("the subnet of %s is reserved for this host", key)
                return True
        return False

    def _usable_config(self, store: Store, item: Item | None) -> tuple[str, str]:
        """Return the config in etcd and nothing, or the last good one and why not that; raise ConfigError for none."""
        try:
            self._check_claim(parse_config(store, self._keys, item))
        except ConfigError as error:
            if self._config_text is None:
                raise
            return self._config_text, f"{error}; going on with the last good network config"
        self._config_text = item.value if item else ""
        return self._config_text, ""

    def _check_claim(self, config: NetworkConfig) -> None:
        """Raise ConfigError naming the key where this host cannot take part under the config."""
        try:
            self._identity.claim(config)
        except ConfigError as error:
            raise ConfigError(f"{self._keys.config}: {error}") from None

    def _connected(self) -> Store:
        if self._store is None:
            self._store = connect(self._connection, self._prefix)
            self._keys = Keys(self._store.root(self._prefix))
        return self._store

    def _drop_connection(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


def _lost(store: Store, held: HeldLease) -> bool:
    """Whether the own lease is no longer as it was: an etcd that was emptied or restored sends no event for that.

    Checked whenever the connection was lost, because another host can be given the subnet until the lease is back.
    """
    item = store.get(held.item.key)
    return item is None or item.value != held.item.value


def _challenges(item: Item, held: HeldLease) -> bool:
    """Whether another host asks whether this one, which holds the lease, is alive."""
    if item.key != held.item.key or _is_known(item, held) or claimant_of(item.value) is None:
        return False
    try:
        return parse_lease(held.lease.key, item.value) == held.lease
    except LeaseError:
        return False


def _is_known(item: Item, held: HeldLease) -> bool:
    """Whether an event of this host's lease is its own write, or older than that."""
    return item.value == held.item.value or item.revision <= held.item.revision


def _reserves_another(name: str | None, item: Item, held: HeldLease) -> bool:
    """Whether an operator gives this host, which has an ordinary lease, a subnet of its own."""
    if name is None or not item.reservation or held.item.reservation or item.key == held.item.key:
        return False
    try:
        return parse_lease(name, item.value).public_ip == held.lease.public_ip
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
