# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `wg` shows about the WireGuard device of a host, as a reader of its own."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from support.agent_host import Host, until
from support.netns import Namespace

DEVICE = "flannel-wg"
FORBIDDEN = Path("/etc/modprobe.d/no-wireguard.conf")
SOCKETS = "/run/wireguard"  # of wireguard-go; each host needs its own


class Peer(NamedTuple):
    """A peer as `wg show dump` prints it."""

    psk: str
    endpoint: str
    allowed: str
    handshake: int
    keepalive: str


def is_in_kernel() -> bool:
    """Whether the kernel of this machine has WireGuard."""
    namespace = Namespace()
    command = ["ip", "link", "add", "trial", "type", "wireguard"]
    try:
        return namespace.run(lambda: subprocess.run(command, capture_output=True, check=False).returncode == 0)
    finally:
        namespace.close()


@contextmanager
def no_module() -> Iterator[None]:
    """Take WireGuard from the kernel of a guest, whose module is not loaded again, and give it /dev/net/tun."""
    FORBIDDEN.parent.mkdir(exist_ok=True)
    FORBIDDEN.write_text("blacklist wireguard\n")
    subprocess.run(["modprobe", "-r", "wireguard"], check=False)  # it may not be loaded
    subprocess.run(["modprobe", "tun"], check=True)
    try:
        yield
    finally:
        FORBIDDEN.unlink()


def with_sockets(*hosts: Host) -> None:
    """Give each host its own folder of control sockets, before overlayd starts."""
    for host in hosts:
        host.namespace.private_folder(SOCKETS)


def dump(host: Host) -> list[list[str]]:
    """Return the lines of `wg show dump`, the device first, without the counters of bytes."""
    lines = [line.split("\t") for line in host.namespace.command("wg", "show", DEVICE, "dump").splitlines()]
    return [line[:5] + line[7:] for line in lines]


def public_key(host: Host) -> str:
    """Return the public key of the device."""
    return dump(host)[0][1]


def peers(host: Host) -> dict[str, Peer]:
    """Return the peers by public key."""
    return {line[0]: Peer(line[1], line[2], line[3], int(line[4]), line[5]) for line in dump(host)[1:]}


def wait_peers(host: Host, count: int) -> dict[str, Peer]:
    """Wait until the device has exactly ``count`` peers; return them."""
    until(lambda: host.has(DEVICE) and len(peers(host)) == count, lambda: f"{count} peers; log:\n{host.log}")
    return peers(host)


def random_key() -> str:
    """Return 32 random bytes as a key."""
    return base64.b64encode(os.urandom(32)).decode()


def process(host: Host) -> int:
    """Return the process ID of wireguard-go on a host, 0 if the kernel has the device."""
    lock = host.state / f"{DEVICE}.lock"
    return int(lock.read_text()) if lock.exists() else 0


def key_file(host: Host) -> Path:
    """Return the path of the private key."""
    return host.state / "wireguard.key"
