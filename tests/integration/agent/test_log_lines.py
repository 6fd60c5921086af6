# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The log has a line for each peer and each repair, and the status line follows soon."""

from __future__ import annotations

import time

from support.agent_host import SOON, Host, until
from support.agent_network import Network

PEER, MAC = "10.50.200.0/24", "0e:00:00:00:00:c8"


def status(host: Host) -> str:
    """Return the last status line that the service manager was sent."""
    return next((line for line in reversed(host.notified) if line.startswith("STATUS=")), "")


def wait_for_peers(host: Host, count: int) -> float:
    """Return the seconds until the status line names so many peers."""
    wanted = f", {count} peers"
    return until(lambda: wanted in status(host), lambda: f"{wanted!r} in {status(host)!r}; log:\n{host.log}")


def named_peers(host: Host) -> int:
    """Return how many added peers are in the log, as single lines and as sums."""
    sums = [int(line.split()[2]) for line in host.log.splitlines() if line.startswith("INFO peers: ")]
    return host.said("INFO peer added") + sum(sums)


def restrict_own_subnet(network: Network, backend: str = "vxlan") -> None:
    """Configure a network in which this host cannot lease a subnet that the test uses."""
    network.configure(backend, SubnetMin="10.50.1.0", SubnetMax="10.50.1.0")


def test_each_change_of_a_peer_is_one_log_line_and_soon_in_the_status_line(host: Host, network: Network) -> None:
    restrict_own_subnet(network)
    host.join()
    wait_for_peers(host, 0)
    network.lease(PEER, "192.0.2.200", MAC)
    assert wait_for_peers(host, 1) < SOON
    network.lease(PEER, "192.0.2.201", MAC)
    host.wait_said("peer changed")
    network.lease(PEER, "192.0.2.201", "0e:00:00:00:00:c9")
    host.wait_said("peer changed", 2)
    network.delete("subnets/10.50.200.0-24")
    assert wait_for_peers(host, 0) < SOON
    host.wait_said("peer removed")
    assert [line for line in host.log.splitlines() if "peer" in line and "ready" not in line] == [
        "INFO peer added: 10.50.200.0/24 at 192.0.2.200 (vxlan)",
        "INFO peer changed: 10.50.200.0/24 at 192.0.2.201 (vxlan), was at 192.0.2.200",
        "INFO peer changed: 10.50.200.0/24 at 192.0.2.201 (vxlan), VtepMAC 0e:00:00:00:00:c9, was 0e:00:00:00:00:c8",
        "INFO peer removed: 10.50.200.0/24 at 192.0.2.201 (vxlan)",
    ]
    assert not host.said("repaired")


def test_each_repair_is_one_log_line_that_names_the_drift(host: Host, network: Network) -> None:
    restrict_own_subnet(network)
    network.lease(PEER, "192.0.2.200", MAC)
    host.join()
    assert not host.said("repaired")
    host.ip("route", "delete", PEER)
    host.wait_said("INFO repaired: route 10.50.200.0/24 via 10.50.200.0 dev flannel.1 onlink was missing")
    assert host.said("repaired") == 1
    host.namespace.command("bridge", "fdb", "delete", MAC, "dev", "flannel.1", "dst", "192.0.2.200", "self")
    host.wait_said(f"INFO repaired: fdb {MAC} dst 192.0.2.200 dev flannel.1 was missing")
    host.ip("link", "set", "flannel.1", "mtu", "1280")
    host.wait_said("INFO repaired: device flannel.1 had another MTU than 1450")
    host.ip("link", "delete", "flannel.1")
    host.wait_said("INFO repaired: device flannel.1 was missing")
    host.wait_said("INFO repaired: route 10.50.200.0/24", 2)
    assert host.said("peer ") == 1


def test_a_route_added_after_a_foreign_one_was_removed_is_not_logged_as_a_repair(host: Host, network: Network) -> None:
    restrict_own_subnet(network, "host-gw")
    host.ip("route", "add", PEER, "via", "192.0.2.55")
    network.lease(PEER, "192.0.2.200")
    host.join()
    host.wait_said("INFO peer added: 10.50.200.0/24 at 192.0.2.200 .host-gw.")
    host.ip("route", "delete", PEER)
    until(lambda: "192.0.2.200" in host.routes().get(PEER, ""), "our own route")
    assert not host.said("repaired")


def test_many_new_peers_at_once_make_few_log_lines_and_few_status_lines(host: Host, network: Network) -> None:
    restrict_own_subnet(network)
    host.join()
    host.notified.clear()
    started = time.monotonic()
    for number in range(300):
        network.lease(f"10.50.{10 + number // 4}.{number % 4 * 64}/26", "192.0.2.200", MAC)
    assert wait_for_peers(host, 300) < SOON
    seconds = time.monotonic() - started
    host.wait_said("INFO peers: .* added; the first: peer added: ")
    assert host.said("peer") <= 21 * (seconds + 2)
    assert sum(line.startswith("STATUS=") for line in host.notified) <= 2 * seconds + 2
    until(lambda: named_peers(host) == 300, lambda: host.log)
    assert len(host.routes()) == 300
