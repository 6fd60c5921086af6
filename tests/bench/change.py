# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measures what running containers notice of a changed network config: lost pings, and stalls of TCP streams.

Three hosts in network namespaces run overlayd, each with a container. Between each pair of containers run a ping every
millisecond and a TCP stream, in both directions, while the config in etcd goes through the transitions::

    sudo make bench-change
    sudo make bench-change BENCH="--way vxlan,host-gw,vxlan:2,vxlan --rounds 3"
    sudo make bench-change BENCH="--tree /path/to/another/checkout"

A step of ``--way`` is a backend, with a VNI after a colon where it has one. Figures mean something only on a machine
that does nothing else; the rows "nothing changes" show what the machine itself costs with each backend, and the column
"queues" how many packets of any kind the kernel dropped because a process did not get the processor in time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from itertools import pairwise, permutations
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "collections"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.agent_fleet import Fleet
from support.agent_host import Container, Host, until
from support.agent_network import Network
from support.etcd_server import EtcdServer
from support.netns import Namespace
from support.wireguard import with_sockets

TREE = Path(__file__).resolve().parents[2]
HOSTS = 3
STREAM_PORT = 7000
LEAD, SETTLE = 1.0, 3.0  # seconds of traffic before a change, and after the last host has followed it
CHUNK = bytes(512)
BUFFER = 65536


class Figures(NamedTuple):
    """What the containers of all pairs noticed: pings sent and lost, and the longest stall of a stream in seconds.

    ``queues`` is how many packets of any kind were dropped at a full queue.
    """

    sent: int
    lost: int
    queues: int
    stall: float


class Pings:
    """A ping every millisecond from each container to each other one."""

    def __init__(self, containers: list[Container], folder: Path) -> None:
        """Start them."""
        self._running: list[tuple[subprocess.Popen[bytes], Path]] = []
        for number, (one, other) in enumerate(permutations(containers, 2)):
            path = folder / f"ping{number}"
            command = ["ping", "-n", "-i", "0.001", other.address]
            with path.open("wb") as out:
                process = one.namespace.run(lambda words=command, file=out: subprocess.Popen(words, stdout=file))
            self._running.append((process, path))

    def stop(self) -> tuple[int, int]:
        """Return how many were sent up to the last answer, and how many of those were not answered."""
        sent = lost = 0
        for process, path in self._running:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
            answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", path.read_text())}
            sent += max(answered, default=0)
            lost += max(answered, default=0) - len(answered)
        return sent, lost


class Streams:
    """A TCP stream from each container to each other one: a small write every millisecond."""

    def __init__(self, containers: list[Container]) -> None:
        """Connect them and start to send."""
        self._senders: list[socket.socket] = []
        self._receivers: list[socket.socket] = []
        for container in containers:
            listener = container.namespace.run(_listen)
            for other in containers:
                if other is not container:
                    self._connect(listener, other, container.address)
            listener.close()
        self._stall = 0.0
        self._going = True
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _connect(self, listener: socket.socket, container: Container, address: str) -> None:
        sender = container.namespace.run(socket.create_connection, (address, STREAM_PORT), 10)
        sender.setblocking(False)
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        receiver, _unused = listener.accept()
        receiver.setblocking(False)
        self._senders.append(sender)
        self._receivers.append(receiver)

    def _send(self) -> None:
        while self._going:
            for sender in self._senders:
                try:
                    sender.send(CHUNK)
                except BlockingIOError:
                    continue  # the buffer is full: a stall, which the other end sees
            time.sleep(0.001)

    def _receive(self) -> None:
        last = dict.fromkeys(self._receivers, time.monotonic())
        while self._going:
            ready, _unused, _unused = select.select(self._receivers, [], [], 0.1)
            now = time.monotonic()
            for receiver in ready:
                receiver.recv(BUFFER)
                self._stall = max(self._stall, now - last[receiver])
                last[receiver] = now

    def longest_stall(self) -> float:
        """Return the longest time since the last call in which a stream moved nothing."""
        stall, self._stall = self._stall, 0.0
        return stall

    def close(self) -> None:
        """End the streams."""
        self._going = False
        for thread in self._threads:
            thread.join()
        for one in (*self._senders, *self._receivers):
            one.close()


def full_queues(namespace: Namespace) -> int:
    """Return how many packets of a namespace were dropped at full queues: of devices and of sockets."""
    links = json.loads(namespace.command("ip", "-s", "-j", "link"))
    dropped: int = sum(one["stats64"][way]["dropped"] for one in links for way in ("rx", "tx"))
    snmp = namespace.command("cat", "/proc/net/snmp")
    lines: list[str] = re.findall(r"^Udp: (.*)$", snmp, re.MULTILINE)
    udp = dict(zip(lines[0].split(), map(int, lines[1].split())))
    sockets = namespace.command("cat", "/proc/net/raw", "/proc/net/icmp").splitlines()
    raw = sum(int(line.split()[-1]) for line in sockets if "drops" not in line)
    return dropped + raw + udp["RcvbufErrors"] + udp["SndbufErrors"]


def _listen() -> socket.socket:
    listener = socket.create_server(("", STREAM_PORT))
    listener.settimeout(10)
    return listener


def backend(step: str) -> dict[str, object]:
    """Return the Backend object of the network config for a step of the way, such as vxlan:2."""
    kind, _unused, vni = step.partition(":")
    return {"Type": kind, **({"VNI": int(vni)} if vni else {})}


def configure(network: Network, step: str) -> None:
    """Write the network config of a step."""
    network.put("config", json.dumps({"Network": "10.50.0.0/16", "Backend": backend(step)}))


def followed(fleet: Fleet, network: Network, step: str) -> bool:
    """Whether each host's lease and routes are those of a step."""
    wanted = backend(step)
    for lease in network.leases().values():
        kind = lease.get("BackendType", "udp")  # which flannel omits for udp
        if kind != wanted["Type"]:
            return False
        if kind == "vxlan" and lease["BackendData"].get("VNI", 1) != wanted.get("VNI", 1):
            return False
    devices = {"udp": "flannel0", "wireguard": "flannel-wg", "vxlan": f"flannel.{wanted.get('VNI', 1)}"}
    device = devices.get(str(wanted["Type"]), "eth0")
    return fleet.know_each_other() and all(
        f"dev {device}" in way for host in fleet.hosts for subnet, way in host.routes().items() if subnet != host.subnet
    )


class Change:
    """A fleet with traffic, and the figures of each change of its config."""

    def __init__(self, network: Network, fleet: Fleet, folder: Path, tree: Path, first: str) -> None:
        """Bring the fleet up with the first step of the way."""
        self._network, self._fleet, self._folder = network, fleet, folder
        configure(network, first)
        hosts: list[Host] = fleet(HOSTS)
        with_sockets(*hosts)
        for host in hosts:
            host.start(environment={"PYTHONPATH": str(tree / "plugins" / "module_utils")})
        for host in hosts:
            host.wait_ready()
        self._containers = fleet.containers()
        until(self._reachable, "pings between all containers")

    def _reachable(self) -> bool:
        return all(one.reaches(other) for one, other in permutations(self._containers, 2))

    def _full_queues(self) -> int:
        hosts = [host.namespace for host in self._fleet.hosts]
        return sum(map(full_queues, [*hosts, *(container.namespace for container in self._containers)]))

    def measure(self, step: str | None) -> tuple[Figures, float]:
        """Change the config to a step, or nothing; return the figures, and the seconds until all hosts followed."""
        streams, pings = Streams(self._containers), Pings(self._containers, self._folder)
        try:
            time.sleep(LEAD)
            queues = self._full_queues()
            streams.longest_stall()
            started = time.monotonic()
            if step:
                configure(self._network, step)
                until(lambda: followed(self._fleet, self._network, step), f"all hosts with {step}", 60)
            took = time.monotonic() - started
            time.sleep(SETTLE)
            until(self._reachable, "pings between all containers", 30)
            stall = streams.longest_stall()
            queues = self._full_queues() - queues
        finally:
            sent, lost = pings.stop()
            streams.close()
        return Figures(sent, lost, queues, stall), took


def main() -> None:
    """Measure each transition, and print a row for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--way", default="vxlan,host-gw,udp,wireguard,vxlan,vxlan:2,vxlan", help="steps that the config goes through"
    )
    parser.add_argument("--rounds", type=int, default=1, help="how often the whole way is gone")
    parser.add_argument("--tree", type=Path, default=TREE, help="checkout whose overlayd is measured (default: this)")
    options = parser.parse_args()
    steps = options.way.split(",")
    _have_ordinary_priority()
    with tempfile.TemporaryDirectory(prefix="overlay-bench-") as name, EtcdServer() as etcd:
        network = Network(etcd.endpoint)
        fleet = Fleet(etcd, network, Path(name))
        try:
            change = Change(network, fleet, Path(name), options.tree, steps[0])
            print(
                f"{'transition':28}{'pings':>8}{'lost':>6}{'queues':>8}{'longest stall':>16}{'followed after':>17}",
                flush=True,
            )
            quiet: set[str] = set()
            for _round in range(options.rounds):
                for before, after in pairwise([*steps, *([steps[0]] if steps[-1] != steps[0] else [])]):
                    if before not in quiet:
                        report(f"nothing changes: {before}", *change.measure(None))
                        quiet.add(before)
                    report(f"{before} -> {after}", *change.measure(after))
        finally:
            fleet.close()
            network.close()


def _have_ordinary_priority() -> None:
    """Let the traffic not precede overlayd's processes: a shell with a raised priority would hand it on."""
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    with contextlib.suppress(OSError):  # sched(7): the priority of the session; not every kernel has it
        Path("/proc/self/autogroup").write_text("0", encoding="ascii")


def report(title: str, figures: Figures, took: float) -> None:
    """Print a row."""
    stall, after = f"{figures.stall * 1000:.0f} ms", f"{took:.2f} s"
    print(f"{title:28}{figures.sent:8}{figures.lost:6}{figures.queues:8}{stall:>16}{after:>17}", flush=True)


if __name__ == "__main__":
    main()
