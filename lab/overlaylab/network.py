# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The network of the hosts: a bridge in its own namespace, and a namespace with eth0 for each host."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from .process import run, wait_until
from .settings import GATEWAY, Host, Lab


def bridge_is_whole(lab: Lab) -> bool:
    """Whether the bridge exists, is up and has its address."""
    shown = run("ip", "-n", lab.full_name, "-br", "-4", "addr", "show", "dev", "br0", "up", check=False)
    return shown.returncode == 0 and f" {GATEWAY}/24" in shown.stdout


def make_bridge(lab: Lab) -> None:
    """Create the bridge's namespace again, with the hosts' gateway in it."""
    remove_namespace(lab.netns)
    run("ip", "netns", "add", lab.full_name)
    _ip(lab.netns, "link set lo up")
    _ip(lab.netns, "link add br0 type bridge")
    _ip(lab.netns, f"addr add {GATEWAY}/24 dev br0")
    _ip(lab.netns, "link set br0 up")


def connect(host: Host) -> None:
    """Create the host's namespace again, without anything of an earlier boot."""
    disconnect(host)
    run("ip", "netns", "add", host.full_name)
    _ip(host.netns, "link set lo up")
    _ip(
        host.lab.netns,
        f"link add {host.name} type veth peer name eth0 address {host.mac} netns {host.full_name}",
    )
    _ip(host.lab.netns, f"link set {host.name} master br0 up")
    _ip(host.netns, f"addr add {host.address}/24 dev eth0")
    _ip(host.netns, "link set eth0 up")
    _ip(host.netns, f"route add default via {GATEWAY}")


def attach(host: Host) -> None:
    """Create the port of the bridge for the network card of a virtual machine, without anything of an earlier boot."""
    disconnect(host)
    _ip(host.lab.netns, f"tuntap add dev {host.name} mode tap")
    _ip(host.lab.netns, f"link set {host.name} master br0 up")


def disconnect(host: Host) -> None:
    """Remove the host's namespace and its port of the bridge, if they exist."""
    remove_namespace(host.netns)
    run("ip", "-n", host.lab.full_name, "link", "del", host.name, check=False)


def remove_namespace(netns: Path) -> None:
    """End all processes in the namespace and remove its name; no error if it does not exist."""
    if not netns.exists():
        return
    # the file of an incomplete namespace is on the machine's own file system; then no process must be ended
    if netns.stat().st_dev == Path("/proc/self/ns/net").stat().st_dev:
        wait_until(lambda: not _end_users(netns), 20, f"the end of all processes in the namespace {netns.name}")
    run("ip", "netns", "del", netns.name)


def _end_users(netns: Path) -> int:
    """Kill the processes in the namespace; return their number."""
    inode = netns.stat().st_ino
    count = 0
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # not a process, or a process that just ended
            if (process / "ns" / "net").stat().st_ino == inode:
                os.kill(int(process.name), signal.SIGKILL)
                count += 1
    return count


def _ip(netns: Path, command: str) -> None:
    run("ip", "-n", netns.name, *command.split())
