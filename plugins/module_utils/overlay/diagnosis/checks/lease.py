# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of this host's lease and of the leases of others. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ...model.addresses import format_ipv4
from ...model.lease import SubnetLease
from ..facts import Facts
from ..finding import Finding, error, note, warning
from .agent import NOT_RUNNING

SLACK = 300.0  # seconds of retries after which a due renewal counts as missing
CONFLICTS = ("address-conflict", "lease-taken", "machine-copy")


def copied_machine(facts: Facts) -> Iterator[Finding]:
    """The memory file was written on this machine."""
    if facts.other_machine:
        yield warning(
            "machine-copy",
            f"{facts.other_machine} was written on a machine with another machine-id",
            "this machine was cloned, or its /etc/machine-id was changed; overlayd does not use the file",
            f"systemctl stop overlayd; rm {facts.other_machine}; systemctl start overlayd",
        )


def address_conflict(facts: Facts) -> Iterator[Finding]:
    """No other host has this host's public IP."""
    for lease in facts.leases:
        mac = _mac(lease)
        if mac and facts.macs and mac not in facts.macs and lease.public_ip == _own_address(facts):
            address = format_ipv4(lease.public_ip)
            yield error(
                "address-conflict",
                f"another host also uses the public IP {address}: lease {lease.key} has its VtepMAC {mac}",
                "two hosts have one address, or this host replaced another one whose lease remains",
                "set agent_public_ip on one of the hosts and run clusternet.overlay.site; if the other host is gone, "
                f"run subnet_lease with state=absent subnet={lease.subnet}, then systemctl restart overlayd",
            )


def _own_address(facts: Facts) -> int | None:
    return facts.public_ip


def _mac(lease: SubnetLease) -> str:
    return str(lease.data.get("VtepMAC", "")).lower()


def taken(facts: Facts) -> Iterator[Finding]:
    """The lease of the subnet in the subnet file belongs to this host."""
    own = facts.own
    if own is None or own.public_ip in (*facts.addresses, facts.public_ip):
        return
    mac = _mac(own)
    if not mac or (facts.macs and mac not in facts.macs):
        yield error(
            "lease-taken",
            f"the lease {own.key} of this host's subnet belongs to the host {format_ipv4(own.public_ip)}",
            "this host's lease expired or was overwritten while overlayd was stopped",
            "systemctl restart overlayd, which leases another subnet; then run clusternet.overlay.site with "
            "-e docker_restart=needed",
        )


def missing(facts: Facts) -> Iterator[Finding]:
    """etcd has a lease for the subnet in the subnet file."""
    if facts.network is not None and facts.env is not None and facts.own_item is None:
        yield error(
            "lease-missing",
            f"etcd has no lease for this host's subnet {facts.env.subnet}: other hosts have no route to it",
            "it expired while overlayd did not run or could not write to etcd, or it was deleted",
            "systemctl restart overlayd",
            (*NOT_RUNNING, *CONFLICTS, "config-missing", "config-invalid"),
        )


def not_renewed(facts: Facts) -> Iterator[Finding]:
    """The lease was renewed when it was due."""
    margin = facts.setup.margin
    if facts.ttl is not None and facts.ttl < margin - min(margin / 2, SLACK):
        yield error(
            "lease-not-renewed",
            f"this host's lease expires in {facts.ttl} seconds; renewal was due {margin - facts.ttl:.0f} seconds ago",
            "overlayd does not run, or cannot write to etcd. When the lease expires, other hosts remove their routes",
            "systemctl restart overlayd",
            NOT_RUNNING,
        )


def subnet_file(facts: Facts) -> Iterator[Finding]:
    """The subnet file exists and is valid."""
    if facts.env_error:
        yield error(
            "subnet-file",
            f"Docker does not get its subnet: {facts.env_error}",
            "overlayd has not got a subnet yet, or the file was removed",
            "systemctl restart overlayd",
            (
                *NOT_RUNNING, "underlay", "etcd-unreachable", "etcd-tls", "etcd-authentication", "etcd-read",
                "config-missing", "config-invalid", "network-overlap", "join-refused", "address-conflict",
            ),
        )  # fmt: skip


def outside_config(facts: Facts) -> Iterator[Finding]:
    """The subnet fits the network config."""
    if facts.config is None or facts.env is None:
        return
    if facts.env.network != facts.config.network or not facts.config.fits(facts.env.subnet):
        yield error(
            "subnet-outside-config",
            f"the subnet file has Network {facts.env.network} and subnet {facts.env.subnet}, which do not fit the "
            f"network config (Network {facts.config.network}, /{facts.config.subnet_len} from "
            f"{facts.config.subnet_min} to {facts.config.subnet_max})",
            "the network config changed, and overlayd or Docker does not use the new config",
            "systemctl restart overlayd; then run clusternet.overlay.site with -e docker_restart=needed",
            (*NOT_RUNNING, *CONFLICTS, "network-overlap", "join-refused"),
        )


def mac_conflict(facts: Facts) -> Iterator[Finding]:
    """No other lease has this host's VtepMAC."""
    own = facts.own
    if own is None or not _mac(own):
        return
    for lease in facts.leases:
        if lease.subnet != own.subnet and _mac(lease) == _mac(own):
            yield warning(
                "mac-conflict",
                f"lease {lease.key} of {format_ipv4(lease.public_ip)} has this host's VtepMAC {_mac(own)}",
                "the lease is this host's own of a former address, or a machine was cloned",
                f"a former address: run subnet_lease with state=absent subnet={lease.subnet}. A clone: on the clone "
                "stop overlayd, delete /var/lib/overlayd and the device, run systemd-machine-id-setup, start overlayd",
                CONFLICTS,
            )


def ignored(facts: Facts) -> Iterator[Finding]:
    """Every lease in etcd can be used."""
    for text in facts.view.table.problems if facts.view is not None else ():
        yield warning(
            "lease-ignored",
            text.partition("; ")[0],
            "the lease is invalid or contradicts another one, so this host has no route to its subnet",
            text.partition("; ")[2] or "correct the lease on its host, or delete it with subnet_lease",
            ("mac-conflict", "address-conflict"),
        )


def nested_keys(facts: Facts) -> Iterator[Finding]:
    """Nothing but leases is below the folder of the leases."""
    for text in facts.nested:
        yield note(
            "keys-ignored",
            text.partition("; ")[0],
            "somebody copied leases there. They have no effect",
            "move them elsewhere, or delete them",
        )
