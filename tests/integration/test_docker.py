# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role docker on a host of a lab with systemd, Docker and containers, but without the agent."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.lab_fleet import Fleet

SUBNET_FILE = "/run/flannel/subnet.env"
DROPINS = "/etc/systemd/system/docker.service.d"


class Host:
    """The one host of a lab, and the role as a user runs it."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def sh(self, script: str) -> str:
        """Run a shell script on the host; return what it printed."""
        return self.fleet.sh("h1", script)

    def play(self, *options: str, entry: str = "main", **variables: object) -> tuple[int, str]:
        """Return how many tasks changed something, -1 where the play failed, and all that was printed."""
        done = self.fleet.role("docker", *options, entry=entry, docker_subnet_timeout=2, **variables)
        recap = re.search(r"changed=(\d+) +unreachable=0 +failed=0", done.output)
        return int(recap[1]) if recap else -1, done.output

    def lease(self, number: int) -> None:
        """Write the subnet file as an agent does whose host has the subnet of that number."""
        text = (
            f"FLANNEL_NETWORK=10.50.0.0/16\nFLANNEL_SUBNET=10.50.{number}.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
        )
        folder = Path(SUBNET_FILE).parent
        self.sh(f"mkdir -p {folder}; printf %s '{text}' > {SUBNET_FILE}.new; mv {SUBNET_FILE}.new {SUBNET_FILE}")

    def bridge(self) -> str:
        """The address of docker0."""
        links = json.loads(self.sh("ip -4 -json address show dev docker0"))
        return f"{links[0]['addr_info'][0]['local']}/{links[0]['addr_info'][0]['prefixlen']}"

    def arguments(self) -> list[str]:
        """The command line of dockerd."""
        return self.sh("tr '\\0' '\\n' < /proc/$(systemctl show -p MainPID --value docker)/cmdline").splitlines()

    def container(self, name: str) -> str:
        """Whether a container runs, and its address."""
        return self.fleet.container("h1", name)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host as it is after its installation."""
    with Fleet("docker", tmp_path_factory.mktemp("docker"), count=1).running() as fleet:
        yield Host(fleet)


def test_a_host_that_cannot_get_docker_is_refused_before_anything_is_changed(fresh: Host) -> None:
    refused = fresh.fleet.play("site", docker_install="present", docker_unit="absent.service")
    assert "h1: the host has no unit absent.service (docker_unit)" in refused.output
    assert "changed=0 unreachable=0 failed=1" in refused.output


@pytest.fixture
def host(fresh: Host) -> Iterator[Host]:
    """A host with Docker on the subnet of number 7, and an image to make containers from."""
    fresh.lease(7)
    changed, output = fresh.play(docker_restart="needed")
    assert changed >= 0, output
    fresh.sh(
        "docker image inspect busybox >/dev/null 2>&1 || { apt-get install -qq busybox-static >/dev/null;"
        " tar -cC / bin/busybox | docker import - busybox; }"
    )
    yield fresh
    fresh.sh(
        f"docker ps -aq | xargs -r docker rm -f; rm -f /etc/docker/daemon.json {DROPINS}/override.conf;"
        " : > /etc/default/docker; systemctl daemon-reload"
    )


def run_container(host: Host, name: str) -> None:
    host.sh(f"docker run -d --init --name {name} busybox /bin/busybox sleep 3600")


def test_a_fresh_host_gets_docker_on_its_subnet_and_a_second_run_changes_nothing(fresh: Host) -> None:
    assert fresh.play("--check")[0] == 1
    changed, output = fresh.play()
    assert changed == -1
    assert f"{SUBNET_FILE} is missing after 2 seconds" in output
    fresh.lease(7)
    assert fresh.play()[0] == 2  # the options, and the start
    assert fresh.bridge() == "10.50.7.1/24"
    assert fresh.arguments()[-3:] == ["--bip=10.50.7.1/24", "--ip-masq=false", "--mtu=1450"]
    assert fresh.play()[0] == 0
    assert fresh.play("--check")[0] == 0


def test_a_docker_without_its_command_is_refused_with_the_package_to_install(host: Host) -> None:
    host.sh("mv /usr/bin/docker /usr/bin/docker.away")
    try:
        changed, output = host.play()
    finally:
        host.sh("mv /usr/bin/docker.away /usr/bin/docker")
    assert changed == -1
    assert (
        "h1: the host has the unit docker.service (docker_unit), but no docker command; install the docker CLI"
        in output
    )


def test_running_containers_are_restarted_only_when_a_restart_is_allowed(host: Host) -> None:
    run_container(host, "worker")
    host.lease(8)
    for arguments in ({}, {"docker_restart": "never"}):
        changed, output = host.play(**arguments)
        assert changed >= 0, output
        assert "docker0 has the address 10.50.7.1/24, not 10.50.8.1/24" in output
        assert host.container("worker") == "true 10.50.7.2"
    assert host.play(docker_restart="needed")[0] > 0
    assert (host.bridge(), host.container("worker")) == ("10.50.8.1/24", "true 10.50.8.2")
    assert host.play()[0] == 0


def test_containers_that_outlive_docker_do_not_keep_the_old_bridge(host: Host) -> None:
    host.sh("""echo '{"live-restore": true}' > /etc/docker/daemon.json; systemctl restart docker""")
    run_container(host, "survivor")
    host.lease(9)
    assert host.play(docker_restart="needed")[0] > 0
    assert (host.bridge(), host.container("survivor")) == ("10.50.9.1/24", "true 10.50.9.2")


def test_after_a_boot_docker_waits_for_the_subnet_file_and_takes_the_subnet_it_names(host: Host) -> None:
    host.fleet.lab("stop", "h1")
    host.fleet.lab("start", "h1")
    host.fleet.lab("wait")
    assert host.sh("ls /run/docker_opts.env 2>&1 || true").endswith("No such file or directory")
    wait_for(host, "journalctl -b -u docker -o cat | grep -q 'subnet.env is missing: check overlayd.service'")
    assert host.sh("systemctl is-active docker || true") != "active"
    host.lease(11)
    wait_for(host, "systemctl is-active docker")
    assert host.bridge() == "10.50.11.1/24"
    assert host.play()[0] == 0


def test_other_options_of_dockerd_are_kept(host: Host) -> None:
    host.sh("echo 'DOCKER_OPTS=\"--debug --dns 192.0.2.53\"' > /etc/default/docker")
    assert host.play()[0] > 0
    host.sh("systemctl restart docker")
    assert host.arguments()[4:] == [
        "--debug",
        "--dns",
        "192.0.2.53",
        "--bip=10.50.7.1/24",
        "--ip-masq=false",
        "--mtu=1450",
    ]
    assert host.play()[0] == 0


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("/etc/docker/daemon.json", '{"bip": "192.0.2.1/24"}', "/etc/docker/daemon.json has the key bip"),
        ("/etc/docker/daemon.json", "{", "/etc/docker/daemon.json is not JSON"),
        (
            f"{DROPINS}/override.conf",
            "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// --mtu 1400",
            f"dockerd already has --mtu=1400 from {DROPINS}/override.conf",
        ),
        ("/etc/default/docker", "DOCKER_OPTS=--bridge=none", "--bridge=none from DOCKER_OPTS in /etc/default/docker"),
    ],
)
def test_an_option_that_another_file_sets_is_refused_before_the_first_change(
    host: Host, file: str, text: str, message: str
) -> None:
    before = host.sh(f"cat {DROPINS}/zz-overlay.conf /run/docker_opts.env")
    host.sh(f"printf %s '{text}' > {file}; systemctl daemon-reload")
    host.lease(12)
    changed, output = host.play(docker_restart="needed")
    assert (changed, message in output) == (-1, True), output
    assert host.sh(f"cat {DROPINS}/zz-overlay.conf /run/docker_opts.env") == before
    assert host.bridge() == "10.50.7.1/24"


def test_options_in_daemon_json_are_written_and_removed_again(host: Host) -> None:
    host.sh("""echo '{"debug": true}' > /etc/docker/daemon.json""")
    asked = {"docker_target": "daemon_json", "docker_restart": "needed"}
    assert host.play(**asked)[0] > 0
    assert json.loads(host.sh("cat /etc/docker/daemon.json")) == {
        "debug": True,
        "bip": "10.50.7.1/24",
        "ip-masq": False,
        "mtu": 1450,
    }
    assert host.sh(f"ls {DROPINS} 2>&1 || true").endswith("No such file or directory")
    assert (host.bridge(), host.arguments()[4:]) == ("10.50.7.1/24", [])
    assert host.play(**asked)[0] == 0
    assert host.play(entry="remove", **asked)[0] > 0
    assert json.loads(host.sh("cat /etc/docker/daemon.json")) == {"debug": True}
    assert not host.bridge().startswith("10.50.")


def test_removal_restores_dockers_own_bridge_and_keeps_objects_of_users(host: Host) -> None:
    host.sh("docker network create mine >/dev/null")
    run_container(host, "worker")
    host.sh("docker run -d --init --name lasting --restart=always busybox /bin/busybox sleep 3600")
    changed, output = host.play(entry="remove")
    assert changed == 1, output
    assert "docker0 still has the address 10.50.7.1/24 of the overlay" in output
    assert host.play(entry="remove", docker_restart="needed")[0] > 0
    assert not host.bridge().startswith("10.50.")
    own_network = host.bridge().removesuffix(".1/16")
    assert host.container("worker").startswith(f"true {own_network}.")
    assert host.container("lasting").startswith(f"true {own_network}.")
    assert (
        host.sh(f"ls -d {DROPINS} /run/systemd/system/docker.service.d /run/docker_opts.env 2>/dev/null || true") == ""
    )
    assert host.sh("docker network ls -q -f name=mine; docker network rm mine >/dev/null") != ""
    assert host.play(entry="remove")[0] == 0


def test_the_bridge_is_not_reset_while_docker_runs_and_a_failed_reset_leaves_nothing(host: Host) -> None:
    refused = host.fleet.module("docker_bridge_reset", unit_command="/usr/sbin/dockerd")
    assert "docker.service runs; stop it and its socket first" in refused.output
    host.sh("systemctl stop docker.socket docker.service")
    failed = host.fleet.module("docker_bridge_reset", unit_command="/usr/bin/false")
    assert "the address of Docker's bridge cannot be reset: systemctl start docker.service failed: " in failed.output
    assert host.sh("ls -d /run/systemd/system/docker.service.d /run/overlay-docker-empty 2>/dev/null || true") == ""
    host.sh("systemctl reset-failed docker.service; systemctl start docker.service")
    assert host.bridge() == "10.50.7.1/24"


def wait_for(host: Host, condition: str) -> None:
    limit = time.monotonic() + 30
    while host.sh(f"if {condition} >/dev/null; then echo yes; fi") != "yes":
        assert time.monotonic() < limit, f"not within 30 seconds: {condition}"
        time.sleep(0.2)
