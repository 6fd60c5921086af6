# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the kernel: device, routes, forwarding. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ...kernel.step import Step
from ..facts import Facts
from ..finding import Finding, error, warning
from .agent import NOT_RUNNING
from .lease import CONFLICTS

FORMER = (*NOT_RUNNING, *CONFLICTS, "lease-missing", "subnet-outside-config")
_SHOWN = 3  # commands, subnets
_UNMANAGE = {
    "systemd-networkd": "printf '[Match]\\nName={device}\\n[Link]\\nUnmanaged=yes\\n' > "
    "/etc/systemd/network/0-overlay.network; networkctl reload; networkctl reconfigure {device}",
    "NetworkManager": "printf '[keyfile]\\nunmanaged-devices=interface-name:{device}\\n' > "
    "/etc/NetworkManager/conf.d/overlay.conf; systemctl reload NetworkManager",
}


def manager(facts: Facts) -> Iterator[Finding]:
    """No other program manages the tunnel device."""
    for one in facts.managers:
        yield warning(
            "device-manager",
            f"{one.program} manages the device {one.device} (state {one.state})",
            "its configuration matches the device, so it may remove addresses and routes",
            _UNMANAGE[one.program].format(device=one.device),
        )


def _is_about_device(step: Step) -> bool:
    return bool(step.creates) or type(step).__module__.endswith("device")


def device(facts: Facts) -> Iterator[Finding]:
    """The tunnel device exists with its settings."""
    steps = [step for step in _steps(facts) if _is_about_device(step)]
    if steps:
        yield error(
            "device",
            f"the tunnel device differs from the network config; to correct: {_commands(steps)}",
            "another program deleted or changed the device, and overlayd did not repair it",
            "systemctl restart overlayd",
            (*FORMER, "mtu"),
        )


def route_conflict(facts: Facts) -> Iterator[Finding]:
    """No route of another program is in the way."""
    for text in facts.view.plan.conflicts if facts.view is not None else ():
        words, _unused, advice = text.partition("; ")
        yield error(
            "route-conflict",
            words,
            "another program or an administrator added that route, and overlayd does not touch it",
            advice.rpartition("run: ")[2] or "ip route; remove that route with ip route del",
        )


def drift(facts: Facts) -> Iterator[Finding]:
    """The kernel has the rows of all leases."""
    steps = [step for step in _steps(facts) if not _is_about_device(step)]
    if steps:
        yield error(
            "drift",
            f"the kernel differs from the leases in {len(steps)} rows; to correct: {_commands(steps)}",
            "another program changed them, and overlayd did not repair them",
            "systemctl restart overlayd",
            (*FORMER, "device", "etcd-unreachable"),
        )


def unreadable(facts: Facts) -> Iterator[Finding]:
    """The kernel can be compared with the leases."""
    if facts.view_error:
        yield error(
            "kernel-unknown",
            f"the kernel cannot be compared with the leases: {facts.view_error}",
            "the message contains it",
            "correct the cause in this message, then systemctl restart overlayd",
            (*FORMER, "network-overlap", "join-refused", "underlay"),
        )


def forwarding(facts: Facts) -> Iterator[Finding]:
    """The kernel forwards packets."""
    if facts.forwarding:
        yield error(
            "forwarding",
            "net.ipv4.ip_forward is 0: no packet passes between containers and other hosts",
            "another program or a file in /etc/sysctl.d disabled it",
            "sysctl -w net.ipv4.ip_forward=1",
        )


def reverse_path(facts: Facts) -> Iterator[Finding]:
    """Reverse path filtering drops no packets of peers."""
    for one in facts.strict:
        yield error(
            "reverse-path",
            f"packets of {len(one.peers)} peers ({', '.join(map(str, one.peers[:_SHOWN]))}) are dropped on "
            f"{one.device}: reverse path filtering is strict (rp_filter 1)",
            "these peers have another backend, so packets from them arrive on one device and answers leave by another",
            f"sysctl -w net/ipv4/conf/{one.device}/rp_filter=2",
        )


def mtu(facts: Facts) -> Iterator[Finding]:
    """The MTU in the subnet file is the one that the config and the underlay result in."""
    if facts.view is not None and facts.env is not None and facts.env.mtu != facts.view.backend.mtu:
        yield error(
            "mtu",
            f"the subnet file has MTU {facts.env.mtu}, but the network config and the underlay interface result in "
            f"{facts.view.backend.mtu}",
            "the MTU of the underlay interface or of the network config changed, and overlayd does not use it",
            "systemctl restart overlayd; then run clusternet.overlay.site with -e docker_restart=needed",
            FORMER,
        )


def _steps(facts: Facts) -> tuple[Step, ...]:
    return facts.view.plan.steps if facts.view is not None else ()


def _commands(steps: list[Step]) -> str:
    shown = "; ".join(map(str, steps[:_SHOWN]))
    return f"{shown}; and {len(steps) - _SHOWN} more (overlayctl plan)" if len(steps) > _SHOWN else shown
