# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A network that overlaps the host's own networks: a new host does not join it, a member stays and reports it."""

from __future__ import annotations

import json
import time

import pytest
from support.agent_fleet import Fleet
from support.agent_host import HEALTH, Host, until
from support.agent_network import Network

PEER, PEER_IP, PEER_MAC = "10.50.201.0/24", "192.0.2.201", "0e:00:00:00:00:c9"


def add_interface(host: Host, address: str) -> None:
    """Connect the host to another network."""
    host.ip("link", "add", "eth1", "up", "type", "veth", "peer", "name", "far")
    host.ip("link", "set", "far", "up")
    host.ip("address", "add", address, "dev", "eth1")


OVERLAPS = {
    "Network inside the LAN": ("192.0.2.128/25", [], "the connected network 192.0.2.0/24 dev eth0"),
    "a LAN inside Network": ("10.50.0.0/16", ["10.50.20.9/22"], "the connected network 10.50.20.0/22 dev eth1"),
    "a static route": ("10.50.0.0/16", ["10.50.128.0/17", "192.0.2.77"], "the static route 10.50.128.0/17 via 192.0"),
}


@pytest.mark.parametrize(("network_range", "extra", "what"), OVERLAPS.values(), ids=OVERLAPS.keys())
def test_a_host_does_not_join_a_network_that_overlaps_its_own_networks(
    host: Host, network: Network, network_range: str, extra: list[str], what: str
) -> None:
    if len(extra) == 1:
        add_interface(host, extra[0])
    if len(extra) == 2:
        host.ip("route", "add", extra[0], "via", extra[1], "proto", "static")
    network.configure(network=network_range)
    before = host.dataplane(), host.rules()
    host.start()
    host.wait_said(f"Network {network_range}, subnets from .*: overlaps {what}.*; choose another Network")
    time.sleep(2.5)
    assert host.said("overlaps") == 1
    assert (host.dataplane(), host.rules(), network.leases()) == (before[0], before[1], {})
    preview = host.run("--dry-run")
    assert preview.returncode == 1 and f"overlaps {what}" in preview.stderr
    network.configure(network="10.60.0.0/16")
    host.wait_ready()
    assert host.subnet.startswith("10.60.")


def test_a_less_specific_static_route_and_a_bridge_in_the_own_subnet_are_accepted(host: Host, network: Network) -> None:
    host.ip("route", "add", "10.0.0.0/8", "via", "192.0.2.77", "proto", "static")
    network.configure()
    network.lease("10.50.7.0/24", host.address, PEER_MAC, ttl=None)
    host.ip("link", "add", "docker0", "up", "type", "bridge")
    host.ip("address", "add", "10.50.7.1/24", "dev", "docker0")
    host.join(*HEALTH)
    assert host.subnet == "10.50.7.0/24"
    assert "overlap" not in host.http("/readyz")[1]
    host.stop()
    host.ip("link", "add", "br7", "up", "type", "bridge")
    host.ip("address", "add", "10.50.7.129/25", "dev", "br7")
    host.join(*HEALTH)
    assert "overlap" not in host.http("/readyz")[1]


def test_a_member_that_gets_an_overlapping_route_reports_it_and_keeps_its_peers(host: Host, network: Network) -> None:
    network.configure()
    network.lease(PEER, PEER_IP, PEER_MAC)
    host.join(*HEALTH)
    subnet = host.subnet
    host.ip("route", "add", "10.50.128.0/17", "via", "192.0.2.77", "proto", "static")
    host.stop()
    host.join(*HEALTH)
    host.wait_said("overlaps the static route 10.50.128.0/17 via 192.0.2.77 dev eth0")
    status, text = host.http("/readyz")
    assert status == 200 and "overlap: Network 10.50.0.0/16" in text
    assert host.subnet == subnet and "dev flannel.1" in host.routes()[PEER]
    assert list(network.leases()) == sorted([subnet, PEER])
    host.ip("route", "delete", "10.50.128.0/17")
    until(lambda: "overlap:" not in host.http("/readyz")[1], "the report to end", 45)


def test_a_host_that_ran_flannel_is_taken_over_in_spite_of_an_overlap(host: Host, network: Network) -> None:
    host.ip("route", "add", "10.50.128.0/17", "via", "192.0.2.77", "proto", "static")
    network.configure()
    host.subnet_file.write_text(
        "FLANNEL_NETWORK=10.50.0.0/16\nFLANNEL_SUBNET=10.50.9.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n"
    )
    host.join()
    host.wait_said("overlaps the static route 10.50.128.0/17")
    assert host.subnet == "10.50.9.0/24"


def test_a_changed_network_config_that_overlaps_leaves_the_running_one_in_place(host: Host, network: Network) -> None:
    network.configure()
    network.lease(PEER, PEER_IP, PEER_MAC)
    host.join()
    before = host.dataplane()
    network.configure(network="192.0.2.128/25")
    host.wait_said("overlaps the connected network 192.0.2.0/24 dev eth0.*the last valid network config stays in use")
    assert host.dataplane() == before


def test_a_lease_on_the_hosts_own_network_is_not_routed_and_all_others_are(fleet: Fleet, network: Network) -> None:
    (host,) = fleet(1)
    network.put(
        "config", json.dumps({"Network": "10.50.0.0/16", "SubnetMin": "10.50.64.0", "Backend": {"Type": "vxlan"}})
    )
    add_interface(host, "10.50.20.9/22")
    host.ip("route", "add", "default", "via", "10.50.20.1")
    network.lease("10.50.21.0/24", "192.0.2.21", "0e:00:00:00:00:21")
    network.lease(PEER, PEER_IP, PEER_MAC)
    host.join(*HEALTH)
    assert list(host.routes()) == ["10.50.20.0/22", PEER]
    host.wait_said("lease 10.50.21.0-24: not routed: .*overlaps the connected network 10.50.20.0/22 dev eth1")
    network.lease("10.50.22.0/24", "192.0.2.22", "0e:00:00:00:00:22")
    host.wait_said("lease 10.50.22.0-24: .*overlaps the connected network 10.50.20.0/22 dev eth1")
    network.lease("10.50.202.0/24", "192.0.2.202", "0e:00:00:00:00:ca")
    until(lambda: "10.50.202.0/24" in host.routes(), "the sound lease to be routed")
    assert "10.50.22.0/24" not in host.routes()
