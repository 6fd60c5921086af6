# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Observes the kernel and applies plans, in batched netlink requests."""

from __future__ import annotations

import errno
from bisect import bisect_right
from collections.abc import Collection, Hashable, Mapping, Sequence
from contextlib import nullcontext
from itertools import groupby
from operator import attrgetter
from typing import Any

from ..model.addresses import Subnet
from ..model.collector import collector_at_rest
from ..model.errors import KernelError, NotYetError
from ..named_tuple import NamedTuple
from .monitor import Monitor
from .netlink.interfaces import link
from .netlink.next_hops import next_hops_supported
from .netlink.rtnetlink import KernelRefusal, Netlink, NetlinkError
from .observation import Observation
from .plan import KernelPlan, plan
from .state import DesiredState, ObservedState, Row
from .step import Action, Step, Wire
from .tables import TABLES
from .tunnels import Tunnels, read_tunnels

_STEPS_AT_ONCE = 2000  # encoded, sent and forgotten, so that memory does not grow with the fleet


class Failure(NamedTuple):
    """A step that the kernel refused; ``is_temporary`` if it can succeed later, once a process is ready."""

    step: Step
    errno: int
    message: str
    is_temporary: bool = False

    def __str__(self) -> str:
        return f"{self.step}: {self.message}"


class MissingInterfaceError(NetlinkError):
    """The kernel has no interface with the name that a step uses."""

    def __init__(self, name: str, error: NetlinkError) -> None:
        super().__init__(f"interface {name}: {error}", error.errno)
        self.name = name


class Dataplane:
    """Reads and changes the kernel through one socket, in the network namespace of the thread that creates it."""

    def __init__(self, monitor: Monitor | None = None, next_hops: bool | None = None) -> None:
        """Hide own changes from a monitor. ``next_hops``: whether routes use next-hop objects, None for if possible.

        Raise KernelError if the kernel cannot be read.
        """
        self._netlink = Netlink()
        self._monitor = monitor
        if monitor is not None:
            monitor.ignore(self._netlink.port)
        self.omitted: set[Step] = set()  # by the last ``apply``, because they need a refused device
        self._has_hops = next_hops_supported(self._netlink)
        self._by_hops = self._has_hops if next_hops is None else next_hops

    def close(self) -> None:
        """Close the socket; the kernel keeps its state."""
        self._netlink.close()

    def ifindex(self, name: str) -> int | None:
        """Return an interface's index, None if it does not exist."""
        try:
            return link(self._netlink, name).ifindex
        except NetlinkError as error:
            if error.errno == errno.ENODEV:
                return None
            raise

    def tunnels(self) -> Tunnels:
        """Return the tunnel devices that exist, whatever network they belong to."""
        return read_tunnels(self._netlink)

    @collector_at_rest()
    def observe(self, desired: DesiredState, network: Subnet, leftovers: Collection[str] = ()) -> ObservedState:
        """Return what the kernel holds of the overlay ``network``, to be compared with the whole desired state.

        ``leftovers`` names further devices of ours, which a plan deletes. Raise KernelError if another interface has
        the name of a device, or its VNI and port.
        """
        observation = Observation(
            self._netlink,
            has_hops=self._has_hops,
            by_hops=self._by_hops,
            network=network,
            desired=desired,
            leftovers=leftovers,
        )
        return observation.take(TABLES)

    def create_missing(self, rows: Sequence[Row], network: Subnet) -> list[Failure]:
        """Add those of these rows of this host that do not exist: a device, its address; change nothing else.

        Only a device without settings, which was created in part, gets them.

        Raise KernelError if another interface has its name, or its VNI and port.
        """
        wanted = DesiredState.of(rows, ())
        observed = self.observe(wanted, network)
        existing = {table: _known(named, observed.rows(table)) for table, named in wanted.tables.items()}
        return self.apply(plan(wanted, ObservedState.of(DesiredState(existing))))

    @collector_at_rest()
    def apply(self, steps: KernelPlan) -> list[Failure]:
        """Apply a plan; return the steps that the kernel refused.

        A refused step does not stop the others, unless it is essential: then the steps on its device are left out.
        Removing what does not exist is a success.
        """
        failures: list[Failure] = []
        self.omitted = set()
        missing: set[str] = set()  # devices that could not be created
        with self._monitor.muted() if self._monitor else nullcontext():
            for alone, group in groupby(steps.steps, attrgetter("alone")):
                members = list(group)
                batches = [[step] for step in members] if alone else _batches(members)
                wire = Wire(self._index, self._by_hops)
                for batch in batches:
                    if isinstance(batch[0], Action):
                        refused = self._perform(batch[0], missing)
                    else:
                        own = Wire(self._index, self._by_hops) if alone else wire
                        refused = self._send(batch, own, missing)
                    failures += refused
                    essential = [failure.step for failure in refused if failure.step.essential]
                    missing.update(step.creates for step in essential)
                    if "" in missing:
                        return failures
        return failures

    def _perform(self, step: Action, missing: Collection[str]) -> list[Failure]:
        """Perform an action, unless its device is missing; return it if it was refused."""
        if step.creates in missing or (step.needs in missing and self.ifindex(step.needs) is None):
            self.omitted.add(step)
            return []
        try:
            step.perform()
        except KernelError as error:
            return [Failure(step, 0, str(error), isinstance(error, NotYetError))]
        return []

    def _send(self, steps: Sequence[Step], wire: Wire, missing: Collection[str]) -> list[Failure]:
        """Send the requests of some steps, except those on missing devices; return the refused steps."""
        messages: list[bytes] = []
        ends: list[int] = []  # by step, the position after its last message
        refused: dict[int, KernelRefusal] = {}
        for number, step in enumerate(steps):
            try:
                step.encode(wire, messages)
            except MissingInterfaceError as error:
                refusal = step.refusal({0: KernelRefusal(error.errno, str(error))})
                if error.name in missing:
                    self.omitted.add(step)
                elif refusal is not None:
                    refused[number] = refusal
            ends.append(len(messages))
        withdrawals: list[bytes] = []
        for number, answers in self._answers(messages, ends).items():
            step = steps[number]
            refusal = step.refusal(answers)
            if refusal is not None:
                refused[number] = refusal
                step.withdraw(answers, wire, withdrawals)
        self._netlink.execute(withdrawals)
        return [
            Failure(steps[number], refusal.errno, steps[number].explain(refusal))
            for number, refusal in sorted(refused.items())
        ]

    def _answers(self, messages: Sequence[bytes], ends: Sequence[int]) -> dict[int, dict[int, KernelRefusal]]:
        """Send the messages; return the refusals by number of the step and position of the message in the step."""
        answers: dict[int, dict[int, KernelRefusal]] = {}
        for sequence, refusal in self._netlink.execute(messages).items():
            number = bisect_right(ends, sequence)
            start = ends[number - 1] if number else 0
            answers.setdefault(number, {})[sequence - start] = refusal
        return answers

    def _index(self, name: str) -> int:
        try:
            return link(self._netlink, name).ifindex
        except NetlinkError as error:
            raise MissingInterfaceError(name, error) from error


def _known(wanted: Mapping[Hashable, Any], held: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
    """Return the wanted rows that exist; a device that was created in part as it is, so that only it is changed."""
    return {key: row if getattr(held[key], "is_set", True) else held[key] for key, row in wanted.items() if key in held}


def _batches(steps: Sequence[Step]) -> list[Sequence[Step]]:
    return [steps[start : start + _STEPS_AT_ONCE] for start in range(0, len(steps), _STEPS_AT_ONCE)]
