# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The playbook migrate_from_flannel on real hosts with an etcd with TLS.

No flanneld binary can be had here: a stand-in unit runs overlayd's package as a process flanneld, with flanneld's flags
and an environment file (support/flanneld_standin.py). Discovery, stop and start are those of a real unit.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.flanneld_standin import DROPIN, install
from support.lab_fleet import Fleet
from support.steady_ping import steady_ping

PREFIX = "/atomic.io/network"
ETCD = {"etcd_tls": "role-made", "etcd_client_cert_auth": True, "overlay_etcd_prefix": PREFIX}
PKI = "/etc/overlay/pki"
OPTIONS = f"-etcd-cafile={PKI}/ca.crt -etcd-certfile={PKI}/client.crt -etcd-keyfile={PKI}/client.key -ip-masq"
UNITS = "systemctl is-active flanneld.service overlayd.service || true"
FLAGS = "tr '\\0' ' ' < /proc/$(pgrep -x dockerd)/cmdline; pgrep -x dockerd"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two hosts with flanneld, Docker on its subnet, and a container on each; etcd on the first one."""
    with Fleet("flannel", tmp_path_factory.mktemp("flannel"), 2, etcd=("h1",)).running() as fleet:
        fleet.group_vars(**ETCD)
        for role, options in (("etcd", ("--limit", "h1")), ("network", ())):
            done = fleet.role(role, *options)
            assert done.status == 0, done.output
        for host in fleet.hosts:
            install(fleet, host, "https://192.168.100.11:2379", PREFIX, OPTIONS)
        fleet.start_containers("busy")
        yield fleet


def units(fleet: Fleet) -> dict[str, list[str]]:
    """Whether flanneld and overlayd are active on each host."""
    return {host: fleet.sh(host, UNITS).splitlines() for host in fleet.hosts}


def test_an_inventory_that_differs_is_refused_with_the_variables_that_it_needs(fleet: Fleet) -> None:
    fleet.group_vars(**{**ETCD, "overlay_etcd_prefix": "/coreos.com/network"})
    refused = fleet.play("migrate_from_flannel")
    fleet.group_vars(**ETCD)
    assert refused.status != 0
    assert f"overlay_etcd_prefix is /coreos.com/network, and flanneld uses {PREFIX}" in refused.output, refused.output
    assert "Nothing was changed" in refused.output
    assert set(map(tuple, units(fleet).values())) == {("active", "inactive")}


def test_a_host_on_which_overlayd_does_not_start_goes_back_and_ends_the_run(fleet: Fleet) -> None:
    docker = {host: fleet.sh(host, FLAGS) for host in fleet.hosts}
    with steady_ping(fleet, "busy", "h1", "h2") as counts:
        failed = fleet.play("migrate_from_flannel", agent_healthz_ip="192.0.2.1", agent_healthz_port=8080)
    assert failed.status != 0
    assert "h1 was not moved: " in failed.output, failed.output
    assert "flanneld runs again; correct the cause, then run this again" in failed.output
    assert units(fleet) == {"h1": ["active", "inactive"], "h2": ["active", "inactive"]}
    assert fleet.sh("h1", f"ls {DROPIN}; systemctl is-enabled flanneld.service").split() == [DROPIN, "enabled"]
    assert {host: fleet.sh(host, FLAGS) for host in fleet.hosts} == docker
    assert counts[1] == 0, counts


def test_an_interrupted_migration_is_completed_without_a_lost_packet(fleet: Fleet) -> None:
    docker = {host: fleet.sh(host, FLAGS).split()[-1] for host in fleet.hosts}
    with steady_ping(fleet, "busy", "h1", "h2") as counts:
        fleet.interrupt("migrate_from_flannel", "h1", f"[ -e {DROPIN}.before-overlay ]")
        moved = fleet.play("migrate_from_flannel")
    assert moved.status == 0, moved.output
    for host in fleet.hosts:
        assert f"{host}: runs overlayd with 10.50." in moved.output, moved.output
    assert set(map(tuple, units(fleet).values())) == {("inactive", "active")}
    assert {host: fleet.sh(host, FLAGS).split()[-1] for host in fleet.hosts} == docker
    assert counts[1] == 0, counts
    again = fleet.play("migrate_from_flannel")
    assert again.status == 0, again.output
    assert "h1: overlayd runs already" in again.output
