# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host that ran flanneld between two runs of overlayd: the newer of memory file and subnet file decides."""

from __future__ import annotations

import os
import time

from support.agent_host import Host, until
from support.agent_network import Network
from support.etcd_server import EtcdServer

NEW_MAC = "0e:00:00:00:00:77"


def write_as_flanneld(host: Host, subnet: str, age: float = 0.0) -> None:
    """Write the subnet file as flanneld does, so many seconds ago."""
    first = subnet.replace(".0/", ".1/")
    host.subnet_file.write_text(
        f"FLANNEL_NETWORK=10.50.0.0/16\nFLANNEL_SUBNET={first}\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n"
    )
    then = time.time() - age
    os.utime(host.subnet_file, (then, then))


def replace_device(host: Host) -> None:
    """Replace the tunnel device by another with another MAC."""
    host.ip("link", "delete", "flannel.1")
    options = ["local", host.address, "dev", "eth0", "dstport", "8472", "nolearning"]
    host.ip("link", "add", "flannel.1", "address", NEW_MAC, "type", "vxlan", "id", "1", *options)
    host.ip("link", "set", "flannel.1", "up")


def test_a_subnet_file_newer_than_the_memory_file_decides_the_subnet(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    remembered = host.subnet
    host.stop()
    network.delete(network.lease_name(remembered))
    write_as_flanneld(host, "10.50.222.0/24")
    host.join()
    assert host.subnet == "10.50.222.0/24"
    assert list(network.leases()) == ["10.50.222.0/24"]
    assert host.said(f"former subnet 10.50.222.0/24 instead of {remembered}: .* is newer than ") == 1


def test_of_two_own_leases_the_one_of_the_newer_subnet_file_is_kept(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    host.stop()
    network.lease("10.50.222.0/24", host.address, host.mac())
    write_as_flanneld(host, "10.50.222.0/24")
    host.join()
    assert list(network.leases()) == ["10.50.222.0/24"]


def test_a_subnet_file_older_than_the_memory_file_changes_nothing(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    subnet = host.subnet
    host.stop()
    network.delete(network.lease_name(subnet))
    write_as_flanneld(host, "10.50.222.0/24", age=3600)
    host.join()
    assert host.subnet == subnet


def test_a_newer_subnet_file_of_another_network_does_not_change_the_subnet(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    subnet = host.subnet
    host.stop()
    network.delete(network.lease_name(subnet))
    write_as_flanneld(host, "10.77.3.0/24")
    host.join()
    assert host.subnet == subnet


def test_after_a_reboot_the_memory_file_decides_the_subnet(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    subnet, mac = host.subnet, host.mac()
    host.stop()
    network.delete(network.lease_name(subnet))
    host.subnet_file.unlink()
    host.ip("link", "delete", "flannel.1")
    host.join()
    assert (host.subnet, host.mac()) == (subnet, mac)


def test_the_mac_of_a_device_that_flanneld_used_later_is_kept_and_in_the_lease(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    subnet = host.subnet
    host.stop()
    replace_device(host)
    index = host.ip("-o", "link", "show", "flannel.1").partition(":")[0]
    write_as_flanneld(host, subnet)
    host.join()
    assert host.mac() == NEW_MAC
    assert host.ip("-o", "link", "show", "flannel.1").partition(":")[0] == index
    assert network.leases()[subnet]["BackendData"]["VtepMAC"] == NEW_MAC


def test_a_mac_changed_while_overlayd_was_stopped_is_restored_unless_flanneld_ran(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    mac = host.mac()
    for _attempt in range(2):
        host.stop()
        replace_device(host)
        host.join()
        assert host.mac() == mac
        assert network.leases()[host.subnet]["BackendData"]["VtepMAC"] == mac


def test_without_etcd_the_newer_subnet_file_decides_the_subnet_too(
    host: Host, network: Network, own_etcd: EtcdServer
) -> None:
    network.configure()
    host.join()
    host.stop()
    network.delete(network.lease_name(host.subnet))
    network.lease("10.50.222.0/24", host.address, host.mac())
    write_as_flanneld(host, "10.50.222.0/24")
    own_etcd.kill()
    host.join()
    assert host.said("restoring the network from memory file") == 1
    assert host.subnet == "10.50.222.0/24"
    own_etcd.heal()
    until(lambda: "etcd: resolved" in host.log, "etcd to be used again")
    assert host.notified.count("READY=1") == 1
