# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The subnet of a host: its choice in flannel's order, and how the host keeps it when its lease is changed."""

from __future__ import annotations

import json

from support.agent_fleet import Fleet
from support.agent_host import Host, until
from support.agent_network import Network

MAC = "0e:00:00:00:00:07"


def test_a_lease_with_this_hosts_public_ip_is_taken_over_and_gets_its_mac(host: Host, network: Network) -> None:
    network.configure()
    network.lease("10.50.7.0/24", host.address, MAC)
    host.join()
    assert host.subnet == "10.50.7.0/24"
    lease = network.leases()["10.50.7.0/24"]
    assert lease == {
        "PublicIP": host.address,
        "PublicIPv6": None,
        "BackendType": "vxlan",
        "BackendData": {"VNI": 1, "VtepMAC": host.mac()},
    }
    assert host.mac() != MAC


def test_a_lease_of_this_host_that_no_longer_fits_the_config_is_released(host: Host, network: Network) -> None:
    network.configure(SubnetMin="10.50.20.0")
    network.lease("10.50.7.0/24", host.address, MAC)
    network.lease("10.50.30.0/26", host.address, MAC)
    host.join()
    assert list(network.leases()) == [host.subnet]
    assert host.said("releasing lease") == 2


def test_a_reservation_wins_over_a_lease_and_stays_without_ttl_over_a_restart(host: Host, network: Network) -> None:
    network.configure()
    network.lease("10.50.7.0/24", host.address, MAC)
    network.lease("10.50.9.0/24", host.address, MAC, ttl=None)
    host.join()
    assert host.subnet == "10.50.9.0/24"
    assert network.lease_item("10.50.9.0/24").reservation
    assert list(network.leases()) == ["10.50.9.0/24"]
    host.stop()
    host.join()
    assert host.subnet == "10.50.9.0/24"
    assert network.lease_item("10.50.9.0/24").reservation


def test_a_reservation_made_at_run_time_moves_the_host_at_once(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    before = host.subnet
    network.lease("10.50.222.0/24", "192.0.2.99", MAC, ttl=None)  # another host's
    network.lease("10.50.223.0/24", host.address, MAC, ttl=None)
    host.wait_started_again()
    assert host.subnet == "10.50.223.0/24"
    assert network.lease_item("10.50.223.0/24").reservation
    assert before not in network.leases()
    assert host.said("reserves another subnet for this host") == 1


def test_a_reservation_outside_of_the_network_is_reported_and_left_untouched(host: Host, network: Network) -> None:
    network.configure(SubnetMin="10.50.20.0")
    network.lease("10.50.7.0/24", host.address, MAC, ttl=None)
    host.join()
    assert host.subnet != "10.50.7.0/24"
    assert host.said("reservation 10.50.7.0-24 is not used: it does not fit the network config")
    assert "10.50.7.0/24" in network.leases()


def test_a_fresh_host_takes_one_of_the_first_hundred_subnets(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    assert 1 <= int(host.subnet.split(".")[2]) <= 100
    assert not network.lease_item(host.subnet).reservation


def test_the_memory_file_of_a_new_host_has_its_own_lease(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    until(lambda: list(host.state.glob("*.json")), "the memory file")
    memory = json.loads(next(host.state.glob("*.json")).read_text())
    assert memory["leases"] == {host.subnet.replace("/", "-"): network.value(network.lease_name(host.subnet))}


def test_the_subnet_of_a_file_that_flannel_left_is_kept(host: Host, network: Network) -> None:
    network.configure()
    host.subnet_file.write_text(
        "FLANNEL_NETWORK=10.50.0.0/16\nFLANNEL_SUBNET=10.50.222.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n"
    )
    host.join()
    assert host.subnet == "10.50.222.0/24"


def test_a_former_subnet_that_is_leased_or_unfit_or_damaged_is_not_kept(host: Host, network: Network) -> None:
    network.configure()
    network.lease("10.50.222.0/24", "192.0.2.99", MAC)
    for subnet in ("10.50.222.1/24", "10.50.222.1/26", "10.77.1.1/24", "garbage"):
        text = f"FLANNEL_NETWORK=10.50.0.0/16\nFLANNEL_SUBNET={subnet}\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n"
        host.subnet_file.write_text(text)
        done = host.run("--dry-run")
        assert done.returncode == 0, done.stderr
        assert "# would lease a subnet, such as 10.50." in done.stdout
        assert "10.50.222." not in done.stdout.partition("\n")[0]
        assert ("the former subnet is unknown" in done.stderr) == (subnet == "garbage")


def test_a_full_pool_is_one_error_that_ends_when_a_lease_is_released(host: Host, network: Network) -> None:
    network.configure(SubnetMin="10.50.1.0", SubnetMax="10.50.3.0")
    for number in (1, 2, 3):
        network.lease(f"10.50.{number}.0/24", f"192.0.2.{20 + number}", f"0e:00:00:00:00:0{number}")
    host.start()
    host.wait_said("ERROR out of subnets: all 3 of Network 10.50.0.0/16 .* delete the leases of hosts that no ")
    network.delete("subnets/10.50.2.0-24")
    host.wait_ready()
    assert host.subnet == "10.50.2.0/24"
    assert host.said("ERROR") == 1


def test_invalid_leases_do_not_fill_the_pool(host: Host, network: Network) -> None:
    network.configure(SubnetMin="10.50.1.0", SubnetMax="10.50.3.0")
    for name in ("0.0.0.0/0", "10.50.0.0/16", "10.0.0.0/8"):
        network.lease(name, "192.0.2.66", MAC)
    network.put("subnets/10.50.0.0-17", "garbage")
    network.lease("10.50.2.0/23", "192.0.2.23", "0e:00:00:00:00:23")  # a live one, as after a change of SubnetLen
    host.join()
    assert host.subnet == "10.50.1.0/24"
    assert host.said("ERROR lease") == 4


def test_a_lease_that_was_deleted_is_written_again_with_its_subnet(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    subnet = host.subnet
    network.delete(network.lease_name(subnet))
    until(lambda: subnet in network.leases(), "the lease to be back")
    assert host.said("was deleted or expired; claiming it again") == 1
    assert host.notified.count("READY=1") == 1


def test_a_lease_overwritten_with_garbage_is_written_again(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    name = f"subnets/{host.subnet.replace('/', '-')}"
    item = network.get(name)
    assert item is not None
    for garbage in ("no json", '{"PublicIP": "nowhere"}', ""):
        network.put(name, garbage, 3600)
        until(lambda: getattr(network.get(name), "value", "") == item.value, "the lease to be as it was")
    assert list(network.leases()) == [host.subnet]
    assert host.notified.count("READY=1") == 1


def test_when_another_host_takes_the_lease_this_host_leases_another_subnet(fleet: Fleet, network: Network) -> None:
    network.configure()
    one, other = fleet.joined(2)
    taken, pid = one.subnet, one.pid
    network.lease(taken, "192.0.2.99", MAC)
    one.wait_started_again()
    assert one.subnet != taken
    assert one.pid == pid
    assert one.said(f"ERROR lease {taken.replace('/', '-')} is now held by 192.0.2.99; leasing another subnet") == 1
    assert network.leases()[taken]["PublicIP"] == "192.0.2.99"
    until(lambda: {taken, one.subnet} <= other.routes().keys(), "both routes on the other host")
    until(lambda: taken in one.routes(), "the route to the new holder")


def test_another_process_with_the_same_public_ip_is_reported(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    network.lease(host.subnet, host.address, MAC)
    host.wait_said("another process writes lease .*; stop flanneld if it runs on this host")
    until(lambda: host.mac() in json.dumps(network.leases()), "the lease to be as it was")


def test_an_address_changed_while_the_agent_runs_keeps_the_subnet(fleet: Fleet, network: Network) -> None:
    network.configure()
    one, other = fleet.joined(2)
    subnet, mac, pid = one.subnet, one.mac(), one.pid
    containers = fleet.containers()
    one.ip("address", "delete", f"{one.address}/24", "dev", "eth0")
    one.ip("address", "add", "192.0.2.77/24", "dev", "eth0")
    until(lambda: network.leases()[subnet]["PublicIP"] == "192.0.2.77", "the new address in etcd")
    one.wait_started_again()
    assert (one.subnet, one.mac(), one.pid) == (subnet, mac, pid)
    assert len(network.leases()) == 2
    assert "local 192.0.2.77" in one.ip("-d", "link", "show", "flannel.1")
    until(lambda: "dst 192.0.2.77" in other.namespace.command("bridge", "fdb"), "the new address at the peer")
    until(lambda: containers[0].reaches(containers[1]), "packets through")


def test_an_address_changed_while_the_agent_is_down_keeps_the_subnet(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    subnet = host.subnet
    host.stop()
    host.ip("address", "delete", f"{host.address}/24", "dev", "eth0")
    host.ip("address", "add", "192.0.2.77/24", "dev", "eth0")
    host.join()
    assert host.subnet == subnet
    assert network.leases()[subnet]["PublicIP"] == "192.0.2.77"
    assert len(network.leases()) == 1
