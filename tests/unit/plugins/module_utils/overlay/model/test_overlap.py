# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A network that would take over a host's own destinations is refused; a normal overlap is accepted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import LeaseError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import SubnetLease
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.overlap import (
    HostAddress,
    HostNetworks,
    HostRoute,
    Reserved,
    network_problems,
)

OWN = Subnet.parse("10.50.7.0/24")


def config(network: str = "10.50.0.0/16", **keys: str) -> NetworkConfig:
    return NetworkConfig.parse(json.dumps({"Network": network, "Backend": {"Type": "vxlan"}, **keys}))


def connected(network: str, device: str = "eth0") -> HostNetworks:
    return HostNetworks(routes=(HostRoute(Subnet.parse(network), device, connected=True),))


def static(network: str, gateway: str, device: str = "eth0") -> HostNetworks:
    return HostNetworks(routes=(HostRoute(Subnet.parse(network), device, parse_ipv4(gateway)),))


def problems(host: HostNetworks, network: NetworkConfig | None = None, own: Subnet | None = None) -> list[str]:
    return network_problems(network or config(), host, "eth0", own)


def refusal(lease: str, host: HostNetworks, network: NetworkConfig | None = None) -> str:
    """Return the reason why a lease is refused, "" for an accepted one."""
    reserved = Reserved.of(network or config(), host, OWN)
    try:
        reserved.check(SubnetLease(Subnet.parse(lease), parse_ipv4("192.0.2.9")))
    except LeaseError as error:
        return str(error)
    return ""


HARMFUL: dict[str, tuple[HostNetworks, dict[str, Any], str]] = {
    "Network inside the LAN": (
        connected("192.168.100.0/24"),
        {"network": "192.168.100.128/25"},
        "the connected network 192.168.100.0/24 dev eth0",
    ),
    "a LAN inside Network": (connected("10.50.20.0/22", "eth1"), {}, "the connected network 10.50.20.0/22 dev eth1"),
    "Network equal to the LAN": (connected("10.50.0.0/16"), {}, "the connected network 10.50.0.0/16 dev eth0"),
    "an address in Network": (
        HostNetworks((HostAddress(parse_ipv4("10.50.3.9"), "lo"),)),
        {},
        "the address 10.50.3.9 on lo",
    ),
    "a more specific static route": (
        static("10.50.128.0/17", "10.8.0.1", "tun0"),
        {},
        "the static route 10.50.128.0/17 via 10.8.0.1 dev tun0",
    ),
    "a static route to a host": (static("10.50.9.9/32", "192.0.2.1"), {}, "10.50.9.9/32 via 192.0.2.1 dev eth0"),
    "a static route equal to Network": (static("10.50.0.0/16", "192.0.2.1"), {}, "the static route 10.50.0.0/16"),
    "a leasable subnet by another interface": (static("10.50.20.0/24", "10.8.0.1", "tun0"), {}, "10.50.20.0/24"),
    "the default gateway": (static("0.0.0.0/0", "10.50.1.1"), {}, "the default gateway 10.50.1.1"),
    "an etcd endpoint": (HostNetworks(endpoints=(parse_ipv4("10.50.4.2"),)), {}, "the etcd endpoint 10.50.4.2"),
}


@pytest.mark.parametrize(("host", "keys", "what"), HARMFUL.values(), ids=HARMFUL.keys())
def test_a_network_that_overlaps_networks_of_the_host_is_refused(
    host: HostNetworks, keys: dict[str, Any], what: str
) -> None:
    (sentence,) = problems(host, config(**keys))
    assert what in sentence
    assert f"Network {keys.get('network', '10.50.0.0/16')}, subnets from " in sentence
    assert "; choose another Network" in sentence


def test_sentences_offer_subnet_min_and_max_only_where_those_can_help() -> None:
    (part,) = problems(connected("10.50.0.0/20", "eth1"), config())
    (whole,) = problems(connected("10.0.0.0/8", "eth1"), config())
    assert part.endswith("; choose another Network, or SubnetMin and SubnetMax that exclude it")
    assert whole.endswith("; choose another Network")


ACCEPTED: dict[str, tuple[HostNetworks, dict[str, Any]]] = {
    "the default route": (static("0.0.0.0/0", "192.0.2.1"), {}),
    "a less specific static route": (static("10.0.0.0/8", "10.8.0.1", "tun0"), {}),
    "a LAN apart from Network": (connected("192.0.2.0/24"), {}),
    "Docker's default bridge": (connected("10.50.3.0/24", "docker0"), {}),
    "a bridge of a Docker network": (connected("10.50.3.0/24", "br-0123456789ab"), {}),
    "the tunnel of flannel's udp backend": (connected("10.50.0.0/16", "flannel0"), {}),
    "a route that host-gw of flannel left": (static("10.50.3.0/24", "192.0.2.13"), {}),
    "a network below SubnetMin": (connected("10.50.0.0/20", "eth1"), {"SubnetMin": "10.50.16.0"}),
    "a network above SubnetMax": (static("10.50.128.0/17", "192.0.2.1"), {"SubnetMax": "10.50.127.0"}),
}


@pytest.mark.parametrize(("host", "keys"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_an_overlap_that_redirects_no_traffic_is_accepted(host: HostNetworks, keys: dict[str, Any]) -> None:
    assert problems(host, config(**keys)) == []


def test_networks_inside_the_own_subnet_are_accepted() -> None:
    bridge = HostNetworks((HostAddress(OWN.first + 1, "br0"),), (HostRoute(OWN, "br0", connected=True),))
    assert problems(bridge) and problems(bridge, own=OWN) == []
    assert refusal(str(OWN), bridge) == ""


def test_a_lease_that_overlaps_networks_of_the_host_is_refused() -> None:
    host = HostNetworks(
        (HostAddress(parse_ipv4("10.50.30.5"), "eth1"), HostAddress(parse_ipv4("192.0.2.11"), "eth0")),
        (
            *connected("10.50.30.0/25", "eth1").routes,
            *connected("10.50.40.0/22", "eth2").routes,
            *static("0.0.0.0/0", "10.50.60.1").routes,
        ),
        (parse_ipv4("10.50.70.2"),),
    )
    for third, what in (
        (30, "the connected network 10.50.30.0/25 dev eth1"),
        (40, "the connected network 10.50.40.0/22 dev eth2"),
        (43, "the connected network 10.50.40.0/22 dev eth2"),
        (60, "the default gateway 10.50.60.1"),
        (70, "the etcd endpoint 10.50.70.2"),
    ):
        sentence = refusal(f"10.50.{third}.0/24", host)
        assert sentence.startswith(f"lease 10.50.{third}.0-24: not routed: ")
        assert f": subnet 10.50.{third}.0/24 overlaps {what} of this host; " in sentence
        assert "let host 192.0.2.9 lease another subnet" in sentence
    for third in (1, 29, 31, 39, 44, 59, 61, 69, 71, 255):
        assert refusal(f"10.50.{third}.0/24", host) == "", third


def test_a_lan_around_the_whole_pool_is_reported_and_disconnects_no_peer() -> None:
    lan = connected("10.50.0.0/15")
    assert len(problems(lan)) == 1
    assert refusal("10.50.3.0/24", lan) == ""
