# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A confirmed change of overlay_etcd_prefix of a fleet in use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.lab_fleet import Fleet


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two hosts with the overlay and a container on each; etcd on the first one."""
    with Fleet("prefix", tmp_path_factory.mktemp("prefix"), 2, etcd=("h1",)).running() as fleet:
        done = fleet.play("site")
        assert done.status == 0, done.output
        fleet.start_containers("busy")
        yield fleet


def states(fleet: Fleet) -> dict[str, str]:
    """Subnet, Docker process and container of each host."""
    return {
        host: fleet.sh(host, "cat /run/flannel/subnet.env /run/docker.pid") + fleet.container(host, "busy")
        for host in fleet.hosts
    }


def test_hosts_keep_their_subnets_and_the_old_keys_are_named(fleet: Fleet) -> None:
    before = states(fleet)
    changed = fleet.play("site", overlay_etcd_prefix="/other/network", overlay_change_confirm=True)
    assert changed.status == 0, changed.output
    assert "The keys of the previous overlay_etcd_prefix are still in etcd: /coreos.com/network." in changed.output
    assert "delete them: etcdctl del --prefix /coreos.com/network/ (with the v2 API" in changed.output
    assert states(fleet) == before
    keys = fleet.sh("h1", "ETCDCTL_API=3 etcdctl get --prefix --keys-only /other/network/")
    assert keys.count("/other/network/subnets/") == len(fleet.hosts)
