# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The wireguard backend, by the kernel or wireguard-go: keys, peers, packets, repair and removal."""

from __future__ import annotations

import base64
import signal
import stat
import subprocess
import sys
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from support import wireguard as wg
from support.agent_fleet import Fleet
from support.agent_host import HEALTH, Host, lost, until
from support.agent_network import Network

PEER, PEER_HOST = "10.50.177.0/24", "192.0.2.77"
PSK = "2rbkLG1+GnMBXh5o4bHS2ZFNrCtVbEEXb3GE0bJXtWk="


def wireguard_fleet(fleet: Fleet, network: Network, count: int, **options: Any) -> list[Host]:
    """Return hosts that run overlayd with the wireguard backend, once each knows all others."""
    network.configure("wireguard", **options)
    hosts = fleet(count)
    wg.with_sockets(*hosts)
    for host in hosts:
        host.start()
    for host in hosts:
        host.wait_ready()
    for host in hosts:
        wg.wait_peers(host, count - 1)
    return hosts


def test_full_size_packets_pass_and_the_underlay_carries_no_clear_text(fleet: Fleet, network: Network) -> None:
    hosts = wireguard_fleet(fleet, network, 3, PSK=wg.random_key())
    containers = fleet.containers()
    assert all(host.subnet_env["FLANNEL_MTU"] == "1420" for host in hosts)
    assert all(one.reaches(other, size=1420 - 28) for one in containers for other in containers if one is not other)
    assert not containers[0].reaches(containers[1], size=1420 - 27)


def assert_lossless(stream: subprocess.Popen[str]) -> None:
    """Check that no ping of a stream was lost.

    wireguard-go itself loses packets on a busy machine, also if nothing changes, so up to one percent is accepted of
    it. tools/kernel.py repeats these tests with the device of the kernel.
    """
    sent, count = lost(stream)
    assert count <= (0 if wg.is_in_kernel() else sent // 100), f"{count} of {sent}"


def has_followed(network: Network, hosts: list[Host], backend: str) -> bool:
    """Whether all leases are of a backend, and all hosts have routes to all others by it."""
    device = {"wireguard": "flannel-wg", "vxlan": "flannel.1", "host-gw": "eth0"}[backend]
    if any(lease["BackendType"] != backend for lease in network.leases().values()):
        return False
    subnets = {host.subnet for host in hosts}
    tables = {host.subnet: host.routes() for host in hosts}
    return all(f"dev {device}" in tables[one].get(other, "") for one, other in permutations(subnets, 2))


@pytest.mark.parametrize("other", ["vxlan", "host-gw"])
def test_a_running_fleet_changes_to_wireguard_and_back_without_a_lost_packet(
    fleet: Fleet, network: Network, other: str
) -> None:
    network.configure(other)
    hosts = fleet(3)
    wg.with_sockets(*hosts)
    for host in hosts:
        host.start()
    for host in hosts:
        host.wait_ready()
    containers = fleet.containers()
    assert all(one.reaches(two) for one, two in permutations(containers, 2))
    streams = [one.stream(two) for one, two in permutations(containers, 2)]
    for number, backend in enumerate(("wireguard", other), 1):
        network.configure(backend, **({"PSK": wg.random_key()} if backend == "wireguard" else {}))
        for host in hosts:
            host.wait_started_again(number)
        until(partial(has_followed, network, hosts, backend), f"all hosts with {backend}")
        assert all(one.reaches(two) for one, two in permutations(containers, 2))
    for stream in streams:
        assert_lossless(stream)
    assert all(not host.said("no WireGuard key within") for host in hosts)


def lease(network: Network, key: str, subnet: str = PEER, host: str = PEER_HOST, port: object = 51820) -> str:
    """Write the lease of a peer."""
    return network.lease(subnet, host, BackendType="wireguard", BackendData={"PublicKey": key, "Port": port})


@pytest.mark.parametrize(
    "value", ["garbage", "[1]", '{{"PublicIP":"{ip}","BackendType":"vxlan","BackendData":[1]}}', ""]
)
def test_a_host_with_a_damaged_lease_changes_to_wireguard(fleet: Fleet, network: Network, value: str) -> None:
    network.configure("vxlan")
    host = fleet(1)[0]
    wg.with_sockets(host)
    host.join()
    name = network.lease_name(host.subnet)
    host.send(signal.SIGSTOP)
    if value:
        network.put(name, value.format(ip=host.address), 3600)
    else:
        network.delete(name)
    network.configure("wireguard")
    host.send(signal.SIGCONT)
    until(lambda: '"BackendType":"wireguard"' in (network.value(name) or ""), lambda: host.log)
    host.wait_started_again()
    assert not host.said("Traceback")


@pytest.fixture
def wireguard_host(fleet: Fleet, network: Network) -> Host:
    """A host on which overlayd does not run yet, in a wireguard network with a pre-shared key."""
    network.configure("wireguard", PSK=PSK, PersistentKeepaliveInterval=25)
    host = fleet(1)[0]
    wg.with_sockets(host)
    return host


def test_the_lease_device_key_and_route_are_those_of_flannel(wireguard_host: Host, network: Network) -> None:
    host, key = wireguard_host, wg.random_key()
    lease(network, key, port=4000)
    host.join()
    value = network.item(network.lease_name(host.subnet)).value
    public = wg.public_key(host)
    assert value == (
        f'{{"PublicIP":"192.0.2.11","PublicIPv6":null,"BackendType":"wireguard",'
        f'"BackendData":{{"PublicKey":"{public}","Port":51820}}}}'
    )
    assert wg.dump(host)[0][2] == "51820"
    assert wg.peers(host) == {key: wg.Peer(PSK, f"{PEER_HOST}:4000", PEER, 0, "25")}
    route = host.routes()[PEER]
    assert "dev flannel-wg" in route
    assert "via" not in route
    assert "mtu 1420" in host.ip("link", "show", "flannel-wg")
    assert f"inet {host.subnet.replace('/24', '/32')}" in host.ip("address", "show", "flannel-wg")
    file = wg.key_file(host)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert host.namespace.command("sh", "-c", f"wg pubkey <{file}").strip() == public


def test_a_restart_and_a_lost_key_file_change_nothing(wireguard_host: Host, network: Network) -> None:
    host, key = wireguard_host, wg.random_key()
    lease(network, key)
    host.join()
    before, process = wg.dump(host), wg.process(host)
    private = wg.key_file(host).read_text()
    revision = network.item(network.lease_name(host.subnet)).revision
    host.stop()
    wg.key_file(host).unlink()
    assert wg.dump(host) == before
    host.join("--v=1")
    assert wg.dump(host) == before
    assert wg.process(host) == process
    assert wg.key_file(host).read_text() == private
    assert network.item(network.lease_name(host.subnet)).revision == revision
    assert not host.said("kernel: ")


def test_peers_are_added_moved_changed_and_removed(wireguard_host: Host, network: Network) -> None:
    host, one, two = wireguard_host, wg.random_key(), wg.random_key()
    host.join()
    name = lease(network, one)
    wg.wait_peers(host, 1)
    lease(network, one, host="192.0.2.78", port=5000)
    until(lambda: wg.peers(host)[one].endpoint == "192.0.2.78:5000", "the new end point")
    lease(network, two, host="192.0.2.78")
    until(lambda: list(wg.peers(host)) == [two], "the new key alone")
    assert wg.peers(host)[two].allowed == PEER
    network.delete(name)
    wg.wait_peers(host, 0)
    until(lambda: PEER not in host.routes(), "no route")
    assert not host.said("repaired")
    assert not host.said("ERROR")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "BackendData has no PublicKey"),
        ({"PublicKey": "abc"}, "PublicKey is not a WireGuard key: it has 3 characters"),
        ({"PublicKey": "A" * 43 + "="}, "PublicKey is zero"),
        ({"PublicKey": 7}, "PublicKey is not a WireGuard key: it is not text"),
        ({"PublicKey": "B" * 42 + "A=", "Port": "4000"}, "Port '4000' is not a UDP port from 1 to 65535"),
        ({"PublicKey": "B" * 42 + "A=", "Port": 0}, "Port 0 is not a UDP port from 1 to 65535"),
    ],
)
def test_a_bad_lease_is_reported_and_affects_no_other_peer(
    wireguard_host: Host, network: Network, data: dict[str, object], message: str
) -> None:
    host, key = wireguard_host, wg.random_key()
    network.lease("10.50.166.0/24", "192.0.2.66", BackendType="wireguard", BackendData=data)
    lease(network, key)
    host.join()
    assert list(wg.peers(host)) == [key]
    host.wait_said(message)
    assert "10.50.166.0/24" not in host.routes()


def test_two_leases_with_one_key_are_reported_and_the_newer_one_is_used(wireguard_host: Host, network: Network) -> None:
    host, key = wireguard_host, wg.random_key()
    lease(network, key)
    host.join()
    name = lease(network, key, "10.50.178.0/24", "192.0.2.78")
    host.wait_said(f"not routed: PublicKey {key} is also that of another host, 192.0.2.78".replace("+", r"\+"))
    until(lambda: wg.peers(host)[key].allowed == "10.50.178.0/24", lambda: str(wg.peers(host)))
    assert wg.peers(host)[key].endpoint == "192.0.2.78:51820"
    assert PEER not in host.routes()
    network.delete(name)
    until(lambda: wg.peers(host).get(key, wg.Peer("", "", "", 0, "")).allowed == PEER, lambda: str(wg.peers(host)))
    until(lambda: PEER in host.routes(), "the route of the older lease")


def test_a_lease_of_another_type_does_not_take_the_key_of_a_host(wireguard_host: Host, network: Network) -> None:
    host, key = wireguard_host, wg.random_key()
    lease(network, key)
    host.join()
    data = {"PublicKey": key, "Port": 51820}
    network.lease("10.50.178.0/24", "192.0.2.78", BackendType="host-gw", BackendData=data)
    host.wait_said(
        "lease 10.50.178.0-24 of 192.0.2.78: its packets are not accepted on the wireguard device: PublicKey"
    )
    assert f"{key} is also that of another host, 192.0.2.77, whose lease 10.50.177.0-24 is of type wire" in host.log
    until(lambda: "10.50.178.0/24" in host.routes(), "the route of the host-gw lease")
    assert (wg.peers(host)[key].allowed, wg.peers(host)[key].endpoint) == (PEER, f"{PEER_HOST}:51820")


def test_a_lease_with_this_hosts_own_key_is_reported(wireguard_host: Host, network: Network) -> None:
    host = wireguard_host
    host.join()
    lease(network, wg.public_key(host))
    host.wait_said("is this host's own; two hosts with one key cannot reach each other")
    assert PEER not in host.routes()


def test_one_host_with_two_subnets_keeps_the_other_when_one_goes(wireguard_host: Host, network: Network) -> None:
    host, key = wireguard_host, wg.random_key()
    name = lease(network, key)
    lease(network, key, "10.50.178.0/24")
    lease(network, key, "10.50.179.0/24")
    host.join()
    until(lambda: wg.peers(host)[key].allowed.count(",") == 2, lambda: str(wg.peers(host)))
    network.delete(name)
    until(lambda: wg.peers(host)[key].allowed.count(",") == 1, lambda: str(wg.peers(host)))
    assert sorted(wg.peers(host)[key].allowed.split(",")) == ["10.50.178.0/24", "10.50.179.0/24"]


def test_changes_by_other_programs_are_repaired(wireguard_host: Host, network: Network) -> None:
    host, key = wireguard_host, wg.random_key()
    lease(network, key)
    host.join()
    before = wg.dump(host)
    stranger = wg.random_key()
    command = host.namespace.command
    command("wg", "set", "flannel-wg", "peer", key, "remove")
    command("wg", "set", "flannel-wg", "peer", stranger, "allowed-ips", "10.50.90.0/24,fd00::/64")
    host.ip("link", "set", "flannel-wg", "mtu", "1300")  # a notification: the repair is due at once
    until(lambda: wg.dump(host) == before, lambda: f"{wg.dump(host)}; {host.log}")
    command("wg", "set", "flannel-wg", "listen-port", "4444", "peer", key, "endpoint", "192.0.2.99:1")
    command("wg", "set", "flannel-wg", "peer", key, "allowed-ips", "10.50.91.0/24")
    host.ip("link", "set", "flannel-wg", "mtu", "1300")
    until(lambda: wg.dump(host) == before, lambda: f"{wg.dump(host)}; {host.log}")
    host.wait_said("repaired: WireGuard peer .* was missing or different")
    host.wait_said("repaired: removed WireGuard peer")
    host.wait_said("repaired: device flannel-wg had another key or port")


def test_no_packet_is_lost_over_a_restart_of_overlayd(fleet: Fleet, network: Network) -> None:
    hosts = wireguard_fleet(fleet, network, 2)
    one, two = fleet.containers()
    assert one.reaches(two)
    stream = one.stream(two)
    for host in hosts:
        host.stop(signal.SIGKILL)
        host.join()
    assert_lossless(stream)


def test_a_host_with_another_psk_is_not_reached(fleet: Fleet, network: Network) -> None:
    hosts = wireguard_fleet(fleet, network, 2, PSK=PSK)
    hosts[1].stop()
    hosts[1].namespace.command("ip", "link", "delete", "flannel-wg")
    until(lambda: not hosts[1].has("flannel-wg"), "no device")
    network.configure("wireguard", PSK=wg.random_key())
    hosts[0].wait_started_again()
    network.configure("wireguard", PSK=PSK)
    hosts[0].stop()
    hosts[1].join()
    one, two = (host.container() for host in hosts)
    try:
        assert not one.reaches(two)
        hosts[0].join()
        until(lambda: one.reaches(two), "packets with the same key")
    finally:
        one.close()
        two.close()


def test_removal_leaves_nothing(wireguard_host: Host, network: Network) -> None:
    host = wireguard_host
    lease(network, wg.random_key())
    host.join()
    process = wg.process(host)
    subnet = host.subnet
    host.stop()
    done = host.run("--remove", "--release")
    assert done.returncode == 0, done.stderr
    until(lambda: not Path(f"/proc/{process}").exists(), "the end of wireguard-go")
    assert not host.has("flannel-wg")
    assert not host.routes()
    assert list(host.state.iterdir()) == []
    assert not network.get(network.lease_name(subnet))


def test_a_port_in_use_is_reported_with_its_program(wireguard_host: Host) -> None:
    host = wireguard_host
    script = "import socket, time; s = socket.socket(type=2); s.bind(('', 51820)); print(flush=True); time.sleep(99)"
    other = host.namespace.run(lambda: subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE))
    try:
        assert other.stdout is not None
        other.stdout.readline()
        host.start()
        host.wait_said(rf"UDP port 51820 is in use by python\S* \(process {other.pid}\)")
        assert "READY=1" not in host.notified
    finally:
        other.kill()
        other.communicate()
    host.wait_ready()


def test_a_foreign_interface_with_the_name_of_the_device_is_left_untouched(wireguard_host: Host) -> None:
    host = wireguard_host
    host.ip("link", "add", "flannel-wg", "type", "bridge")
    host.start()
    host.wait_said("interface flannel-wg exists but is a bridge device, not wireguard; it is left untouched")
    host.ip("link", "delete", "flannel-wg")
    host.wait_ready()


def test_no_output_contains_a_secret(wireguard_host: Host, network: Network) -> None:
    host = wireguard_host
    lease(network, wg.random_key())
    dry = host.run("--dry-run")
    host.join("--v=1", *HEALTH)
    network.put("config", network.item("config").value[:-1])
    host.wait_said("the network config is not JSON")
    pages = "".join(host.http(path)[1] for path in ("/healthz", "/readyz", "/metrics"))
    output = dry.stdout + dry.stderr + host.log + pages + host.process_list() + "".join(host.notified)
    assert "preshared-key (hidden)" in dry.stdout
    assert "preshared-key (hidden)" in host.log
    secrets = (PSK, wg.key_file(host).read_text().strip())
    for secret in secrets:
        assert secret not in output
        assert base64.b64decode(secret).hex() not in output
    files = [
        file for file in host.folder.rglob("*") if file.is_file() and any(one in file.read_text() for one in secrets)
    ]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_dry_run_shows_the_commands_and_changes_nothing(wireguard_host: Host, network: Network) -> None:
    host, key = wireguard_host, wg.random_key()
    lease(network, key)
    lines = host.run("--dry-run").stdout.splitlines()
    assert "ip link add flannel-wg mtu 1420 type wireguard" in lines
    assert f"wg set flannel-wg listen-port 51820 private-key {wg.key_file(host)}" in lines
    assert any(line.startswith(f"wg set flannel-wg peer {key} preshared-key (hidden) endpoint") for line in lines)
    assert not host.has("flannel-wg")
    assert not wg.key_file(host).exists()


def test_a_deleted_device_comes_back_with_everything(fleet: Fleet, network: Network) -> None:
    hosts = wireguard_fleet(fleet, network, 2, PSK=PSK)
    one, two = fleet.containers()
    assert one.reaches(two)
    key = wg.public_key(hosts[0])
    hosts[0].ip("link", "delete", "flannel-wg")
    until(lambda: one.reaches(two), lambda: hosts[0].log)
    assert wg.public_key(hosts[0]) == key
