# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""--ip-blackhole-route: packets to unleased subnets do not leave the host; leased subnets work as without it."""

from __future__ import annotations

import subprocess

import pytest
from support.agent_host import Host, until
from support.agent_network import RANGE, Network

PEER, PEER_IP, PEER_MAC = "10.50.201.0/24", "192.0.2.201", "0e:00:00:00:00:c9"
ROUTE = f"unreachable {RANGE} proto 158 metric 4294967295"
FLAG = "--ip-blackhole-route"


def unreachable(host: Host) -> list[str]:
    """Return the unreachable routes of the host."""
    return [line.strip() for line in host.ip("-4", "route").splitlines() if line.startswith("unreachable")]


def way(host: Host, address: str) -> str:
    """Return the route of a packet in the kernel, or the kernel's error."""
    command = ["ip", "route", "get", address]
    done = host.namespace.run(lambda: subprocess.run(command, capture_output=True, text=True, check=False))
    return done.stdout + done.stderr


@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
def test_only_leased_subnets_are_routed_and_the_route_is_repaired(host: Host, network: Network, backend: str) -> None:
    host.ip("route", "add", "default", "via", "192.0.2.1")
    network.configure(backend)
    network.lease(PEER, PEER_IP, PEER_MAC if backend == "vxlan" else "")
    host.join(FLAG)
    assert unreachable(host) == [ROUTE]
    assert "No route to host" in way(host, "10.50.199.1")
    assert "dev" in way(host, "10.50.201.1")
    network.lease("10.50.199.0/24", "192.0.2.99", "0e:00:00:00:00:63" if backend == "vxlan" else "")
    until(lambda: "dev" in way(host, "10.50.199.1"), "the new peer")
    host.ip("route", "delete", "unreachable", RANGE, "metric", "4294967295")
    until(lambda: unreachable(host) == [ROUTE], "the route to be repaired")


def test_the_unreachable_route_is_in_the_dry_run_and_removed_with_the_flag_or_remove(
    host: Host, network: Network
) -> None:
    network.configure()
    line = f"ip route add unreachable {RANGE} metric 4294967295 proto 158"
    assert line in host.run("--dry-run", FLAG).stdout.splitlines()
    assert line not in host.run("--dry-run").stdout.splitlines()
    host.join(FLAG)
    assert len(host.run("--dry-run", FLAG).stdout.splitlines()) == 1
    host.stop()
    assert host.run("--dry-run").stdout.splitlines()[1:] == [f"ip route delete {RANGE} metric 4294967295 proto 158"]
    host.join()
    assert unreachable(host) == []
    host.stop()
    host.join(FLAG)
    host.stop()
    assert host.run("--remove").returncode == 0
    assert unreachable(host) == []


def test_foreign_routes_within_the_network_stay_and_have_precedence(host: Host, network: Network) -> None:
    network.configure()
    host.ip("route", "add", "blackhole", RANGE)
    host.join(FLAG)
    assert host.ip("-4", "route").count("blackhole 10.50.0.0/16") == 1
    assert unreachable(host) == [ROUTE]
    host.stop()
    assert host.run("--remove").returncode == 0
    assert "blackhole 10.50.0.0/16" in host.ip("-4", "route")


def test_the_unreachable_route_is_changed_with_the_network(host: Host, network: Network) -> None:
    network.configure()
    host.join(FLAG)
    network.configure(network="10.60.0.0/16")
    host.wait_started_again()
    assert unreachable(host) == [ROUTE.replace("10.50", "10.60")]
