# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Role etcd on real hosts in runs without some of the members: what goes on, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.lab_fleet import HOSTS, Fleet

PROCESS = "systemctl show --property=MainPID --value etcd.service"
ETCDCTL = "ETCDCTL_API=3 etcdctl --endpoints https://127.0.0.1:2379 --cacert /etc/etcd/pki/ca.crt"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three hosts on which role etcd set up a cluster with TLS; before that, a run on one host alone is refused."""
    with Fleet("etcd-role", tmp_path_factory.mktemp("etcd-role")).running() as fleet:
        fleet.group_vars(etcd_tls="role-made")
        refused = fleet.role("etcd", "--limit", "h2")
        assert refused.status != 0
        assert "h2: etcd cannot be set up here in a run without h1, h3" in refused.output, refused.output
        assert "the members of a new cluster start together" in refused.output
        fresh = fleet.role("etcd")
        assert fresh.status == 0, fresh.output
        yield fleet


@pytest.fixture(autouse=True)
def _healthy_afterwards(fleet: Fleet) -> Iterator[None]:
    """Start the members that a test stopped, and run the role on all of them, also after a removal."""
    yield
    for host in HOSTS:
        fleet.sh(host, "systemctl start --no-block etcd || true")
    repaired = fleet.role("etcd")
    assert repaired.status == 0, repaired.output


def processes(fleet: Fleet) -> dict[str, str]:
    """The process of etcd on each host."""
    return {host: fleet.sh(host, PROCESS) for host in HOSTS}


def test_a_client_needs_the_certificate_of_the_ca_and_none_of_its_own(fleet: Fleet) -> None:
    assert fleet.sh("h1", f"{ETCDCTL} put /example 1 && {ETCDCTL} get --print-value-only /example").split() == [
        "OK",
        "1",
    ]
    without = "ETCDCTL_API=3 etcdctl --endpoints https://127.0.0.1:2379 get /example > /dev/null 2>&1 || echo refused"
    assert fleet.sh("h1", without) == "refused"


def test_a_second_run_on_one_host_changes_nothing(fleet: Fleet) -> None:
    again = fleet.role("etcd", "--limit", "h2")
    assert again.status == 0, again.output
    assert "changed=0" in again.output


def test_a_new_setting_restarts_the_one_member_of_the_run(fleet: Fleet) -> None:
    before = processes(fleet)
    changed = fleet.role("etcd", "--limit", "h2", etcd_settings={"heartbeat-interval": 101})
    assert changed.status == 0, changed.output
    after = processes(fleet)
    assert {host for host in HOSTS if after[host] != before[host]} == {"h2"}


def test_a_member_is_not_restarted_if_the_cluster_would_lose_its_quorum(fleet: Fleet) -> None:
    fleet.sh("h3", "systemctl stop etcd")
    before = fleet.sh("h2", PROCESS)
    postponed = fleet.role("etcd", "--limit", "h2", etcd_settings={"heartbeat-interval": 102})
    assert postponed.status == 0, postponed.output
    assert "h2: etcd must restart for its new settings, but the cluster would lose its quorum" in postponed.output
    assert "https://192.168.100.13:2379: connection refused" in postponed.output
    assert fleet.sh("h2", PROCESS) == before
    fleet.sh("h3", "systemctl start etcd")
    resumed = fleet.role("etcd", "--limit", "h2", etcd_settings={"heartbeat-interval": 102})
    assert resumed.status == 0, resumed.output
    assert fleet.sh("h2", PROCESS) != before


def test_a_stopped_member_is_started_in_a_run_on_its_host_alone(fleet: Fleet) -> None:
    fleet.sh("h2", "systemctl stop etcd")
    started = fleet.role("etcd", "--limit", "h2")
    assert started.status == 0, started.output
    assert fleet.sh("h2", "systemctl is-active etcd") == "active"


def test_a_cluster_without_a_quorum_is_refused_with_the_cause(fleet: Fleet) -> None:
    for host in ("h1", "h3"):
        fleet.sh(host, "systemctl stop etcd")
    refused = fleet.role("etcd", "--limit", "h2")
    assert refused.status != 0
    assert "etcd has no quorum: 1 of 3 members are healthy or part of this run" in refused.output
    assert "start etcd on more of h1, h2, h3, or include these hosts in --limit" in refused.output


def test_a_member_that_lost_its_data_joins_again_in_a_run_on_all_hosts(fleet: Fleet) -> None:
    fleet.sh("h2", "systemctl stop etcd; rm -r /var/lib/etcd/overlay/member")
    alone = fleet.role("etcd", "--limit", "h2")
    assert alone.status != 0
    assert "h2: etcd cannot be set up here in a run without h1, h3" in alone.output
    lost = fleet.role("etcd")
    assert lost.status != 0
    assert "h2 is a member of the cluster, but /var/lib/etcd/overlay is empty" in lost.output
    listed = fleet.sh("h1", f"{ETCDCTL} member list")
    (identifier,) = [line.split(",")[0] for line in listed.splitlines() if ", h2, " in line]
    fleet.sh("h1", f"{ETCDCTL} member remove {identifier}")
    joined = fleet.role("etcd")
    assert joined.status == 0, joined.output
    health = f"{ETCDCTL} endpoint health --cluster 2>&1"
    assert fleet.sh("h1", health).count("is healthy") == 3


def test_the_ports_are_opened_once_in_ufw_and_firewalld_and_closed_by_the_removal(fleet: Fleet) -> None:
    install = "DEBIAN_FRONTEND=noninteractive apt-get install -qq -y {} > /dev/null 2>&1; {}"
    fleet.sh("h1", install.format("ufw", "ufw allow 22/tcp; ufw --force enable"))
    fleet.sh("h2", install.format("firewalld", "systemctl start firewalld"))
    shown = {
        "ufw": ("h1", "ufw show added | grep ' port ' | sort"),
        "runtime": ("h2", "firewall-cmd --list-rich-rules | sort"),
        "permanent": ("h2", "firewall-cmd --permanent --list-rich-rules | sort"),
    }
    opened = fleet.role("etcd")
    assert opened.status == 0, opened.output
    rules = {name: fleet.sh(*where).splitlines() for name, where in shown.items()}
    assert rules["ufw"] == [
        f"ufw allow from 192.168.100.{host} to any port {port} proto tcp"
        for host in (11, 12, 13)
        for port in (2379, 2380)
    ]
    assert (
        rules["runtime"]
        == rules["permanent"]
        == [
            f'rule family="ipv4" source address="192.168.100.{host}" port port="{port}" protocol="tcp" accept'
            for host in (11, 12, 13)
            for port in (2379, 2380)
        ]
    )
    again = fleet.role("etcd")
    assert again.output.count("changed=0") == len(HOSTS), again.output
    removed = fleet.role("etcd", entry="remove")
    assert removed.status == 0, removed.output
    assert [fleet.sh(host, f"{script} || true") for host, script in shown.values()] == ["", "", ""]
    assert "22/tcp" in fleet.sh("h1", "ufw show added")
