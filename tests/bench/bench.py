# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measures an overlay daemon, ours or another with flannel's flags: start, a new lease's way, whole fleets, memory.

Everything runs in a network namespace of its own, with a real etcd on its loopback::

    sudo make bench                                                # overlayd from this tree
    sudo make bench BENCH="--daemon /usr/local/bin/flanneld --rounds 5"

Compare daemons within one run only. Times are seconds of the wall clock; "programmed" means that the kernel has
announced the last peer's route, and afterwards as many routes, neighbours and FDB rows are counted as peers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench_etcd import PREFIX, QUIET, EtcdClient
from swarm import Swarm, cpu_seconds

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.etcd_server import EtcdServer

TREE = Path(__file__).resolve().parent.parent.parent
OVERLAYD = f"{sys.executable} -m overlay.agent"
UNDERLAY, HOST = "bench0", "172.16.0.1"
NETWORK = "10.0.0.0/8"
RTM_NEWROUTE, RTMGRP_IPV4_ROUTE = 24, 0x40
MAIN = 254


class RouteCounter(threading.Thread):
    """Counts the kernel's announcements of new routes below the overlay, with the time of the last."""

    def __init__(self) -> None:
        """Listen from now on."""
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE: no announcement may be lost
        self._socket.bind((0, RTMGRP_IPV4_ROUTE))
        self._socket.settimeout(0.2)
        self._going = True
        self.count = 0
        self.last = 0.0
        self.start()

    def run(self) -> None:
        """Count until stopped."""
        while self._going:
            try:
                data = self._socket.recv(65536)
            except socket.timeout:
                continue
            now, position = time.monotonic(), 0
            while position + 28 <= len(data):
                length, kind = struct.unpack_from("=IH", data, position)
                _unused, bits, _unused, _unused, table, _unused, _unused, form = struct.unpack_from(
                    "=8B", data, position + 16
                )
                if kind == RTM_NEWROUTE and table == MAIN and form == 1 and bits == 24:
                    self.count += 1
                    self.last = now
                position += (length + 3) & ~3

    def wait(self, wanted: int, limit: float) -> float:
        """Return when (monotonic clock) the wanted route was announced; exit with an error when it never is."""
        end = time.monotonic() + limit
        while self.count < wanted:
            if time.monotonic() > end:
                raise SystemExit(f"only {self.count} of {wanted} routes within {limit:.0f} s")
            time.sleep(0.0005)
        return self.last

    def close(self) -> None:
        """Stop counting."""
        self._going = False
        self.join()
        self._socket.close()


class Bench:
    """Runs the measurements for one daemon."""

    def __init__(self, daemon: str, folder: Path, server: EtcdServer, log: Path) -> None:
        """Measure the daemon that this command line starts."""
        self._daemon = shlex.split(daemon)
        self._folder = folder
        self._server = server
        self._etcd = EtcdClient(server.endpoint)
        self._log = log
        self._env_file = folder / "subnet.env"

    @contextlib.contextmanager
    def daemon(self) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
        """Start the daemon on a bare host and give it with the moment of its start; end it and clear up behind it."""
        self._env_file.unlink(missing_ok=True)
        shutil.rmtree(self._folder / "state", ignore_errors=True)
        flags = ["-etcd-endpoints", self._server.endpoint, "-iface", UNDERLAY, "-subnet-file", str(self._env_file)]
        own = ["-state-dir", str(self._folder / "state")] if "overlay.agent" in " ".join(self._daemon) else []
        environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
        with self._log.open("ab") as log:
            started = time.monotonic()
            process = subprocess.Popen([*self._daemon, *flags, *own], env=environment, stdout=log, stderr=log)
            try:
                yield process, started
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()
                _clear_kernel()

    def fill(self, backend: str, peers: int) -> None:
        """Put a network config and the leases of so many peers into an empty etcd."""
        self._etcd.clear()
        self._etcd.put_many([(f"{PREFIX}/subnets/{key}", value) for key, value in map(_lease(backend), range(peers))])
        config = {"Network": NETWORK, "SubnetLen": 24, "Backend": {"Type": backend}}
        self._etcd.put(f"{PREFIX}/config", json.dumps(config))

    def start(self) -> tuple[float, float]:
        """Return seconds from process start to subnet.env, with no peers, and seconds of processor time by then."""
        self.fill("vxlan", 0)
        with self.daemon() as (process, started):
            return self._wait_for_file(process) - started, cpu_seconds(process)

    def fleet(self, backend: str, peers: int) -> float:
        """Return seconds from process start until all peers are programmed."""
        self.fill(backend, peers)
        counter = RouteCounter()
        try:
            with self.daemon() as (_unused, started):
                done = counter.wait(peers, 600)
                _check(backend, peers)
                return done - started
        finally:
            counter.close()

    def event(self, backend: str, peers: int, rounds: int) -> list[float]:
        """Return seconds from the answer to a put of a new lease to its route in the kernel, for each round."""
        self.fill(backend, peers)
        return self._event_times(
            map(_lease(backend), range(peers, peers + rounds)), lambda counter: counter.wait(peers, 60)
        )

    def odd_event(self, odd: int, rounds: int) -> list[float]:
        """Return what ``event`` does, among so many odd leases: /25 subnets, with each MAC on two hosts."""
        self.fill("vxlan", 0)
        self._etcd.put_many([(f"{PREFIX}/subnets/{key}", value) for key, value in map(_odd_lease, range(odd))])
        return self._event_times(map(_lease("vxlan"), range(rounds)), lambda _counter: time.sleep(2 + odd / 2000))

    def _event_times(self, leases: Iterable[tuple[str, str]], settle: Callable[[RouteCounter], object]) -> list[float]:
        """Return for each lease the seconds to its route, put one by one once the daemon has settled."""
        times = []
        with contextlib.closing(RouteCounter()) as counter, self.daemon() as (process, _unused):
            self._wait_for_file(process)
            settle(counter)
            for key, value in leases:
                time.sleep(0.02)
                wanted = counter.count + 1
                self._etcd.put(f"{PREFIX}/subnets/{key}", value)
                answered = time.monotonic()
                times.append(counter.wait(wanted, 10) - answered)
        return times

    def outage(self, api: str, seconds: float) -> float:
        """Return seconds from the answer to a put right after an outage of etcd to its route."""
        put = self._etcd.put if api == "v3" else self._etcd.put_v2
        self._etcd.clear()
        put(f"{PREFIX}/config", json.dumps({"Network": NETWORK, "SubnetLen": 24, "Backend": {"Type": "vxlan"}}))
        counter = RouteCounter()
        try:
            with self.daemon() as (process, _unused):
                self._wait_for_file(process)
                self._server.kill()
                self._etcd.close()
                time.sleep(seconds)
                self._server.restart()
                key, value = _lease("vxlan")(0)
                put(f"{PREFIX}/subnets/{key}", value)
                answered = time.monotonic()
                return counter.wait(1, 60) - answered
        finally:
            counter.close()

    def storm(self, peers: int, changes: int) -> float:
        """Return the daemon's seconds of processor time while another program changes so many routes of its own."""
        self.fill("vxlan", peers)
        routes = [f"192.168.{number // 250}.{number % 250}/32" for number in range(changes // 20)]
        with contextlib.closing(RouteCounter()) as counter, self.daemon() as (process, _unused):
            counter.wait(peers, 60)
            time.sleep(2)
            before = cpu_seconds(process)
            for _round in range(10):
                for verb in ("add", "delete"):
                    batch = "".join(f"route {verb} {route} dev {UNDERLAY}\n" for route in routes)
                    subprocess.run(["ip", "-batch", "-"], input=batch.encode(), check=True)
                    time.sleep(0.2)
            time.sleep(2)
            return cpu_seconds(process) - before

    def memory(self, peers: int) -> float:
        """Return resident MiB with so many peers programmed, two seconds later."""
        self.fill("vxlan", peers)
        counter = RouteCounter()
        try:
            with self.daemon() as (process, _unused):
                counter.wait(peers, 60)
                time.sleep(2)
                status = Path(f"/proc/{process.pid}/status").read_text()
                return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
        finally:
            counter.close()

    def _wait_for_file(self, process: subprocess.Popen[bytes]) -> float:
        end = time.monotonic() + 60
        while not self._env_file.exists():
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the daemon ended or wrote no subnet file; see {self._log}")
            time.sleep(0.0005)
        return time.monotonic()


def _lease(backend: str) -> Callable[[int], tuple[str, str]]:
    """Return the function from a peer's number to its key and value."""

    def lease(number: int) -> tuple[str, str]:
        subnet = (10 << 24) + ((number + 300) << 8)
        host = (172 << 24) + (16 << 16) + number + 10
        value: dict[str, object] = {"PublicIP": _ip(host), "PublicIPv6": None, "BackendType": backend}
        if backend == "vxlan":
            mac = bytes([0x0E, 0]) + (number + 1).to_bytes(4, "big")
            value["BackendData"] = {"VNI": 1, "VtepMAC": mac.hex(":")}
        return f"{_ip(subnet)}-24", json.dumps(value, separators=(",", ":"))

    return lease


def _odd_lease(number: int) -> tuple[str, str]:
    """Return a lease as it remains after a change of SubnetLen, some with a dual stack key, two for each MAC."""
    _unused, value = _lease("vxlan")(100_000 + number)
    content = json.loads(value)
    content["BackendData"]["VtepMAC"] = (bytes([0x0E, 1]) + (number // 2 + 1).to_bytes(4, "big")).hex(":")
    suffix = "&fd00::-56" if number % 4 == 3 else ""
    return f"{_ip((10 << 24) + (128 << 16) + (number << 8))}-25{suffix}", json.dumps(content, separators=(",", ":"))


def _ip(number: int) -> str:
    return socket.inet_ntoa(number.to_bytes(4, "big"))


def _lines(*command: str) -> int:
    return len(subprocess.run(command, check=True, capture_output=True).stdout.splitlines())


def _check(backend: str, peers: int) -> None:
    """Exit with an error unless the kernel really holds every row."""
    routes = _lines("sh", "-c", "ip -4 route show table main | grep '/24 '")
    counts = {"routes": routes}
    if backend == "vxlan":
        counts["neighbours"] = _lines("ip", "neigh", "show", "dev", "flannel.1", "nud", "permanent")
        counts["FDB rows"] = _lines("sh", "-c", "bridge fdb show dev flannel.1 | grep -v '00:00:00:00:00:00'")
    wrong = {name: count for name, count in counts.items() if count < peers}
    if wrong:
        raise SystemExit(f"of {peers} peers the kernel holds only {wrong}")


def _clear_kernel() -> None:
    """Make the underlay anew: with it go the tunnel device and every route."""
    subprocess.run(["ip", "link", "delete", "flannel.1"], capture_output=True, check=False)
    subprocess.run(["ip", "link", "delete", UNDERLAY], capture_output=True, check=False)
    _make_underlay()


def _make_underlay() -> None:
    """Make a pair of virtual Ethernet interfaces: the hosts behind its other end need not exist to be programmed."""
    for words in (
        f"link add {UNDERLAY} type veth peer name bench1",
        f"addr add {HOST}/12 dev {UNDERLAY}",
        f"link set {UNDERLAY} up",
        "link set bench1 up",
    ):
        subprocess.run(["ip", *words.split()], check=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--daemon", action="append", help=f"command line of a daemon to measure (default: {OVERLAYD})")
    parser.add_argument("--rounds", type=int, default=5, help="how often each start and fleet is measured")
    parser.add_argument("--fleets", default="1000,10000,50000", help="numbers of peers")
    parser.add_argument("--apis", default="v2,v3", help="APIs of etcd for the outage and the swarm")
    parser.add_argument("--swarm", type=int, default=50, help="daemons that start at once on one machine, at most 200")
    parser.add_argument("--log", default="", help="keep the daemons' output in this file")
    return parser.parse_args()


def _report(bench: Bench, options: argparse.Namespace) -> None:
    starts, processor = zip(*(bench.start() for _attempt in range(options.rounds)))
    median, low, high = statistics.median(starts), min(starts), max(starts)
    print(f"  start to subnet.env            {median:10.3f} s   ({low:.3f}..{high:.3f})", flush=True)
    print(f"  processor time by then         {statistics.median(processor):10.3f} s", flush=True)
    for backend in ("vxlan", "host-gw"):
        times = sorted(bench.event(backend, 100, 100))
        print(
            f"  new lease to route, {backend:8s}     {statistics.median(times) * 1000:8.2f} ms  "
            f"(95%: {times[int(len(times) * 0.95)] * 1000:.2f} ms)",
            flush=True,
        )
    for odd in (1000, 10000):
        times = sorted(bench.odd_event(odd, 100))
        print(
            f"  new lease among {odd:5d} odd ones    {statistics.median(times) * 1000:8.2f} ms  "
            f"(95%: {times[int(len(times) * 0.95)] * 1000:.2f} ms)",
            flush=True,
        )
    for api in options.apis.split(","):
        times = [bench.outage(api, 5.0) for _attempt in range(options.rounds)]
        print(
            f"  etcd back to event followed, {api}   {statistics.median(times):8.3f} s   ({max(times):.3f} at most)",
            flush=True,
        )
    times = [bench.storm(1000, 1000) for _attempt in range(options.rounds)]
    print(f"  processor time for 1000 changes  {statistics.median(times):8.3f} s   (of routes by others)", flush=True)
    print(f"  resident with 100 peers          {bench.memory(100):8.1f} MiB", flush=True)
    for peers in map(int, options.fleets.split(",")):
        for backend in ("vxlan", "host-gw"):
            rounds = [bench.fleet(backend, peers) for _attempt in range(options.rounds if peers <= 10000 else 1)]
            print(
                f"  {peers:6d} peers programmed, {backend:8s}{statistics.median(rounds):8.3f} s   "
                f"({min(rounds):.3f}..{max(rounds):.3f})",
                flush=True,
            )


def _report_swarm(daemon: str, folder: Path, log: Path, options: argparse.Namespace) -> None:
    for api in options.apis.split(",") if options.swarm else ():
        with tempfile.TemporaryDirectory(dir=folder) as own:
            swarm = Swarm(options.swarm, Path(own))
            try:
                seconds, processor = swarm.run(shlex.split(daemon), "overlay.agent" in daemon, api, log)
            finally:
                swarm.close()
        row = f"  {options.swarm:3d} at once until meshed, {api}      {seconds:8.3f} s   "
        print(f"{row}({processor:.3f} s of processor time each)", flush=True)


def main() -> None:
    """Enter a network namespace of our own, then measure each daemon in turn."""
    options = _arguments()
    if os.environ.get("OVERLAY_BENCH_INSIDE") != "yes":
        os.environ["OVERLAY_BENCH_INSIDE"] = "yes"
        os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv])
    os.environ["PYTHONPATH"] = str(TREE / "plugins" / "module_utils")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    _make_underlay()
    with tempfile.TemporaryDirectory(prefix="overlay-bench-") as folder, EtcdServer(options=QUIET) as server:
        for daemon in options.daemon or [OVERLAYD]:
            print(daemon, flush=True)
            log = Path(options.log) if options.log else Path(folder) / "daemon.log"
            _report(Bench(daemon, Path(folder), server, log), options)
            _report_swarm(daemon, Path(folder), log, options)


if __name__ == "__main__":
    main()
