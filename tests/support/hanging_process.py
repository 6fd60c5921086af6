# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host on which overlayd has ended and the process of a backend hangs, and the check that a removal left nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.companion import Companion

from support import wireguard as wg
from support.agent_host import Host, until
from support.agent_network import Network

PEER, PEER_IP = "10.50.201.0/24", "192.0.2.201"
COMPANIONS = {"udp": ("udp", "flannel0"), "wireguard": ("flannel-wg", "flannel-wg")}  # process and device by backend


def hang(host: Host, network: Network, backend: str) -> tuple[int, str]:
    """Run and stop overlayd, and suspend the process of the backend; return its process ID and its device.

    Files of interrupted writes are left as well. A peer's lease names the backend; the network config is vxlan.
    """
    name, device = COMPANIONS[backend]
    wg.with_sockets(host)
    network.configure()
    network.lease(PEER, PEER_IP, BackendType=backend, BackendData={"PublicKey": wg.random_key(), "Port": 51820})
    host.join()
    until(lambda: PEER in host.routes(), lambda: f"the route of the peer; log:\n{host.log}")
    host.stop()
    pid = Companion(name, host.state).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    (host.state / ".network.json.4711.0123abcd").write_text("PSK")
    if backend == "udp":
        (host.state / "udp.new").write_text("")
    (host.subnet_file.parent / f".{host.subnet_file.name}.4711.0123abcd").write_text("")
    return pid, device


def assert_nothing_left(host: Host, pid: int, device: str) -> None:
    """Check that a removal left no process, device or file."""
    until(lambda: not Path(f"/proc/{pid}").exists(), "the end of the process", 5.0)
    assert not host.has(device)
    assert [path.name for path in host.state.iterdir()] == []
    assert list(host.subnet_file.parent.glob(".subnet*")) == []
