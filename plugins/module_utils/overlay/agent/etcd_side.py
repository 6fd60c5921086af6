# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The thread for etcd: joins the network, keeps this host's lease and reports the changes of other hosts."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from functools import partial
from queue import SimpleQueue
from typing import NoReturn

from ..host.identity import WIREGUARD, Identity
from ..host.log import log
from ..model.addresses import Subnet
from ..model.errors import ConfigError, LeaseError, OverlayError
from ..model.network import NetworkConfig
from ..patience import TURN
from ..store.api_choice import EtcdConnection, connect
from ..store.errors import ChangedError, CompactedError, ConfigMissingError, GoneError, UnreachableError
from ..store.failover import Failover
from ..store.protocol import Event, Item, Put, Store, Watch
from ..store.schema import Keys, NestedKeys, StoredNetwork, key_of, lease_events, read_network
from .config_choice import KEPT, ConfigChoice, DeviceMissingError
from .keeper import HeldLease, LeaseKeeper, SubnetLostError
from .messages import (
    BackendComes,
    DeviceProblem,
    Joined,
    KeysIgnored,
    LeaseChanges,
    LeaseConflict,
    LeaseRenewed,
    LeasesChanged,
    Message,
    RestartNeeded,
    StoreTrouble,
)
from .outage import Outage
from .own_lease import challenges, is_known, loss, report_loss, reserves_another
from .rivals import LeaseConflictError, Rivals

WATCH_TICK = 5.0  # seconds without an event after which the thread checks its timers
RESYNC = 600.0  # seconds between two full reads of etcd, in case a watch stopped delivering events
RETRY = 1.0  # seconds between attempts while the config is missing or invalid, as in flannel
LONGEST_RETRY = 10.0  # seconds between attempts to join while etcd accepts connections but refuses or does not answer
PREPARATION = 10.0  # seconds to wait for the device of a changed lease, and for the process that it needs
LAST_RETRY = 30.0  # seconds, at most, until a device that could not be created is tried again
STARTING = 0.1  # seconds between two requests for a device whose process is not ready yet
SETTLE = 0.3  # seconds for all hosts to take the last event
PROBE_TIMEOUT = 1.0  # seconds for an endpoint to accept a connection during an outage


class EtcdSide(threading.Thread):
    """Reads the whole network from etcd, then watches it for changes; repeats the full read if necessary."""

    def __init__(
        self,
        connection: EtcdConnection,
        prefix: str,
        margin: float,
        identity: Identity,
        out: SimpleQueue[Message],
        former_config: str | None = None,
    ) -> None:
        """Post messages to ``out``; ``margin`` is the renewal margin in seconds.

        ``former_config`` is the network config that a former process used, None if there was none.
        """
        super().__init__(name="etcd", daemon=True)
        self._connection = connection
        self._prefix = prefix
        self._keys = Keys(prefix)  # replaced once the API, and with it the first character of its keys, is known
        self._margin = margin
        self._identity = identity
        self._out = out
        self._store: Store | None = None
        self._nested = NestedKeys(self._keys, ())
        self._rivals = Rivals()
        self._configs = ConfigChoice(identity, former_config)
        self._joined_text = ""  # the network config of the last full read
        self._retry = 0.0  # seconds until a network config that this host cannot use is tried again, 0 for none
        self._hosts = 0  # number of leases at the last full read

    def run(self) -> None:
        """Join the network and watch it, for ever; report each failure and retry."""
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
                    self._drop_connection()  # the config may be written with the other API
            except Exception as error:  # also a defect of overlayd: this thread must not end
                if not isinstance(error, OverlayError):
                    log.exception("unexpected error; please report it with this traceback")
                self._out.put(StoreTrouble(str(error) or repr(error)))
                self._drop_connection()
                wait = min(wait * 2, LONGEST_RETRY)
                if not (isinstance(error, UnreachableError) and self._waited_for_endpoint()):
                    time.sleep(wait * random.uniform(0.5, 1.0))
                continue
            wait = RETRY
            # Two hosts that claim one lease must not overwrite it in a tight loop.
            if time.monotonic() - started < RETRY:
                time.sleep(RETRY * random.uniform(0.5, 1.0))

    def _waited_for_endpoint(self) -> bool:
        """Wait until an endpoint accepts connections; return False if one did at once (etcd itself has the fault)."""
        endpoints, outage = Failover(self._connection.parsed_endpoints), Outage(self._hosts)
        if endpoints.find(PROBE_TIMEOUT):
            return False
        while not endpoints.find(PROBE_TIMEOUT):
            time.sleep(outage.pause())
        return True

    def _join_and_follow(self) -> None:
        """Read everything from etcd, then watch it for changes; return when the next full read is due."""
        store = self._connected()
        network = read_network(store, self._keys)
        text, trouble = self._configs.usable(store, self._keys, network.config)
        config = NetworkConfig.parse(text)
        served, subnet = self._identity.served or (None, None)
        retry, self._retry = self._retry, 0.0
        if self._configs.is_refused_here:  # until its cause is corrected on this host, for example by a package
            self._retry = min(max(retry * 2, RETRY), LAST_RETRY)
        if served is not None and subnet is not None and served != config:
            try:
                self._provide(served, config, network.leases, subnet)
                if not self._announce(store, network, served, config, subnet):
                    return
                self._restart("the network config changed")
            except (ConfigError, LeaseError) as error:  # LeaseError: the own lease is written again first
                config, text, trouble = served, self._joined_text, f"{error}; {KEPT}"
                self._retry = min(max(retry * 2, RETRY), LAST_RETRY)
        try:
            if served is None:
                self._configs.check_port(self._keys, config, None)
            keeper, held = self._acquire(store, network, config, subnet)
        except DeviceMissingError as error:  # in a new process
            config, text, trouble = self._configs.instead_of(config, error)
            self._retry = RETRY
            keeper, held = self._acquire(store, network, config, subnet)
        self._identity.serve(config, held.lease.subnet)
        self._joined_text = text
        self._hosts = len(network.leases)
        self._nested = NestedKeys(self._keys, network.nested)
        self._identity.known_as(held.lease)
        self._connection = self._connection.with_api(store.api)  # keep this API even if etcd loses its data
        ignored, conflict = self._nested.sentences(), self._rivals.report()
        leases = {**network.leases, held.lease.key: held.item}  # the own lease may be new, or written again
        self._out.put(Joined(config, text, held, leases, trouble, ignored, conflict))
        watch = store.watch(self._keys.folder or "/", network.revision, min(WATCH_TICK, self._retry or WATCH_TICK))
        try:
            self._follow(store, watch, keeper, held, network.config, trouble)
        except (CompactedError, GoneError, ChangedError) as error:
            log.info("reading the whole network again: %s", error)
        finally:
            watch.close()

    def _acquire(
        self, store: Store, network: StoredNetwork, config: NetworkConfig, subnet: Subnet | None
    ) -> tuple[LeaseKeeper, HeldLease]:
        """Return this host's lease under a config; ``subnet`` is the one that this process programs.

        In a process that programs none, raise DeviceMissingError if the device of a changed lease cannot be created.
        """
        prepare = partial(self._prepare, config, network.leases, subnet is None)
        keeper = LeaseKeeper(store, self._keys, self._margin, rivals=self._rivals, prepare=prepare)
        try:
            return keeper, keeper.acquire(config, self._identity.claim(config), network, subnet)
        except SubnetLostError as lost:
            self._restart(str(lost))

    def _announce(
        self, store: Store, network: StoredNetwork, served: NetworkConfig, config: NetworkConfig, subnet: Subnet
    ) -> bool:
        """Publish this host's WireGuard key if the config changes to wireguard (see announcement.py).

        Return False if the network must be read again. Raise ConfigError if the device cannot be created.
        """
        if config.backend.type != WIREGUARD or served.backend.type == WIREGUARD:
            return True
        from .announcement import announce, wait_for_sessions  # most hosts do not need them

        done, succeeded = threading.Event(), threading.Event()
        self._out.put(BackendComes(config, network.leases, done, succeeded))
        done.wait(PREPARATION)
        data = self._identity.published
        if data is None or not succeeded.is_set():
            raise ConfigError(
                f"{self._keys.config}: the device of the new network config cannot be created (see the error before)"
            )
        try:
            if not announce(store, self._keys, network, subnet, self._identity.known_address, data, self._pass_on):
                return False
        except (ChangedError, CompactedError, GoneError) as error:
            log.info("reading the whole network again: %s", error)
            return False
        time.sleep(SETTLE)
        done.clear()
        leases = read_network(store, self._keys).leases
        self._out.put(BackendComes(config, leases, done, succeeded, initiate=True))
        done.wait(PREPARATION)
        wait_for_sessions()
        return True

    def _restart(self, reason: str) -> NoReturn:
        """Make the main loop re-execute the process: the lease of another subnet belongs to the new process.

        The new process would otherwise not recognize a lease without a known MAC as its own, and challenge itself.
        """
        self._out.put(RestartNeeded(reason))
        while True:
            threading.Event().wait()

    def _prepare(self, config: NetworkConfig, leases: Mapping[str, Item], is_new: bool, subnet: Subnet) -> None:
        """Return once the device that the new content of the own lease names exists.

        If it cannot be created, raise DeviceMissingError in a new process, which serves no network.
        """
        problem = self._device_problem(config, leases, subnet)
        if problem and is_new:
            raise DeviceMissingError(problem)
        if problem:
            log.warning("%s", problem)

    def _provide(
        self, served: NetworkConfig, config: NetworkConfig, leases: Mapping[str, Item], subnet: Subnet
    ) -> None:
        """Create the device of a new network config; raise ConfigError if that fails, or its port is in use."""
        self._configs.check_port(self._keys, config, served)
        if config.backend.device_name != served.backend.device_name:
            problem = self._device_problem(config, leases, subnet)
            if problem:
                raise ConfigError(problem)

    def _device_problem(self, config: NetworkConfig, leases: Mapping[str, Item], subnet: Subnet) -> str:
        """Let the main loop create the device of a lease; return why it does not exist then, "" if it does."""
        name = config.backend.device_name
        if not name:
            return ""
        end = time.monotonic() + PREPARATION
        is_last = False
        while not is_last:
            done, problems, is_last = threading.Event(), list[DeviceProblem](), time.monotonic() > end - TURN
            self._out.put(LeaseChanges(config, subnet, leases, done, problems, is_last))
            if not done.wait(PREPARATION):
                problems = [DeviceProblem(f"it was not created within {PREPARATION:.0f} s")]
            if not problems:
                return ""
            if not all(problem.is_temporary for problem in problems):
                break
            time.sleep(STARTING)
        return (
            f"{self._keys.config}: device {name} of the {config.backend.type} backend cannot be created: "
            f"{problems[0].sentence}"
        )

    def _follow(
        self, store: Store, watch: Watch, keeper: LeaseKeeper, held: HeldLease, config: Item | None, trouble: str
    ) -> None:
        """Report changes and renew the lease, also after an outage; return when the next full read is due."""
        end = time.monotonic() + (self._retry or RESYNC * random.uniform(0.5, 1.0))
        outage: Outage | None = None
        interruptions = 0
        published = self._identity.published
        always = self._identity.served is not None and self._identity.served[0].backend.type == WIREGUARD
        while time.monotonic() < end:
            if self._identity.published != published and not always:
                log.info("updating lease %s: the WireGuard key in it is needed now, or not any more", held.lease.key)
                return
            try:
                events = next(watch)
                if outage is not None:
                    end = min(end, time.monotonic() + outage.resync_pause())
                    outage = None
                    self._out.put(StoreTrouble(trouble))
                held = self._answered(keeper, events, held)
                if self._concerns_me(events, held, config):
                    return
                self._pass_on(events)
                if watch.interruptions != interruptions:
                    gone = loss(store, held)
                    if gone:
                        log.warning("lease %s %s; claiming it again", held.lease.key, gone)
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
        """Wait until the next attempt is due and an endpoint accepts connections."""
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
        """Answer the challenges in the events (see rivals.py); return the lease as written by the last answer."""
        for event in events:
            if isinstance(event, Put) and challenges(event.item, held):
                held = keeper.answer(held, event.item)
                self._out.put(LeaseConflict(self._rivals.report()))
        return held

    def _concerns_me(self, events: list[Event], held: HeldLease, config: Item | None) -> bool:
        """Return whether the events change the config or the own lease, or reserve another subnet for this host."""
        for event in events:
            key = key_of(event)
            if key == self._keys.config:
                if not (isinstance(event, Put) and config and event.item.value == config.value):
                    log.info("the network config changed")
                    return True
            elif key == held.item.key and not (isinstance(event, Put) and is_known(event.item, held)):
                report_loss(event, held)
                return True
            elif isinstance(event, Put) and reserves_another(self._keys.lease_name(key), event.item, held):
                log.info("%s reserves another subnet for this host; moving to it", key)
                return True
        return False

    def _connected(self) -> Store:
        if self._store is None:
            self._store = connect(self._connection, self._prefix)
            self._keys = Keys(self._store.root(self._prefix))
        return self._store

    def _drop_connection(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
