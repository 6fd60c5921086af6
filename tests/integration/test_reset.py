# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""reset.yml on real hosts: clean, in use, with a Docker that does not stop, interrupted, and without etcd."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.lab_fleet import HOSTS, Fleet

STOPPED = "/run/overlay-docker-stopped"
EMPTY = "/run/overlay-docker-empty"
STATE = "systemctl is-active docker overlayd etcd; cat /run/flannel/subnet.env /run/docker.pid"
REFUSALS = [f"/run/systemd/system/docker.{unit}.d/refuse.conf" for unit in ("service", "socket")]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three fresh hosts."""
    with Fleet("reset", tmp_path_factory.mktemp("reset")).running() as fleet:
        yield fleet


@pytest.fixture(scope="module")
def used(fleet: Fleet) -> Fleet:
    """The fleet with an overlay, and one container on each host."""
    fresh = fleet.play("site", verify_containers=False)
    assert fresh.status == 0, fresh.output
    fleet.start_containers("busy")
    return fleet


def states(fleet: Fleet) -> dict[str, str]:
    """The services of each host, its subnet and its dockerd process."""
    return {host: fleet.sh(host, f"{STATE} || true") for host in HOSTS}


def test_a_missing_interface_is_refused_on_a_fresh_fleet_before_the_first_change(fleet: Fleet) -> None:
    refused = fleet.play("site", overlay_iface=["eth9"])
    assert refused.status != 0
    for host, address in zip(HOSTS, (11, 12, 13)):
        sentence = "no interface found: overlay_iface=eth9; usable interfaces: eth0"
        assert f"{host}: {sentence} (192.168.100.{address}/24)" in refused.output
    assert refused.output.count("FAILED!") == 1
    assert refused.output.count("changed=0") == refused.output.count("changed=") == len(HOSTS)


def test_a_reset_of_clean_hosts_has_nothing_to_remove(fleet: Fleet) -> None:
    for confirmed in (False, True):
        done = fleet.play("reset", overlay_reset_confirm=confirmed)
        assert done.status == 0, done.output
        assert "removes: - nothing to remove" in done.output


def test_a_reset_without_confirmation_prints_its_plan_once_and_changes_nothing(used: Fleet) -> None:
    before = states(used)
    refused = used.play("reset")
    assert refused.status != 0
    assert refused.output.count("host h1: overlayd with its device") == 1
    assert "run it again with -e overlay_reset_confirm=true" in refused.output
    assert states(used) == before


def test_a_reset_in_check_mode_shows_its_plan_and_changes_nothing(used: Fleet) -> None:
    before = states(used)
    checked = used.play("reset", "--check")
    assert checked.status == 0, checked.output
    assert "etcd with all its data on h1, h2, h3" in checked.output
    assert states(used) == before


def test_a_docker_that_does_not_stop_keeps_its_host_and_the_config_in_the_overlay(used: Fleet) -> None:
    for file in REFUSALS:
        used.sh("h2", f"mkdir -p {file.rpartition('/')[0]}; printf '[Unit]\\nRefuseManualStop=yes\\n' > {file}")
    before = used.sh("h2", "systemctl daemon-reload; cat /run/docker.pid")
    failed = used.play("reset", overlay_reset_confirm=True)
    used.sh("h2", f"rm -r {' '.join(file.rpartition('/')[0] for file in REFUSALS)}; systemctl daemon-reload")
    assert failed.status != 0
    assert "h2: Docker cannot be stopped: " in failed.output
    assert "failed: h2 failed above and still uses the overlay; repair it and reset it again" in failed.output
    assert "kept: the network config and etcd, because h2 still uses them" in failed.output
    assert used.sh("h2", f"cat /run/docker.pid; ls {STOPPED} 2>/dev/null || true") == before
    assert states(used)["h2"].split()[:3] == ["active", "active", "active"]
    assert used.sh("h1", "docker inspect --format '{{.State.Running}}' busy") == "true"


def test_a_reset_that_was_interrupted_while_docker_was_stopped_is_resumed(used: Fleet) -> None:
    used.interrupt("reset", "h2", f"[ -e {STOPPED} ] && [ ! -e /run/docker.pid ]", overlay_reset_confirm=True)
    used.interrupt("reset", "h2", f"[ -e {EMPTY}/network ] && [ -e /run/docker.pid ]", overlay_reset_confirm=True)
    plan = used.play("reset")
    assert "host h2: overlayd with its device, routes and firewall rules; Docker and its containers" in plan.output
    for host in HOSTS:
        used.sh(host, "systemctl stop etcd")
    done = used.play("reset", overlay_reset_confirm=True)
    assert done.status == 0, done.output
    for host in HOSTS:
        assert used.sh(host, "docker inspect --format '{{.State.Running}}' busy") == "true"
        left = (
            f"ls -d {STOPPED} {EMPTY} /run/systemd/system/docker.service.d /etc/overlayd /etc/etcd 2>/dev/null || true"
        )
        assert used.sh(host, left) == ""
        assert "172.17.0.1/16" in used.sh(host, "ip -br address show docker0")
    again = used.play("reset")
    assert again.status == 0, again.output
    assert "removes: - nothing to remove" in again.output
