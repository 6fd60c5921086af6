# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""User-defined networks of two hosts with real packets: every row of the tables in docs/containers.md."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.lab_fleet import Fleet

DIVISION = {"bridge_len": 25, "network_len": 28}
MTU = "--opt=com.docker.network.driver.mtu=1450"
# A web server whose answer is the address of its client, and a client that prints it.
SERVER = (
    r"mkdir -p /w/cgi-bin; printf '#!/bin/sh\necho; echo $REMOTE_ADDR\n' > /w/cgi-bin/who;"
    " chmod +x /w/cgi-bin/who; exec httpd -f -p 80 -h /w"
)
CLIENT = (
    "import sys, urllib.request as u;"
    "text = u.urlopen(f'http://{sys.argv[1]}/cgi-bin/who', timeout=5).read().decode();"
    "print(text.strip().rpartition(':')[2].strip(']'))"
)
NOTHING = "no answer"


class Site:
    """Two hosts with containers on docker0 (plain) and on the networks shop and other, all with a published port."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.lease = {host: self._lease(host) for host in fleet.hosts}

    def _lease(self, host: str) -> str:
        """The first three numbers of the host's subnet."""
        return self.fleet.sh(host, ". /run/flannel/subnet.env; echo ${FLANNEL_SUBNET%.*}").strip()

    def networks(self, host: str, name: str) -> dict[str, Any]:
        """The first range of a network, and its options."""
        (shown,) = json.loads(self.fleet.sh(host, f"docker network inspect {name}"))
        return {"subnet": shown["IPAM"]["Config"][0]["Subnet"], **shown["Options"]}

    def run(self, host: str, name: str, *options: str) -> None:
        """Start a container that answers with the address of its client."""
        quoted = SERVER.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
        self.fleet.sh(host, f'docker run -d --init --name {name} {" ".join(options)} overlay-probe sh -c "{quoted}"')

    def address(self, host: str, name: str) -> str:
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return self.fleet.sh(host, f"docker inspect -f '{form}' {name}").strip()

    def source(self, host: str, name: str, target: str) -> str:
        """The source address that a target sees of a container, or of the host (no name)."""
        inside = f"nsenter -t $(docker inspect -f '{{{{.State.Pid}}}}' {name}) -n" if name else ""
        return self.fleet.sh(host, f'{inside} python3 -c "{CLIENT}" {target} 2>/dev/null || echo {NOTHING}').strip()

    def sees(self, expected: str, host: str, name: str, target: str) -> None:
        """Wait until a target sees this source: overlayd adds its rules after Docker's."""
        end = time.monotonic() + 60
        while (found := self.source(host, name, target)) != expected:
            assert time.monotonic() < end, (host, name, target, found, expected)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    fleet = Fleet("networks", tmp_path_factory.mktemp("networks"), count=2, etcd=("h1",))
    with fleet.running():
        fleet.group_vars(docker_user_networks=DIVISION)
        done = fleet.play("site")
        assert done.status == 0, done.output
        site = Site(fleet)
        for host in fleet.hosts:
            fleet.sh(host, "docker load --quiet --input /srv/images/overlay-probe.tar")
            fleet.sh(host, f"docker network create {MTU} shop; docker network create {MTU} other")
            site.run(host, "plain", "-p 8080:80")
            site.run(host, "web", "--network=shop", "-p 8081:80")
            site.run(host, "more", "--network=other", "-p 8082:80")
        yield site


def test_networks_get_their_ranges_from_the_lease_beside_docker0(site: Site) -> None:
    for host, lease in site.lease.items():
        assert f" {lease}.1/25 " in site.fleet.sh(host, "ip -4 -o address show dev docker0")
        ranges = [site.networks(host, name)["subnet"] for name in ("shop", "other")]
        assert all(each.startswith(f"{lease}.") and each.endswith("/28") for each in ranges)
        assert all(int(each.split(".")[3].split("/")[0]) >= 128 for each in ranges)


@pytest.mark.parametrize("client", ["plain", "web"])
@pytest.mark.parametrize("server", ["plain", "web", "more"])
def test_containers_of_other_hosts_see_the_address_of_the_container(site: Site, client: str, server: str) -> None:
    for here, there in (("h1", "h2"), ("h2", "h1")):
        site.sees(site.address(here, client), here, client, site.address(there, server))


@pytest.mark.parametrize("client", ["plain", "web"])
@pytest.mark.parametrize("port", [8080, 8081])
def test_a_port_of_another_host_sees_the_address_of_the_host(site: Site, client: str, port: int) -> None:
    site.sees("192.168.100.11", "h1", client, f"192.168.100.12:{port}")


def gateway(site: Site, container: str) -> str:
    first, _unused, last = site.address("h1", container).rpartition(".")
    return f"{first}.1" if container == "plain" else f"{first}.{(int(last) & ~15) + 1}"


@pytest.mark.parametrize(
    ("client", "port", "server"),
    [
        ("web", 8082, "more"),
        ("web", 8080, "plain"),
        ("web", 8081, "web"),
        ("plain", 8080, "plain"),
    ],
)
def test_a_port_of_the_own_host_sees_the_gateway_of_its_network(
    site: Site, client: str, port: int, server: str
) -> None:
    site.sees(gateway(site, server), "h1", client, f"192.168.100.11:{port}")


@pytest.mark.parametrize(("client", "server"), [("web", "more"), ("plain", "web"), ("web", "plain")])
def test_networks_of_one_host_are_isolated(site: Site, client: str, server: str) -> None:
    assert site.source("h1", client, site.address("h1", server)) == NOTHING


def test_docker0_does_not_reach_a_port_that_its_host_publishes_for_a_network(site: Site) -> None:
    assert site.source("h1", "plain", "192.168.100.11:8081") == NOTHING


@pytest.mark.parametrize("server", ["plain", "web"])
def test_processes_of_a_host_have_the_first_address_of_its_subnet(site: Site, server: str) -> None:
    site.sees(f"{site.lease['h1']}.0", "h1", "", site.address("h2", server))
    site.sees(gateway(site, server), "h1", "", site.address("h1", server))


@pytest.mark.parametrize("port", [8080, 8081])
def test_a_client_outside_of_the_overlay_keeps_its_address(site: Site, port: int) -> None:
    found = site.fleet.lab("net", "python3", "-c", CLIENT, f"192.168.100.11:{port}")
    assert found.strip() == "192.168.100.1"


@pytest.mark.parametrize("client", ["plain", "web"])
def test_addresses_outside_of_the_overlay_see_the_host(site: Site, client: str) -> None:
    listen = "import socket as s; l = s.create_server(('192.168.100.1', 7000)); print(l.accept()[1][0])"
    listener = site.fleet.lab.begin("net", "timeout", "120", "python3", "-c", listen)
    script = (
        f"for i in $(seq 100); do docker exec {client} nc -w 2 192.168.100.1 7000 < /dev/null && exit; sleep 0.1; done"
    )
    site.fleet.sh("h1", script)
    assert listener.communicate(timeout=120)[0].strip() == "192.168.100.11"


def test_an_application_on_two_hosts_as_in_the_compose_file(site: Site) -> None:
    lease = site.lease["h2"]
    site.fleet.sh("h2", f"docker network create {MTU} --subnet={lease}.240/28 fixed")
    site.run("h2", "db", "--network=fixed", f"--ip={lease}.242")
    site.run("h1", "app", "--network=shop", f"--add-host=db:{lease}.242")
    site.fleet.sh("h1", "docker exec app ping -c 1 -W 5 db")
    site.sees(site.address("h1", "app"), "h1", "app", f"{lease}.242")
    site.fleet.sh("h2", "docker rm -f db; docker network rm fixed")
    site.fleet.sh("h1", "docker rm -f app")


def test_overlayctl_knows_the_containers_on_user_networks(site: Site) -> None:
    assert site.fleet.sh("h1", "overlayctl doctor") == "no problems found"
    state = json.loads(site.fleet.sh("h1", "overlayctl status --json"))["docker"]
    found = {one["name"]: (one["containers"], one["reached"]) for one in state["networks"]}
    assert found == {"docker0": (1, True), "shop": (1, True), "other": (1, True)}
    assert "web" in site.fleet.sh("h1", "overlayctl drain < /dev/null 2> /dev/null || true")
    taken = f"{site.lease['h2']}.224/28"
    site.fleet.sh("h1", f"docker network create {MTU} --subnet={taken} stolen")
    site.fleet.sh("h1", f"docker network create {MTU} --subnet=172.30.0.0/24 away")
    found = json.loads(site.fleet.sh("h1", "overlayctl doctor --json || true"))["findings"]
    assert [(one["name"], one["severity"]) for one in found] == [
        ("docker-network", "error"),
        ("docker-network-use", "note"),
    ]
    assert f"stolen has the range {taken}" in found[0]["text"] and "away" in found[1]["text"]
    site.fleet.sh("h1", "docker network rm stolen away")
    assert site.fleet.sh("h1", "overlayctl doctor") == "no problems found"


def test_a_network_outside_of_the_overlay_reaches_other_hosts_with_the_address_of_its_host(site: Site) -> None:
    site.fleet.sh("h1", "docker network create --subnet=172.30.0.0/24 away")
    site.run("h1", "lone", "--network=away")
    site.sees(f"{site.lease['h1']}.0", "h1", "lone", site.address("h2", "web"))
    site.fleet.sh("h1", "docker rm -f lone; docker network rm away")
