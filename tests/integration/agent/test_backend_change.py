# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts with leases of different backends reach each other; a fleet changes its backend without a lost packet."""

from __future__ import annotations

import json
import time
from functools import partial
from itertools import permutations
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends.by_lease import GRACE
from support.agent_fleet import Fleet
from support.agent_host import Host, lost, until
from support.agent_network import Network

PEER, PEER_HOST, PEER_MAC = "10.50.177.0/24", "192.0.2.77", "0e:00:00:00:00:77"
STEPS: list[tuple[str, dict[str, Any]]] = [
    ("host-gw", {}),
    ("vxlan", {}),
    ("vxlan", {"VNI": 2}),
    ("vxlan", {"DirectRouting": True}),
    ("udp", {}),
    ("host-gw", {}),
    ("udp", {}),
    ("vxlan", {}),
]


def has_followed(network: Network, hosts: list[Host], backend: str, vni: int) -> bool:
    """Whether all leases and all routes are those of a backend."""
    leases = network.leases().values()
    if any(lease["BackendType"] != backend for lease in leases):
        return False
    if backend == "vxlan" and any(lease["BackendData"]["VNI"] != vni for lease in leases):
        return False
    subnets = {host.subnet for host in hosts}
    return all(subnets - {host.subnet} <= host.routes().keys() for host in hosts)


def test_a_running_fleet_changes_its_backend_and_vni_without_a_lost_packet(fleet: Fleet, network: Network) -> None:
    network.configure("vxlan")
    hosts = fleet.joined(3)
    containers = fleet.containers()
    assert all(one.reaches(other) for one, other in permutations(containers, 2))
    streams = [one.stream(other) for one, other in permutations(containers, 2)]
    for number, (backend, options) in enumerate(STEPS, 1):
        network.configure(backend, **options)
        for host in hosts:
            host.wait_started_again(number)
        until(partial(has_followed, network, hosts, backend, options.get("VNI", 1)), f"all hosts with {backend}")
        assert all(one.reaches(other) for one, other in permutations(containers, 2))
    assert [lost(stream)[1] for stream in streams] == [0] * len(streams)


def test_the_old_device_is_kept_while_peers_use_it_and_then_deleted(fleet: Fleet, network: Network) -> None:
    network.configure("vxlan")
    hosts = fleet.joined(2)
    network.configure("host-gw")
    for host in hosts:
        host.wait_started_again()
    until(lambda: has_followed(network, hosts, "host-gw", 0), "all hosts with host-gw")
    assert all(host.has("flannel.1") for host in hosts)
    deletion = "deleting device flannel.1: no lease needs it any more"
    # Not by listing the interfaces all the time: `ip` fails when one is deleted meanwhile.
    until(lambda: all(host.said(deletion) for host in hosts), deletion, GRACE + 90)
    time.sleep(1)
    assert not any(host.has("flannel.1") for host in hosts)
    assert all(host.said(deletion) == 1 and not host.said("repaired") for host in hosts)


@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
def test_a_peer_is_reached_by_the_backend_of_its_lease(host: Host, network: Network, backend: str) -> None:
    network.configure(backend)
    network.lease(PEER, PEER_HOST, PEER_MAC)
    network.lease("10.50.178.0/24", "192.0.2.78")
    network.lease(
        "10.50.179.0/24", "192.0.2.79", "0e:00:00:00:00:79", BackendData={"VNI": 5, "VtepMAC": PEER_MAC[:-2] + "79"}
    )
    host.join()
    until(lambda: len(host.routes()) >= 3, lambda: host.ip("route"))
    routes = host.routes()
    assert "dev flannel.1" in routes[PEER]
    assert "via 192.0.2.78 dev eth0" in routes["10.50.178.0/24"]
    assert "dev flannel.5" in routes["10.50.179.0/24"]
    assert host.mac("flannel.1") != host.mac("flannel.5")
    assert PEER_MAC in host.namespace.command("bridge", "fdb", "show", "dev", "flannel.1")


def test_a_peer_that_changes_its_backend_is_followed_without_traces(host: Host, network: Network) -> None:
    network.configure("host-gw")
    host.join()
    network.lease(PEER, PEER_HOST, PEER_MAC)
    until(lambda: "dev flannel.1" in host.routes().get(PEER, ""), "a route on flannel.1")
    network.lease(PEER, PEER_HOST, PEER_MAC, BackendData={"VNI": 5, "VtepMAC": PEER_MAC})
    until(lambda: "dev flannel.5" in host.routes().get(PEER, ""), "a route on flannel.5")
    until(lambda: PEER_MAC not in host.ip("neighbour", "show", "dev", "flannel.1"), "no neighbour on flannel.1")
    assert PEER_MAC not in host.namespace.command("bridge", "fdb", "show", "dev", "flannel.1")
    network.lease(PEER, PEER_HOST)
    until(lambda: "dev eth0" in host.routes().get(PEER, ""), "a route on eth0")
    assert not host.said("repair")
    assert not host.said("ERROR")


def test_a_lease_of_an_unknown_backend_is_reported_once_and_affects_no_other_peer(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    network.put("subnets/10.50.166.0-24", json.dumps({"PublicIP": "192.0.2.66", "BackendType": "ipsec"}), 3600)
    network.lease(PEER, PEER_HOST, PEER_MAC)
    until(lambda: PEER in host.routes(), "the other peer's route")
    host.wait_said("BackendType 'ipsec' is not supported by this host")
    time.sleep(1.5)
    assert host.said("BackendType 'ipsec' is not supported by this host") == 1
    assert "10.50.166.0/24" not in host.routes()


def test_an_interface_with_the_name_of_a_further_device_affects_no_other_peer(host: Host, network: Network) -> None:
    host.ip("link", "add", "flannel.5", "type", "bridge")
    network.configure()
    network.lease("10.50.179.0/24", "192.0.2.79", BackendType="vxlan", BackendData={"VNI": 5, "VtepMAC": PEER_MAC})
    network.lease("10.50.178.0/24", "192.0.2.78", "0e:00:00:00:00:78")
    host.join()
    until(lambda: "10.50.178.0/24" in host.routes(), "the other peer's route")
    host.wait_said("VNI 5: interface flannel.5 exists and is not a vxlan device; rename or remove it")


def test_a_vxlan_device_of_another_program_without_an_interface_is_harmless(host: Host, network: Network) -> None:
    host.ip("link", "add", "foreign0", "type", "vxlan", "id", "77", "dstport", "4789")
    network.configure()
    host.join()
    assert host.has("foreign0")


def test_a_smaller_mtu_is_logged_before_the_change(host: Host, network: Network) -> None:
    network.configure("host-gw")
    host.join()
    network.configure("vxlan")
    host.wait_started_again()
    host.wait_said(
        "the MTU of containers becomes smaller, 1450 instead of 1500: running containers keep the larger one"
    )
    assert host.log.index("becomes smaller") < host.log.rindex("ready: subnet")
    network.configure("host-gw")
    host.wait_started_again(2)
    assert host.said("becomes smaller") == 1


def test_remove_deletes_further_devices_too(host: Host, network: Network) -> None:
    network.configure("host-gw")
    network.lease(PEER, PEER_HOST, PEER_MAC)
    host.join()
    until(lambda: host.has("flannel.1"), "flannel.1")
    host.stop()
    done = host.run("--remove")
    assert done.returncode == 0, done.stderr
    assert not host.has("flannel.1")
    assert not host.routes()
