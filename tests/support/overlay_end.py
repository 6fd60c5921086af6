# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The data plane of one host without etcd: the desired state for given peers, and traffic between hosts."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterable
from typing import Any

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends import backend_for, lease_data
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.dataplane import Dataplane, Failure
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.monitor import Monitor
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.plan import KernelPlan, plan
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.state import DesiredState, PeerRows
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import SubnetLease
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.underlay import Underlay

from support.netns import Namespace

NETWORK = Subnet.parse("10.50.0.0/16")
UNDERLAY_NETWORK = Subnet.parse("192.0.2.0/24")


class End:
    """The data plane of host number n: it has subnet 10.50.n.0/24, and its bridge has 10.50.n.1."""

    def __init__(self, host: Namespace, number: int, address: str, next_hops: bool | None, **backend: Any) -> None:
        self.host = host
        self.subnet = Subnet.parse(f"10.50.{number}.0/24")
        self.mac = bytes([0x0E, 0, 0, 0, 0, number])
        self.public_ip = parse_ipv4(address)
        self.monitor = host.run(Monitor)
        self.dataplane = host.run(lambda: Dataplane(self.monitor, next_hops=next_hops))
        host.command("ip", "link", "add", "docker0", "up", "type", "bridge")
        host.command("ip", "address", "add", f"{self.subnet.host(1)}/24", "dev", "docker0")
        self.use(**backend)

    def use(self, **backend: Any) -> None:
        """Use this backend from now on."""
        config = NetworkConfig.parse(json.dumps({"Network": str(NETWORK), "Backend": backend or {"Type": "vxlan"}}))
        index = self.dataplane.ifindex("eth0")
        assert index is not None
        underlay = Underlay("eth0", index, self.public_ip, 1500, (UNDERLAY_NETWORK,))
        self.backend = backend_for(config, underlay, self.subnet, self.mac)
        self._data = lease_data(config.backend, self.mac)

    @property
    def lease(self) -> SubnetLease:
        """The lease of this host."""
        return SubnetLease(self.subnet, self.public_ip, self.backend.type, self._data)

    def rows(self, peers: Iterable[End]) -> list[PeerRows]:
        """Return the rows for these peers."""
        return [rows for rows in (self.backend.rows(peer.lease) for peer in peers) if rows is not None]

    def desired(self, *peers: End) -> DesiredState:
        """Return the desired state for exactly these peers."""
        return DesiredState.of(self.backend.own_rows, self.rows(peers))

    def plan(self, desired: DesiredState, leftovers: Iterable[str] = ()) -> KernelPlan:
        """Return the plan from the observed to the desired state."""
        return plan(desired, self.dataplane.observe(desired, NETWORK, tuple(leftovers)))

    def reach(self, desired: DesiredState, leftovers: Iterable[str] = ()) -> list[Failure]:
        """Apply the plan for a desired state; return the failures."""
        failures = self.dataplane.apply(self.plan(desired, leftovers))
        device = self.dataplane.ifindex(self.backend.device.name if self.backend.device else "flannel.1")
        underlay = self.dataplane.ifindex("eth0")
        if underlay is not None:
            self.monitor.watch(NETWORK, underlay, [device])
        return failures

    def converge(self, *peers: End) -> None:
        """Apply the plan for these peers, and check that a second plan is empty."""
        assert self.reach(self.desired(*peers)) == []
        assert self.plan(self.desired(*peers)) == KernelPlan()

    def ip(self, *words: str) -> str:
        """Return what ``ip`` prints on this host."""
        return self.host.command("ip", *words)

    def close(self) -> None:
        """Close the sockets."""
        self.dataplane.close()
        self.monitor.close()


def reaches(one: End, other: End, size: int = 100) -> bool:
    """Whether a datagram of ``size`` bytes with headers passes unfragmented from bridge to bridge and back."""
    payload = bytes(size - 28)
    receiver = one.host.run(_bound, str(one.subnet.host(1)))
    answerer = other.host.run(_bound, str(other.subnet.host(1)))
    with receiver, answerer:
        for _attempt in range(10):
            try:
                receiver.sendto(payload, answerer.getsockname())
            except OSError:
                return False
            if not select.select([answerer], [], [], 0.2)[0]:
                continue
            received, sender = answerer.recvfrom(65536)
            answerer.sendto(received, sender)
            if select.select([receiver], [], [], 0.2)[0]:
                return receiver.recv(65536) == payload
    return False


def _bound(address: str) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO: never in pieces
    bound.bind((address, 0))
    return bound


def joined(ends: list[End]) -> list[End]:
    """Converge each host to all others; return the hosts."""
    for end in ends:
        end.converge(*(peer for peer in ends if peer is not end))
    return ends


def settle(one: End, *peers: End) -> None:
    """Reconcile on each notification, as the agent does; three rounds must be enough."""
    for _attempt in range(3):
        if not one.monitor.drain():
            return
        one.converge(*peers)
    assert not one.monitor.drain(), "the own changes are heard as if they were somebody else's"
