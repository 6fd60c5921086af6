# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the agent: its unit, its files and folder, and what it reports. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..agent_service import Service
from ..facts import Facts
from ..finding import ANYTHING, Finding, error, warning

NEEDED_BYTES, NEEDED_FILES = 1 << 20, 2  # for an atomic write of the memory file
NOT_RUNNING = ("agent-missing", "agent-stopped", "agent-failed", "agent-starting", "agent-stuck", "agent-crash-looping")
_STARTING = (
    "underlay", "certificate-expired", "certificate-unreadable", "etcd-tls", "etcd-unreachable",
    "etcd-authentication", "etcd-read", "config-missing", "config-invalid", "network-overlap", "join-refused",
    "state-folder",
)  # fmt: skip


def state_folder(facts: Facts) -> Iterator[Finding]:
    """The folder of the memory file can be written to."""
    disk = facts.disk
    if disk is None:
        return
    if disk.read_only:
        problem = "its file system is read-only"
    elif disk.free < NEEDED_BYTES:
        problem = f"its file system has {disk.free} bytes left"
    elif disk.inodes is not None and disk.inodes < NEEDED_FILES:
        problem = "its file system has no inodes left"
    else:
        return
    yield error(
        "state-folder",
        f"{disk.folder} cannot be written to: {problem}",
        "the disk is full or damaged. Without this file a reboot during an outage of etcd loses the network",
        f"df -h {disk.folder}; df -i {disk.folder}; free space there, then systemctl restart overlayd",
    )


def installed(facts: Facts) -> Iterator[Finding]:
    """An agent is installed."""
    if facts.agent is not None and not facts.agent.is_installed:
        yield error(
            "agent-missing",
            f"no overlay agent is installed: systemd has no unit {' or '.join(one.unit for one in facts.services)}",
            "the playbook site did not run on this host, or the agent was removed",
            "run clusternet.overlay.site",
        )


def rival(facts: Facts) -> Iterator[Finding]:
    """Only one agent runs."""
    up = [one.unit for one in facts.services if one.state in ("active", "activating", "reloading")]
    if facts.agent is not None and len(up) > 1:
        others = " and ".join(unit for unit in up if unit != facts.agent.unit)
        yield error(
            "agent-rival",
            f"{facts.agent.unit} and {others} both run",
            "both write the same lease and change the same device",
            f"systemctl disable --now {others}",
        )


def runs(facts: Facts) -> Iterator[Finding]:
    """The agent's unit is active."""
    agent = facts.agent
    if agent is None or not agent.is_installed:
        return
    if agent.crash_looping:
        yield _crash(agent)
    elif agent.state == "activating":
        yield error(
            "agent-starting",
            f"{agent.unit} is starting and not ready{_detail(agent)}",
            "it waits for what its status line names",
            f"journalctl -u {agent.unit}",
            _STARTING,
        )
    elif agent.state == "failed":
        yield error(
            "agent-failed",
            f"{agent.unit} failed ({agent.result}){_detail(agent)}",
            "its process ended and systemd does not start it again",
            f"journalctl -u {agent.unit}; then systemctl restart {agent.unit}",
            _STARTING,
        )
    elif agent.load == "masked":
        yield error(
            "agent-stopped",
            f"{agent.unit} is stopped and masked",
            "an administrator masked it. Packets pass until other hosts change",
            f"systemctl unmask {agent.unit}; systemctl enable --now {agent.unit}",
        )
    elif not agent.runs:
        yield error(
            "agent-stopped",
            f"{agent.unit} is stopped",
            "somebody stopped it. Packets pass until other hosts change, and its lease expires within a day",
            f"systemctl start {agent.unit}",
        )


def _crash(agent: Service) -> Finding:
    return error(
        "agent-crash-looping",
        f"{agent.unit} ends and is started again: {agent.restarts} restarts{_detail(agent)}",
        "a setting is wrong, or a file is missing",
        f"journalctl -u {agent.unit}; correct the variable that the message names and run clusternet.overlay.site",
        _STARTING,
    )


def _detail(agent: Service) -> str:
    text = agent.last_line or agent.status
    return f": {text}" if text else ""


def stuck(facts: Facts) -> Iterator[Finding]:
    """The agent's main loop runs."""
    if facts.stuck:
        yield error(
            "agent-stuck",
            "overlayd runs, but its main loop is blocked (/healthz answers 503)",
            "a program that it called does not return, or the process is stopped by a signal",
            "systemctl restart overlayd",
        )


def at_boot(facts: Facts) -> Iterator[Finding]:
    """The agent starts at boot."""
    agent = facts.agent
    if agent is not None and agent.is_installed and agent.enabled in ("disabled", "enabled-runtime"):
        yield warning(
            "agent-disabled",
            f"{agent.unit} does not start at boot: it is {agent.enabled}",
            "somebody disabled it",
            f"systemctl enable {agent.unit}",
        )


def older_than_files(facts: Facts) -> Iterator[Finding]:
    """The running agent has read its files as they are now."""
    if facts.changed_files:
        yield warning(
            "agent-outdated",
            f"overlayd runs with former settings or a former release: {', '.join(facts.changed_files)} changed later",
            "an upgrade or a change of the settings was interrupted",
            "systemctl daemon-reload; systemctl restart overlayd",
            ("certificate-unreadable",),
        )


def denials(facts: Facts) -> Iterator[Finding]:
    """SELinux or AppArmor denied nothing to the programs of the overlay."""
    if facts.denials:
        yield warning(
            "access-denied",
            f"SELinux or AppArmor denied an access of a program of the overlay: {facts.denials[-1]}",
            "a policy of this host does not permit what the program needs",
            "ausearch -m avc, or journalctl -k --grep DENIED; permit it in the policy",
        )


def reported(facts: Facts) -> Iterator[Finding]:
    """The agent reports no problem that the other checks do not name."""
    for text in facts.reported:
        yield warning(
            "agent-reports",
            f"overlayd reports: {text}",
            "the message contains it",
            "journalctl -u overlayd",
            ANYTHING,
        )
