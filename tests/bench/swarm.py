# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many daemons started at once, each on a host of its own: how long until each has a route to each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench_etcd import PREFIX, QUIET, EtcdClient

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.etcd_server import EtcdServer
from support.netns import Lan

SWITCH = "192.0.2.1"
LIMIT = 300.0  # seconds
CONFIG = {"Network": "10.50.0.0/16", "SubnetLen": 24, "Backend": {"Type": "vxlan"}}


class Swarm:
    """So many hosts on one switch, with an etcd on the switch."""

    def __init__(self, count: int, folder: Path) -> None:
        """Make the hosts; no daemon runs yet."""
        self._folder = folder
        self._lan = Lan(count)
        self._lan.switch.command("ip", "address", "add", f"{SWITCH}/24", "dev", "br0")

    def run(self, daemon: Sequence[str], own_flags: bool, api: str, log: Path) -> tuple[float, float]:
        """Return seconds until all are meshed, and the processor time of one daemon in seconds, programs included."""
        etcd = EtcdServer(self._folder / f"swarm-{api}", address=SWITCH, options=QUIET)
        self._lan.switch.run(etcd.start)
        client = EtcdClient(etcd.endpoint)
        put = client.put if api == "v3" else client.put_v2
        self._lan.switch.run(put, f"{PREFIX}/config", json.dumps(CONFIG))
        processes: list[subprocess.Popen[bytes]] = []
        try:
            started = time.monotonic()
            for number in range(len(self._lan.hosts)):
                processes.append(self._start(number, daemon, own_flags, api, etcd.endpoint, log))
            wait_for_mesh(processes)
            return time.monotonic() - started, sum(map(cpu_seconds, processes)) / len(processes)
        finally:
            for process in processes:
                process.kill()
                process.wait()
            etcd.stop()

    def close(self) -> None:
        """End the hosts."""
        self._lan.close()

    def _start(
        self, number: int, daemon: Sequence[str], own_flags: bool, api: str, endpoint: str, log: Path
    ) -> subprocess.Popen[bytes]:
        folder = self._folder / f"{api}-{number}"
        flags = ["-etcd-endpoints", endpoint, "-iface", "eth0", "-subnet-file", f"{folder}/subnet.env"]
        flags += [f"-etcd-api={api}", "-state-dir", str(folder)] if own_flags else []
        folder.mkdir()
        with log.open("ab") as out:
            return self._lan.hosts[number].run(
                lambda: subprocess.Popen([*daemon, *flags], env=os.environ, stdout=out, stderr=out)
            )


def wait_for_mesh(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Return once each process's host has a route to each other one's subnet; exit with an error when it never has."""
    end = time.monotonic() + LIMIT
    waiting = list(processes)
    while waiting:
        waiting = [process for process in waiting if routes(process.pid) < len(processes) - 1]
        if time.monotonic() > end:
            raise SystemExit(f"{len(waiting)} of {len(processes)} daemons are not meshed after {LIMIT:.0f} s")
        time.sleep(0.05)


def routes(pid: int) -> int:
    """Return how many /24 routes into the overlay the host of a process has."""
    lines = Path(f"/proc/{pid}/net/route").read_text().splitlines()[1:]
    return sum(line.split()[7] == "00FFFFFF" and line.split()[1].endswith("320A") for line in lines)


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Return the processor time of a process and of the programs that it ran."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
