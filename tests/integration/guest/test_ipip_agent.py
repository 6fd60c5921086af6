# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts that run overlayd with the ipip backend, alone and together with other backends."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from functools import partial
from itertools import permutations
from typing import Any

from support.agent_fleet import Fleet
from support.agent_host import Container, Host, lost, until
from support.agent_network import Network
from support.kernel_module import without_module

DEVICE = "flannel.ipip"
OVERHEAD = 28  # bytes of the headers of a ping
PEER, PEER_HOST = "10.50.200.0/24", "192.0.2.200"
AT_ONCE = 5.0  # seconds, which an emulated machine may need; the full check comes every ten
ATTEMPTS = 3
DAMAGE = {
    "a route deleted": ["ip route delete 10.50.200.0/24"],
    "the MTU changed": ["ip link set flannel.ipip mtu 1280"],
    "the device deleted": ["ip link delete flannel.ipip"],
}
CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("ipip", {}),
    ("ipip", {"DirectRouting": True}),
    ("vxlan", {}),
]


def has_followed(network: Network, hosts: list[Host], backend: str) -> bool:
    """Whether all leases are those of a backend, and each host has routes to all others."""
    subnets = {host.subnet for host in hosts}
    return all(lease["BackendType"] == backend for lease in network.leases().values()) and all(
        subnets - {host.subnet} <= host.routes().keys() for host in hosts
    )


def ping_each_millisecond(one: Container, other: Container) -> subprocess.Popen[str]:
    """Start a ping each millisecond; see ``lost``."""
    command = ["ping", "-i", "0.001", other.address]
    return one.namespace.run(lambda: subprocess.Popen(command, stdout=subprocess.PIPE, text=True))


def is_repaired_soon(host: Host, commands: list[str]) -> bool:
    """Whether the damage of these commands is repaired soon, at one of several attempts after the first.

    Without a report from the kernel, the first takes up to ten seconds, and each further one takes ten.
    """
    before = host.dataplane(DEVICE)
    for attempt in range(ATTEMPTS):
        for command in commands:
            host.namespace.command(*command.split())
        took = until(lambda: host.dataplane(DEVICE) == before, lambda: host.dataplane(DEVICE))
        if attempt and took < AT_ONCE:
            return True
    return False


def test_containers_of_three_hosts_reach_each_other_with_packets_of_the_full_mtu(
    fleet: Fleet, network: Network
) -> None:
    network.configure("ipip")
    hosts = fleet.joined(3)
    for one, other in permutations(fleet.containers(), 2):
        assert one.reaches(other, 1480 - OVERHEAD)
    assert hosts[0].subnet_env["FLANNEL_MTU"] == "1480"
    lease = network.leases()[hosts[0].subnet]
    assert (lease["BackendType"], lease["PublicIP"], lease.get("BackendData")) == ("ipip", "192.0.2.11", None)
    way = hosts[0].routes()[hosts[1].subnet]
    assert f"dev {DEVICE} " in way and "via 192.0.2.12" in way


def test_a_restart_adopts_everything_and_loses_no_packet(fleet: Fleet, network: Network) -> None:
    network.configure("ipip")
    hosts = fleet.joined(2)
    one, other = fleet.containers()
    stream = one.stream(other)
    before = [(host.subnet, host.dataplane(DEVICE)) for host in hosts]
    for host in hosts:
        host.stop(signal.SIGKILL)
    assert one.reaches(other)
    for host in hosts:
        host.join()
    assert [(host.subnet, host.dataplane(DEVICE)) for host in hosts] == before
    time.sleep(0.3)  # for packets after the restarts
    packets, missing = lost(stream)
    assert packets > 10 and missing == 0
    assert not any(host.said("repaired") for host in hosts)


def test_each_damage_is_repaired_when_the_kernel_reports_it(host: Host, network: Network) -> None:
    network.configure("ipip")
    network.lease(PEER, PEER_HOST, BackendType="ipip")
    host.join()
    assert [what for what, damage in DAMAGE.items() if not is_repaired_soon(host, damage)] == []
    assert host.notified.count("READY=1") == 1


def test_a_peer_that_moves_and_leaves_is_followed(host: Host, network: Network) -> None:
    network.configure("ipip")
    host.join()
    network.lease(PEER, PEER_HOST, BackendType="ipip")
    until(lambda: f"via {PEER_HOST} dev {DEVICE}" in host.routes().get(PEER, ""), "the peer's route")
    network.lease(PEER, "192.0.2.201", BackendType="ipip")
    until(lambda: f"via 192.0.2.201 dev {DEVICE}" in host.routes().get(PEER, ""), "the moved peer's route")
    network.delete(network.lease_name(PEER))
    until(lambda: PEER not in host.routes(), "the route to go")
    assert PEER not in host.ip("nexthop") and not host.said("ERROR")


def test_a_lease_with_the_own_address_is_reported_and_affects_no_other_peer(host: Host, network: Network) -> None:
    network.configure("ipip")
    host.join()
    network.lease("10.50.166.0/24", host.address, BackendType="ipip")
    network.lease(PEER, PEER_HOST, BackendType="ipip")
    until(lambda: PEER in host.routes(), "the other peer's route")
    host.wait_said(r"lease 10\.50\.166\.0-24: PublicIP 192\.0\.2\.11 is this host's own address")
    assert "10.50.166.0/24" not in host.routes()


def test_a_changed_mtu_of_the_underlay_is_followed(host: Host, network: Network) -> None:
    network.configure("ipip")
    host.join()
    host.ip("link", "set", "eth0", "mtu", "1400")
    host.wait_started_again()
    assert host.subnet_env["FLANNEL_MTU"] == "1380"
    assert "mtu 1380 " in host.ip("link", "show", DEVICE)


def test_removal_with_release_leaves_nothing(host: Host, network: Network) -> None:
    network.configure("ipip")
    network.lease(PEER, PEER_HOST, BackendType="ipip")
    host.namespace.command("/usr/sbin/modprobe", "ipip")
    before = host.ip("-o", "link"), host.ip("-4", "route", "show", "table", "all"), host.ip("nexthop"), host.own_rules()
    host.join("--ip-masq")
    assert host.has(DEVICE)
    host.stop()
    done = host.run("--remove", "--release")
    assert done.returncode == 0, done.stderr
    after = host.ip("-o", "link"), host.ip("-4", "route", "show", "table", "all"), host.ip("nexthop"), host.own_rules()
    assert after == before
    assert list(network.leases()) == [PEER]


def test_a_dry_run_prints_the_plan(host: Host, network: Network) -> None:
    network.configure("ipip")
    network.lease(PEER, PEER_HOST, BackendType="ipip")
    done = host.run("--dry-run")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert f"ip link add {DEVICE} mtu 1480 type ipip local {host.address} remote any" in lines
    assert f"ip route add {PEER} via {PEER_HOST} dev {DEVICE} onlink proto 158" in lines


def test_a_take_over_adopts_what_flannel_left_and_loses_no_packet(fleet: Fleet, network: Network) -> None:
    hosts = fleet(2)
    network.configure("ipip")
    for number, (host, peer) in enumerate(zip(hosts, hosts[::-1]), 1):
        network.lease(f"10.50.{number}.0/24", host.address, BackendType="ipip")
        host.subnet_file.write_text(
            f"FLANNEL_NETWORK=10.50.0.0/16\nFLANNEL_SUBNET=10.50.{number}.1/24\nFLANNEL_MTU=1480\nFLANNEL_IPMASQ=true\n"
        )
        host.ip("link", "add", DEVICE, "type", "ipip", "local", host.address, "nopmtudisc")
        host.ip("link", "set", DEVICE, "mtu", "1480", "up")
        host.ip("address", "add", f"10.50.{number}.0/32", "dev", DEVICE)
        host.ip("route", "add", f"10.50.{3 - number}.0/24", "via", peer.address, "dev", DEVICE, "onlink")
    one, other = (host.container() for host in hosts)
    until(lambda: one.reaches(other), "packets between the containers")
    devices = [host.ip("-d", "-o", "link", "show", DEVICE) for host in hosts]
    leases = network.leases()
    stream = ping_each_millisecond(one, other)
    for host in hosts:
        host.join()
    packets, missing = lost(stream)
    assert packets > 20 and missing == 0
    assert network.leases() == leases
    assert [host.ip("-d", "-o", "link", "show", DEVICE) for host in hosts] == devices
    subnets = ["10.50.1.0/24", "10.50.2.0/24"]
    for host, peer_subnet in zip(hosts, subnets[::-1]):
        assert len(host.ip("route", "show", peer_subnet).splitlines()) == 1
    network.lease(subnets[1], "192.0.2.99", BackendType="ipip")
    until(lambda: "via 192.0.2.99 " in hosts[0].routes()[subnets[1]], "the moved peer's route")
    one.close()
    other.close()


def test_a_vxlan_host_and_an_ipip_host_reach_each_other(fleet: Fleet, network: Network) -> None:
    ipip = Network(network.endpoint)  # a config of its own, so that neither host follows the other
    network.configure("vxlan", SubnetMin="10.50.1.0", SubnetMax="10.50.99.0")
    ipip.configure("ipip", SubnetMin="10.50.100.0")
    one, two = fleet(2)
    two.prefix = ipip.prefix
    one.join()
    two.join()
    network.put(network.lease_name(two.subnet), json.dumps(ipip.leases()[two.subnet]), 3600)
    ipip.put(ipip.lease_name(one.subnet), json.dumps(network.leases()[one.subnet]), 3600)
    containers = fleet.containers()
    until(lambda: containers[0].reaches(containers[1]), "packets between the containers")
    assert containers[1].reaches(containers[0], 1450 - OVERHEAD)
    assert f"dev {DEVICE} " in one.routes()[two.subnet]
    assert "dev flannel.1 " in two.routes()[one.subnet]
    ipip.close()


def test_a_running_fleet_changes_to_ipip_and_back_without_a_lost_packet(fleet: Fleet, network: Network) -> None:
    network.configure("vxlan")
    hosts = fleet.joined(2)
    containers = fleet.containers()
    assert all(one.reaches(other) for one, other in permutations(containers, 2))
    streams = [one.stream(other) for one, other in permutations(containers, 2)]
    for number, (backend, options) in enumerate(CHANGES, 1):
        network.configure(backend, **options)
        for host in hosts:
            host.wait_started_again(number)
        until(partial(has_followed, network, hosts, backend), f"all hosts with {backend}")
        assert all(one.reaches(other) for one, other in permutations(containers, 2))
    assert [lost(stream)[1] for stream in streams] == [0] * len(streams)


def test_without_the_module_an_ipip_lease_is_reported_and_affects_no_other_peer(host: Host, network: Network) -> None:
    network.configure("vxlan")
    network.lease(PEER, PEER_HOST, BackendType="ipip")
    network.lease("10.50.177.0/24", "192.0.2.77", "0e:00:00:00:00:77")
    with without_module("ipip"):
        host.join()
        until(lambda: "dev flannel.1" in host.routes().get("10.50.177.0/24", ""), "the vxlan peer's route")
        host.wait_said("the kernel has no ipip devices, .*; install the kernel package that has it")
        network.lease("10.50.178.0/24", "192.0.2.78")
        until(lambda: "10.50.178.0/24" in host.routes(), "the route of a later peer")
        assert host.said("no ipip devices") == 1
    until(lambda: f"dev {DEVICE} " in host.routes().get(PEER, ""), "the ipip peer's route with the module")
    host.wait_said("kernel: resolved")
