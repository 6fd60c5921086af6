# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""--dry-run prints the plan and changes nothing; --remove removes everything, with --release the lease too."""

from __future__ import annotations

import fcntl
import subprocess
import time
from pathlib import Path

import pytest
from support.agent_fleet import Fleet
from support.agent_host import Host
from support.agent_network import Network
from support.hanging_process import assert_nothing_left, hang

PEER, PEER_IP, PEER_MAC = "10.50.201.0/24", "192.0.2.201", "0e:00:00:00:00:c9"


def everything(host: Host) -> tuple[object, ...]:
    """Return all state of a host that overlayd can change."""
    shows = ["-o", "-4", "address"], ["-4", "route", "show", "table", "all"], ["nexthop"]
    links = [line.split(":")[1] for line in host.ip("-o", "link").splitlines()]
    files = sorted(f"{path}: {path.read_text()}" for path in host.folder.rglob("*") if holds_text(path))
    return (links, [host.ip(*words) for words in shows], host.own_rules(), files)


def holds_text(path: Path) -> bool:
    """Whether a path is a file that overlayd writes."""
    return path.is_file() and path.name not in ("log", "notify")


@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
def test_a_dry_run_prints_the_plan_and_changes_nothing(host: Host, network: Network, backend: str) -> None:
    network.configure(backend)
    network.lease(PEER, PEER_IP, PEER_MAC if backend == "vxlan" else "")
    before, leases = everything(host), network.leases()
    done = host.run("--dry-run", "--ip-masq")
    assert done.returncode == 0, done.stderr
    assert (everything(host), network.leases()) == (before, leases)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("# would lease a subnet, such as 10.50.")
    if backend == "vxlan":
        assert lines[1].startswith("ip link add flannel.1 address ")
        assert f"bridge fdb replace {PEER_MAC} dev flannel.1 dst {PEER_IP} self permanent" in lines
        assert f"ip route add {PEER} via 10.50.201.0 dev flannel.1 onlink proto 158" in lines
    else:
        assert f"ip route add {PEER} via {PEER_IP} dev eth0 proto 158" in lines
    assert "iptables -t nat -N FLANNEL-POSTRTG" in lines


def test_a_dry_run_beside_the_agent_reports_no_drift(host: Host, network: Network) -> None:
    network.configure()
    network.lease(PEER, PEER_IP, PEER_MAC)
    host.join()
    name = host.subnet.replace("/", "-")
    assert host.run("--dry-run").stdout == f"# holds lease {name}\n"
    host.stop()
    host.ip("route", "delete", PEER)
    first, *changes = host.run("--dry-run").stdout.splitlines()
    assert first == f"# holds lease {name}"
    assert changes[-1] == f"ip route add {PEER} via 10.50.201.0 dev flannel.1 onlink proto 158"
    assert [change for change in changes[:-1] if not change.startswith("ip nexthop delete id ")] == []


def test_a_dry_run_after_a_change_of_the_vni_lists_the_former_device(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    host.stop()
    network.configure(VNI=7)
    assert host.run("--dry-run").stdout.splitlines()[-1] == "ip link delete flannel.1"


def test_a_dry_run_after_a_change_of_the_network_lists_the_former_routes(host: Host, network: Network) -> None:
    network.configure("host-gw")
    network.lease(PEER, PEER_IP)
    host.join()
    host.stop()
    network.configure("host-gw", network="10.60.0.0/16")
    assert f"ip route delete {PEER} via {PEER_IP} dev eth0" in host.run("--dry-run").stdout.splitlines()
    host.join()
    assert host.routes() == {}


def test_a_dry_run_without_a_config_is_an_error_with_a_solution(host: Host) -> None:
    done = host.run("--dry-run")
    assert done.returncode == 1
    assert f"there is no network config at {host.prefix}/config; write one, " in done.stderr


@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
def test_removal_with_release_leaves_nothing(host: Host, network: Network, backend: str) -> None:
    network.configure(backend)
    network.lease(PEER, PEER_IP, PEER_MAC if backend == "vxlan" else "")
    host.ip("route", "add", "198.51.100.0/24", "via", "192.0.2.1")
    host.namespace.command("iptables", "-A", "FORWARD", "-s", "198.51.100.0/24", "-j", "ACCEPT")
    host.namespace.command("iptables", "-t", "nat", "-A", "POSTROUTING", "-s", "198.51.100.0/24", "-j", "ACCEPT")
    before = everything(host)
    host.join("--ip-masq")
    assert "FLANNEL-POSTRTG" in host.rules()
    host.stop()
    done = host.run("--remove", "--release")
    assert done.returncode == 0, done.stderr
    assert everything(host) == before
    assert list(network.leases()) == [PEER]
    again = host.run("--remove")
    assert again.returncode == 0, again.stderr
    assert everything(host) == before


def test_removal_without_release_keeps_the_lease_for_the_next_start(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    subnet = host.subnet
    host.stop()
    assert host.run("--remove").returncode == 0
    assert list(network.leases()) == [subnet]
    host.join()
    assert host.subnet == subnet


def test_a_reservation_is_not_released_and_a_message_reports_it(host: Host, network: Network) -> None:
    network.configure()
    network.lease("10.50.9.0/24", host.address, PEER_MAC, ttl=None)
    host.join()
    host.stop()
    done = host.run("--remove", "--release")
    assert "lease 10.50.9.0-24 is kept: it is a reservation for this host" in done.stderr
    assert list(network.leases()) == ["10.50.9.0/24"]


def test_removal_beside_a_running_agent_is_refused(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    before = host.dataplane()
    done = host.run("--remove", "--release")
    assert done.returncode == 1
    assert "another overlayd already runs on this host" in done.stderr
    assert host.dataplane() == before
    assert list(network.leases()) == [host.subnet]


def test_removal_without_the_memory_file_releases_the_lease_and_warns(host: Host, network: Network) -> None:
    network.configure()
    network.lease("10.50.9.0/24", host.address, PEER_MAC)
    done = host.run("--remove", "--release")
    assert done.returncode == 0, done.stderr
    assert "no device of vxlan or ipip and no route of host-gw is removed: memory file" in done.stderr
    assert network.leases() == {}


def test_a_removal_that_cannot_release_the_lease_removes_nothing(fleet: Fleet, network: Network) -> None:
    network.configure()
    (host,) = fleet.joined(1)
    host.stop()
    before = host.dataplane()
    done = host.run("--remove", "--release", "--etcd-endpoints=http://192.0.2.1:9")
    assert done.returncode == 1
    assert "no etcd endpoint can be used: http://192.0.2.1:9: connection refused" in done.stderr
    assert host.dataplane() == before


def test_a_release_takes_one_timeout_however_many_endpoints_are_silent(fleet: Fleet, network: Network) -> None:
    network.configure()
    (host,) = fleet.joined(1)
    host.stop()
    host.ip("link", "add", "silent", "up", "arp", "off", "type", "veth", "peer", "name", "nobody")
    host.ip("link", "set", "nobody", "up")
    host.ip("address", "add", "198.51.100.1/24", "dev", "silent")
    begin = time.monotonic()
    done = host.run("--remove", "--release", "--etcd-endpoints=" + ",".join(f"http://198.51.100.{n}:9" for n in "234"))
    assert done.returncode == 1
    assert "http://198.51.100.4:9: no answer within" in done.stderr
    assert time.monotonic() - begin < 10  # one endpoint after the other took 31 s


@pytest.fixture
def stopped(host: Host, network: Network) -> tuple[int, str]:
    """A host on which overlayd has ended and the process of the udp backend hangs; see hang."""
    return hang(host, network, "udp")


def test_removal_kills_a_process_that_hangs(host: Host, stopped: tuple[int, str]) -> None:
    done = host.run("--remove")
    assert done.returncode == 0, done.stderr
    assert_nothing_left(host, *stopped)


def test_removal_without_a_memory_file_leaves_no_process_nor_its_device(host: Host, stopped: tuple[int, str]) -> None:
    for memory in host.state.glob("*.json"):
        memory.unlink()
    done = host.run("--remove")
    assert done.returncode == 0, done.stderr
    assert_nothing_left(host, *stopped)


def test_removal_deletes_the_files_of_a_process_that_never_ran(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    host.stop()
    for kind in ("lock", "companion"):
        (host.state / f"flannel-wg.{kind}").write_text("")
    (host.state / "udp.lock").write_text("")
    assert host.run("--remove").returncode == 0
    assert [path.name for path in host.state.iterdir()] == []


def test_removal_leaves_a_lock_of_another_program(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    host.stop()
    other = host.state / "other.lock"
    with other.open("w", encoding="utf-8") as handle, subprocess.Popen(["/bin/sleep", "100"]) as process:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.write(str(process.pid))
        handle.flush()
        assert host.run("--remove").returncode == 0
        assert process.poll() is None
        process.kill()
    assert [path.name for path in host.state.iterdir()] == [other.name]
