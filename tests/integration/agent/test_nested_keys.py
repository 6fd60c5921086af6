# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nested keys below subnets are no leases: they are reported once and do no harm, over both APIs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.agent_fleet import Fleet
from support.agent_host import HEALTH, Host, until
from support.agent_network import Network
from support.etcd_server import EtcdServer

PEER, PEER_IP, PEER_MAC = "10.50.201.0/24", "192.0.2.201", "0e:00:00:00:00:c9"
OTHER, OTHER_IP, OTHER_MAC = "10.50.202.0/24", "192.0.2.202", "0e:00:00:00:00:ca"

V2_ONLY = pytest.mark.parametrize("network", ["v2"], indirect=True)  # v3 has no directories


@pytest.fixture(params=["v3", "v2"])
def network(request: pytest.FixtureRequest, etcd: EtcdServer) -> Iterator[Network]:
    network = Network(etcd.endpoints[0], request.param)
    yield network
    network.close()


def wait_for_later_event(host: Host, network: Network) -> None:
    """Return once the host has processed all earlier events."""
    network.lease(OTHER, OTHER_IP, OTHER_MAC)
    until(lambda: OTHER in host.routes(), "the route of a later lease")
    network.delete("subnets/10.50.202.0-24")
    until(lambda: OTHER not in host.routes(), "the route to go with its lease")


@pytest.mark.parametrize("folder", ["backup", "10.50.201.0-24x", "a/b/c"])
def test_a_copy_of_a_peers_lease_in_a_folder_changes_no_route(host: Host, network: Network, folder: str) -> None:
    network.configure()
    network.lease(PEER, PEER_IP, PEER_MAC)
    host.join(*HEALTH)
    before = host.dataplane()
    network.lease(PEER, "192.0.2.66", "0e:00:00:00:00:66", folder=f"{folder}/")
    top = folder.partition("/")[0]
    host.wait_said(f"ERROR ignored keys: '{network.prefix}/subnets/{top}/': only direct children")
    wait_for_later_event(host, network)
    assert host.dataplane() == before
    status, text = host.http("/readyz")
    assert status == 200
    assert "ready: subnet" in text and f"keys: ignored keys: '{network.prefix}/subnets/{top}/'" in text
    network.delete(f"subnets/{folder}/10.50.201.0-24")
    host.wait_said("keys: resolved")
    wait_for_later_event(host, network)
    assert host.dataplane() == before
    assert host.said("ERROR") == 1


def test_a_nested_key_from_before_the_start_is_reported_and_is_no_peer(host: Host, network: Network) -> None:
    network.configure()
    network.lease(PEER, PEER_IP, PEER_MAC, folder="backup/")
    host.join()
    assert host.routes() == {}
    assert host.said("ERROR ignored keys: ") == 1


def test_a_copy_of_the_own_lease_without_ttl_is_no_reservation(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    subnet, item = host.subnet, network.lease_item(host.subnet)
    network.put(f"subnets/backup/{subnet.replace('/', '-')}", item.value)
    network.lease("10.50.222.0/24", host.address, host.mac(), ttl=None, folder="backup/")
    host.wait_said("ERROR ignored keys: ")
    wait_for_later_event(host, network)
    assert network.lease_item(subnet).revision == item.revision
    host.stop()
    host.join()
    assert host.subnet == subnet
    assert network.lease_item(subnet).value == item.value
    assert not network.lease_item(subnet).reservation
    host.stop()
    assert host.run("--remove", "--release").returncode == 0
    assert network.get(network.lease_name(subnet)) is None
    assert network.get(f"subnets/backup/{subnet.replace('/', '-')}") is not None


@V2_ONLY
def test_a_subnet_whose_name_is_taken_by_a_directory_is_never_leased(
    host: Host, network: Network, etcd: EtcdServer
) -> None:
    network.configure(SubnetMin="10.50.1.0", SubnetMax="10.50.3.0")
    etcd.etcdctl("mkdir", f"{network.prefix}/subnets/10.50.1.0-24", api="2")
    network.put("subnets/10.50.2.0-24/x", "1")
    host.join()
    assert host.subnet == "10.50.3.0/24"
    assert host.said("choosing again") == 0
    for number in (1, 2):
        assert host.said(f"ERROR ignored keys: '{network.prefix}/subnets/10.50.{number}.0-24/'") == 1


@V2_ONLY
def test_a_pool_filled_by_directories_is_one_error_and_no_lost_race(
    host: Host, network: Network, etcd: EtcdServer
) -> None:
    network.configure(SubnetMin="10.50.1.0", SubnetMax="10.50.1.0")
    etcd.etcdctl("mkdir", f"{network.prefix}/subnets/10.50.1.0-24", api="2")
    host.start()
    host.wait_said("ERROR out of subnets: all 1 ")
    etcd.etcdctl("rmdir", f"{network.prefix}/subnets/10.50.1.0-24", api="2")
    host.wait_ready()
    assert host.said("choosing again") == 0


@V2_ONLY
def test_a_directory_created_at_run_time_is_reported_once(fleet: Fleet, network: Network, etcd: EtcdServer) -> None:
    network.configure()
    (host,) = fleet.joined(1)
    before = host.dataplane()
    etcd.etcdctl("mkdir", f"{network.prefix}/subnets/10.50.210.0-24", api="2")
    host.wait_said(f"ERROR ignored keys: '{network.prefix}/subnets/10.50.210.0-24/'")
    assert host.dataplane() == before
    etcd.etcdctl("rmdir", f"{network.prefix}/subnets/10.50.210.0-24", api="2")
    host.wait_said("keys: resolved")
    assert host.said("ERROR") == 1
