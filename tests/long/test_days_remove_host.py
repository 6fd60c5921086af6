# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""remove_host.yml on real hosts: one that is gone, and the one with the CA of etcd."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.lab_fleet import Fleet

CTL = (
    "ETCDCTL_API=3 etcdctl --endpoints https://127.0.0.1:2379 --cacert /etc/etcd/pki/ca.crt "
    "--cert /etc/etcd/pki/member.crt --key /etc/etcd/pki/member.key"
)
KNOWN = f"{CTL} get --prefix /coreos.com/network/subnets; {CTL} member list; cat /etc/overlayd/overlayd.env"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three hosts with an overlay and etcd with TLS."""
    with Fleet("days-remove", tmp_path_factory.mktemp("days-remove")).running() as fleet:
        fleet.group_vars(etcd_tls="role-made", etcd_client_cert_auth=True)
        fresh = fleet.play("site", verify_containers=False)
        assert fresh.status == 0, fresh.output
        yield fleet


def test_a_host_that_is_gone_loses_its_lease_and_its_member(fleet: Fleet) -> None:
    fleet.lab("stop", "h3")
    silent = fleet.play("remove_host", overlay_remove="h3", overlay_remove_confirm=True)
    assert silent.status != 0
    assert "name it with -e overlay_remove_gone=h3 instead. Nothing was changed" in silent.output
    refused = fleet.play("remove_host", overlay_remove_gone="h3")
    assert refused.status != 0
    assert "The removal is not confirmed, and nothing was changed" in refused.output
    assert "192.168.100.13" in fleet.sh("h1", KNOWN)
    removed = fleet.play("remove_host", overlay_remove_gone="h3", overlay_remove_confirm=True)
    assert removed.status == 0, removed.output
    for host in ("h1", "h2"):
        assert "192.168.100.13" not in fleet.sh(host, KNOWN)
    again = fleet.play("remove_host", overlay_remove_gone="h3", overlay_remove_confirm=True)
    assert again.status == 0, again.output
    assert again.output.count("changed=0") == 3, again.output


def test_a_host_that_answers_is_not_removed_as_gone(fleet: Fleet) -> None:
    refused = fleet.play("remove_host", overlay_remove_gone="h2", overlay_remove_confirm=True)
    assert refused.status != 0
    assert "h2: named in overlay_remove_gone, but it answers" in refused.output
    fleet.sh("h2", "mv /usr/bin/python3 /usr/bin/python3.away")
    try:
        broken = fleet.play("remove_host", overlay_remove_gone="h2", overlay_remove_confirm=True)
    finally:
        fleet.sh("h2", "mv /usr/bin/python3.away /usr/bin/python3")
    assert broken.status != 0
    assert "h2: named in overlay_remove_gone, but it answers" in broken.output


def test_the_host_with_the_ca_leaves_and_another_member_gets_the_ca(fleet: Fleet) -> None:
    authority = fleet.sh("h1", "cat /etc/etcd/ca/ca.crt")
    removed = fleet.play("remove_host", overlay_remove="h1", overlay_remove_gone="h3", overlay_remove_confirm=True)
    assert removed.status == 0, removed.output
    assert fleet.sh("h2", "cat /etc/etcd/ca/ca.crt") == authority
    assert fleet.sh("h2", "stat --format %a /etc/etcd/ca/ca.key") == "600"
    assert "192.168.100.11" not in fleet.sh("h2", KNOWN)
    assert fleet.sh("h1", "ls -d /etc/etcd /etc/overlayd 2>/dev/null || true") == ""
