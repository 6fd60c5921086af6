# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The playbook rotate_certificates on real hosts with TLS and users: under load, interrupted, and refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.lab_fleet import HOSTS, Fleet
from support.steady_ping import steady_ping

SETTINGS = {
    "etcd_tls": "role-made",
    "etcd_client_cert_auth": True,
    "etcd_root_password": "root-secret",
    "overlay_etcd_username": "overlay",
    "overlay_etcd_password": "overlay-secret",
}
PKI = "/etc/etcd/pki"
ENDPOINTS = ",".join(f"https://192.168.100.{number}:2379" for number in (11, 12, 13))
CTL = (
    f"ETCDCTL_API=3 ETCDCTL_ENDPOINTS={ENDPOINTS} "
    f"ETCDCTL_CACERT={PKI}/ca.crt ETCDCTL_CERT={PKI}/member.crt ETCDCTL_KEY={PKI}/member.key "
    "ETCDCTL_USER=root:root-secret etcdctl"
)
# A write counts as failed if it does not succeed in ten attempts; a single one may meet a member that restarts.
WRITES = (
    "rm -f /run/writes.*; n=0; bad=0; while [ ! -e /run/writes.stop ]; do n=$((n + 1)); ok=; "
    f"for i in 1 2 3 4 5 6 7 8 9 10; do if {CTL} put /load/n $n > /dev/null 2>&1; then ok=1; break; fi; sleep 1; done; "
    '[ "$ok" ] || bad=$((bad + 1)); sleep 0.5; done; echo $n $bad > /run/writes.done'
)
PROCESSES = "systemctl show --property=MainPID --value etcd.service overlayd.service"
MODES = {
    "/etc/etcd/ca": "700 root",
    "/etc/etcd/ca/ca.key": "600 root",
    "/etc/etcd/pki": "750 etcd",
    "/etc/etcd/pki/member.key": "640 etcd",
    "/etc/etcd/pki/member.crt": "644 root",
    "/etc/overlay/pki/client.key": "640 root",
    "/etc/overlayd/overlayd.env": "600 root",
    "/var/lib/etcd/overlay": "700 etcd",
    "/var/lib/overlayd": "700 root",
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A converged fleet with certificates and users, and one container on each host."""
    with Fleet("certs", tmp_path_factory.mktemp("certs")).running() as fleet:
        fleet.group_vars(**SETTINGS)
        fresh = fleet.play("site")
        assert fresh.status == 0, fresh.output
        fleet.start_containers("busy")
        yield fleet


def issuers(fleet: Fleet) -> set[str]:
    """The issuers of all certificates of the fleet."""
    script = f"for file in {PKI}/member.crt /etc/overlay/pki/client.crt; do openssl x509 -in $file -noout -issuer; done"
    return {line for host in HOSTS for line in fleet.sh(host, script).splitlines()}


def trusted(fleet: Fleet) -> set[str]:
    """The numbers of CAs that the members and the clients trust."""
    script = f"grep -h -c BEGIN {PKI}/ca.crt /etc/overlay/pki/ca.crt"
    return {line for host in HOSTS for line in fleet.sh(host, script).splitlines()}


def processes(fleet: Fleet) -> dict[str, str]:
    """The processes of etcd and overlayd on each host."""
    return {host: fleet.sh(host, PROCESSES) for host in HOSTS}


def test_private_files_have_the_documented_modes(fleet: Fleet) -> None:
    shown = fleet.sh("h1", f"stat --format '%n %a %G' {' '.join(MODES)}")
    assert {line.partition(" ")[0]: line.partition(" ")[2] for line in shown.splitlines()} == MODES


def test_a_run_with_nothing_to_do_changes_nothing(fleet: Fleet) -> None:
    before = processes(fleet)
    idle = fleet.play("rotate_certificates")
    assert idle.status == 0, idle.output
    assert idle.output.count("changed=0") == len(HOSTS), idle.output
    assert processes(fleet) == before


def test_a_new_ca_without_all_members_is_refused_before_the_first_change(fleet: Fleet) -> None:
    alone = fleet.play("rotate_certificates", "--limit", "h1,h2", overlay_rotate_ca=True)
    assert alone.status != 0
    assert "h3: not reached or outside --limit, and would not trust the next CA" in alone.output
    fleet.sh("h3", "systemctl stop etcd")
    try:
        refused = fleet.play("rotate_certificates", overlay_rotate_ca=True)
    finally:
        fleet.sh("h3", "systemctl start etcd")
    assert refused.status != 0
    assert "The CA cannot be replaced: not all members of etcd are healthy" in refused.output, refused.output
    assert "next.key" not in fleet.sh("h1", "ls /etc/etcd/ca")


def test_a_ca_is_replaced_under_load_and_after_an_interruption(fleet: Fleet) -> None:
    (old,) = issuers(fleet)
    writer = fleet.lab.begin("exec", "h3", "sh", "-c", WRITES)
    with steady_ping(fleet, "busy", "h1", "h2") as counts:
        half = f"[ $(grep -c BEGIN {PKI}/ca.crt) = 2 ]"
        fleet.interrupt("rotate_certificates", "h2", half, overlay_rotate_ca=True)
        between = fleet.play("site")
        assert between.status == 0, between.output
        assert trusted(fleet) == {"2"}
        resumed = fleet.play("rotate_certificates")
        assert resumed.status == 0, resumed.output
        assert "An interrupted replacement is continued (phase trusting)" in resumed.output
    fleet.sh("h3", "touch /run/writes.stop")
    writer.wait(timeout=60)
    sent, lost = counts
    written, failed = map(int, fleet.sh("h3", "cat /run/writes.done").split())
    assert (lost, failed) == (0, 0), (sent, written)
    (new,) = issuers(fleet)
    assert new != old
    assert trusted(fleet) == {"1"}
    before = processes(fleet)
    again = fleet.play("rotate_certificates")
    assert again.output.count("changed=0") == len(HOSTS), again.output
    site = fleet.play("site")
    assert site.status == 0, site.output
    assert processes(fleet) == before
