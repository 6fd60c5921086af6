# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The checks in their order: what may be the cause of others comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..facts import Facts
from ..finding import ANYTHING, NOTE, Finding
from . import agent, config, docker, etcd, firewall, kernel, lease, peers, underlay

Check = Callable[[Facts], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    agent.installed,
    underlay.interface,
    etcd.certificates,
    etcd.tls,
    etcd.unreachable,
    etcd.one_endpoint,
    etcd.authentication,
    etcd.other_error,
    etcd.clock,
    config.missing,
    config.invalid,
    config.overlap,
    config.refused,
    agent.state_folder,
    agent.rival,
    agent.runs,
    agent.stuck,
    agent.at_boot,
    agent.older_than_files,
    lease.copied_machine,
    lease.address_conflict,
    lease.taken,
    lease.missing,
    lease.not_renewed,
    lease.subnet_file,
    lease.outside_config,
    lease.mac_conflict,
    lease.ignored,
    lease.nested_keys,
    kernel.manager,
    kernel.mtu,
    kernel.device,
    kernel.route_conflict,
    kernel.drift,
    kernel.unreadable,
    kernel.forwarding,
    kernel.reverse_path,
    firewall.own_rules,
    firewall.drops,
    docker.options_twice,
    docker.stopped,
    docker.options,
    docker.bridge,
    docker.direct_routing,
    docker.old_containers,
    docker.networks,
    docker.order,
    etcd.expiring,
    agent.denials,
    peers.down,
    peers.not_listening,
    peers.blocked,
    peers.path_mtu,
    peers.checksum,
    agent.reported,
)


def diagnose(facts: Facts) -> list[Finding]:
    """Return the findings of all checks in their order; the symptoms of a finding before them are notes."""
    found: list[Finding] = []
    for check in CHECKS:
        causes = {one.name for one in found if one.is_problem}
        for finding in check(facts):
            is_symptom = bool(causes & {*finding.follows, "agent-missing"}) or (finding.follows == ANYTHING and causes)
            found.append(finding._replace(severity=NOTE) if is_symptom else finding)
    return sorted(found, key=lambda one: one.severity == NOTE)
