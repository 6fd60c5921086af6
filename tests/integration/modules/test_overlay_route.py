# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlay_route on hosts without an agent: containers reach each other, peers come and go, and nothing is left."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from support.agent_fleet import Fleet
from support.agent_host import Host
from support.agent_network import Network
from support.wireguard import with_sockets

OWN = "subnets/10.50.1.0-24"
MACS = {number: f"0e:00:00:00:00:{number:02x}" for number in (12, 13)}
Run = Callable[..., dict[str, Any]]
Module = Callable[[Host], Run]


@pytest.fixture
def route(module_on: Callable[..., Run]) -> Module:
    """Return a function that gives overlay_route as it runs on a host."""
    return lambda host: module_on(
        host, "overlay_route", iface="eth0", subnet_file=str(host.subnet_file), state_dir=str(host.state)
    )


@pytest.fixture
def host(fleet: Fleet, network: Network) -> Host:
    """A host with a reservation, and two peers that are leases in etcd and nothing else."""
    network.configure()
    network.put(OWN, '{"PublicIP":"192.0.2.11","PublicIPv6":null}')
    for number, mac in MACS.items():
        network.lease(f"10.50.{number}.0/24", f"192.0.2.{number}", mac)
    return fleet(1)[0]


def rows(host: Host, number: int) -> list[str]:
    """Return all that the kernel holds for one peer."""
    traces = (f"10.50.{number}.", MACS[number])
    return [line for line in host.dataplane().splitlines() if any(trace in line for trace in traces)]


def everything(host: Host) -> list[str]:
    """Return all of the kernel that the module could change on a host."""
    links = [line.split()[0] for line in host.ip("-brief", "link").splitlines()]
    rules = [line for line in host.rules().splitlines() if line.startswith(("-A", ":FLANNEL"))]
    return [host.dataplane(), host.ip("nexthop"), *links, *rules]


def commands(result: dict[str, Any]) -> str:
    """Return the commands in a result's diff."""
    return "".join(part.get("prepared", "") for part in result["diff"])


DEVICES = {"vxlan": ("flannel.1", 1450), "host-gw": ("", 1500), "wireguard": ("flannel-wg", 1420)}


@pytest.mark.parametrize("backend", DEVICES)
def test_containers_reach_each_other_without_an_agent_until_all_is_removed(
    fleet: Fleet, network: Network, module_on: Callable[..., Run], route: Module, backend: str
) -> None:
    network.configure(backend)
    hosts = fleet(2)
    with_sockets(*hosts)
    one, two = hosts
    pristine = everything(one)
    for host in hosts:
        module_on(host, "subnet_lease")(public_ip=host.address)
    assert route(one)(check=True, peers=[])["changed"] and everything(one) == pristine
    for host in hosts:
        assert route(host)(peers=[])["changed"] and not host.subnet_file.exists()
    foretold = route(one)(check=True)
    assert foretold["changed"] and not one.subnet_file.exists()
    done = route(one)()
    assert (done["operations"], done["diff"]) == (foretold["operations"], foretold["diff"])
    assert commands(done).splitlines() == done["operations"]
    assert any(line.startswith("ip route add ") for line in done["operations"])
    assert done["peers"] == list(network.leases().keys() - {done["subnet"]})
    assert (done["device"], done["mtu"]) == DEVICES[backend]
    assert done["public_ip"] == one.address
    assert not done.get("warnings") and not done["problems"] and not done["other_backends"]
    for check in (False, True):
        again = route(one)(check=check)
        assert not again["changed"] and again["operations"] == again["diff"] == []
    route(two)()
    here, there = fleet.containers()
    assert here.reaches(there, size=done["mtu"] - 28) and there.reaches(here)
    assert all(network.lease_item(host.subnet).reservation for host in hosts)
    for device in ("docker0", "vethc"):
        one.ip("link", "delete", device)
    foretold = route(one)(state="absent", check=True)
    assert foretold["changed"] and one.subnet_file.exists()
    assert route(one)(state="absent")["operations"] == foretold["operations"]
    assert everything(one) == pristine and not one.subnet_file.exists()
    assert not list(one.state.glob("*"))
    for check in (False, True):
        assert not route(one)(state="absent", check=check)["changed"]
    assert len(network.leases()) == len(hosts)


def test_one_peer_is_repaired_and_removed_and_no_other_is_touched(host: Host, network: Network, route: Module) -> None:
    run = route(host)
    run()
    host.ip("route", "delete", "10.50.12.0/24")
    host.ip("route", "delete", "10.50.13.0/24")
    network.delete("subnets/10.50.13.0-24")
    remains = rows(host, 13)
    foretold = run(check=True, peers=["10.50.12.0/24"])
    assert foretold["operations"][-1] == "ip route add 10.50.12.0/24 via 10.50.12.0 dev flannel.1 onlink proto 158"
    assert not any("10.50.13." in line for line in foretold["operations"])
    assert run(peers=["192.0.2.12"])["operations"] == foretold["operations"]
    assert rows(host, 13) == remains and not run(peers=["192.0.2.12"])["changed"]
    network.delete("subnets/10.50.12.0-24")
    host.namespace.command("ip", "route", "add", "10.50.13.0/24", "dev", "flannel.1")
    assert run(state="absent", peers=["192.0.2.12"])["peers"] == ["10.50.12.0/24"]
    assert rows(host, 12) == [] and len(rows(host, 13)) == len(remains) + 1
    assert not run(state="absent", peers=["192.0.2.12", "10.50.12.0/24"])["changed"]
    assert run()["changed"] and rows(host, 13) == [] and host.has("flannel.1")


def test_a_peer_with_another_mac_leaves_no_row_of_its_former_one(host: Host, network: Network, route: Module) -> None:
    route(host)()
    assert MACS[12] in host.dataplane()
    network.lease("10.50.12.0/24", "192.0.2.12", "0e:00:00:00:00:99")
    assert len(route(host)(peers=["10.50.12.0/24"])["operations"]) == 3
    assert "0e:00:00:00:00:99" in host.dataplane() and MACS[12] not in host.dataplane()


def test_leftovers_of_a_former_config_are_removed(host: Host, network: Network, route: Module) -> None:
    run = route(host)
    run()
    mac = host.mac()
    network.configure(VNI=7)
    for number in (12, 13):
        data = {"VNI": 7, "VtepMAC": MACS[number]}
        network.lease(f"10.50.{number}.0/24", f"192.0.2.{number}", MACS[number], BackendData=data)
    run()
    assert host.has("flannel.7") and not host.has("flannel.1") and host.mac("flannel.7") == mac
    network.configure("host-gw")
    network.lease("10.50.12.0/24", "192.0.2.12")
    network.put("subnets/10.50.13.0-24", '{"PublicIP":"192.0.2.13"}')
    done = run()
    assert not host.has("flannel.7") and list(host.routes()) == ["10.50.12.0/24"]
    assert done["other_backends"] == ["10.50.13.0/24"]
    network.configure("host-gw", network="10.60.0.0/16")
    network.put("subnets/10.60.1.0-24", '{"PublicIP":"192.0.2.11"}')
    network.lease("10.60.12.0/24", "192.0.2.12")
    assert "ip route delete 10.50.12.0/24 via 192.0.2.12 dev eth0" in run()["operations"]
    assert list(host.routes()) == ["10.60.12.0/24"]
    assert not run(check=True)["changed"]
    network.delete("config")
    assert run(state="absent")["changed"] and host.routes() == {} and not run(state="absent")["changed"]


def test_a_peer_whose_lease_has_another_vni_is_reached_on_its_own_device(
    host: Host, network: Network, route: Module
) -> None:
    run = route(host)
    data = {"VNI": 7, "VtepMAC": MACS[13]}
    network.lease("10.50.13.0/24", "192.0.2.13", MACS[13], BackendData=data)
    done = run()
    assert "dev flannel.7" in host.routes()["10.50.13.0/24"] and "dev flannel.1" in host.routes()["10.50.12.0/24"]
    assert not done["other_backends"] and not done["problems"]
    assert not run()["changed"]
    assert run(state="absent", peers=["192.0.2.13"])["peers"] == ["10.50.13.0/24"]
    assert rows(host, 13) == [] and MACS[13] not in host.dataplane("flannel.7")
    network.lease("10.50.13.0/24", "192.0.2.13", MACS[13])
    assert run()["operations"][-1] == "ip link delete flannel.7"
    assert "dev flannel.1" in host.routes()["10.50.13.0/24"]


def test_the_mac_in_the_lease_is_used_again_for_a_new_device(host: Host, network: Network, route: Module) -> None:
    route(host)(peers=[])
    mac = host.mac()
    assert network.leases()["10.50.1.0/24"]["BackendData"] == {"VNI": 1, "VtepMAC": mac}
    host.ip("link", "delete", "flannel.1")
    assert route(host)(peers=[])["diff"][0].keys() == {"prepared"} and host.mac() == mac


def test_a_host_recognizes_its_own_lease_by_the_subnet_file(host: Host, route: Module) -> None:
    assert "there is no default route" in route(host)(fails=True, iface="")["msg"]
    route(host)(iface="192.0.2.11")
    again = route(host)(iface="")
    assert not again["changed"] and (again["underlay"], again["subnet"]) == ("eth0", "10.50.1.0/24")


def test_a_foreign_route_is_reported_and_never_touched(host: Host, route: Module) -> None:
    host.ip("route", "add", "10.50.12.0/24", "via", "192.0.2.77")
    done = route(host)()
    assert len(done["conflicts"]) == 1 and done["conflicts"][0] in str(done["warnings"])
    assert host.routes()["10.50.12.0/24"].startswith("via 192.0.2.77 ") and "10.50.13.0/24" in host.routes()
    failed = route(host)(fails=True, peers=["10.50.12.0/24"])
    assert "route 10.50.12.0/24 via 192.0.2.77 dev eth0" in failed["msg"]
    route(host)(state="absent")
    assert list(host.routes()) == ["10.50.12.0/24"]


def test_a_network_that_overlaps_networks_of_the_host_is_refused(host: Host, network: Network, route: Module) -> None:
    host.ip("route", "add", "10.50.128.0/17", "via", "192.0.2.77", "proto", "static")
    before = everything(host)
    assert "overlaps the static route 10.50.128.0/17 via 192.0.2.77 dev eth0" in route(host)(fails=True)["msg"]
    assert everything(host) == before
    host.ip("route", "delete", "10.50.128.0/17")
    assert route(host)()["changed"]
    host.ip("route", "add", "10.50.128.0/17", "via", "192.0.2.77", "proto", "static")
    assert not route(host)()["changed"]


def test_routes_left_by_flannel_are_adopted_and_removed_with_the_others(
    host: Host, network: Network, route: Module, module_on: Callable[..., Run]
) -> None:
    network.configure("host-gw")
    for number in MACS:
        network.lease(f"10.50.{number}.0/24", f"192.0.2.{number}")
    host.ip("route", "add", "10.50.12.0/24", "via", "192.0.2.12")
    for option in ("-s", "-d"):
        host.namespace.command("iptables", "-A", "FORWARD", option, "10.50.0.0/16", "-j", "ACCEPT")
    done = route(host)()
    assert "ip route replace 10.50.12.0/24 via 192.0.2.12 dev eth0 proto 158" in done["operations"]
    assert len([line for line in done["operations"] if line.endswith("# left by flannel")]) == 2
    assert not route(host)()["changed"]
    info = module_on(host, "overlay_info", subnet_file=str(host.subnet_file))()
    assert (info["peers_expected"], info["peers_programmed"], info["pending"]) == (2, 2, [])
    route(host)(state="absent")
    assert host.routes() == {} and host.own_rules() == []


def test_the_module_changes_nothing_while_an_agent_runs(host: Host, route: Module) -> None:
    host.join()
    before = everything(host)
    beside = route(host)(ip_masq=True)
    assert not beside["changed"] and "overlayd runs on this host" in str(beside["warnings"])
    failed = route(host)(fails=True, state="absent")
    assert "overlayd runs on this host" in failed["msg"] and "--remove" in failed["msg"]
    assert everything(host) == before and host.subnet_env["FLANNEL_IPMASQ"] == "false"
    host.stop()
    assert route(host)(ip_masq=False)["operations"] == []
    assert route(host)(state="absent")["changed"] and not host.has("flannel.1")


def test_a_lease_that_is_not_renewed_is_a_warning(host: Host, network: Network, route: Module) -> None:
    network.put(OWN, '{"PublicIP":"192.0.2.11"}', ttl=3600)
    assert "make it a reservation" in str(route(host)(peers=[])["warnings"])
    assert not network.lease_item("10.50.1.0/24").reservation


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"peers": ["10.50.99.0/24"]}, "peer 10.50.99.0/24 has no lease below"),
    ({"peers": ["192.0.2.99"]}, "peer 192.0.2.99 has no lease below"),
    ({"peers": ["10.50.1.0/24"]}, "peer 10.50.1.0/24 is this host itself"),
    ({"peers": ["10.50.14.0/24"]}, "its lease has no backend yet; run this module"),
    ({"peers": ["10.50.15.0/24"]}, "lease 10.50.15.0-24: the value is not JSON"),
    ({"iface": "eth7"}, "eth7"),
    ({"public_ip": "192.0.2.99"}, "no lease below"),
    ({"subnet": "10.50.12.0/24"}, "there is no lease of 10.50.12.0/24 below"),
]


def test_bad_input_is_one_clear_error_and_changes_nothing(host: Host, network: Network, route: Module) -> None:
    network.put("subnets/10.50.14.0-24", '{"PublicIP":"192.0.2.14"}')
    network.put("subnets/10.50.15.0-24", "garbage")
    before = everything(host)
    for options, message in BAD_INPUT:
        assert message in route(host)(fails=True, **options)["msg"]
    assert everything(host) == before and "BackendType" not in network.lease_item("10.50.1.0/24").value


def test_a_udp_network_needs_the_agent_and_changes_nothing(host: Host, network: Network, route: Module) -> None:
    network.configure("udp")
    before = everything(host)
    done = route(host)(fails=True)
    assert "config: Backend Type 'udp' needs a data path process, which only overlayd starts; run over" in done["msg"]
    assert everything(host) == before


def test_a_lease_keeps_its_backend_if_the_device_of_a_new_one_cannot_be_created(
    host: Host, network: Network, route: Module
) -> None:
    before = network.lease_item("10.50.1.0/24").value
    network.configure("wireguard")
    with_sockets(host)
    taken = host.namespace.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with taken:
        host.namespace.run(taken.bind, ("0.0.0.0", 51820))
        assert "UDP port 51820 is in use by" in route(host)(fails=True, peers=[])["msg"]
        assert network.lease_item("10.50.1.0/24").value == before
    route(host)(peers=[])
    assert "PublicKey" in network.lease_item("10.50.1.0/24").value
