# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Outages and data loss of etcd, also at the start of a host: data plane and subnet stay."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from pathlib import Path

import pytest
from support.agent_fleet import Fleet
from support.agent_host import HEALTH, Host, until
from support.agent_network import Network
from support.etcd_server import EtcdServer

MAC = "0e:00:00:00:00:07"


def memory_path(host: Host) -> Path:
    """Return the path of the memory file."""
    return host.state / (host.prefix.strip("/").replace("/", "-") + ".json")


def memory(host: Host) -> Path:
    """Return the path of the memory file once it exists."""
    path = memory_path(host)
    until(path.exists, f"{path}")
    return path


def test_an_outage_of_etcd_changes_nothing_and_missed_changes_are_applied_after_it(
    fleet: Fleet, network: Network, own_etcd: EtcdServer
) -> None:
    network.configure()
    network.lease("10.50.201.0/24", "192.0.2.201", "0e:00:00:00:00:01")
    network.lease("10.50.202.0/24", "192.0.2.202", "0e:00:00:00:00:02")
    one, other = fleet.joined(2, *HEALTH)
    until(lambda: len(one.routes()) == 3, "all peers")
    before, subnet = one.dataplane(), one.subnet
    own_etcd.kill()
    one.wait_said("no etcd endpoint can be used: http://192.0.2.1:2379: ")
    assert one.http("/readyz")[0] == 200
    assert "etcd: no etcd endpoint can be used" in one.http("/healthz")[1]
    assert one.dataplane() == before
    one.ip("route", "delete", "10.50.201.0/24")
    until(lambda: one.dataplane() == before, "the route to be mended without etcd")
    # Hold the agent still while etcd is back, so that it finds changes and a compacted history.
    one.send(signal.SIGSTOP)
    own_etcd.restart()
    network.delete("subnets/10.50.201.0-24")
    network.lease("10.50.202.0/24", "192.0.2.202", MAC)
    network.lease("10.50.203.0/24", "192.0.2.203", "0e:00:00:00:00:03")
    one.send(signal.SIGCONT)
    until(lambda: "10.50.203.0/24" in one.routes(), "the new peer")
    assert "10.50.201.0/24" not in one.routes()
    assert MAC in one.namespace.command("bridge", "fdb")
    assert "0e:00:00:00:00:02" not in one.dataplane()
    one.wait_said("etcd: resolved")
    assert (one.subnet, one.notified.count("READY=1")) == (subnet, 1)
    assert other.notified.count("READY=1") == 1


@pytest.mark.parametrize("api", ["v2", "v3"])
@pytest.mark.parametrize("seconds", [0.5, 8.0])  # pauses that doubled would be 4 seconds after 8
def test_the_watch_continues_soon_after_etcd_answers_again(
    fleet: Fleet, own_etcd: EtcdServer, api: str, seconds: float
) -> None:
    changed = Network(own_etcd.endpoint, api)
    changed.configure()
    (host,) = fleet(1)
    host.prefix = changed.prefix
    host.join(f"--etcd-api={api}", *HEALTH)
    own_etcd.kill()
    time.sleep(seconds)
    own_etcd.restart()
    changed.lease("10.50.203.0/24", "192.0.2.203", "0e:00:00:00:00:03")
    until(lambda: "10.50.203.0/24" in host.routes(), "the new peer", 3.5)
    until(lambda: host.http("/healthz") == (200, "ok\n"), "the outage to be over")
    assert host.said("ERROR no etcd endpoint can be used") == 1
    assert host.said("etcd: resolved") == 1
    changed.close()


def test_after_a_compaction_during_an_outage_the_whole_network_is_read_again(
    fleet: Fleet, network: Network, own_etcd: EtcdServer
) -> None:
    network.configure()
    (host,) = fleet.joined(1)
    network.lease("10.50.201.0/24", "192.0.2.201", "0e:00:00:00:00:01")
    until(lambda: "10.50.201.0/24" in host.routes(), "the peer")
    host.send(signal.SIGSTOP)
    own_etcd.restart()
    network.delete("subnets/10.50.201.0-24")
    network.lease("10.50.202.0/24", "192.0.2.202", "0e:00:00:00:00:02")
    revision = json.loads(own_etcd.etcdctl("get", "--write-out=json", "/"))["header"]["revision"]
    own_etcd.etcdctl("compact", str(revision))
    host.send(signal.SIGCONT)
    until(lambda: list(host.routes()) == ["10.50.202.0/24"], "the routes of now")
    host.wait_said("reading the whole network again: .*compacted")
    assert host.notified.count("READY=1") == 1


def test_an_emptied_etcd_gets_all_leases_back_with_the_same_subnets(
    fleet: Fleet, network: Network, own_etcd: EtcdServer
) -> None:
    network.configure()
    hosts = fleet.joined(3)
    until(fleet.know_each_other, "routes to all on all")
    subnets, before = [host.subnet for host in hosts], [host.dataplane() for host in hosts]
    own_etcd.restart(wipe=True)
    until(lambda: len(network.leases()) == 3, "three leases", 40)
    assert set(network.leases()) == set(subnets)
    hosts[0].wait_said("there is no network config at .*; the last valid network config stays in use")
    network.configure()
    until(lambda: [host.dataplane() for host in hosts] == before, "the data plane as it was", 30)
    assert [host.subnet for host in hosts] == subnets
    assert all(host.notified.count("READY=1") == 1 for host in hosts)


def test_a_lease_missing_from_a_restored_etcd_is_claimed_at_once(
    host: Host, network: Network, own_etcd: EtcdServer
) -> None:
    network.configure()
    host.join()
    subnet = host.subnet
    host.send(signal.SIGSTOP)
    own_etcd.restart(wipe=True)
    network.configure()
    for number in range(50):  # the new history is longer than the old one, so the watch sees nothing wrong
        network.put("other", str(number))
    host.send(signal.SIGCONT)
    # Until then another host can be given the same subnet. The next full reconciliation is 30 to 60 seconds away.
    until(lambda: list(network.leases()) == [subnet], "the lease", 15)
    host.wait_said(f"lease {subnet.replace('/', '-')} is no longer in etcd; claiming it again")


def test_a_start_without_etcd_uses_the_memory_file_even_after_a_reboot(
    fleet: Fleet, network: Network, own_etcd: EtcdServer
) -> None:
    network.configure()
    network.lease("10.50.201.0/24", "192.0.2.201", "0e:00:00:00:00:01")
    (host,) = fleet(1)
    host.join()
    before, subnet, pid = host.dataplane(), host.subnet, host.pid
    host.stop(signal.SIGKILL)
    own_etcd.kill()
    host.ip("link", "delete", "flannel.1")  # as a reboot would, and /run is empty
    host.subnet_file.unlink()
    host.join()
    assert host.pid != pid
    assert host.said("etcd cannot be used; restoring the network from memory file")
    assert host.dataplane() == before
    assert host.subnet == subnet
    own_etcd.restart()
    network.lease("10.50.202.0/24", "192.0.2.202", "0e:00:00:00:00:02")
    until(lambda: "10.50.202.0/24" in host.routes(), "the new peer", 30)
    assert (host.subnet, list(network.leases())) == (subnet, sorted([subnet, "10.50.201.0/24", "10.50.202.0/24"]))


def test_an_address_changed_during_an_outage_keeps_the_subnet_over_two_restarts(
    fleet: Fleet, network: Network, own_etcd: EtcdServer
) -> None:
    network.configure()
    (host,) = fleet.joined(1)
    subnet = host.subnet
    host.stop()
    own_etcd.kill()
    host.ip("address", "delete", f"{host.address}/24", "dev", "eth0")
    host.ip("address", "add", "192.0.2.77/24", "dev", "eth0")
    for _attempt in range(2):
        host.join()
        host.stop(signal.SIGKILL)
    own_etcd.restart()
    host.join()
    until(lambda: [lease["PublicIP"] for lease in network.leases().values()] == ["192.0.2.77"], "one lease")
    assert host.subnet == subnet


def remembered_subnet(path: Path) -> object:
    """Return the subnet in a memory file, None while it is damaged."""
    with contextlib.suppress(ValueError):
        found = json.loads(path.read_text())
        return found.get("subnet") if isinstance(found, dict) else None
    return None


DAMAGES = {
    "empty": b"",
    "not text": b"\xff\xfe\x00",
    "cut off": b'{"machine_id": "',
    "of another form": b"[1, 2]",
    "keys missing": b"{}",
    "wrong types": b'{"machine_id": %r, "subnet": 1, "public_ip": 2, "mac": 3, "device": 4, "config": 5, "leases": 6}',
    "no config": b'{"machine_id": "%s", "subnet": "10.50.9.0/24", "public_ip": "192.0.2.11", "mac": "", "device": "", '
    b'"config": "null", "leases": {}}',
    "odd leases": b'{"machine_id": "%s", "subnet": "10.50.9.0/24", "public_ip": "192.0.2.11", "mac": "", "device": "", '
    b'"config": "{\\"Network\\":\\"10.50.0.0/16\\",\\"Backend\\":{\\"Type\\":\\"vxlan\\"}}", "leases": {"x": [1]}}',
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_memory_file_is_reported_and_replaced(host: Host, network: Network, damage: bytes) -> None:
    network.configure()
    identity = Path("/etc/machine-id").read_bytes().strip()
    host.state.mkdir()
    path = memory_path(host)
    path.write_bytes(damage.replace(b"%s", identity))
    host.join()
    assert host.said(f"WARNING memory file {path} is damaged and is not used: ") == 1
    until(lambda: remembered_subnet(path) == host.subnet, "a sound memory")


def test_the_memory_file_of_another_machine_is_not_used(fleet: Fleet, network: Network) -> None:
    network.configure()
    original, copy = fleet(2)
    original.join()
    original.stop()
    copy.state.mkdir()
    known = json.loads(memory(original).read_text())
    (copy.state / memory(original).name).write_text(json.dumps({**known, "machine_id": "0" * 32}))
    network.delete(network.lease_name(original.subnet))  # so that only the memory speaks for the old subnet
    network.lease(original.subnet, original.address, original.mac())
    copy.join()
    assert copy.said("belongs to another machine and is not used") == 1
    assert copy.subnet != original.subnet
    assert copy.mac() != original.mac()
    assert len(network.leases()) == 2


def test_a_memory_file_that_cannot_be_written_is_reported_and_stops_nothing(host: Host, network: Network) -> None:
    network.configure()
    host.join(*HEALTH)
    path = memory(host)
    host.stop()
    path.unlink()
    path.mkdir()
    (path / "in the way").touch()
    host.start(*HEALTH)
    host.wait_ready()
    host.wait_said(f"cannot .* {path}")
    network.lease("10.50.202.0/24", "192.0.2.202", "0e:00:00:00:00:02")
    until(lambda: "10.50.202.0/24" in host.routes(), "the new peer")
    assert host.http("/readyz")[0] == 200
    assert host.stop() == 0
