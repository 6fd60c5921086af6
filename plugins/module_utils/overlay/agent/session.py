# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""This host's part of one overlay network: compares the desired rows with the kernel and applies the differences."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any

from ..backends.by_lease import ByLease
from ..backends.guarded import Guarded
from ..host.identity import WIREGUARD, WIREGUARD_DEVICE
from ..host.log import DEBUG, log
from ..host.memory import Memory, machine_id
from ..host.peer_table import PeerChange, PeerTable
from ..kernel.dataplane import Dataplane, Failure
from ..kernel.firewall.rules import Firewall
from ..kernel.plan import KernelPlan, plan
from ..kernel.state import DesiredState, ObservedState, Row
from ..kernel.step import Step
from ..kernel.tables.device import DeleteDevice
from ..kernel.tables.route import AdoptRoute
from ..kernel.tables.unreachable import Unreachable
from ..model.addresses import Subnet, format_ipv4, format_mac
from ..model.errors import OverlayError
from ..model.network import NetworkConfig
from ..model.overlap import Reserved
from ..store.protocol import Event, Item
from .journal import peer_log, repair_log
from .messages import BackendComes
from .options import Options
from .status import Status

SHOWN = 20  # maximum of subnets in a log line


def firewall_for(options: Options, config: NetworkConfig, own: Subnet) -> Firewall:
    """Return the firewall rules of the options."""
    return Firewall(
        config.network,
        own,
        ip_masq=options.ip_masq,
        forward_rules=options.iptables_forward_rules,
        random_fully=not options.ip_masq_fully_random_disable,
    )


class Session:
    """Valid for one config and one own subnet; after a change of either, the re-executed process has a new session."""

    def __init__(
        self,
        config: NetworkConfig,
        own: Subnet,
        backend: ByLease,
        dataplane: Dataplane,
        firewall: Firewall,
        status: Status,
        leftovers: Collection[str] = (),
        reserved: Reserved | None = None,
        unreachable: bool = False,
        stop_process: Callable[[str], object] = bool,
    ) -> None:
        """Start without peers; ``reconcile`` makes the first changes, and also removes the devices in ``leftovers``.

        A lease that contains a ``reserved`` address of this host is not a peer. ``unreachable`` is whether the
        unleased subnets of Network get an unreachable route. ``stop_process`` stops the process of a device.
        """
        self.config = config
        self.own = own
        self.backend = backend
        self.table = PeerTable(config, own, Guarded(backend, reserved or Reserved()))
        self._dataplane = dataplane
        self._firewall = firewall
        self._status = status
        self._leftovers = set(leftovers) - {device.name for device in backend.devices}
        self._stop_process = stop_process
        self._accepting = backend.accepting
        self._own_rows: tuple[Row, ...] = backend.own_rows  # as last applied
        self._takes_over = True  # until flannel's rules were searched for once
        self._network_rows = [Unreachable(config.network)] if unreachable else []
        self.device_indexes: tuple[int | None, ...] = (None,)  # of the own tunnel device, then the further ones
        self._peer_log = peer_log(backend.type, status)
        self._repair_log = repair_log(status)
        self._is_applied = False  # whether all rows were applied once: later steps for them are repairs
        self._pending: set[Hashable] = set()  # the keys of rows for which a step is no repair
        self._unapplied: set[Step] = set()  # the steps that the kernel refused last, or that need a refused device
        self._working: set[str] | None = None  # the devices with their settings; None until the kernel was read

    @property
    def device_stands(self) -> bool:
        """Whether the tunnel device exists with its settings, or the backend has none."""
        device = self.backend.device
        return device is None or device.name in (self._working or ())

    def publish_key(self, publish: Callable[[Mapping[str, Any] | None], object]) -> None:
        """Publish this host's WireGuard key if its device works, nothing if not; nothing changes if that is unknown."""
        if self._working is not None:
            publish(self.backend.key_data if WIREGUARD_DEVICE in self._working else None)

    @property
    def log_due(self) -> float | None:
        """Time (monotonic clock) at which ``flush_log`` has something to write, None if it has nothing."""
        dues = [due for due in (self._peer_log.due, self._repair_log.due) if due is not None]
        return min(dues, default=None)

    def flush_log(self) -> None:
        """Write the delayed log lines that are due."""
        self._peer_log.flush()
        self._repair_log.flush()

    def memory(self, public_ip: int, config_text: str) -> Memory:
        """Return what the memory file keeps of this session."""
        device = self.backend.device
        return Memory(
            machine_id=machine_id(),
            subnet=str(self.own),
            public_ip=format_ipv4(public_ip),
            mac=format_mac(device.mac) if device and device.mac else "",
            device=device.name if device else "",
            config=config_text,
            leases=dict(self.table.values),
        )

    def take(self, leases: Mapping[str, Item]) -> None:
        """Replace all leases; the next ``reconcile`` changes the kernel."""
        changes = [*self.table.reset(leases), *self._accept()]
        if self._is_applied:
            self._expect(changes)
        self._peer_log.write(changes)

    def reconcile(self) -> bool:
        """Compare all rows with the kernel and apply the differences; return whether all changes succeeded."""
        started = time.monotonic()
        try:
            self._retire_devices()
            own_rows = self.backend.own_rows
            steps, observed = self._whole_plan()
            failures = self._apply(steps)
            self._own_rows = own_rows
            self._note_devices(failures)
        except OverlayError as error:
            self._status.trouble("kernel", str(error))
            self._is_applied = done = False
        else:
            self._status.trouble("kernel", *steps.conflicts, *map(str, failures))
            done = not failures
            _report_adoption(steps)
            self._report_repairs(steps, failures, observed)
        self._tell_leases()
        self._status.count("reconciliations")
        seconds = time.monotonic() - started
        self._status.count("reconcile_seconds", seconds)
        self._status.reconciliations.add(seconds)
        return done

    def follow(self, events: Iterable[Event]) -> bool:
        """Apply changed leases and change the kernel for these peers only; return whether all changes succeeded."""
        changes = [*self.table.change(events), *self._accept()]
        own_rows = self.backend.own_rows
        try:
            refused = self._apply(self._plan_of(changes, own_rows)) if changes else []
            failures = list(map(str, refused))
            if failures:
                self._unapplied.update(self._not_done(refused))
            elif own_rows != self._own_rows:
                self._own_rows = own_rows
                self._note_devices(refused)
        except OverlayError as error:
            failures = [str(error)]
        if failures:
            self._status.trouble("kernel", *failures)
            self._expect(changes)
        self._peer_log.write([change for change in changes if _is_shown(change)])
        self._tell_leases()
        return not failures

    def provide(self, coming: BackendComes) -> bool:
        """Create the device of a coming network config; return whether all changes succeeded.

        With ``initiate``, also establish sessions with the peers by that device.
        """
        self.take(coming.leases)
        self.backend.provide(coming.config.backend)
        self._accept()
        if coming.initiate and self.backend.accepting is not None:
            self.backend.accepting.initiate()
            self.table.refresh()
        self._is_applied = False  # the new device and its settings are no repair
        return self.reconcile()

    def _accept(self) -> list[PeerChange]:
        """Create the rows of all peers again if peers with another backend need rows now, or do not any more."""
        accepting = self.backend.accepting
        if accepting is self._accepting:
            return []
        self._accepting = accepting
        return self.table.refresh()

    def check_firewall(self) -> None:
        """Restore missing or changed firewall rules."""
        try:
            for line in self._firewall.apply(self._takes_over):
                log.info("firewall: %s", line)
                self._status.count("firewall_repairs")
            self._takes_over = False
        except OverlayError as error:
            self._status.trouble("firewall", str(error))
        else:
            self._status.trouble("firewall")

    def preview(self) -> list[str]:
        """Return the changes that ``reconcile`` and ``check_firewall`` would make, as shell commands."""
        steps, _unused = self._whole_plan()
        return [*map(str, steps.steps), *self._firewall.plan(), *steps.conflicts]

    def _whole_plan(self) -> tuple[KernelPlan, ObservedState]:
        wanted = DesiredState.of(self.backend.own_rows, self.table.rows.values(), self._network_rows)
        observed = self._dataplane.observe(wanted, self.config.network, self._leftovers)
        return plan(wanted, observed), observed

    def _plan_of(self, changes: list[PeerChange], own_rows: Iterable[Row]) -> KernelPlan:
        """Return the steps for single peers, planned against the rows that were applied for them before."""
        wanted = DesiredState.of(own_rows, (change.after for change in changes if change.after))
        known = DesiredState.of(self._own_rows, (change.before for change in changes if change.before))
        return plan(wanted, ObservedState.of(known))

    def _note_devices(self, failures: Iterable[Failure]) -> None:
        """Record which tunnel devices exist, and which of them have their settings."""
        names = [device.name for device in self.backend.devices]
        self.device_indexes = tuple(map(self._dataplane.ifindex, names))
        refused = {failure.step.creates for failure in failures}
        found = zip(names, self.device_indexes)
        self._working = {name for name, index in found if index is not None and name not in refused}

    def _not_done(self, failures: Iterable[Failure]) -> set[Step]:
        """Return the steps of the last plan that were refused, or left out because they need a refused device."""
        return {failure.step for failure in failures} | self._dataplane.omitted

    def _retire_devices(self) -> None:
        """Let the next plan delete the further tunnel devices that no lease needs any more."""
        for name in self.backend.retire(self.table.rows.values(), time.monotonic):
            log.info("deleting device %s: no lease needs it any more", name)
            self._stop_process(name)
            self._leftovers.add(name)
        self._accept()

    def _retires(self, step: Step) -> bool:
        """Whether a step deletes a device that is not needed any more, which is no repair."""
        return isinstance(step, DeleteDevice) and step.device in self._leftovers

    def _apply(self, steps: KernelPlan) -> list[Failure]:
        """Apply the steps; return those that the kernel refused."""
        if log.level <= DEBUG:
            for step in steps.steps:
                log.debug("kernel: %s", step)
        failures = self._dataplane.apply(steps)
        self._status.count("kernel_operations", len(steps.steps))
        self._status.count("kernel_failures", len(failures))
        self._count_by_kind("kernel_steps", steps.steps)
        self._count_by_kind("kernel_step_failures", [failure.step for failure in failures])
        return failures

    def _count_by_kind(self, counter: str, steps: Sequence[Step]) -> None:
        for kind, number in Counter(step.kind for step in steps).items():
            self._status.count(counter, number, kind)

    def _expect(self, changes: Iterable[PeerChange]) -> None:
        """Record rows that are not applied yet: steps for them are not repairs."""
        for change in changes:
            for rows in change:
                self._pending.update(rows.keys() if rows else ())

    def _report_repairs(self, steps: KernelPlan, failures: list[Failure], observed: ObservedState) -> None:
        """Log the steps that undo changes by other programs: those for rows that were applied before."""
        not_done = self._not_done(failures)
        if self._is_applied and steps.steps:
            self._repair_log.write(
                [
                    step
                    for step in steps.steps
                    if step.repaired
                    and step not in not_done
                    and step not in self._unapplied
                    and step.key not in self._pending
                    and not self._retires(step)
                ]
            )
        own = {"", self.backend.device.name if self.backend.device else ""}
        self._is_applied = not any(step.essential and step.creates in own for step in not_done)
        self._unapplied = not_done
        # Rows that the kernel refused, or that another program's route prevents, are not applied yet.
        self._pending = {step.key for step in not_done if step.key is not None}.union(
            *(found.foreign for found in observed.tables.values())
        )

    def _tell_leases(self) -> None:
        self._status.peers = len(self.table.rows) + self._status.added
        if self._status.subnets is not None:
            self._status.subnets = tuple(self.table.rows)
        if self.table.has_new_problems:
            self._status.trouble_later("leases", lambda: self.table.problems)
        else:
            self._status.publish()


def _is_shown(change: PeerChange) -> bool:
    """Whether the log shows a change: not if the peer is reached as before, and only its packets are accepted now."""
    before, after = change
    if before is None or after is None or before.backend == WIREGUARD:
        return before != after
    return before._replace(others=()) != after._replace(others=())


def _report_adoption(steps: KernelPlan) -> None:
    """Log the adopted routes of flannel in one line."""
    adopted = [str(step.route.subnet) for step in steps.steps if isinstance(step, AdoptRoute)]
    if adopted:
        more = f" and {len(adopted) - SHOWN} more" if len(adopted) > SHOWN else ""
        log.info("adopted %d routes that flannel left: %s%s", len(adopted), ", ".join(adopted[:SHOWN]), more)
