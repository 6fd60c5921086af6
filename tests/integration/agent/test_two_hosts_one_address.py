# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two hosts with one public IP: the holder keeps its lease and its traffic, the other gets no subnet and an error."""

from __future__ import annotations

import json
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.agent_fleet import Fleet
from support.agent_host import HEALTH, Host, lost, until
from support.agent_network import Network
from support.etcd_server import EtcdServer
from support.watching import brief

OTHER_MAC = "0e:00:00:00:00:66"
CONFLICT = "two hosts have it: "


@pytest.fixture(params=["v3", "v2"])
def network(request: pytest.FixtureRequest, etcd: EtcdServer) -> Iterator[Network]:
    network = Network(etcd.endpoints[0], request.param)
    yield network
    network.close()


def writes(network: Network, seconds: float) -> list[str]:
    """Return what is written below the prefix within these seconds."""
    revision = network.store.snapshot(network.prefix)[1]
    time.sleep(seconds)
    return writes_since(network, revision)


def writes_since(network: Network, revision: int) -> list[str]:
    """Return what was written below the prefix after a revision."""
    found: list[str] = []
    for events in network.store.watch(network.prefix, revision, 1.0):
        if not events:
            break
        found += brief(events)
    return found


def mac_of(network: Network, subnet: str) -> object:
    return network.leases()[subnet]["BackendData"]["VtepMAC"]


def lose_state(host: Host) -> None:
    """Remove all that the host knows of itself."""
    host.stop(signal.SIGKILL)
    shutil.rmtree(host.state)
    host.subnet_file.unlink()
    if "flannel.1" in host.ip("link"):
        host.ip("link", "delete", "flannel.1")


def test_the_holder_keeps_its_lease_and_traffic_and_both_hosts_report_the_conflict(
    fleet: Fleet, network: Network
) -> None:
    network.configure()
    one, peer, other = fleet(3)
    one.join(*HEALTH)
    peer.join()
    until(lambda: one.subnet in peer.routes() and peer.subnet in one.routes(), "the routes of both")
    containers = [one.container(), peer.container()]
    stream = containers[1].stream(containers[0])
    revision = network.store.snapshot(network.prefix)[1]
    other.start(f"--public-ip={one.address}", *HEALTH)
    other.wait_said(f"ERROR public IP {one.address}: {CONFLICT}.*{one.mac()}.* keeps lease .* this host, .*VtepMAC")
    one.wait_said(f"ERROR public IP {one.address}: {CONFLICT}this host, .*{one.mac()}.* keeps lease")
    assert writes(network, 4) == []
    assert len(writes_since(network, revision)) == 2  # the challenge and the answer
    sent, missing = lost(stream)
    for container in containers:
        container.close()
    assert sent > 100 and missing == 0
    assert mac_of(network, one.subnet) == one.mac()
    assert not network.lease_item(one.subnet).reservation
    assert one.http("/readyz")[0] == 200 and CONFLICT in one.http("/readyz")[1]
    assert other.http("/readyz")[0] == 503 and one.mac() in other.http("/readyz")[1]
    assert any(CONFLICT in line for line in other.notified if line.startswith("STATUS="))
    assert other.said("ERROR") == 1 and one.said("ERROR") == 1
    one.stop()
    network.delete(network.lease_name(one.subnet))
    other.wait_ready()
    other.wait_said("conflict: resolved")


def test_a_host_that_lost_its_state_gets_its_lease_back(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    subnet, mac = host.subnet, host.mac()
    lose_state(host)
    host.join()
    assert host.subnet == subnet
    assert host.mac() != mac
    assert mac_of(network, subnet) == host.mac()
    assert set(network.leases()[subnet]) == {"PublicIP", "PublicIPv6", "BackendType", "BackendData"}
    assert host.said("ERROR") == 0


def test_a_host_without_mac_that_lost_its_state_does_not_report_itself(host: Host, network: Network) -> None:
    network.configure(backend="host-gw")
    host.join(*HEALTH)
    subnet = host.subnet
    lose_state(host)
    host.join(*HEALTH)
    assert host.subnet == subnet
    assert set(network.leases()[subnet]) == {"PublicIP", "PublicIPv6", "BackendType"}
    assert CONFLICT not in host.http("/readyz")[1]
    assert host.said("ERROR") == 0


def test_a_host_that_counted_as_dead_gets_its_lease_back_from_the_other(fleet: Fleet, network: Network) -> None:
    network.configure()
    one, other = fleet(2)
    one.join(*HEALTH)
    subnet, mac = one.subnet, one.mac()
    one.send(signal.SIGSTOP)
    other.join(f"--public-ip={one.address}", *HEALTH)
    assert other.subnet == subnet and mac_of(network, subnet) != mac
    one.send(signal.SIGCONT)
    other.wait_said(CONFLICT)
    until(lambda: mac_of(network, subnet) == mac, "the lease of the first holder")
    assert writes(network, 5) == []
    assert mac_of(network, subnet) == mac
    assert one.notified.count("READY=1") == 1


def test_a_writer_that_keeps_overwriting_the_lease_is_answered_less_and_less_often(
    host: Host, network: Network
) -> None:
    network.configure()
    host.join()
    subnet, mac, stop = host.subnet, host.mac(), threading.Event()
    revision = network.store.snapshot(network.prefix)[1]

    def insist() -> None:
        while not stop.wait(0.2):
            if mac_of(network, subnet) == mac:
                network.lease(subnet, host.address, OTHER_MAC)

    thread = threading.Thread(target=insist)
    thread.start()
    time.sleep(10)
    stop.set()
    thread.join()
    until(lambda: mac_of(network, subnet) == mac, "the lease to be as it was")
    found = [json.loads(text.partition("=")[2]) for text in writes_since(network, revision)]
    own = [value for value in found if value["BackendData"]["VtepMAC"] == mac]
    assert 2 <= len(own) <= 6, own
    assert host.notified.count("READY=1") == 1


def test_a_second_host_without_state_never_releases_the_lease_of_the_first(fleet: Fleet, network: Network) -> None:
    network.configure()
    one, other = fleet(2)
    one.join()
    other.join()
    item = network.lease_item(one.subnet)
    former = other.subnet
    other.stop()
    other.start(f"--public-ip={one.address}")
    other.wait_said(CONFLICT)
    assert network.lease_item(one.subnet).value.startswith(item.value[:-1])
    assert network.leases()[former]["PublicIP"] == other.address
    other.stop()
    other.join()
    assert other.subnet == former


def test_a_second_lease_with_the_own_public_ip_is_reported_and_not_changed(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    subnet = host.subnet
    host.stop()
    network.lease("10.50.222.0/24", host.address, OTHER_MAC)
    host.join()
    assert host.subnet == subnet
    host.wait_said(f"ERROR public IP {host.address}: two leases have it: {subnet.replace('/', '-')} of this host")
    assert mac_of(network, "10.50.222.0/24") == OTHER_MAC


def test_a_former_subnet_and_address_belong_to_the_host_that_has_them_now(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    subnet, address = host.subnet, host.address
    host.stop()
    network.lease(subnet, address, OTHER_MAC)
    host.ip("address", "delete", f"{address}/24", "dev", "eth0")
    host.ip("address", "add", "192.0.2.77/24", "dev", "eth0")
    host.join()
    assert host.subnet != subnet
    assert mac_of(network, subnet) == OTHER_MAC


def claimants_since(network: Network, revision: int) -> list[str]:
    """Return the challenges that were written below the prefix after a revision."""
    return [text for text in writes_since(network, revision) if "Claimant" in text]


@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
def test_a_host_that_must_lease_another_subnet_does_not_challenge_itself(
    host: Host, network: Network, backend: str
) -> None:
    network.configure(backend)
    host.join()
    former = host.subnet
    revision = network.store.snapshot(network.prefix)[1]
    network.lease(former, "192.0.2.99", OTHER_MAC if backend == "vxlan" else "")
    host.wait_started_again()
    assert host.subnet != former
    assert set(network.leases()) == {former, host.subnet}
    assert claimants_since(network, revision) == []
    assert CONFLICT not in host.log


@pytest.mark.parametrize("change", [{"VNI": 2}, {"backend": "host-gw", "network": "10.77.0.0/16"}])
def test_a_config_that_changed_before_a_start_without_etcd_causes_no_challenge(
    host: Host, network: Network, change: dict[str, Any]
) -> None:
    network.configure()
    host.join()
    host.stop()
    network.configure(**change)
    revision = network.store.snapshot(network.prefix)[1]
    host.ip("route", "add", "blackhole", "192.0.2.1/32")
    host.join()
    assert host.said("restoring the network from memory file") == 1
    host.ip("route", "delete", "blackhole", "192.0.2.1/32")
    host.wait_started_again()
    assert claimants_since(network, revision) == []
    assert CONFLICT not in host.log
