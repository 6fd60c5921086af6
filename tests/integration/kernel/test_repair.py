# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Notifications of the kernel: foreign changes of the overlay are noticed and repaired in one plan."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.overlay_end import End, joined, reaches, settle

Fleet = Callable[..., list[End]]


DAMAGE = {
    "a route is deleted": ["ip route del 10.50.2.0/24"],
    "a neighbour is deleted": ["ip neigh del 10.50.2.0 dev flannel.1"],
    "a neighbour gets another MAC": ["ip neigh replace 10.50.2.0 lladdr 0e:99:99:99:99:99 dev flannel.1 nud permanent"],
    "a neighbour is no longer permanent": ["ip neigh replace 10.50.2.0 lladdr 0e:99:99:99:99:99 dev flannel.1"],
    "an FDB row is deleted": ["bridge fdb del 0e:00:00:00:00:02 dev flannel.1 dst 192.0.2.12 self"],
    "an FDB row points elsewhere": ["bridge fdb replace 0e:00:00:00:00:02 dev flannel.1 dst 192.0.2.99 self permanent"],
    "an FDB row leads to another port": [
        "bridge fdb replace 0e:00:00:00:00:02 dev flannel.1 dst 192.0.2.12 port 99 self permanent"
    ],
    "unknown MACs are flooded": [
        "bridge fdb append 00:00:00:00:00:00 dev flannel.1 dst 192.0.2.98 self permanent",
        "bridge fdb append 00:00:00:00:00:00 dev flannel.1 dst 192.0.2.99 self permanent",
    ],
    "the device goes down": ["ip link set flannel.1 down"],
    "the device goes down and up": ["ip link set flannel.1 down", "ip link set flannel.1 up"],
    "the device gets another MAC": ["ip link set flannel.1 address 0e:99:99:99:99:99"],
    "the device gets another MTU": ["ip link set flannel.1 mtu 1400"],
    "the device loses its address": ["ip addr del 10.50.1.0/32 dev flannel.1"],
    "the device gets another address": ["ip addr add 10.50.9.9/16 dev flannel.1"],
    "the device learns": ["ip link set flannel.1 type vxlan learning"],
    "the device sends from elsewhere": ["ip link set flannel.1 type vxlan local 192.0.2.99"],
    "the device is deleted": ["ip link del flannel.1"],
    "the device has another port": [
        "ip link del flannel.1",
        "ip link add flannel.1 type vxlan id 1 dev eth0 local 192.0.2.11 dstport 4789 nolearning",
    ],
    "the device tags groups": [
        "ip link del flannel.1",
        "ip link add flannel.1 type vxlan id 1 dev eth0 local 192.0.2.11 dstport 8472 nolearning gbp",
    ],
    "a stray route leads into the device": ["ip route add 10.50.8.0/24 dev flannel.1 metric 7"],
    "a stray black hole has our protocol": ["ip route add blackhole 10.50.8.0/24 proto 158"],
    "a stray peer is left from before": [
        "ip neigh add 10.50.8.0 lladdr 0e:88:88:88:88:88 dev flannel.1 nud permanent",
        "bridge fdb add 0e:88:88:88:88:88 dev flannel.1 dst 192.0.2.88 self permanent",
        "ip route add 10.50.8.0/24 via 10.50.8.0 dev flannel.1 onlink",
    ],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_noticed_and_repaired_in_one_plan(fleet: Fleet, damage: list[str]) -> None:
    one, two = joined(fleet(2))
    settle(one, two)
    for command in damage:
        one.host.command(*command.split())
    assert one.monitor.drain(), "nothing was heard of the damage"
    assert one.plan(one.desired(two)), "the damage did no harm"
    one.converge(two)
    assert reaches(one, two, size=1450)


@pytest.mark.parametrize(
    "backend", [{"Type": "vxlan", "DirectRouting": True}, {"Type": "host-gw"}], ids=["direct routing", "host-gw"]
)
def test_an_underlay_interface_that_goes_down_and_up_is_noticed_and_repaired(
    fleet: Fleet, backend: dict[str, object]
) -> None:
    one, two = joined(fleet(2, **backend))
    settle(one, two)
    one.ip("link", "set", "eth0", "down")
    one.ip("link", "set", "eth0", "up")
    assert one.monitor.drain()
    assert one.plan(one.desired(two))
    one.converge(two)
    assert reaches(one, two)


def test_flushed_next_hops_are_added_again(fleet: Fleet, next_hops: bool | None) -> None:
    one, two = joined(fleet(2))
    settle(one, two)
    one.ip("nexthop", "flush", "proto", "158")
    assert one.monitor.drain() is (next_hops is None)
    one.converge(two)
    assert reaches(one, two)


def test_own_changes_are_not_reported(fleet: Fleet) -> None:
    one, two, three = fleet(3)
    one.converge()
    settle(one)
    one.converge(two, three)
    two.mac = bytes.fromhex("0e0000000022")
    one.converge(two)
    one.converge()
    assert not one.monitor.drain()


def test_unrelated_changes_are_not_reported(fleet: Fleet) -> None:
    one, two = joined(fleet(2))
    settle(one, two)
    one.ip("link", "add", "veth7", "type", "veth", "peer", "name", "veth8")
    one.ip("link", "set", "veth7", "up")
    one.ip("address", "add", "203.0.113.1/24", "dev", "veth7")
    one.ip("route", "add", "198.51.100.0/24", "via", "192.0.2.12")
    one.ip("neighbour", "add", "203.0.113.9", "lladdr", "0e:99:99:99:99:99", "dev", "veth7")
    one.ip("link", "delete", "veth7")
    assert not one.monitor.drain()
