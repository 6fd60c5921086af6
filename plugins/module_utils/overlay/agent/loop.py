# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd's main loop: the only thread that changes the kernel; the others post messages to it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from ..backends.by_lease import ByLease
from ..host.device_process import stop_process
from ..host.files import write_atomically
from ..host.former import former_devices, former_network
from ..host.identity import Identity
from ..host.log import log
from ..host.memory import Memory, remember
from ..host.reach import reach
from ..kernel.dataplane import Dataplane
from ..kernel.forwarding import forwarding_problem
from ..kernel.monitor import Monitor
from ..model.addresses import Subnet
from ..model.backends import EXTENSION
from ..model.errors import OverlayError
from ..model.network import NetworkConfig
from ..model.subnet_env import SubnetEnv
from ..patience import PATIENCE
from ..store.protocol import Event, Item
from .change_warnings import warn_of_losses
from .keeper import HeldLease
from .messages import (
    BackendComes,
    CommandsReport,
    DeviceProblem,
    Joined,
    KernelChanged,
    KeysIgnored,
    LeaseChanges,
    LeaseConflict,
    LeaseRenewed,
    LeasesChanged,
    Message,
    RestartNeeded,
    Stop,
    StoreTrouble,
)
from .notify import notify, watchdog_pause
from .options import Options
from .provision import provide_device
from .session import Session, firewall_for
from .status import Status

if TYPE_CHECKING:
    from .extension import ExtensionThread  # imported only where commands are permitted

KERNEL_CHECK = 10.0  # seconds between two full reconciliations, in case a notification was lost
SHORTEST_PAUSE = 0.1  # seconds between two full reconciliations that notifications trigger
PAUSE_FACTOR = 10  # ... and at least this multiple of the last one's duration, to limit the load of a large fleet
FIRST_RETRY, LAST_RETRY = 0.5, 30.0  # seconds before a failed reconciliation is retried: at first, and at most
FIREWALL_DELAY = 1.0  # seconds after a change of the kernel: Docker adds rules after the address of a new bridge
MEMORY_PATIENCE = 3.0  # seconds to wait for etcd at start before the memory file is used
MEMORY_PAUSE = 30.0  # seconds between two writes of the memory file
OVERLAP_CHECK = 30.0  # seconds between two checks of the host's own networks


class StartAgainError(Exception):
    """The process must re-execute itself: the config, the own subnet or the underlay changed.

    The new process adopts the kernel state without packet loss.
    """


class Loop:
    """Reconciles the kernel on messages and timers, and reports readiness."""

    def __init__(
        self,
        inbox: SimpleQueue[Message],
        options: Options,
        identity: Identity,
        memory_file: Path,
        memory: Memory | None,
        status: Status,
        dataplane: Dataplane,
        monitor: Monitor,
        extension: ExtensionThread | None = None,
    ) -> None:
        """Take over the dataplane; the other threads post their messages to ``inbox``."""
        self._inbox = inbox
        self._options = options
        self._identity = identity
        self._memory_file = memory_file
        self._memory = memory
        self._status = status
        self._dataplane = dataplane
        self._monitor = monitor
        self._extension = extension
        self._stop_process = partial(stop_process, options.memory_file.parent)
        self._is_settled = False  # whether the commands of the extension backend were run
        self._session: Session | None = None
        self._config_text = ""
        now = time.monotonic()
        self._patience_ends = now + MEMORY_PATIENCE
        self._due = {"kernel": now + KERNEL_CHECK, "firewall": now, "memory": now + MEMORY_PAUSE, "overlap": now}
        self._pause_ends = self._watchdog_due = now
        self._retry = FIRST_RETRY
        self._changed = False

    def run(self) -> None:
        """Run until a Stop message; raise StartAgainError when the config, the subnet or the underlay changed."""
        while True:
            message = self._next()
            if isinstance(message, Stop):
                self._save()
                return
            self._status.last_turn = time.monotonic()
            PATIENCE.begin_turn()
            if message is not None:
                self._take(message)
            self._keep_time()
            self._show()
            self._feed_watchdog()

    def _show(self) -> None:
        """Write the delayed log lines and status line that are due."""
        self._status.refresh()
        if self._session is not None:
            self._session.flush_log()

    def _feed_watchdog(self) -> None:
        now = time.monotonic()
        if now >= self._watchdog_due:
            notify("WATCHDOG=1")
            self._watchdog_due = now + watchdog_pause()

    def _next(self) -> Message | None:
        """Return the next message, or None if a timer is due first."""
        wakes = [self._status.refresh_due, self._watchdog_due]
        if self._session is None:
            wakes.append(self._patience_ends)
        else:
            wakes += [self._session.log_due, *self._due.values()]
        wake = min(due for due in wakes if due is not None)
        try:
            return self._inbox.get(timeout=max(wake - time.monotonic(), 0.0))
        except Empty:
            return None

    def _take(self, message: Message) -> None:
        if isinstance(message, LeasesChanged):
            self._follow(message.events)
        elif isinstance(message, Joined):
            self._join(message)
        elif isinstance(message, LeaseChanges):
            self._provide_device(message)
        elif isinstance(message, BackendComes):
            self._provide_backend(message)
        elif isinstance(message, RestartNeeded):
            raise StartAgainError(message.reason)
        elif isinstance(message, CommandsReport):
            self._take_report(message)
        elif isinstance(message, KernelChanged):
            self._due["kernel"] = min(self._due["kernel"], self._pause_ends)
            self._due["firewall"] = min(self._due["firewall"], time.monotonic() + FIREWALL_DELAY)
        elif isinstance(message, KeysIgnored):
            self._status.trouble("keys", *message.sentences)
        elif isinstance(message, LeaseConflict):
            self._status.trouble("conflict", message.sentence)
        elif isinstance(message, LeaseRenewed):
            self._status.count("lease_renewals")
            self._note_renewal(message.held)
        elif isinstance(message, StoreTrouble):
            if message.reason and not self._status.troubles.get("etcd"):
                self._status.count("etcd_interruptions")
            self._status.trouble("etcd", *filter(None, [message.reason]))

    def _join(self, joined: Joined) -> None:
        """Take the result of a full read of etcd: the first one begins the session, later ones reconcile it."""
        self._status.trouble("etcd", *filter(None, [joined.trouble]))
        self._status.trouble("keys", *joined.ignored)
        self._status.trouble("conflict", *filter(None, [joined.conflict]))
        self._note_renewal(joined.held)
        subnet = joined.held.lease.subnet
        if self._session is None:
            self._begin(joined.config, joined.config_text, subnet, joined.leases)
        elif (self._session.config, self._session.own) != (joined.config, subnet):
            raise StartAgainError("the network config or the subnet of this host changed")
        else:
            self._changed = True
            self._session.take(joined.leases)
            self._reconcile()

    def _note_renewal(self, held: HeldLease) -> None:
        """Record when the own lease is due for renewal, and when it expires."""
        self._status.lease_renew_at = held.renew_at
        margin = self._options.subnet_lease_renew_margin * 60.0
        self._status.lease_expires_at = None if held.renew_at is None else held.renew_at + margin

    def _provide_device(self, change: LeaseChanges) -> None:
        """Create the tunnel device that the new lease names, if it does not exist; change nothing else."""
        try:
            backend = self._backend(change.config, change.subnet)
            change.problems.extend(provide_device(self._dataplane, backend, change, self._stop_process))
        except OverlayError as error:
            change.problems.append(DeviceProblem(str(error)))
        finally:
            change.done.set()

    def _provide_backend(self, coming: BackendComes) -> None:
        """Create the device of a coming network config next to the present ones."""
        try:
            if self._session is not None and self._session.provide(coming):
                self._session.publish_key(self._identity.publish)
                coming.succeeded.set()
        except OverlayError as error:
            log.warning("the device of the new network config is not created yet: %s", error)
        finally:
            coming.done.set()

    def _backend(self, config: NetworkConfig, own: Subnet) -> ByLease:
        identity = self._identity
        end, wireguard = identity.end_for(config), identity.wireguard_end
        return reach(config, identity.underlay, own, end, self._dataplane, wireguard=wireguard, keep=True)

    def _begin(self, config: NetworkConfig, text: str, own: Subnet, leases: Mapping[str, Item]) -> None:
        """Begin the session and reconcile the kernel; if that succeeds, write the subnet file and notify READY."""
        self._identity.serve(config, own)
        backend = self._backend(config, own)
        warn_of_losses(self._memory, config, self._identity.former_mtu, backend.mtu)
        firewall = firewall_for(self._options, config, own)
        self._clear_former(config)
        leftovers = former_devices(self._memory, backend.device)
        reserved = self._identity.reserved(config, own)
        stop = self._stop_process
        for name in {*leftovers} - {device.name for device in backend.devices}:
            stop(name)
        self._session = Session(
            config,
            own,
            backend,
            self._dataplane,
            firewall,
            self._status,
            leftovers,
            reserved,
            unreachable=self._options.ip_blackhole_route,
            stop_process=stop,
        )
        self._config_text = text
        self._status.subnet = str(own)
        self._session.take(leases)
        self._check_passage()
        self._changed = True
        self._reconcile()
        self._save()

    def _clear_former(self, config: NetworkConfig) -> None:
        """Remove the routes of a former network with another range; reconcile removes those inside this network."""
        network = former_network(self._memory, config)
        if network is not None:
            from .removal import clear_former  # most processes never clear a network

            clear_former(self._dataplane, network)

    def _check_passage(self) -> None:
        """Restore the firewall rules; report whether the kernel forwards IPv4 packets."""
        self._due["firewall"] = time.monotonic() + self._options.iptables_resync
        if self._session is not None:
            self._session.check_firewall()
        self._status.trouble("forwarding", *filter(None, [forwarding_problem()]))

    def _get_ready(self) -> None:
        """Write the subnet file and notify READY, once the device exists and each row was applied or reported."""
        session = self._session
        if session is None or self._status.ready or not session.device_stands:
            return
        if session.backend.type == EXTENSION and not self._is_settled:
            return
        env = SubnetEnv(session.config.network, session.own, session.backend.mtu, self._options.ip_masq)
        write_atomically(Path(self._options.subnet_file), env.render())
        self._status.ready = True
        log.info("ready: subnet %s, %d peers, MTU %d", session.own, self._status.peers, session.backend.mtu)
        notify("READY=1")
        self._status.publish()
        self._changed = True
        self._save()  # after the subnet file: a subnet file newer than the memory file is another program's

    def _follow(self, events: list[Event]) -> None:
        if self._session is None:
            return
        self._changed = True
        started = time.monotonic()
        if not self._session.follow(events):
            self._schedule_retry()
        self._status.events.add(time.monotonic() - started)
        self._session.publish_key(self._identity.publish)
        self._watch_kernel()
        self._run_commands(self._session)

    def _reconcile(self) -> None:
        if self._session is None:
            return
        started = time.monotonic()
        done = self._session.reconcile()
        self._session.publish_key(self._identity.publish)
        now = time.monotonic()
        self._pause_ends = now + max(SHORTEST_PAUSE, PAUSE_FACTOR * (now - started))
        self._due["kernel"] = now + max(KERNEL_CHECK, PAUSE_FACTOR * (now - started))
        self._watch_kernel()
        if done:
            self._retry = FIRST_RETRY
        else:
            self._schedule_retry()
        self._run_commands(self._session)
        self._get_ready()

    def _run_commands(self, session: Session) -> None:
        """Let the extension thread run the commands for the present peers, after the kernel was reconciled.

        Under another network config it keeps what it added, until the peer's lease changes.
        """
        if self._extension is not None:
            leases = session.table.admitted(EXTENSION, with_unusable=session.backend.type != EXTENSION)
            self._extension.serve(session.config, session.own, self._identity.public_ip, leases)

    def _take_report(self, report: CommandsReport) -> None:
        self._status.peers += report.peers - self._status.added
        self._status.added = report.peers
        self._status.trouble("extension", *report.problems)
        self._is_settled = self._is_settled or report.settled
        self._status.publish()
        self._get_ready()

    def _schedule_retry(self) -> None:
        self._due["kernel"] = min(self._due["kernel"], time.monotonic() + self._retry)
        self._retry = min(self._retry * 2, LAST_RETRY)

    def _keep_time(self) -> None:
        now = time.monotonic()
        if self._session is None:
            if now >= self._patience_ends:
                self._begin_from_memory()
            return
        if now >= self._due["kernel"]:
            self._check_underlay()
            self._reconcile()
        if now >= self._due["firewall"]:
            self._check_passage()
        if now >= self._due["overlap"]:
            self._due["overlap"] = now + OVERLAP_CHECK
            self._check_overlaps(self._session)
        if now >= self._due["memory"]:
            self._due["memory"] = now + MEMORY_PAUSE
            self._save()

    def _begin_from_memory(self) -> None:
        """Restore the last network from the memory file if etcd cannot be used at start (a fleet after a power cut)."""
        self._patience_ends = time.monotonic() + MEMORY_PATIENCE
        memory = self._memory
        if memory is None or not self._status.troubles.get("etcd"):
            return
        log.warning("etcd cannot be used; restoring the network from memory file %s", self._memory_file)
        config = NetworkConfig.parse(memory.config)
        own = self._identity.former_subnet(config) or memory.own_subnet()
        self._begin(config, memory.config, own, memory.lease_items())

    def _check_underlay(self) -> None:
        """Raise StartAgainError if the address or the MTU of the underlay interface changed."""
        change = self._identity.underlay_change()
        if change:
            raise StartAgainError(change)

    def _check_overlaps(self, session: Session) -> None:
        """Report overlaps with the host's own networks; the programmed routes stay."""
        try:
            self._status.trouble("overlap", *self._identity.overlaps(session.config))
        except OverlayError as error:
            self._status.trouble("overlap", str(error))

    def _watch_kernel(self) -> None:
        if self._session is not None:
            session, underlay = self._session, self._identity.underlay
            self._monitor.watch(session.config.network, underlay.ifindex, session.device_indexes)

    def _save(self) -> None:
        """Write the memory file if its content changed; a failure, such as a full disk, is only reported."""
        session = self._session
        if session is None or not self._changed:
            return
        try:
            remember(self._memory_file, session.memory(self._identity.known_address, self._config_text))
        except OverlayError as error:
            self._status.trouble("memory", str(error))
        else:
            self._status.trouble("memory")
            self._changed = False
