# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The alloc backend: hosts lease subnets, and the operator routes between them."""

from __future__ import annotations

import json
from itertools import permutations

from support.agent_fleet import Fleet
from support.agent_host import Host, until
from support.agent_network import Network


def test_alloc_leases_a_subnet_and_programs_nothing(fleet: Fleet, network: Network) -> None:
    network.configure("alloc")
    hosts = fleet.joined(2)
    assert len({host.subnet for host in hosts}) == 2
    assert all(host.subnet_env["FLANNEL_MTU"] == "1500" for host in hosts)
    assert not any(host.routes() for host in hosts)
    assert {tuple(lease) for lease in network.leases().values()} == {("PublicIP", "PublicIPv6")}
    for host, other in permutations(hosts, 2):
        host.ip("route", "add", other.subnet, "via", other.address)
    assert all(one.reaches(other, 1472) for one, other in permutations(fleet.containers(), 2))


def test_alloc_keeps_its_subnet_over_a_restart_and_releases_it_by_remove(host: Host, network: Network) -> None:
    network.configure("alloc")
    host.join()
    subnet = host.subnet
    host.stop()
    host.join()
    assert host.subnet == subnet
    assert list(network.leases()) == [subnet]
    host.stop()
    assert host.run("--remove", "--release").returncode == 0
    assert not network.leases()


def test_a_reservation_is_used_by_its_host_and_is_no_peer_of_others(fleet: Fleet, network: Network) -> None:
    network.configure("alloc")
    one, other = fleet(2)
    reservation = json.dumps({"PublicIP": one.address, "PublicIPv6": None})
    network.put(network.lease_name("10.50.9.0/24"), reservation, None)
    other.join()
    one.join()
    assert one.subnet == "10.50.9.0/24"
    assert network.lease_item("10.50.9.0/24").reservation
    assert not other.said("10.50.9.0-24")


def test_a_fleet_changes_from_alloc_to_vxlan_and_back(fleet: Fleet, network: Network) -> None:
    network.configure("alloc")
    hosts = fleet.joined(2)
    network.configure("vxlan")
    for host in hosts:
        host.wait_started_again()
    until(fleet.know_each_other, "routes to all on all")
    assert all(one.reaches(other) for one, other in permutations(fleet.containers(), 2))
    network.configure("alloc")
    for host in hosts:
        host.wait_started_again(2)
    until(lambda: not any("flannel.1" in route for host in hosts for route in host.routes().values()), "no routes")
