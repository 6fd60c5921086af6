# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The udp backend: overlayd and its data path process, with real packets between hosts."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.companion import Companion
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.udp import protocol
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.udp.packets import ones_sum, packet_length
from support.agent_fleet import Fleet
from support.agent_host import HEALTH, PACKAGE, Container, Host, lost, until
from support.agent_network import Network

PEER, PEER_HOST = "10.50.177.0/24", "192.0.2.77"


def status(host: Host) -> dict[str, Any]:
    """Return the status of the data path process."""
    found = host.namespace.run(protocol.status)
    assert found is not None, host.log
    return found


def peers(host: Host) -> dict[str, tuple[str, int]]:
    """Return the host and the port of each subnet in the data path process."""
    return {f"{text(one.first)}/{one.length}": (text(one.host), one.port) for one in host.namespace.run(protocol.peers)}


def text(address: int) -> str:
    """Return an address as text."""
    return socket.inet_ntoa(address.to_bytes(4, "big"))


def pid_of(host: Host) -> int | None:
    """Return the ID of the data path process, None if none runs."""
    return Companion("udp", host.state).pid


def udp_lease(network: Network, subnet: str = PEER, host: str = PEER_HOST) -> str:
    """Write the lease of a peer as flannel's udp backend does, and return the name of its key."""
    name = network.lease_name(subnet)
    network.put(name, json.dumps({"PublicIP": host, "PublicIPv6": None}), 3600)
    return name


def transfer(one: Container, other: Container, size: int) -> bytes:
    """Send random bytes through a TCP connection; return what arrives, and fail if it differs."""
    listener = other.namespace.run(lambda: socket.create_server((other.address, 7000)))
    sent = os.urandom(1 << 16) * (size >> 16)
    command = ["python3", "-c", SEND, other.address]
    sender = one.namespace.run(lambda: subprocess.Popen(command, stdin=subprocess.PIPE))
    assert sender.stdin is not None
    sender.stdin.write(sent[: 1 << 16] + struct.pack("!I", size >> 16))
    sender.stdin.close()
    listener.settimeout(20)
    connection, _unused = listener.accept()
    listener.close()
    received = bytearray()
    with connection:
        while data := connection.recv(1 << 20):
            received += data
    assert sender.wait(timeout=20) == 0
    assert received == sent
    return bytes(received)


SEND = """
import socket, struct, sys
data = sys.stdin.buffer.read()
with socket.create_connection((sys.argv[1], 7000)) as out:
    out.sendall(data[:1 << 16] * struct.unpack("!I", data[1 << 16:])[0])
"""


def test_containers_of_a_fleet_reach_each_other_with_full_packets(fleet: Fleet, network: Network) -> None:
    network.configure("udp")
    hosts = fleet.joined(2)
    assert [host.subnet_env["FLANNEL_MTU"] for host in hosts] == ["1472", "1472"]
    one, two = fleet.containers()
    assert one.reaches(two), hosts[0].log
    assert two.reaches(one, 1444)
    assert all(lease["BackendType"] == "udp" for lease in network.leases().values())
    assert hosts[0].routes()[hosts[1].subnet].split("dev ")[1].startswith("flannel0 proto 158")
    assert peers(hosts[0]) == {hosts[1].subnet: (hosts[1].address, 8285)}
    transfer(one, two, 32 << 20)
    assert status(hosts[1])["counters"]["received"] > 20000
    assert status(hosts[1])["counters"]["corrupt"] == 0


def test_a_config_without_backend_means_udp_as_in_flannel(host: Host, network: Network) -> None:
    network.put("config", json.dumps({"Network": "10.50.0.0/16"}))
    host.join()
    assert host.has("flannel0")
    assert [lease["BackendType"] for lease in network.leases().values()] == ["udp"]


def test_a_restart_of_overlayd_and_a_new_version_of_the_process_lose_no_packet(fleet: Fleet, network: Network) -> None:
    network.configure("udp")
    hosts = fleet.joined(2)
    one, two = fleet.containers()
    assert one.reaches(two)
    pid, version = pid_of(hosts[0]), status(hosts[0])["version"]
    stream = one.stream(two)
    hosts[0].stop()
    hosts[0].join()
    assert (pid_of(hosts[0]), status(hosts[0])["version"]) == (pid, version)
    hosts[0].stop()
    hosts[0].join("--udp-any-source")  # another program text: the same as an upgrade
    assert pid_of(hosts[0]) == pid
    assert status(hosts[0])["version"] != version
    hosts[0].stop(signal.SIGKILL)
    time.sleep(1)
    hosts[0].join()
    assert status(hosts[0])["version"] == version
    time.sleep(0.3)
    assert lost(stream)[1] == 0
    assert not hosts[0].said("repaired")


def test_a_killed_process_is_restarted_with_its_peers(fleet: Fleet, network: Network) -> None:
    network.configure("udp")
    hosts = fleet.joined(2)
    one, two = fleet.containers()
    assert one.reaches(two)
    pid = pid_of(hosts[0])
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid_of(hosts[0]) not in (None, pid), "another process")
    until(lambda: one.ping(two.address), "a ping")
    hosts[0].wait_said("repaired: device flannel0 had no data path")
    assert hosts[0].said("ERROR") == 0


def test_a_process_that_does_not_answer_is_killed_and_delays_no_other_peer(fleet: Fleet, network: Network) -> None:
    network.configure("udp")
    hosts = fleet.joined(2)
    one, two = fleet.containers()
    assert one.reaches(two)
    host, pid = hosts[0], pid_of(hosts[0])
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    network.lease("10.50.202.0/24", "192.0.2.202", BackendType="host-gw")
    until(lambda: "10.50.202.0/24" in host.routes(), lambda: host.log, 4.0)
    until(lambda: one.ping(two.address), lambda: host.log, 20.0)
    assert pid_of(host) not in (None, pid)
    assert host.said(rf"process udp \(process ID {pid}\) does not answer; it is killed and started again") == 1
    assert host.said("does not answer") == 1 + host.said("ERROR.*does not answer")


def test_a_process_that_does_not_answer_at_start_is_killed(host: Host, network: Network) -> None:
    network.configure("udp")
    host.join()
    host.stop()
    pid = pid_of(host)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    host.join()
    until(lambda: pid_of(host) not in (None, pid), lambda: host.log)
    until(lambda: protocol_settings(host), lambda: host.log)


def protocol_settings(host: Host) -> object:
    """Return the settings of the data path process, None if it carries nothing."""
    return host.namespace.run(protocol.settings_of)


def test_a_change_to_udp_waits_for_a_process_that_starts_late(host: Host, network: Network) -> None:
    network.configure("host-gw")
    host.join()
    with (host.state / "udp.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        network.configure("udp")
        # The first turn of the loop has ended without the process, and the process was started once more.
        until(lambda: host.log.count("another process holds") >= 2, lambda: host.log)
        assert not host.said("cannot be created")
    host.wait_started_again()
    assert not host.said("cannot be created")
    assert network.leases()[host.subnet].get("BackendType") == "udp"
    assert pid_of(host) is not None


def test_a_process_that_never_starts_is_reported_and_leaves_nothing(host: Host, network: Network) -> None:
    network.configure("host-gw")
    host.join(*HEALTH)
    with (host.state / "udp.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        network.configure("udp")
        until(lambda: "another process holds" in host.log, lambda: host.log)
        network.configure("host-gw")
        host.wait_said("device flannel0 of the udp backend cannot be created: .*process udp has not started yet")
    until(lambda: "flannel0" not in host.http("/healthz")[1], lambda: host.http("/healthz")[1])
    assert network.leases()[host.subnet]["BackendType"] == "host-gw"
    assert pid_of(host) is None
    assert not list(host.state.glob("udp.companion"))


def test_a_peer_is_added_moved_and_removed(host: Host, network: Network) -> None:
    network.configure("udp")
    host.join()
    name = udp_lease(network)
    until(lambda: peers(host) == {PEER: (PEER_HOST, 8285)}, lambda: f"the peer: {peers(host)} {host.log}")
    until(lambda: "dev flannel0" in host.routes().get(PEER, ""), "the route to the peer")
    udp_lease(network, host="192.0.2.78")
    until(lambda: peers(host) == {PEER: ("192.0.2.78", 8285)}, "the new host of the peer")
    host.wait_said(f"peer changed: {PEER} at 192.0.2.78 \\(udp\\), was at {PEER_HOST}")
    network.delete(name)
    until(lambda: peers(host) == {} and PEER not in host.routes(), "no peer")
    assert host.said("repaired") == 0


def test_peers_that_left_while_overlayd_was_stopped_are_removed(host: Host, network: Network) -> None:
    network.configure("udp")
    name = udp_lease(network)
    host.join()
    assert peers(host) == {PEER: (PEER_HOST, 8285)}
    host.stop()
    network.delete(name)
    host.join()
    assert peers(host) == {}
    assert PEER not in host.routes()


def test_a_lease_that_cannot_be_used_is_reported_and_affects_no_other(host: Host, network: Network) -> None:
    network.configure("udp")
    network.put("subnets/10.50.166.0-24", "{", 3600)
    network.lease("10.50.167.0/24", host.address, BackendType="udp")
    udp_lease(network)
    host.join()
    assert PEER in host.routes()
    host.wait_said("10.50.166.0-24")
    assert "10.50.167.0/24" not in host.routes()


def test_a_host_uses_its_reserved_subnet(host: Host, network: Network) -> None:
    network.configure("udp")
    network.put("subnets/10.50.99.0-24", json.dumps({"PublicIP": host.address}))
    host.join()
    assert host.subnet == "10.50.99.0/24"
    assert network.item("subnets/10.50.99.0-24").reservation


@pytest.mark.parametrize(
    "damage",
    [
        "link delete flannel0",
        "link set flannel0 down",
        "link set flannel0 mtu 1400",
        "address delete {own}/32 dev flannel0",
        "route delete {other}",
    ],
)
def test_a_change_by_another_program_is_repaired(fleet: Fleet, network: Network, damage: str) -> None:
    network.configure("udp")
    hosts = fleet.joined(2)
    one, two = fleet.containers()
    assert one.reaches(two)
    own = hosts[0].subnet.partition("/")[0]
    hosts[0].ip(*damage.format(own=own, other=hosts[1].subnet).split())
    hosts[0].wait_said("repaired: ")
    until(lambda: one.ping(two.address), "a ping")
    assert "mtu 1472" in hosts[0].ip("link", "show", "flannel0")
    assert f"{own}/32" in hosts[0].ip("address", "show", "flannel0")
    assert hosts[0].said("ERROR") == 0, hosts[0].log


def test_a_changed_mtu_of_the_underlay_is_used_without_a_lost_packet(fleet: Fleet, network: Network) -> None:
    network.configure("udp")
    hosts = fleet.joined(2)
    one, two = fleet.containers()
    assert one.reaches(two)
    pid = pid_of(hosts[0])
    stream = one.stream(two)
    hosts[0].ip("link", "set", "eth0", "mtu", "1400")
    hosts[0].wait_started_again()
    assert hosts[0].subnet_env["FLANNEL_MTU"] == "1372"
    assert "mtu 1372" in hosts[0].ip("link", "show", "flannel0")
    assert pid_of(hosts[0]) == pid
    time.sleep(0.3)
    assert lost(stream)[1] == 0


def test_remove_leaves_nothing(fleet: Fleet, network: Network) -> None:
    network.configure("udp")
    host, _other = fleet.joined(2)
    pid = pid_of(host)
    host.stop()
    assert pid_of(host) == pid
    done = host.run("--remove")
    assert done.returncode == 0, done.stderr
    assert not host.has("flannel0")
    assert not host.routes()
    until(lambda: not os.path.lexists(f"/proc/{pid}"), "the end of the process")
    assert list(host.state.iterdir()) == []


def test_each_datagram_is_one_plain_ipv4_packet_as_for_flannel(fleet: Fleet, network: Network) -> None:
    network.configure("udp")
    host, other = fleet(2)
    udp_lease(network, PEER, other.address)
    host.join()
    container = host.container()

    def listen() -> socket.socket:
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        out.bind((other.address, 8285))
        out.settimeout(10)
        return out

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.bind((container.address, 7001))
            for size in (*[36] * 100, *[1444] * 50, 1, 700, 1444, 0, 35):
                out.sendto(bytes([size & 255]) * size, ("10.50.177.5", 7002))

    try:
        with other.namespace.run(listen) as flannel:
            container.namespace.run(send)
            packets = [flannel.recv(65536) for _unused in range(155)]
            # What flannel would send back: the same packet in the other direction, for the last one.
            answer = bytearray(packets[-1])
            answer[12:16], answer[16:20] = packets[-1][16:20], packets[-1][12:16]
            answer[20:22], answer[22:24] = packets[-1][22:24], packets[-1][20:22]
            receiver = container.namespace.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            with receiver:
                container.namespace.run(receiver.bind, (container.address, 7001))
                receiver.settimeout(10)
                flannel.sendto(answer, (host.address, 8285))
                assert receiver.recv(100) == bytes([35]) * 35
    finally:
        container.close()
    for packet, size in zip(packets, (*[36] * 100, *[1444] * 50, 1, 700, 1444, 0, 35)):
        assert packet_length(memoryview(packet)) == len(packet) == 28 + size
        assert packet[8] == 62  # the host and the data path both forwarded it
        assert ones_sum(packet[:20]) == 0
        assert ones_sum(packet[12:20] + struct.pack("!HH", 17, len(packet) - 20) + packet[20:]) == 0
        assert packet[28:] == bytes([size & 255]) * size


def test_only_hosts_with_a_lease_may_send(fleet: Fleet, network: Network) -> None:
    network.configure("udp")
    hosts = fleet(3)
    hosts[0].join()
    hosts[1].join()
    packet = bytes.fromhex("4500001c00000000401100000a3207010a320801000900090008") + bytes(2)

    def send(host: Host) -> None:
        def work() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                out.sendto(packet, (hosts[0].address, 8285))

        host.namespace.run(work)

    until(lambda: peers(hosts[0]), "a peer")
    send(hosts[2])
    until(lambda: status(hosts[0])["counters"]["foreign"] == 1, "a rejected packet")
    assert status(hosts[0])["counters"]["received"] == 0
    send(hosts[1])
    until(lambda: status(hosts[0])["counters"]["received"] == 1, "an accepted packet")
    hosts[0].stop()
    hosts[0].join("--udp-any-source")
    send(hosts[2])
    until(lambda: status(hosts[0])["counters"]["received"] == 1, "an accepted packet after the switch")


def test_no_datagram_and_no_request_stops_the_process(fleet: Fleet, network: Network) -> None:
    network.configure("udp")
    hosts = fleet.joined(2)
    one, two = fleet.containers()
    assert one.reaches(two)
    pid, chance = pid_of(hosts[0]), random.Random(4)
    tcp = bytes.fromhex("4500003c00014000400600000a3201020a320202") + bytes(40)

    def flood() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for number in range(20000):
                data = bytearray(tcp if number % 2 else chance.randbytes(chance.randrange(200)))
                for _unused in range(number % 5 if data else 0):
                    data[chance.randrange(len(data))] = chance.randrange(256)
                out.sendto(data[: chance.randrange(len(data) + 1)] if number % 3 else data, (hosts[0].address, 8285))
            out.sendto(chance.randbytes(60000), (hosts[0].address, 8285))  # in fragments

    def disturb() -> None:
        for _unused in range(2000):
            with contextlib.suppress(protocol.ControlError):
                kind = chance.choice([b"S", b"P", b"C", b"A", b"R", b"x", b"\0"])
                protocol.request(kind, chance.randbytes(chance.randrange(8)) if kind in b"ARC" else b"")

    hosts[1].namespace.run(flood)
    hosts[0].namespace.run(disturb)
    assert pid_of(hosts[0]) == pid
    assert status(hosts[0])["counters"]["corrupt"] > 1000
    assert one.reaches(two, 1444), hosts[0].log
    assert not hosts[0].said("Traceback")


def test_a_root_process_without_the_capability_cannot_control_it(fleet: Fleet, network: Network) -> None:
    network.configure("udp")
    host, _other = fleet.joined(2)
    code = "from overlay.udp import protocol; print(protocol.request(protocol.REMOVE, protocol.request(b'P')[1:]))"
    until(lambda: peers(host), lambda: host.log)
    before = peers(host)

    def remove_all(*prefix: str) -> subprocess.CompletedProcess[str]:
        command = [*prefix, sys.executable, "-c", code]
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
        return host.namespace.run(
            lambda: subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        )

    refused = remove_all("setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin")
    assert "closed the connection: CAP_NET_ADMIN is required" in refused.stderr
    assert peers(host) == before
    assert remove_all().returncode == 0
    assert peers(host) == {}


IMPOSTOR = """
import os, socket, sys
os.setuid(65534)
control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
control.bind("\\0overlayd-udp")
control.listen()
print(flush=True)
while True:
    client = control.accept()[0]
    if client.recv(9999):
        client.send(sys.argv[1].encode())
"""
FALSE_STATUS = '{"version": 1, "settings": {"address": 1, "port": 2, "device": "flannel0", "mtu": 1, "own": "z"}}'


@pytest.mark.parametrize("answer", ["[5]", FALSE_STATUS], ids=["list", "settings"])
def test_a_process_without_the_capability_cannot_block_the_socket(fleet: Fleet, network: Network, answer: str) -> None:
    network.configure("udp")
    hosts = fleet(2)
    command = [sys.executable, "-c", IMPOSTOR, answer]
    other = hosts[0].namespace.run(lambda: subprocess.Popen(command, stdout=subprocess.PIPE))
    try:
        assert other.stdout is not None and other.stdout.readline()
        for host in hosts:
            host.join()
        one, two = fleet.containers()
        assert one.reaches(two), hosts[0].log
        pid = pid_of(hosts[0])
        hosts[0].stop()
        hosts[0].join()
        assert (pid_of(hosts[0]), hosts[0].said("Traceback")) == (pid, 0)
    finally:
        other.kill()
        other.wait()
    assert peers(hosts[0])


@pytest.mark.parametrize(
    "state",
    [
        "null",
        "[]",
        '{"address": "192.0.2.11", "port": 99999, "device": "flannel0", "mtu": 1400, "own": "10.50.1.0"}',
        '{"address": 5, "port": 8285, "device": "flannel0", "mtu": 1400, "own": "10.50.1.0"}',
    ],
)
def test_a_state_file_with_wrong_values_is_ignored(host: Host, network: Network, state: str) -> None:
    network.configure("udp")
    host.join()
    pid = pid_of(host)
    assert pid is not None
    (host.state / "udp.state").write_text(f"{state}\n")
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid_of(host) not in (None, pid) and protocol_settings(host), lambda: host.log, 20.0)
    assert not host.said("Traceback")


def test_an_unleased_destination_in_the_device_gets_an_icmp_error(host: Host, network: Network) -> None:
    network.configure("udp")
    host.join()
    host.ip("route", "add", "10.50.200.0/24", "dev", "flannel0", "metric", "5")
    done = host.namespace.run(
        lambda: (
            subprocess.run(["ping", "-c1", "-W3", "10.50.200.1"], capture_output=True, text=True, check=False).stdout
        )
    )
    assert "Destination Net Unreachable" in done, done


def test_a_port_in_use_is_an_error_that_names_the_program(host: Host, network: Network) -> None:
    network.configure("udp", Port=8290)
    program = [
        "python3",
        "-c",
        "import socket, time; s = socket.socket(2, 2); s.bind(('', 8290)); print(flush=True); time.sleep(1000)",
    ]
    other = host.namespace.run(lambda: subprocess.Popen(program, stdout=subprocess.PIPE))
    try:
        assert other.stdout is not None and other.stdout.readline()
        host.start()
        host.wait_said(rf"UDP port 8290 is in use by python3 \(process {other.pid}\)")
        assert "READY=1" not in host.notified
    finally:
        other.kill()
        other.wait()
    host.wait_ready()


def test_a_device_name_that_is_taken_is_a_clear_error(host: Host, network: Network) -> None:
    host.ip("link", "add", "flannel0", "type", "bridge")
    network.configure("udp")
    host.start()
    host.wait_said("interface flannel0 exists but is a bridge device, not tun; it is left untouched")
    host.ip("link", "delete", "flannel0")
    host.wait_ready()
