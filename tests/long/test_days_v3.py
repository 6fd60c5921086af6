# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fleet moves from etcd's v2 store to its v3 store with the playbook site, while packets flow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.lab_fleet import Fleet
from support.steady_ping import steady_ping

V2 = {"etcd_enable_v2": True, "overlay_etcd_api": "v2"}
LEASES = "ETCDCTL_API={} etcdctl {} /coreos.com/network/subnets"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two hosts that use the v2 API, with a container on each; etcd on the first one."""
    with Fleet("v3", tmp_path_factory.mktemp("v3"), 2, etcd=("h1",)).running() as fleet:
        fleet.group_vars(**V2)
        fresh = fleet.play("site")
        assert fresh.status == 0, fresh.output
        fleet.start_containers("busy")
        yield fleet


def subnets(fleet: Fleet) -> list[str]:
    """The leased subnet of each host."""
    return [fleet.sh(host, ". /run/flannel/subnet.env; echo $FLANNEL_SUBNET").strip() for host in fleet.hosts]


def v3_leases(fleet: Fleet) -> list[str]:
    """The names of the leases in the v3 store."""
    keys = fleet.sh("h1", LEASES.format(3, "get --prefix --keys-only")).split()
    return [key.rpartition("/")[2] for key in keys]


def test_a_run_without_all_hosts_is_refused_and_copies_nothing(fleet: Fleet) -> None:
    fleet.group_vars(**{**V2, "overlay_etcd_api": "v3"})
    refused = fleet.play("site", "--limit", "h1")
    assert refused.status != 0
    assert "hosts outside of this run have leases there: 192.168.100.12" in refused.output, refused.output
    assert v3_leases(fleet) == []


def test_check_mode_shows_the_copy_and_copies_nothing(fleet: Fleet) -> None:
    shown = fleet.play("site", "--check", "--diff")
    assert shown.status == 0, shown.output
    assert all(f"{subnet.replace('.1/', '.0-')} lease" in shown.output for subnet in subnets(fleet)), shown.output
    assert v3_leases(fleet) == []


def test_the_agents_move_without_a_lost_packet_and_keep_their_subnets(fleet: Fleet) -> None:
    before = subnets(fleet)
    with steady_ping(fleet, "busy", "h1", "h2") as counts:
        moved = fleet.play("site")
    assert moved.status == 0, moved.output
    assert counts[1] == 0, counts
    assert subnets(fleet) == before
    assert sorted(v3_leases(fleet)) == sorted(subnet.replace(".1/", ".0-") for subnet in before)
    for host in fleet.hosts:
        assert 'FLANNELD_ETCD_API="v3"' in fleet.sh(host, "cat /etc/overlayd/overlayd.env")


def test_a_run_that_leaves_the_v3_store_is_refused(fleet: Fleet) -> None:
    fleet.sh("h1", "ETCDCTL_API=2 etcdctl rm --recursive /coreos.com/network")
    fleet.group_vars(**V2)
    refused = fleet.play("site")
    assert refused.status != 0
    assert "is in etcd's v3 store" in refused.output and "Nothing was changed" in refused.output, refused.output
    for host in fleet.hosts:
        assert 'FLANNELD_ETCD_API="v3"' in fleet.sh(host, "cat /etc/overlayd/overlayd.env")


def test_the_v2_api_can_be_switched_off(fleet: Fleet) -> None:
    fleet.group_vars(overlay_etcd_api="v3", etcd_enable_v2=False)
    done = fleet.play("site")
    assert done.status == 0, done.output
    again = fleet.play("site")
    assert again.status == 0, again.output
    assert "changed=0" in again.output and not any(f"changed={number}" in again.output for number in range(1, 10))
