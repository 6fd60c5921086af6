# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two fleets in one etcd, under two prefixes of which one begins like the other, on one switch."""

from __future__ import annotations

from functools import partial

from support.agent_fleet import Fleet
from support.agent_host import Host, until
from support.agent_network import Network


def test_two_fleets_under_two_prefixes_have_nothing_in_common(fleet: Fleet, network: Network) -> None:
    other = Network(network.endpoint, network.api, f"{network.prefix}-b")
    network.configure()
    other.configure(network="10.60.0.0/16", VNI=2)
    hosts = fleet(4)
    ours, theirs = hosts[:2], hosts[2:]
    for host in theirs:
        host.prefix = other.prefix
    for host in hosts:
        host.start()
    for host in hosts:
        host.wait_ready()
    for each, prefix, device in ((ours, "10.50.", "flannel.1"), (theirs, "10.60.", "flannel.2")):
        until(partial(knows_only, *each), "routes of the own fleet")
        assert all(host.subnet.startswith(prefix) and host.has(device) for host in each)
        one, peer = (host.container() for host in each)
        assert one.reaches(peer)
        one.close()
        peer.close()
    assert [len(each.leases()) for each in (network, other)] == [2, 2]
    other.close()


def knows_only(one: Host, peer: Host) -> bool:
    """Whether two hosts have routes to each other's subnet, and to no further one."""
    return all(host.routes().keys() - {host.subnet} == {far.subnet} for host, far in ((one, peer), (peer, one)))
