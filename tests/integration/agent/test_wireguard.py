# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The wireguard backend, by wireguard-go: keys, peers, packets, repair and removal."""

from __future__ import annotations

from functools import partial
from itertools import permutations
from typing import Any

import pytest
from support import wireguard as wg
from support.agent_fleet import Fleet
from support.agent_host import Host, lost, until
from support.agent_network import Network

PEER, PEER_HOST = "10.50.77.0/24", "192.0.2.77"


def wireguard_fleet(fleet: Fleet, network: Network, count: int, **options: Any) -> list[Host]:
    """Return hosts that run overlayd with the wireguard backend, once each knows all others."""
    network.configure("wireguard", **options)
    hosts = fleet(count)
    wg.with_sockets(*hosts)
    for host in hosts:
        host.start()
    for host in hosts:
        host.wait_ready()
    for host in hosts:
        wg.wait_peers(host, count - 1)
    return hosts


def test_containers_reach_each_other_with_the_full_mtu_and_no_clear_text_on_the_underlay(
    fleet: Fleet, network: Network
) -> None:
    hosts = wireguard_fleet(fleet, network, 3, PSK=wg.random_key())
    containers = fleet.containers()
    assert all(host.subnet_env["FLANNEL_MTU"] == "1420" for host in hosts)
    assert all(one.reaches(other, size=1420 - 28) for one in containers for other in containers if one is not other)
    assert not containers[0].reaches(containers[1], size=1420 - 27)


def has_followed(network: Network, hosts: list[Host], backend: str) -> bool:
    """Whether all leases are of a backend, and all hosts have routes to all others by it."""
    device = {"wireguard": "flannel-wg", "vxlan": "flannel.1", "host-gw": "eth0"}[backend]
    if any(lease["BackendType"] != backend for lease in network.leases().values()):
        return False
    subnets = {host.subnet for host in hosts}
    tables = {host.subnet: host.routes() for host in hosts}
    return all(f"dev {device}" in tables[one].get(other, "") for one, other in permutations(subnets, 2))


@pytest.mark.parametrize("other", ["vxlan", "host-gw"])
def test_a_running_fleet_changes_to_wireguard_and_back_without_a_lost_packet(
    fleet: Fleet, network: Network, other: str
) -> None:
    network.configure(other)
    hosts = fleet(3)
    wg.with_sockets(*hosts)
    for host in hosts:
        host.start()
    for host in hosts:
        host.wait_ready()
    containers = fleet.containers()
    assert all(one.reaches(two) for one, two in permutations(containers, 2))
    streams = [one.stream(two) for one, two in permutations(containers, 2)]
    for number, backend in enumerate(("wireguard", other), 1):
        network.configure(backend, **({"PSK": wg.random_key()} if backend == "wireguard" else {}))
        for host in hosts:
            host.wait_started_again(number)
        until(partial(has_followed, network, hosts, backend), f"all hosts with {backend}")
        assert all(one.reaches(two) for one, two in permutations(containers, 2))
    results = [lost(stream) for stream in streams]
    assert [one[1] for one in results] == [0] * len(streams)
    assert all(not host.said("no WireGuard key within") for host in hosts)
