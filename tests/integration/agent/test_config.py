# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The agent and the network config: it waits for one, reports an invalid one once, and follows changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.api_choice import EtcdConnection, connect
from support.agent_fleet import Fleet
from support.agent_host import HEALTH, SOON, Host, until
from support.agent_network import Network
from support.etcd_server import EtcdServer

GOOD = {"Network": "10.50.0.0/16", "Backend": {"Type": "vxlan"}}
BAD = {
    "no JSON": ('{"Network": ', "is not JSON"),
    "empty object": ("{}", "Network is not set"),
    "null": ("null", "is not a JSON object: None"),
    "unknown backend": (json.dumps({**GOOD, "Backend": {"Type": "carrier-pigeon"}}), "'carrier-pigeon' is not a known"),
    "backend of flannel": (json.dumps({**GOOD, "Backend": {"Type": "ipsec"}}), "'ipsec' is a backend of flan"),
    "too small": (json.dumps({**GOOD, "Network": "10.50.0.0/29"}), "network is too small.*10.50.0.0/29"),
    "SubnetMin above SubnetMax": (
        json.dumps({**GOOD, "SubnetMin": "10.50.9.0", "SubnetMax": "10.50.3.0"}),
        "SubnetMin 10.50.9.0 is above SubnetMax 10.50.3.0",
    ),
    "VNI 0": (json.dumps({**GOOD, "Backend": {"Type": "vxlan", "VNI": 0}}), "Backend VNI 0 is out of range"),
    "MTU above the interface's": (
        json.dumps({**GOOD, "Backend": {"Type": "vxlan", "MTU": 9000}}),
        "Backend MTU 9000 is larger than the 1500 bytes",
    ),
    "Network over the underlay": (json.dumps({**GOOD, "Network": "192.0.2.0/24"}), "own address 192.0.2.11 on eth0"),
}


def untouched(host: Host) -> bool:
    """Whether overlayd has changed nothing on the host except its state folder."""
    return not (host.has("flannel.1") or host.routes() or host.subnet_file.exists() or "FLANNEL" in host.rules())


def test_the_agent_waits_for_the_config_and_takes_it_up_soon(host: Host, network: Network) -> None:
    host.start()
    host.wait_said("there is no network config at .*/config; write one, for example .* or correct the etcd prefix")
    assert untouched(host)
    assert host.said("there is no network config") == 1
    network.configure()
    assert until(host.subnet_file.exists, "subnet file") < SOON
    host.wait_ready()


def test_a_config_in_the_store_of_the_other_api_is_reported(fleet: Fleet, etcd: EtcdServer) -> None:
    (host,) = fleet(1)
    old = connect(EtcdConnection(etcd.endpoints, api="v2"))
    old.create(f"{host.prefix}/config", json.dumps(GOOD), None)
    old.close()
    host.start("--etcd-api=v3")
    host.wait_said("the key .*/config exists in etcd's v2 store, but the v3 API is used; set the etcd API to v2")
    assert untouched(host)


def test_without_etcd_api_the_agent_uses_the_api_in_which_the_config_appears(fleet: Fleet, etcd: EtcdServer) -> None:
    (host,) = fleet(1)
    host.start()
    host.wait_said("there is no network config")
    old = connect(EtcdConnection(etcd.endpoints, api="v2"))
    old.create(f"{host.prefix}/config", json.dumps(GOOD), None)
    host.wait_ready()
    assert len(old.snapshot(f"{host.prefix}/subnets")[0]) == 1
    old.close()


@pytest.mark.parametrize(("text", "complaint"), BAD.values(), ids=BAD.keys())
def test_a_bad_config_is_reported_once_and_used_as_soon_as_it_is_corrected(
    host: Host, network: Network, text: str, complaint: str
) -> None:
    network.put("config", text)
    host.start()
    host.wait_said(f"ERROR {network.prefix}/config: .*{complaint}")
    assert untouched(host)
    assert network.leases() == {}
    network.configure()
    host.wait_ready()
    assert host.said("ERROR") == 1
    assert len(network.leases()) == 1


@pytest.mark.parametrize("text", ["{", json.dumps({**GOOD, "Backend": {"Type": "vxlan", "MTU": 9000}})])
def test_an_invalid_config_at_run_time_changes_nothing_and_leases_are_still_read(
    host: Host, network: Network, text: str
) -> None:
    network.configure()
    host.join(*HEALTH)
    before = host.dataplane()
    network.put("config", text)
    host.wait_said("the last valid network config stays in use")
    until(lambda: "the last valid network config stays in use" in host.http("/healthz")[1], "the problem in /healthz")
    assert host.dataplane() == before
    lease = network.lease("10.50.203.0/24", "192.0.2.12", "0e:00:00:00:00:03")
    until(lambda: "10.50.203.0/24" in host.routes(), "the new peer's route")
    network.delete(lease)
    until(lambda: "10.50.203.0/24" not in host.routes(), "the new peer's route to go")
    network.configure()
    until(lambda: "last good" not in host.http("/healthz")[1], "no problem in /healthz")
    assert host.notified.count("READY=1") == 1


def test_a_config_deleted_at_run_time_changes_nothing(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    before = host.dataplane()
    network.delete("config")
    host.wait_said("there is no network config at .*; the last valid network config stays in use")
    assert host.dataplane() == before
    network.configure()
    host.wait_said("etcd: resolved")
    assert host.notified.count("READY=1") == 1


CHANGES = {
    "MTU": ({"MTU": 1400}, "1350", "flannel.1"),
    "VNI": ({"VNI": 7}, "1450", "flannel.7"),
    "port": ({"Port": 4789}, "1450", "flannel.1"),
    "backend": ({"backend": "host-gw"}, "1500", ""),
    "Network": ({"network": "10.60.0.0/16"}, "1450", "flannel.1"),
    "SubnetLen": ({"SubnetLen": 26}, "1450", "flannel.1"),
    "SubnetMin": ({"SubnetMin": "10.50.200.0", "SubnetMax": "10.50.210.0"}, "1450", "flannel.1"),
}


@pytest.mark.parametrize(("keys", "mtu", "device"), CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_config_is_followed_in_place(
    fleet: Fleet, network: Network, keys: dict[str, Any], mtu: str, device: str
) -> None:
    network.configure(SubnetMin="10.50.1.0", SubnetMax="10.50.100.0")
    hosts = fleet.joined(2)
    until(fleet.know_each_other, "routes on both")
    pids = [host.pid for host in hosts]
    network.configure(**{"SubnetMin": "", "SubnetMax": "", **keys})
    for host in hosts:
        host.wait_started_again()

    def follows(host: Host) -> bool:
        ways = [way for subnet, way in host.routes().items() if subnet != host.subnet]
        return all(f"dev {device or 'eth0'}" in way for way in ways)

    # A host keeps the route by the former lease of the other one until that lease changes.
    until(lambda: fleet.know_each_other() and all(map(follows, hosts)), "routes on both under the new config")
    for host, pid in zip(hosts, pids):
        assert host.pid == pid
        assert host.subnet_env["FLANNEL_MTU"] == mtu
        assert not device or host.has(device)
        assert host.said("WARNING the Port .* Port 8472 and a host with Port 4789 are lost until") == ("Port" in keys)
    assert len(network.leases()) == 2
    one, other = fleet.containers()
    assert one.reaches(other)


def test_a_backend_that_was_changed_and_restored_leaves_no_old_device(fleet: Fleet, network: Network) -> None:
    network.configure()
    one, _unused = fleet.joined(2)
    until(fleet.know_each_other, "routes on both")
    before, subnet = one.routes(), one.subnet
    for number, backend in enumerate(("host-gw", "vxlan"), 1):
        network.configure(backend)
        for host in fleet.hosts:
            host.wait_started_again(number)
        until(fleet.know_each_other, "routes on both")
    assert one.subnet == subnet
    until(lambda: one.routes() == before, lambda: f"{one.routes()} instead of {before}\n{one.log}")
    containers = fleet.containers()
    until(lambda: containers[0].reaches(containers[1]), "the new MACs of both on the other")


@pytest.mark.parametrize("after", ["vxlan", "host-gw"])
def test_another_network_leases_another_subnet_without_a_conflict(fleet: Fleet, network: Network, after: str) -> None:
    network.configure("host-gw")
    hosts = fleet.joined(2)
    network.configure(after, network="10.77.0.0/16")
    for host in hosts:
        host.wait_started_again()
        assert host.subnet_env["FLANNEL_NETWORK"] == "10.77.0.0/16"
        assert "two hosts have it" not in host.log
    assert {subnet.partition(".77.")[0] for subnet in network.leases()} == {"10"}


def test_a_restarted_host_uses_its_last_valid_config_while_the_config_is_invalid(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    host.stop()
    network.put("config", "{")
    host.join(*HEALTH)
    until(lambda: "the last valid network config stays in use" in host.http("/healthz")[1], lambda: host.log)
    network.lease("10.50.203.0/24", "192.0.2.12", "0e:00:00:00:00:03")
    until(lambda: "10.50.203.0/24" in host.routes(), lambda: host.log)
    network.delete(network.lease_name(host.subnet))
    until(lambda: host.subnet in network.leases(), lambda: host.log)
    assert not host.said("etcd cannot be used")


def test_a_restarted_host_joins_no_network_whose_config_was_deleted(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    host.stop()
    network.delete(network.lease_name(host.subnet))
    network.delete("config")
    host.start()
    host.wait_said("etcd cannot be used; restoring the network from memory file")
    assert network.leases() == {}
