# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one that looks at the kernel and carries out plans, in a few sends however many steps there are.

A route goes by a next hop of its own where the kernel has such objects: ten thousand plain routes with a gateway each
cost the kernel time that grows with their square, and a next hop can be replaced under a route in use.
"""

from __future__ import annotations

import errno
from bisect import bisect_right
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from itertools import groupby
from typing import NamedTuple

from ..model.addresses import Subnet
from ..model.collector import collector_at_rest
from ..model.errors import KernelError
from . import vxlan
from .encoding import REMOVALS, Encoder, verdict
from .monitor import Monitor
from .netlink.interfaces import link
from .netlink.rtnetlink import KernelRefusal, Netlink, NetlinkError
from .observation import Observation, hops_supported
from .plan import DesiredState, ObservedState, Plan
from .steps import (
    AddAddress,
    AddRoute,
    AdoptRoute,
    ChangeRoute,
    CreateDevice,
    DeleteDevice,
    RemoveAddress,
    SetMac,
    SetMtu,
    SetTunnel,
    SetUp,
    Step,
)

_DEVICE_STEPS = (CreateDevice, SetTunnel, SetMac, SetMtu, SetUp, DeleteDevice, AddAddress, RemoveAddress)
_STEPS_AT_ONCE = 2000  # encoded, sent and forgotten, so that memory does not grow with the fleet


class Failure(NamedTuple):
    """A step that the kernel refused."""

    step: Step
    errno: int
    message: str

    def __str__(self) -> str:
        return f"{self.step}: {self.message}"


class Dataplane:
    """The kernel's tables, seen and changed through one socket in the network namespace of the thread that makes it."""

    def __init__(self, monitor: Monitor | None = None, next_hops: bool | None = None) -> None:
        """Change things behind the monitor's back, if one is given; ``next_hops`` None finds out what the kernel has.

        Raise KernelError when the kernel cannot be asked.
        """
        self._netlink = Netlink()
        self._monitor = monitor
        if monitor is not None:
            monitor.ignore(self._netlink.port)
        self._has_hops = hops_supported(self._netlink)
        self._by_hops = self._has_hops if next_hops is None else next_hops

    def close(self) -> None:
        """Close the socket; what was programmed stays."""
        self._netlink.close()

    def ifindex(self, name: str) -> int | None:
        """Return an interface's index, None where there is none of that name."""
        try:
            return link(self._netlink, name).ifindex
        except NetlinkError as error:
            if error.errno == errno.ENODEV:
                return None
            raise

    @collector_at_rest()
    def observe(self, desired: DesiredState, network: Subnet, leftovers: Collection[str] = ()) -> ObservedState:
        """Return what the kernel holds of the overlay ``network``, to be compared with the whole desired state.

        ``leftovers`` names vxlan devices of an earlier config, which a plan removes. Raise KernelError where another
        interface has the device's name, or its VNI and port.
        """
        return Observation(self._netlink, self._has_hops, self._by_hops, network).take(desired, leftovers)

    @collector_at_rest()
    def apply(self, plan: Plan) -> list[Failure]:
        """Carry out a plan; return the steps the kernel refused, [] when all is done.

        One refused step does not keep the others from being taken, but without its device none of the rest makes
        sense. To remove what is gone already is no failure.
        """
        failures: list[Failure] = []
        with self._monitor.muted() if self._monitor else nullcontext():
            for is_device, group in groupby(plan.steps, lambda step: isinstance(step, _DEVICE_STEPS)):
                steps = list(group)
                if not is_device:
                    failures += self._change_rows(steps)
                    continue
                for step in steps:
                    refusal = self._change_device(step)
                    if refusal is not None:
                        failures.append(_failure(step, refusal))
                        if isinstance(step, CreateDevice):
                            return failures
        return failures

    def _change_device(self, step: Step) -> KernelRefusal | None:
        """Take one step of a device; return the kernel's refusal."""
        try:
            requests = self._device_requests(step)
        except NetlinkError as error:
            return verdict(step, {0: KernelRefusal(error.errno, str(error))})
        refusals = self._netlink.execute([vxlan.frame(number, one) for number, one in enumerate(requests)])
        return verdict(step, refusals) if 0 in refusals else None

    def _device_requests(self, step: Step) -> list[vxlan.Request]:
        if isinstance(step, CreateDevice):
            return vxlan.create(step.device, self._index(step.device.underlay))
        if isinstance(step, SetTunnel):
            return [vxlan.set_tunnel(self._index(step.device.name), step.device, self._index(step.device.underlay))]
        if isinstance(step, SetMac):
            return [vxlan.set_mac(self._index(step.device), step.mac)]
        if isinstance(step, SetMtu):
            return [vxlan.set_mtu(self._index(step.device), step.mtu)]
        if isinstance(step, SetUp):
            return [vxlan.set_up(self._index(step.device))]
        if isinstance(step, DeleteDevice):
            return [vxlan.delete(self._index(step.device))]
        if isinstance(step, AddAddress):
            return [vxlan.add_address(self._index(step.device), step.address, step.length)]
        if isinstance(step, RemoveAddress):
            return [vxlan.remove_address(self._index(step.device), step.address, step.length)]
        raise KernelError(f"not a step of a device: {step}")

    def _change_rows(self, steps: Sequence[Step]) -> list[Failure]:
        """Take steps of the tables, many in one send."""
        failures: list[Failure] = []
        encoder = Encoder(self._index, self._by_hops)
        for start in range(0, len(steps), _STEPS_AT_ONCE):
            self._change_some(encoder, steps[start : start + _STEPS_AT_ONCE], failures)
        return failures

    def _change_some(self, encoder: Encoder, steps: Sequence[Step], failures: list[Failure]) -> None:
        """Take a few thousand steps, and note which the kernel refused."""
        messages: list[bytes] = []
        ends: list[int] = []  # by step, the place behind its last message
        refused: dict[int, KernelRefusal] = {}
        for number, step in enumerate(steps):
            try:
                encoder.encode(step, messages)
            except NetlinkError as error:
                if not isinstance(step, REMOVALS):
                    refused[number] = KernelRefusal(error.errno, str(error))
            ends.append(len(messages))
        withdrawals: list[bytes] = []
        for number, answers in self._answers(messages, ends).items():
            step = steps[number]
            refusal = verdict(step, answers)
            if refusal is not None:
                refused[number] = refusal
                encoder.withdraw(step, answers, withdrawals)
        self._netlink.execute(withdrawals)
        failures += (_failure(steps[number], refusal) for number, refusal in sorted(refused.items()))

    def _answers(self, messages: Sequence[bytes], ends: Sequence[int]) -> dict[int, dict[int, KernelRefusal]]:
        """Send the messages; return for each step with refused ones those refusals, by place within the step."""
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
            raise NetlinkError(f"interface {name}: {error}", error.errno) from error


def _failure(step: Step, refusal: KernelRefusal) -> Failure:
    number, message = refusal
    if isinstance(step, ChangeRoute) and number == errno.ESRCH:
        message = "the route to be changed is not there any more; whatever is there now was left alone"
    if isinstance(step, AdoptRoute) and number == errno.ENOENT:
        message = "the route that flannel left is gone; it is added at the next attempt"
    if isinstance(step, AddRoute) and number == errno.EEXIST:
        subnet = step.route.subnet
        message = f"somebody else has a route or next hop there; look with `ip route show {subnet}`, `ip nexthop show`"
    return Failure(step, number, message)
