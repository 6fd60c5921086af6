# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""verify.yml and the end of site.yml on real hosts of a lab: dead agents, pending restarts, lost hosts, no registry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.lab_fleet import Fleet, Run

BAD_FLAG = "/run/systemd/system/overlayd.service.d/bad.conf"
WORKER = (
    "apt-get update -qq && apt-get install -qq docker.io >/dev/null && head -c 10240 /dev/zero | docker import - empty"
    " && docker run -d --init --name worker -v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro empty /usr/bin/sleep 1d"
)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two hosts as they are after their installation, the first with Docker and a container that runs."""
    with Fleet("verify", tmp_path_factory.mktemp("verify"), count=2, etcd=["h2"]).running() as fleet:
        fleet.sh("h1", WORKER)
        yield fleet


@pytest.fixture(scope="module")
def first_run(hosts: Fleet) -> Run:
    """Exit status and output of the first run of site.yml."""
    return hosts.play("site")


@pytest.fixture(scope="module")
def pending(hosts: Fleet, first_run: Run) -> Fleet:
    """The hosts after the first run: Docker's restart on h1 is pending, as a container runs there."""
    assert first_run.status == 0, first_run.output
    return hosts


@pytest.fixture(scope="module")
def fleet(pending: Fleet) -> Fleet:
    """The hosts, all on the overlay, as verify.yml confirms."""
    status, output = pending.play("site", docker_restart="needed")
    assert status == 0, output
    return pending


def test_the_first_run_with_running_containers_lists_the_pending_restarts(first_run: Run, hosts: Fleet) -> None:
    status, output = first_run
    assert status == 0, output
    assert re.search(r"- h1 10\.50\.\S+ vxlan 1450 1/1 active \S+ not tested restart pending - h2 10", output), output
    assert "converged, restart pending on: h1. Run clusternet.overlay.site with -e docker_restart=needed" in output
    assert "does not answer" not in output
    assert hosts.sh("h1", "docker inspect -f '{{.State.Running}}' worker") == "true"


def test_a_pending_restart_fails_verify_unless_it_is_allowed(pending: Fleet) -> None:
    status, output = pending.play("verify")
    assert status != 0
    assert "a restart of Docker is pending (docker0 has the address 172.17.0.1/16, not 10.50." in output
    assert "docker_restart=needed" in output
    status, output = pending.play("verify", verify_pending_fails=False)
    assert status == 0, output
    assert "restart pending on: h1" in output


def test_container_traffic_is_verified_without_a_registry_and_without_leftovers(fleet: Fleet) -> None:
    status, output = fleet.play("verify")
    assert status == 0, output
    assert output.count(" 1/1 ok ") == 2, output
    for host in ("h1", "h2"):
        assert "probe" not in fleet.sh(host, "docker ps --all; docker image ls --all")


def test_an_image_that_is_named_is_taken_from_its_archive(fleet: Fleet) -> None:
    image = {"verify_image": "overlay-probe:latest", "verify_image_archive": "/srv/images/overlay-probe.tar"}
    status, output = fleet.play("verify", **image)
    assert status == 0, output
    assert output.count(" 1/1 ok ") == 2, output
    assert fleet.sh("h1", "docker ps --all --quiet --filter name=overlay-probe") == ""
    assert fleet.sh("h1", "docker image ls --quiet overlay-probe:latest") != ""


def test_dead_agents_fail_verify_and_each_line_names_cause_and_remedy(fleet: Fleet) -> None:
    fleet.sh("h1", "systemctl disable --now overlayd 2>/dev/null")
    fleet.sh(
        "h2",
        f"mkdir -p {Path(BAD_FLAG).parent}; systemctl stop overlayd;"
        f" printf '[Service]\\nExecStart=\\nExecStart=/usr/sbin/overlayd --no-such-flag\\n' > {BAD_FLAG};"
        " systemctl daemon-reload; systemctl start --no-block overlayd; sleep 3",
    )
    try:
        status, output = fleet.play("verify", verify_containers=False)
    finally:
        fleet.sh("h1", "systemctl enable --now overlayd 2>/dev/null")
        fleet.sh("h2", f"rm -r {Path(BAD_FLAG).parent}; systemctl daemon-reload; systemctl restart overlayd")
    assert status != 0
    assert "h1: overlayd.service is stopped; systemctl start overlayd.service" in output
    assert "h1: overlayd.service is disabled and does not start at boot; systemctl enable overlayd.service" in output
    assert "h2: overlayd.service is crash-looping: " in output
    assert "unknown argument: --no-such-flag" in output
    assert output.count("failed=1") == 2


def test_a_host_without_an_agent_has_one_problem_that_names_the_playbook(fleet: Fleet) -> None:
    unit, folder = "/etc/systemd/system/overlayd.service", "/run/flannel"
    fleet.sh("h1", f"systemctl stop overlayd; mv {unit} /root; mv {folder} {folder}.away; systemctl daemon-reload")
    try:
        status, output = fleet.play("verify", verify_containers=False, verify_wait=0)
    finally:
        fleet.sh("h1", f"mv {folder}.away {folder}; mv /root/overlayd.service {unit}; systemctl daemon-reload")
        fleet.sh("h1", "systemctl enable --now overlayd 2>/dev/null")
    assert status != 0
    assert "no overlay agent is installed on this host; run the playbook clusternet.overlay.site" in output
    assert " - 1 problem " in output, output
    assert f"{folder}/subnet.env cannot be read" not in output


def test_a_limited_run_lists_the_excluded_hosts(fleet: Fleet) -> None:
    status, output = fleet.play("verify", "--limit=h2")
    assert status == 0, output
    assert "h1: not checked, and no packets sent to it: it is outside of this run (--limit)" in output


def test_unreachable_hosts_are_lines_of_the_table_even_the_first_and_all(fleet: Fleet) -> None:
    fleet.lab("stop", "h1")
    status, output = fleet.play("verify")
    assert status != 0
    assert "h1: unreachable: " in output
    assert "- h2 10.50." in output
    fleet.lab("stop", "h2")
    status, output = fleet.play("verify")
    assert status != 0
    assert "h1: unreachable: " in output and "h2: unreachable: " in output
