# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host that ran flanneld is taken over, and given back, without a lost packet; what flanneld left goes in time.

flanneld itself is not run: the hosts hold the leases, devices, routes and rules that it leaves when it stops.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.agent_fleet import Fleet
from support.agent_host import Container, Host, lost, until
from support.agent_network import Network

GUIDE = Path(__file__).parents[3] / "docs" / "from-flannel.md"
MASQUERADING = (
    "-s 10.50.0.0/16 -d 10.50.0.0/16 -j RETURN",
    "-s 10.50.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE",
    "! -s 10.50.0.0/16 -d {own} -j RETURN",
    "! -s 10.50.0.0/16 -d 10.50.0.0/16 -j MASQUERADE",
)
FORWARDING = "-s 10.50.0.0/16 -j ACCEPT", "-d 10.50.0.0/16 -j ACCEPT"
BACKENDS: dict[str, dict[str, Any]] = {
    "vxlan": {"backend": "vxlan"},
    "direct routing": {"backend": "vxlan", "DirectRouting": True},
    "host-gw": {"backend": "host-gw"},
}


def subnet_of(number: int) -> str:
    return f"10.50.{number}.0/24"


def mac_of(number: int) -> str:
    return f"0e:00:00:00:00:{number:02x}"


def leave_flannel(hosts: list[Host], network: Network, backend: dict[str, Any]) -> None:
    """Create all that flanneld 0.10 with -ip-masq leaves on the hosts and in etcd."""
    network.configure(**backend)
    for number, host in enumerate(hosts, 1):
        network.lease(subnet_of(number), host.address, mac_of(number) if backend["backend"] == "vxlan" else "")
        host.subnet_file.write_text(
            f"FLANNEL_NETWORK=10.50.0.0/16\nFLANNEL_SUBNET=10.50.{number}.1/24\n"
            f"FLANNEL_MTU={1500 if backend['backend'] == 'host-gw' else 1450}\nFLANNEL_IPMASQ=true\n"
        )
        leave_rules(host, subnet_of(number))
        host.namespace.command("iptables", "-P", "FORWARD", "DROP")
        leave_device(host, number, backend)
        for other, peer in enumerate(hosts, 1):
            if other != number:
                leave_peer(host, other, peer, backend)


def leave_rules(host: Host, own: str) -> None:
    for rule in MASQUERADING:
        host.namespace.command("iptables", "-t", "nat", "-A", "POSTROUTING", *rule.format(own=own).split())
    for rule in FORWARDING:
        host.namespace.command("iptables", "-A", "FORWARD", *rule.split())


def leave_device(host: Host, number: int, backend: dict[str, Any]) -> None:
    if backend["backend"] == "vxlan":
        kind = ["type", "vxlan", "id", "1", "dev", "eth0", "local", host.address, "dstport", "8472", "nolearning"]
        host.ip("link", "add", "flannel.1", "address", mac_of(number), "mtu", "1450", *kind)
        host.ip("address", "add", f"10.50.{number}.0/32", "dev", "flannel.1")
        host.ip("link", "set", "flannel.1", "up")


def leave_peer(host: Host, other: int, peer: Host, backend: dict[str, Any]) -> None:
    if backend != BACKENDS["vxlan"]:
        host.ip("route", "add", subnet_of(other), "via", peer.address, "dev", "eth0")
        return
    end, mac = f"10.50.{other}.0", mac_of(other)
    host.ip("neighbour", "add", end, "lladdr", mac, "dev", "flannel.1", "nud", "permanent")
    host.namespace.command("bridge", "fdb", "add", mac, "dev", "flannel.1", "dst", peer.address, "self", "permanent")
    host.ip("route", "add", subnet_of(other), "via", end, "dev", "flannel.1", "onlink")


def ping_each_millisecond(one: Container, other: Container) -> subprocess.Popen[str]:
    command = ["ping", "-i", "0.001", other.address]
    return one.namespace.run(lambda: subprocess.Popen(command, stdout=subprocess.PIPE, text=True))


def leave_flannel_without_peers_routes(hosts: list[Host], network: Network) -> None:
    """Create what flanneld up to 0.8 leaves: a device for the whole network, and a neighbour for each container."""
    leave_flannel(hosts, network, BACKENDS["vxlan"])
    for number, host in enumerate(hosts, 1):
        other = 3 - number
        host.ip("address", "add", f"10.50.{number}.0/16", "dev", "flannel.1")
        host.ip("address", "delete", f"10.50.{number}.0/32", "dev", "flannel.1")
        host.ip("route", "delete", subnet_of(other))
        host.ip("neighbour", "flush", "dev", "flannel.1", "nud", "permanent")
        way = ["lladdr", mac_of(other), "dev", "flannel.1", "nud", "reachable"]
        for last in (1, 2):
            host.ip("neighbour", "replace", f"10.50.{other}.{last}", *way)


def own_hooks(host: Host) -> list[str]:
    return [rule for rule in host.own_rules() if rule.startswith(("-A FORWARD", "-A POSTROUTING"))]


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS.keys())
def test_a_take_over_adopts_what_flannel_left_and_loses_no_packet(
    fleet: Fleet, network: Network, backend: dict[str, Any]
) -> None:
    hosts = fleet(2)
    leave_flannel(hosts, network, backend)
    one, other = (host.container() for host in hosts)
    leases = network.leases()
    until(lambda: one.reaches(other), "packets between the containers")
    stream = ping_each_millisecond(one, other)
    for host in hosts:
        preview = host.run("--dry-run", "--ip-masq")
        assert preview.returncode == 0, preview.stderr
        host.join("--ip-masq")
        host.wait_said(r"firewall: iptables -t nat -D POSTROUTING .* -j RETURN  # left by flannel")
    sent, missing = lost(stream)
    assert sent > 20 and missing == 0
    assert network.leases() == leases
    for host, peer in zip(hosts, (subnet_of(2), subnet_of(1))):
        assert own_hooks(host) == ["-A FORWARD -j FLANNEL-FWD", "-A POSTROUTING -j FLANNEL-POSTRTG"]
        assert len(host.ip("route", "show", peer).splitlines()) == 1
        if backend != BACKENDS["vxlan"]:
            assert "proto 158" in host.ip("route", "show", peer)
            host.wait_said(f"adopted 1 routes that flannel left: {peer}")
    one.close()
    other.close()


def test_the_device_of_a_flannel_before_0_9_is_taken_over_without_a_lost_packet(fleet: Fleet, network: Network) -> None:
    hosts = fleet(2)
    leave_flannel_without_peers_routes(hosts, network)
    one, other = (host.container() for host in hosts)
    until(lambda: one.reaches(other), "packets between the containers")
    stream = ping_each_millisecond(one, other)
    for host in hosts:
        host.join("--ip-masq")
    sent, missing = lost(stream)
    assert sent > 20 and missing == 0
    for number, host in enumerate(hosts, 1):
        assert f"inet 10.50.{number}.0/32" in host.ip("-4", "address", "show", "flannel.1")
        assert "/16" not in host.ip("-4", "address", "show", "flannel.1")
    one.close()
    other.close()


def test_a_dry_run_shows_the_adoption_and_changes_nothing(fleet: Fleet, network: Network) -> None:
    hosts = fleet(2)
    leave_flannel(hosts, network, BACKENDS["host-gw"])
    before = hosts[0].dataplane(), hosts[0].own_rules()
    lines = hosts[0].run("--dry-run", "--ip-masq").stdout.splitlines()
    assert f"ip route replace {subnet_of(2)} via {hosts[1].address} dev eth0 proto 158" in lines
    assert "iptables -t filter -D FORWARD -s 10.50.0.0/16 -j ACCEPT  # left by flannel" in lines
    assert len([line for line in lines if line.endswith("# left by flannel")]) == 6
    assert (hosts[0].dataplane(), hosts[0].own_rules()) == before


def test_an_adopted_route_moves_and_goes_with_its_lease(fleet: Fleet, network: Network) -> None:
    hosts = fleet(2)
    leave_flannel(hosts, network, BACKENDS["host-gw"])
    host = hosts[0]
    host.join("--ip-masq")
    network.lease(subnet_of(2), "192.0.2.77")
    until(lambda: "via 192.0.2.77" in host.routes().get(subnet_of(2), ""), "the route to follow its lease")
    network.delete("subnets/10.50.2.0-24")
    until(lambda: subnet_of(2) not in host.routes(), "the route to go with its lease")
    network.lease(subnet_of(2), "192.0.2.78")
    until(lambda: "via 192.0.2.78" in host.routes().get(subnet_of(2), ""), "the subnet leased anew to be routed")


def test_a_route_whose_lease_came_later_is_adopted_while_overlayd_runs(fleet: Fleet, network: Network) -> None:
    hosts = fleet(2)
    leave_flannel(hosts, network, BACKENDS["host-gw"])
    network.delete("subnets/10.50.2.0-24")
    hosts[0].join()
    assert "proto 158" not in hosts[0].routes()[subnet_of(2)]
    network.lease(subnet_of(2), hosts[1].address)
    until(lambda: "proto 158" in hosts[0].routes()[subnet_of(2)], "adoption")


def test_removal_includes_adopted_routes_and_rules_of_flannel(fleet: Fleet, network: Network) -> None:
    hosts = fleet(2)
    leave_flannel(hosts, network, BACKENDS["host-gw"])
    host = hosts[0]
    host.join("--ip-masq")
    host.stop()
    leave_rules(host, subnet_of(1))
    done = host.run("--remove", "--release")
    assert done.returncode == 0, done.stderr
    assert host.routes() == {} and host.own_rules() == []


def test_after_the_documented_command_flannel_can_change_all_routes(fleet: Fleet, network: Network) -> None:
    hosts = fleet(2)
    leave_flannel(hosts, network, BACKENDS["host-gw"])
    host = hosts[0]
    network.lease(subnet_of(3), "192.0.2.77")
    host.join()
    host.stop()
    command = next(line.strip() for line in GUIDE.read_text().splitlines() if line.strip().startswith("ip route show"))
    host.namespace.command("sh", "-c", command)
    for number, gateway in ((2, hosts[1].address), (3, "192.0.2.77")):
        assert host.routes()[subnet_of(number)].split() == ["via", gateway, "dev", "eth0"]
        host.ip("route", "delete", subnet_of(number), "via", gateway, "dev", "eth0")


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS.keys())
def test_returning_to_flannel_loses_no_packet_and_flannel_can_change_every_route(
    fleet: Fleet, network: Network, backend: dict[str, Any]
) -> None:
    hosts = fleet(2)
    leave_flannel(hosts, network, backend)
    one, other = (host.container() for host in hosts)
    for host in hosts:
        host.join("--ip-masq")
    until(lambda: one.reaches(other), "packets between the containers")
    stream = ping_each_millisecond(one, other)
    for number, host in enumerate(hosts, 1):
        host.stop()
        leave_rules(host, subnet_of(number))
    sent, missing = lost(stream)
    assert sent > 20 and missing == 0
    if backend != BACKENDS["vxlan"]:
        hosts[0].ip("route", "delete", subnet_of(2), "via", hosts[1].address, "dev", "eth0")
        hosts[0].ip("route", "add", subnet_of(2), "via", hosts[1].address, "dev", "eth0")
        assert one.reaches(other)
    one.close()
    other.close()
