# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measures how fast each backend carries packets: TCP throughput, small packets per second, and latency.

Two hosts in network namespaces run overlayd, each with a container; the figures are from container to container::

    sudo make bench-data
    sudo make bench-data BENCH="--backends vxlan,udp --rounds 5"

The rounds of the backends alternate, and each figure is the median. Both hosts share the processors of one machine, and
their link is a virtual one without limits. So the figures compare the backends with each other, within one run, on a
machine that does nothing else; they are not the figures of a real network. The processor time of the data path
processes of udp for each packet depends less on other programs.
"""

from __future__ import annotations

import argparse
import math
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "collections"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.udp import protocol
from support.agent_fleet import Fleet
from support.agent_host import Container, Host, until
from support.agent_network import Network
from support.etcd_server import EtcdServer
from support.wireguard import with_sockets

BACKENDS = "host-gw,vxlan,udp,wireguard"
PORT = 7001
SECONDS = 2.0  # of each measurement
SMALL = bytes(36)  # with the headers of IPv4 and UDP a packet of 64 bytes
LARGE = bytes(1 << 18)
PINGS = 1000


class Figures(NamedTuple):
    """TCP throughput in bits per second, received packets of 64 bytes per second, round trip of a ping in seconds.

    The others are the processor time in seconds that the processes of udp needed for each TCP segment and for each
    packet of 64 bytes; nan for other backends.
    """

    throughput: float
    packets: float
    latency: float
    send_segment: float
    take_segment: float
    send_small: float
    take_small: float


class Work(NamedTuple):
    """The processor time in seconds of the data path process of udp, and the number of packets that it carried."""

    seconds: float
    packets: int

    @classmethod
    def of(cls, host: Host) -> Work:
        """Read what the process of a host has done; (0, 0) if there is none."""
        status = host.namespace.run(protocol.status)
        if status is None:
            return cls(0, 0)
        nanoseconds = int(Path(f"/proc/{status['pid']}/schedstat").read_text(encoding="ascii").split()[0])
        return cls(nanoseconds / 1e9, status["counters"]["sent"] + status["counters"]["received"])

    def since(self, before: Work) -> float:
        """Return the seconds for each packet."""
        packets = self.packets - before.packets
        return (self.seconds - before.seconds) / packets if packets else math.nan


def receive(kind: str) -> None:
    """Receive for SECONDS after the first data, and print the bytes or packets per second."""
    if kind == "tcp":
        listener = socket.create_server(("", PORT))
        print("listening", flush=True)
        source, _unused = listener.accept()
    else:
        source = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        source.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        source.bind(("", PORT))
        print("listening", flush=True)
    buffer = bytearray(1 << 20)
    source.recv_into(buffer)
    started, total = time.monotonic(), 0
    source.settimeout(SECONDS)
    while time.monotonic() - started < SECONDS:
        size = source.recv_into(buffer)
        total += size if kind == "tcp" else 1
    print(total / (time.monotonic() - started), flush=True)


def send(kind: str, address: str) -> None:
    """Send for ever."""
    if kind == "tcp":
        target = socket.create_connection((address, PORT), 10)
        while True:
            target.sendall(LARGE)
    target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    target.connect((address, PORT))
    while True:
        target.send(SMALL)


def rate(one: Container, other: Container, kind: str) -> float:
    """Return the bytes ("tcp") or packets ("udp") per second from one container to the other."""
    receiver = _start(other, "receive", kind)
    assert receiver.stdout is not None
    assert receiver.stdout.readline() == "listening\n"
    sender = _start(one, "send", kind, other.address)
    try:
        return float(receiver.stdout.readline())
    finally:
        for process in (sender, receiver):
            process.kill()
            process.wait()


def worked(hosts: list[Host], run: Callable[[], float]) -> tuple[float, ...]:
    """Return the result of a run, and the processor time for each packet on each host."""
    before = [Work.of(host) for host in hosts]
    result = run()
    return result, *(Work.of(host).since(earlier) for host, earlier in zip(hosts, before))


def _start(container: Container, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, *words]
    return container.namespace.run(
        lambda: subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    )


def latency(one: Container, other: Container) -> float:
    """Return the average round trip of a ping in seconds."""
    output = one.namespace.command("ping", "-q", "-i", "0.001", "-c", str(PINGS), other.address)
    found = re.search(r"= [\d.]+/([\d.]+)/", output)
    assert found, output
    return float(found[1]) / 1000


def measure(etcd: EtcdServer, backend: str, folder: Path) -> tuple[Figures, int]:
    """Return the figures of a backend on two new hosts, and the MTU of their containers."""
    network = Network(etcd.endpoint)
    network.configure(backend)
    fleet = Fleet(etcd, network, folder)
    try:
        hosts = fleet(2)
        with_sockets(*hosts)
        for host in hosts:
            host.start()
        for host in hosts:
            host.wait_ready()
        one, other = fleet.containers()
        until(lambda: one.reaches(other), f"a ping with {backend}")
        latency(one, other)  # warms up
        ping = latency(one, other)  # before the queues are full
        throughput, *segment = worked(hosts, lambda: rate(one, other, "tcp") * 8)
        packets, *small = worked(hosts, lambda: rate(one, other, "udp"))
        figures = Figures(throughput, packets, ping, *segment, *small)
        mtu = int(hosts[0].subnet_env["FLANNEL_MTU"])
        for host in hosts:
            host.stop()
            host.run("--remove")
        return figures, mtu
    finally:
        fleet.close()
        network.close()


def main() -> None:
    """Measure each backend in alternating rounds, and print a row for each."""
    if sys.argv[1:2] == ["receive"]:
        return receive(sys.argv[2])
    if sys.argv[1:2] == ["send"]:
        return send(sys.argv[2], sys.argv[3])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", default=BACKENDS, help=f"types, separated by commas (default: {BACKENDS})")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each backend")
    options = parser.parse_args()
    backends = options.backends.split(",")
    found: dict[str, list[Figures]] = {backend: [] for backend in backends}
    mtus: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="overlay-bench-") as name, EtcdServer() as etcd:
        for number in range(options.rounds):
            for backend in backends:
                folder = Path(name, f"{backend}{number}")
                folder.mkdir()
                figures, mtus[backend] = measure(etcd, backend, folder)
                found[backend].append(figures)
    _report(found, mtus)


def _report(found: dict[str, list[Figures]], mtus: dict[str, int]) -> None:
    medians = {backend: Figures(*map(statistics.median, zip(*rounds))) for backend, rounds in found.items()}
    first = next(iter(medians.values()))
    print(f"{'backend':12}{'MTU':>6}{'TCP':>14}{'':>7}{'packets of 64 bytes':>22}{'':>7}{'ping':>10}")
    for backend, figures in medians.items():
        throughput, packets = figures.throughput / first.throughput, figures.packets / first.packets
        print(
            f"{backend:12}{mtus[backend]:6}{figures.throughput / 1e9:9.2f} Gbit/s{throughput:6.0%}"
            f"{figures.packets:20,.0f}/s{packets:7.0%}{figures.latency * 1e6:7.0f} µs",
            flush=True,
        )
    for figures in medians.values():
        if not math.isnan(figures.send_segment):
            send, take, send_small, take_small = (f"{seconds * 1e6:.1f} µs" for seconds in figures[3:])
            print(
                f"processor time of udp: {send} to send a TCP segment, {take} to receive it; "
                f"{send_small} and {take_small} for a packet of 64 bytes"
            )


if __name__ == "__main__":
    main()
