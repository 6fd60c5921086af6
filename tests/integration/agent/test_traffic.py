# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Traffic between containers with every backend, also while the agents stop and start."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest
from support.agent_fleet import Fleet
from support.agent_host import Host, lost, until
from support.agent_network import Network

OVERHEAD = 28  # bytes of IPv4 and ICMP headers around a ping's payload
BACKENDS = {
    "vxlan": {"backend": "vxlan"},
    "direct routing": {"backend": "vxlan", "DirectRouting": True},
    "host-gw": {"backend": "host-gw"},
}


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS.keys())
def test_containers_of_three_hosts_reach_each_other_with_packets_of_the_full_mtu(
    fleet: Fleet, network: Network, backend: dict[str, Any]
) -> None:
    network.configure(**backend)
    hosts = fleet.joined(3)
    containers = fleet.containers()
    mtu = int(hosts[0].subnet_env["FLANNEL_MTU"])
    assert mtu == (1500 if backend["backend"] == "host-gw" else 1450)
    for one in containers:
        for other in containers:
            if one is not other:
                assert one.reaches(other, mtu - OVERHEAD)
    way = hosts[0].routes()[hosts[1].subnet]
    assert ("dev flannel.1" in way) == (backend == BACKENDS["vxlan"])
    assert hosts[0].has("flannel.1") == (backend["backend"] == "vxlan")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
def test_a_restart_keeps_subnet_and_mac_and_loses_no_packet(
    fleet: Fleet, network: Network, backend: str, sent: signal.Signals
) -> None:
    network.configure(backend)
    hosts = fleet.joined(2)
    one, other = fleet.containers()
    stream = one.stream(other)
    before = [(host.subnet, host.dataplane()) for host in hosts]
    for host in hosts:
        host.stop(sent)
    assert one.reaches(other)
    assert [(host.subnet, host.dataplane()) for host in hosts] == before
    for host in hosts:
        host.join()
    assert [(host.subnet, host.dataplane()) for host in hosts] == before
    time.sleep(0.3)  # for packets after the restarts
    sent_packets, missing = lost(stream)
    assert sent_packets > 10
    assert missing == 0
    assert len(network.leases()) == 2


def test_sigterm_ends_the_agent_with_exit_code_0_and_a_notification(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    assert host.stop() == 0
    until(lambda: "STOPPING=1" in host.notified, "STOPPING=1")
