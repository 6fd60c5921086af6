# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The extension backend: real commands connect real hosts; each is run once, reported if it fails, and undone."""

from __future__ import annotations

import json
import os
import signal
import time
from itertools import permutations
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.extension_memory import boot
from support.agent_fleet import Fleet
from support.agent_host import HEALTH, Host, until
from support.agent_network import Network
from support.etcd_server import EtcdServer

DIRECT, SHELL = "--extension-commands=direct", "--extension-commands=shell"
ADD, REMOVE = "ip route add $SUBNET via $PUBLIC_IP", "ip route del $SUBNET via $PUBLIC_IP"
PEER, PEER_HOST = "10.50.177.0/24", "192.0.2.77"


def diary(path: Path) -> str:
    """Return a command for a shell that writes down what it got."""
    return f'read DATA; echo "$NETWORK $SUBNET $IPV6SUBNET $PUBLIC_IP $PUBLIC_IPV6 $DATA" >>{path}'


def lines(path: Path) -> list[str]:
    return [" ".join(line.split()) for line in path.read_text().splitlines()] if path.exists() else []


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process so far."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def peer(network: Network, data: object = "hello", public_ip: str = PEER_HOST, subnet: str = PEER) -> None:
    value = {"PublicIP": public_ip, "PublicIPv6": None, "BackendType": "extension", "BackendData": data}
    network.put(network.lease_name(subnet), json.dumps(value), 3600)


def test_commands_without_a_shell_connect_containers(fleet: Fleet, network: Network) -> None:
    network.configure("extension", SubnetAddCommand=ADD, SubnetRemoveCommand=REMOVE)
    hosts = fleet.joined(2, DIRECT)
    containers = fleet.containers()
    assert all(one.reaches(other, 1472) for one, other in permutations(containers, 2))
    assert [host.subnet_env["FLANNEL_MTU"] for host in hosts] == ["1500", "1500"]
    assert all(lease["BackendType"] == "extension" for lease in network.leases().values())
    assert all("BackendData" not in lease for lease in network.leases().values())
    hosts[1].stop()
    network.delete(network.lease_name(hosts[1].subnet))
    until(lambda: hosts[1].subnet not in hosts[0].routes(), "the route's removal")


def test_flannels_example_of_vxlan_connects_containers_through_a_shell(fleet: Fleet, network: Network) -> None:
    network.configure(
        "extension",
        PreStartupCommand="export VNI=1; export IF_NAME=flannel-vxlan; ip link del $IF_NAME 2>/dev/null; "
        "ip link add $IF_NAME type vxlan id $VNI dstport 8472 && "
        "ip -o link show dev $IF_NAME | sed 's/.*ether \\([^ ]*\\).*/\\1/'",  # not by /sys, which a namespace lacks
        PostStartupCommand="export IF_NAME=flannel-vxlan; export SUBNET_IP=`echo $SUBNET | cut -d'/' -f 1`; "
        "ip addr add $SUBNET_IP/32 dev $IF_NAME && ip link set $IF_NAME up",
        SubnetAddCommand="export SUBNET_IP=`echo $SUBNET | cut -d'/' -f 1`; export IF_NAME=flannel-vxlan; read VTEP; "
        "ip route add $SUBNET nexthop via $SUBNET_IP dev $IF_NAME onlink && "
        "ip neighbour add $SUBNET_IP lladdr $VTEP dev $IF_NAME && "
        "bridge fdb add $VTEP dev $IF_NAME self dst $PUBLIC_IP",
    )
    hosts = fleet.joined(2, SHELL)
    macs = {host.mac("flannel-vxlan") for host in hosts}
    assert {lease["BackendData"] for lease in network.leases().values()} == macs
    assert all(one.reaches(other) for one, other in permutations(fleet.containers(), 2))


def test_each_command_gets_flannels_variables_and_the_peers_data(host: Host, network: Network, tmp_path: Path) -> None:
    post, add, remove = tmp_path / "post", tmp_path / "add", tmp_path / "remove"
    network.configure(
        "extension", PreStartupCommand="echo ' own data'", PostStartupCommand=diary(post),
        SubnetAddCommand=diary(add), SubnetRemoveCommand=diary(remove),
    )  # fmt: skip
    host.join(SHELL)
    assert network.leases()[host.subnet]["BackendData"] == "own data"
    assert lines(post) == [f"10.50.0.0/16 {host.subnet} {host.address}"]
    peer(network)
    until(lambda: lines(add) == [f"10.50.0.0/16 {PEER} {PEER_HOST} hello"], lambda: str(lines(add)))
    network.delete(network.lease_name(PEER))
    until(lambda: lines(remove) == lines(add), lambda: str(lines(remove)))


def test_changed_data_or_another_address_is_a_removal_and_an_addition(
    host: Host, network: Network, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    network.configure(
        "extension",
        SubnetAddCommand=f'read DATA; echo "add $PUBLIC_IP $DATA" >>{log}',
        SubnetRemoveCommand=f'read DATA; echo "remove $PUBLIC_IP $DATA" >>{log}',
    )
    peer(network, "a")
    host.join(SHELL)
    peer(network, "b")
    until(lambda: len(lines(log)) == 3, lambda: str(lines(log)))
    peer(network, "b", "192.0.2.78")
    until(lambda: len(lines(log)) == 5, lambda: str(lines(log)))
    peer(network, "b", "192.0.2.78")
    time.sleep(1)
    assert lines(log) == [
        "add 192.0.2.77 a", "remove 192.0.2.77 a", "add 192.0.2.77 b", "remove 192.0.2.77 b", "add 192.0.2.78 b"
    ]  # fmt: skip


def test_a_restart_repeats_nothing_and_removes_peers_that_left_meanwhile(
    host: Host, network: Network, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    network.configure(
        "extension",
        PreStartupCommand=f"echo pre >>{log}; echo data",
        PostStartupCommand=f"echo post >>{log}",
        SubnetAddCommand=f'echo "add $SUBNET" >>{log}',
        SubnetRemoveCommand=f'echo "remove $SUBNET" >>{log}',
    )
    peer(network)
    peer(network, subnet="10.50.178.0/24", public_ip="192.0.2.78")
    host.join(SHELL)
    assert sorted(lines(log)) == ["add 10.50.177.0/24", "add 10.50.178.0/24", "post", "pre"]
    host.stop()
    network.delete(network.lease_name(PEER))
    host.join(SHELL)
    until(lambda: lines(log)[4:] == [f"remove {PEER}"], lambda: str(lines(log)))
    assert network.leases()[host.subnet]["BackendData"] == "data"


def test_a_failing_command_is_reported_and_repeated_and_harms_no_other_peer(
    host: Host, network: Network, tmp_path: Path
) -> None:
    mark, log = tmp_path / "mark", tmp_path / "log"
    network.configure(
        "extension",
        SubnetAddCommand=f'test $SUBNET != {PEER} || test -e {mark} || {{ echo "no mark" >&2; exit 3; }}; '
        f"echo $SUBNET >>{log}",
    )
    peer(network)
    peer(network, subnet="10.50.178.0/24", public_ip="192.0.2.78")
    host.join(SHELL, *HEALTH)
    sentence = f"SubnetAddCommand of {PEER} failed: .*exit status 3: no mark"
    until(lambda: lines(log) == ["10.50.178.0/24"], lambda: str(lines(log)))
    host.wait_said(sentence)
    status, text = host.http("/readyz")
    assert (status, "extension: SubnetAddCommand of 10.50.177.0/24 failed" in text) == (503, True), text
    mark.touch()
    until(lambda: PEER in lines(log), lambda: host.log)
    host.wait_said("extension: resolved")
    assert host.said(sentence) == 1
    until(lambda: host.http("/readyz")[0] == 200, lambda: host.http("/readyz")[1])


def test_a_hanging_command_is_stopped_and_delays_no_lease_and_no_other_peer(
    host: Host, network: Network, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    network.configure("extension", SubnetAddCommand=f"test $SUBNET != {PEER} || sleep 300; echo $SUBNET >>{log}")
    host.join(SHELL, "--extension-timeout=2", *HEALTH)
    peer(network)
    time.sleep(0.5)
    network.lease("10.50.179.0/24", "192.0.2.79")  # host-gw: followed by the main loop
    assert until(lambda: "10.50.179.0/24" in host.routes(), "the route of another peer") < 1.5
    peer(network, subnet="10.50.178.0/24", public_ip="192.0.2.78")
    until(lambda: lines(log) == ["10.50.178.0/24"], lambda: str(lines(log)))
    host.wait_said(f"SubnetAddCommand of {PEER} was stopped: it did not end within 2 seconds")
    started = time.monotonic()
    assert host.stop() == 0
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("flags", [(), ("--extension-commands=none",)])
def test_commands_are_refused_unless_the_host_permits_them(
    host: Host, network: Network, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    network.configure("extension", PreStartupCommand=f"touch {tmp_path}/ran", SubnetAddCommand=f"touch {tmp_path}/ran")
    peer(network)
    host.start(*flags)
    host.wait_said(
        "config: Backend extension: this host does not permit commands of the network config; set "
        r"--extension-commands \(agent_extension_commands\) to direct or shell if you trust everyone"
    )
    time.sleep(1)
    assert not (tmp_path / "ran").exists()
    assert "READY=1" not in host.notified
    assert network.keys("subnets") == ["10.50.177.0-24"]


def test_a_running_host_that_permits_no_commands_keeps_its_backend(host: Host, network: Network) -> None:
    network.configure("vxlan")
    host.join()
    network.configure("extension", SubnetAddCommand=ADD)
    host.wait_said("does not permit commands of the network config.*the last valid network config stays in use")
    assert host.has("flannel.1")
    assert network.leases()[host.subnet]["BackendType"] == "vxlan"


def test_a_failing_startup_command_is_reported_and_no_subnet_is_leased(
    host: Host, network: Network, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    network.configure("extension", PreStartupCommand=f"cat {mark}", SubnetAddCommand=ADD)
    host.start(DIRECT)
    host.wait_said("PreStartupCommand failed: .*exit status 1: cat: .*: No such file or directory")
    assert not network.keys("subnets")
    mark.write_text("late")
    host.wait_ready()
    assert network.leases()[host.subnet]["BackendData"] == "late"


def test_no_setting_of_the_agent_is_in_the_environment_of_a_command(
    host: Host, network: Network, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    network.configure("extension", PreStartupCommand=f"env >>{log}", SubnetAddCommand=f"env >>{log}")
    peer(network)
    host.start(SHELL, environment={"FLANNELD_KUBE_ANNOTATION_PREFIX": "secret", "ETCDCTL_USER": "secret"})
    host.wait_ready()
    assert "SUBNET=10.50.177.0/24" in log.read_text()
    assert "secret" not in log.read_text()
    assert "NOTIFY_SOCKET" not in log.read_text()


@pytest.mark.parametrize(
    ("data", "public_ip", "problem"),
    [
        ({"VtepMAC": "x"}, PEER_HOST, "BackendData {'VtepMAC': 'x'} is not text, which the commands require"),
        (["x"], PEER_HOST, "BackendData .* is not a JSON object"),
        ("x" * 20000, PEER_HOST, "BackendData has more than 16384 bytes"),
    ],
)
def test_a_lease_that_no_command_can_use_is_reported_and_not_added(
    host: Host, network: Network, tmp_path: Path, data: object, public_ip: str, problem: str
) -> None:
    log = tmp_path / "log"
    network.configure("extension", SubnetAddCommand=f"echo $SUBNET >>{log}")
    peer(network, data, public_ip)
    peer(network, subnet="10.50.178.0/24", public_ip="192.0.2.78")
    host.join(SHELL)
    until(lambda: lines(log) == ["10.50.178.0/24"], lambda: str(lines(log)))
    host.wait_said(f"lease 10.50.177.0-24: {problem}")
    time.sleep(0.5)
    assert lines(log) == ["10.50.178.0/24"]


def test_remove_runs_the_remove_commands(host: Host, network: Network) -> None:
    network.configure("extension", SubnetAddCommand=ADD, SubnetRemoveCommand=REMOVE)
    peer(network)
    host.join(DIRECT)
    assert PEER in host.routes()
    host.stop()
    done = host.run("--remove", DIRECT)
    assert done.returncode == 0, done.stderr
    assert not host.routes()
    assert [path.name for path in host.state.iterdir()] == []


def test_remove_reports_a_failing_command_and_removes_everything_else(host: Host, network: Network) -> None:
    network.configure("extension", SubnetAddCommand="true", SubnetRemoveCommand="false")
    peer(network)
    host.join(DIRECT)
    host.stop()
    done = host.run("--remove", DIRECT)
    assert done.returncode == 1
    assert f"SubnetRemoveCommand of {PEER} failed: 'false': exit status 1; remove the peer by hand" in done.stderr
    assert [path.name for path in host.state.iterdir()] == []
    assert host.run("--remove", DIRECT).returncode == 0


def test_a_fleet_changes_from_commands_to_host_gw_and_back(fleet: Fleet, network: Network) -> None:
    network.configure("extension", SubnetAddCommand=ADD, SubnetRemoveCommand=REMOVE)
    hosts = fleet.joined(2, DIRECT)
    containers = fleet.containers()
    network.configure("host-gw")
    for host in hosts:
        host.wait_started_again()
    pairs = [(hosts[0], hosts[1].subnet), (hosts[1], hosts[0].subnet)]
    until(lambda: all("proto 158" in one.routes().get(other, "") for one, other in pairs), lambda: hosts[0].log)
    assert all(one.reaches(other) for one, other in permutations(containers, 2))
    network.configure("extension", SubnetAddCommand=ADD, SubnetRemoveCommand=REMOVE)
    for host in hosts:
        host.wait_started_again(2)
    until(
        lambda: all(other in one.routes() and "proto" not in one.routes()[other] for one, other in pairs),
        lambda: hosts[0].log,
    )
    assert all(one.reaches(other) for one, other in permutations(containers, 2))


def test_a_peer_that_was_added_stays_under_another_backend_until_its_lease_changes(
    host: Host, network: Network, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    network.configure(
        "extension",
        SubnetAddCommand=f"echo add $SUBNET >>{log}; test $SUBNET = {PEER}",
        SubnetRemoveCommand=f"echo remove $SUBNET >>{log}",
    )
    peer(network)
    peer(network, subnet="10.50.178.0/24", public_ip="192.0.2.78")
    host.join(SHELL)
    network.configure("vxlan")
    host.wait_started_again()
    until(lambda: lines(log)[-1] == "remove 10.50.178.0/24", lambda: str(lines(log)))
    spent = cpu_seconds(host.pid)
    time.sleep(2)
    assert cpu_seconds(host.pid) - spent < 0.5
    assert f"remove {PEER}" not in lines(log)
    network.lease(PEER, PEER_HOST, "0e:00:00:00:00:77")
    until(lambda: f"remove {PEER}" in lines(log), lambda: str(lines(log)))
    until(lambda: "dev flannel.1" in host.routes().get(PEER, ""), "the route by vxlan")


def test_a_dry_run_lists_the_commands_and_runs_none(host: Host, network: Network, tmp_path: Path) -> None:
    network.configure("extension", PostStartupCommand=f"touch {tmp_path}/ran", SubnetAddCommand=f"touch {tmp_path}/ran")
    peer(network)
    done = host.run("--dry-run", SHELL)
    assert done.returncode == 0, done.stderr
    assert "# PostStartupCommand" in done.stdout
    assert not (tmp_path / "ran").exists()


def test_a_killed_agent_repeats_only_the_command_that_it_was_running(
    host: Host, network: Network, tmp_path: Path
) -> None:
    log, mark = tmp_path / "log", tmp_path / "mark"
    network.configure(
        "extension",
        PostStartupCommand=f"echo post >>{log}",
        SubnetAddCommand=f'echo "add $SUBNET" >>{log}; test $SUBNET != {PEER} || test -e {mark} || sleep 300',
        SubnetRemoveCommand=f'echo "remove $SUBNET" >>{log}',
    )
    peer(network, subnet="10.50.178.0/24", public_ip="192.0.2.78")
    host.join(SHELL)
    peer(network)
    until(lambda: f"add {PEER}" in lines(log), lambda: str(lines(log)))
    host.stop(signal.SIGKILL)
    mark.touch()
    host.join(SHELL)
    assert lines(log) == ["post", "add 10.50.178.0/24", f"add {PEER}", f"remove {PEER}", f"add {PEER}"]


def test_changed_commands_are_taken_up_by_a_running_host(host: Host, network: Network, tmp_path: Path) -> None:
    log = tmp_path / "log"

    def configure(post: str, add: str, remove: str) -> None:
        network.configure(
            "extension",
            PostStartupCommand=f"echo {post} >>{log}",
            SubnetAddCommand=f"echo {add} >>{log}",
            SubnetRemoveCommand=f"echo {remove} >>{log}",
        )

    configure("post", "add", "remove")
    peer(network)
    host.join(SHELL)
    configure("post", "add", "remove2")
    host.wait_started_again()
    configure("post", "add2", "remove2")
    host.wait_started_again(2)
    until(lambda: lines(log) == ["post", "add", "remove2", "add2"], lambda: str(lines(log)))
    configure("post2", "add2", "remove2")
    until(lambda: lines(log)[4:] == ["post2", "remove2", "add2"], lambda: str(lines(log)))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"boot": "BOOT", "startup": {}, "added": {"x": {"data": 1}}}',
        '{"boot": "BOOT", "startup": {"run": "x"}, "added": {}}',
    ],
)
def test_a_damaged_memory_of_the_commands_is_reported_and_all_commands_run_again(
    host: Host, network: Network, tmp_path: Path, content: str
) -> None:
    log = tmp_path / "log"
    network.configure("extension", SubnetAddCommand=f"echo $SUBNET >>{log}")
    peer(network)
    host.join(SHELL)
    host.stop()
    (memory,) = host.state.glob("*.extension")
    assert memory.stat().st_mode & 0o777 == 0o600
    memory.write_text(content.replace("BOOT", boot()))
    host.join(SHELL)
    host.wait_said(r"\.extension is damaged and is not used")
    assert lines(log) == [PEER, PEER]


def test_after_a_boot_all_commands_run_again_and_nothing_is_removed(
    host: Host, network: Network, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    network.configure(
        "extension",
        PreStartupCommand=f"echo pre >>{log}",
        SubnetAddCommand=f"echo add >>{log}",
        SubnetRemoveCommand=f"echo remove >>{log}",
    )
    peer(network)
    host.join(SHELL)
    host.stop()
    (memory,) = host.state.glob("*.extension")
    memory.write_text(json.dumps({**json.loads(memory.read_text()), "boot": "another boot"}))
    host.join(SHELL)
    assert lines(log) == ["pre", "add", "pre", "add"]


def test_without_etcd_the_commands_of_the_last_known_network_run_after_a_boot(
    fleet: Fleet, network: Network, own_etcd: EtcdServer, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    network.configure("extension", PreStartupCommand="echo data", SubnetAddCommand=f"echo $SUBNET >>{log}")
    peer(network)
    (host,) = fleet(1)
    host.join(SHELL)
    host.stop()
    (memory,) = host.state.glob("*.extension")
    memory.unlink()
    own_etcd.stop()
    host.join(SHELL)
    assert lines(log) == [PEER, PEER]
    assert host.said("restoring the network from memory file") == 1
