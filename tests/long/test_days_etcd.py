# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bad days of etcd on real hosts: a lost quorum, a lost disk, a restore; containers ping each other meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.lab_fleet import HOSTS, Fleet

CTL = (
    "ETCDCTL_API=3 etcdctl --endpoints https://127.0.0.1:2379 --cacert /etc/etcd/pki/ca.crt "
    "--cert /etc/etcd/pki/member.crt --key /etc/etcd/pki/member.key"
)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three hosts with an overlay, etcd with TLS on all of them, and one container on each."""
    with Fleet("days-etcd", tmp_path_factory.mktemp("days-etcd")).running() as fleet:
        fleet.group_vars(etcd_tls="role-made", etcd_client_cert_auth=True)
        fresh = fleet.play("site", verify_containers=False)
        assert fresh.status == 0, fresh.output
        fleet.start_containers("busy")
        yield fleet


@contextmanager
def pinged(fleet: Fleet) -> Iterator[None]:
    """Let the container of h1 ping the one of h2; no packet may be lost."""
    address = fleet.container("h2", "busy").split()[1]
    fleet.sh("h1", f"docker exec --detach busy sh -c 'exec ping -i 0.1 -q {address} > /tmp/ping 2>&1'")
    fleet.sh("h1", "for i in $(seq 600); do docker exec busy pidof ping && exit; sleep 0.1; done; exit 1")
    yield
    fleet.sh("h1", "docker exec busy sh -c 'kill -INT $(pidof ping)'")
    fleet.sh("h1", "for i in $(seq 600); do docker exec busy pidof ping || exit 0; sleep 0.1; done; exit 1")
    report = fleet.sh("h1", "docker exec busy cat /tmp/ping")
    found = re.search(r"(\d+) packets transmitted, (\d+) received", report)
    assert found, report
    assert found[1] == found[2], report
    assert int(found[1]) > 0


def members(fleet: Fleet) -> int:
    """The number of healthy members."""
    return fleet.sh("h1", f"{CTL} endpoint health --cluster 2>&1 || true").count("is healthy")


def leases(fleet: Fleet) -> set[str]:
    """The keys of the leases."""
    return set(fleet.sh("h1", f"{CTL} get --prefix --keys-only /coreos.com/network/subnets").split())


def lose_disk(fleet: Fleet, *hosts: str) -> None:
    """Stop etcd and delete its data."""
    for host in hosts:
        fleet.sh(host, "systemctl kill --signal KILL etcd; systemctl stop etcd; rm -r /var/lib/etcd/overlay")


def test_a_lost_quorum_is_recovered_from_the_surviving_member(fleet: Fleet) -> None:
    before = leases(fleet)
    with pinged(fleet):
        lose_disk(fleet, "h2", "h3")
        refused = fleet.play("recover_etcd")
        assert refused.status != 0
        assert "The recovery is not confirmed" in refused.output
        assert refused.output.count("changed=0") == len(HOSTS), refused.output
        recovered = fleet.play("recover_etcd", overlay_recover_confirm=True)
        assert recovered.status == 0, recovered.output
    assert (members(fleet), leases(fleet)) == (3, before)
    again = fleet.play("recover_etcd")
    assert again.status == 0, again.output
    assert again.output.count("changed=0") == len(HOSTS), again.output


def test_a_member_without_data_is_replaced(fleet: Fleet) -> None:
    lose_disk(fleet, "h3")
    refused = fleet.play("replace_etcd_member", overlay_replace="h3")
    assert refused.status != 0
    assert "The replacement is not confirmed" in refused.output
    with pinged(fleet):
        replaced = fleet.play("replace_etcd_member", overlay_replace="h3", overlay_replace_confirm=True)
        assert replaced.status == 0, replaced.output
    assert members(fleet) == 3
    again = fleet.play("replace_etcd_member", overlay_replace="h3")
    assert again.status == 0, again.output
    assert "h3 is healthy: nothing is replaced" in again.output


def test_an_empty_etcd_is_restored_from_an_encrypted_backup(fleet: Fleet, tmp_path: Path) -> None:
    before = leases(fleet)
    saved = fleet.play("backup", overlay_backup_dir=str(tmp_path / "saved"), overlay_backup_password="hidden-7f")
    assert saved.status == 0, saved.output
    assert "hidden-7f" not in saved.output
    (file,) = (tmp_path / "saved").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().startswith("$ANSIBLE_VAULT;")
    source = {"overlay_restore_from": str(file), "overlay_backup_password": "hidden-7f"}
    full = fleet.play("restore", **source)
    assert full.status != 0
    assert "h1: has data of etcd already; clusternet.overlay.restore is for members without data" in full.output
    with pinged(fleet):
        for host in HOSTS:
            fleet.sh(host, "systemctl stop etcd; rm -r /var/lib/etcd/overlay /etc/etcd")
        closed = fleet.play("restore", overlay_restore_from=str(file))
        assert closed.status != 0
        assert "it is encrypted; set the password" in closed.output
        restored = fleet.play("restore", **source)
        assert restored.status == 0, restored.output
    assert (members(fleet), leases(fleet)) == (3, before)
    again = fleet.play("restore", **source)
    assert again.status == 0, again.output
    assert again.output.count("changed=0") == len(HOSTS), again.output
