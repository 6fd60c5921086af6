# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ipip device and its routes in the kernel: packets, repair, removal, and devices of other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.plan import KernelPlan
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.state import DesiredState
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import KernelError
from support.kernel_module import without_module
from support.netns import Lan
from support.overlay_end import End, joined, reaches, settle

Fleet = Callable[..., list[End]]
BACKENDS: dict[str, dict[str, Any]] = {"tunnel": {}, "direct routing": {"DirectRouting": True}}
DAMAGE = {
    "a route is deleted": ["ip route del 10.50.2.0/24"],
    "the device goes down": ["ip link set flannel.ipip down"],
    "the device goes down and up": ["ip link set flannel.ipip down", "ip link set flannel.ipip up"],
    "the device gets another MTU": ["ip link set flannel.ipip mtu 1400"],
    "the device loses its address": ["ip addr del 10.50.1.0/32 dev flannel.ipip"],
    "the device gets another address": ["ip addr add 10.50.9.9/16 dev flannel.ipip"],
    "the device sends from elsewhere": ["ip link set flannel.ipip type ipip local 192.0.2.99 remote any"],
    "the device is bound to an interface": ["ip link set flannel.ipip type ipip local 192.0.2.11 remote any dev eth0"],
    "the device is deleted": ["ip link del flannel.ipip"],
    "the device sends to one host": [
        "ip link del flannel.ipip",
        "ip link add flannel.ipip type ipip local 192.0.2.11 remote 192.0.2.12",
    ],
    "a stray route leads into the device": [
        "ip route add 10.50.8.0/24 via 192.0.2.88 dev flannel.ipip onlink metric 7"
    ],
}


@pytest.fixture
def next_hops() -> bool | None:
    """How routes are carried: as the kernel can; a test may have another value as a parameter."""
    return None


@pytest.fixture
def fleet(next_hops: bool | None) -> Iterator[Fleet]:
    """Make hosts with the ipip backend on one switch; called with how many and the Backend object's keys."""
    made: list[tuple[Lan, list[End]]] = []

    def make(count: int, **options: Any) -> list[End]:
        lan = Lan(count)
        ends: list[End] = []
        made.append((lan, ends))
        for number, (host, address) in enumerate(zip(lan.hosts, lan.addresses), 1):
            ends.append(End(host, number, address, next_hops, Type="ipip", **options))
        return ends

    yield make
    for lan, ends in made:
        for end in ends:
            end.close()
        lan.close()


@pytest.mark.parametrize("next_hops", [None, False], ids=["next hops", "plain routes"])
@pytest.mark.parametrize("options", BACKENDS.values(), ids=BACKENDS.keys())
def test_datagrams_of_the_full_mtu_pass_between_all_hosts(fleet: Fleet, options: dict[str, Any]) -> None:
    ends = joined(fleet(2, **options))
    assert ends[0].backend.mtu == 1480
    for one in ends:
        for other in ends:
            if one is not other:
                assert reaches(one, other, size=1480)
    ways = ends[0].ip("route", "show", "10.50.2.0/24")
    assert f"via 192.0.2.12 dev {'eth0' if options else 'flannel.ipip'} " in ways


def test_packets_between_hosts_are_of_protocol_4_and_only_with_the_tunnel(fleet: Fleet) -> None:
    one, two = joined(fleet(2))
    two.host.command("iptables", "-A", "INPUT", "-i", "eth0", "-p", "4", "-j", "DROP")
    assert not reaches(one, two)
    two.host.command("iptables", "-F", "INPUT")
    assert reaches(one, two)


@pytest.mark.parametrize("next_hops", [None, False], ids=["next hops", "plain routes"])
def test_removal_removes_all_own_rows_and_no_device_of_others(fleet: Fleet) -> None:
    one, two = fleet(2)
    one.ip("link", "add", "other", "type", "ipip", "local", "192.0.2.11", "remote", "192.0.2.12")
    one.ip("route", "add", "10.50.77.0/24", "via", "192.0.2.12")
    before = one.ip("route") + one.ip("-o", "link") + one.ip("nexthop")
    assert "tunl0" in before
    joined([one, two])
    assert reaches(one, two)
    assert one.reach(DesiredState(), leftovers=["flannel.ipip"]) == []
    assert one.ip("route") + one.ip("-o", "link") + one.ip("nexthop") == before


def test_the_device_has_the_expected_settings_and_only_its_own_address(fleet: Fleet) -> None:
    one, _two = joined(fleet(2))
    device = one.ip("-d", "link", "show", "flannel.ipip")
    assert "ipip ipip remote any local 192.0.2.11 ttl inherit pmtudisc" in device
    assert "mtu 1480 " in device and "NOARP,UP" in device
    addresses = [line.split()[3] for line in one.ip("-o", "address", "show", "flannel.ipip").splitlines()]
    assert addresses == ["10.50.1.0/32"]


def test_each_damage_is_noticed_and_repaired_in_one_plan(fleet: Fleet) -> None:
    one, two = joined(fleet(2))
    settle(one, two)
    for what, damage in DAMAGE.items():
        for command in damage:
            one.host.command(*command.split())
        assert one.monitor.drain(), f"nothing was heard: {what}"
        assert one.plan(one.desired(two)), f"no harm was done: {what}"
        one.converge(two)
        assert reaches(one, two, size=1480), what
        settle(one, two)


def test_the_device_that_flannel_left_is_adopted_unchanged(fleet: Fleet) -> None:
    one, two = joined(fleet(2))
    one.ip("link", "delete", "flannel.ipip")
    # flannel's netlink library turns path MTU discovery off.
    one.ip("link", "add", "flannel.ipip", "type", "ipip", "local", "192.0.2.11", "nopmtudisc")
    one.ip("link", "set", "flannel.ipip", "mtu", "1480", "up")
    one.ip("address", "add", "10.50.1.0/32", "dev", "flannel.ipip")
    one.ip("route", "add", "10.50.2.0/24", "via", "192.0.2.12", "dev", "flannel.ipip", "onlink")
    index = one.dataplane.ifindex("flannel.ipip")
    assert one.plan(one.desired(two)) == KernelPlan()
    assert one.dataplane.ifindex("flannel.ipip") == index
    assert reaches(one, two, size=1480)


def test_another_device_with_the_same_addresses_is_named_with_a_remedy(fleet: Fleet) -> None:
    one, two = fleet(2)
    one.ip("link", "add", "other", "type", "ipip", "local", "192.0.2.11")
    words = "flannel.ipip cannot be created: other already is an ipip device from 192.0.2.11 .*`ip link delete other`"
    with pytest.raises(KernelError, match=words):
        one.plan(one.desired(two))
    one.ip("link", "delete", "other")
    one.converge(two)


def test_a_device_of_the_tunnels_name_that_is_not_ipip_is_named_and_left_untouched(fleet: Fleet) -> None:
    one, two = fleet(2)
    one.ip("link", "add", "flannel.ipip", "type", "bridge")
    with pytest.raises(KernelError, match=r"interface flannel\.ipip exists but is a bridge device, not ipip"):
        one.plan(one.desired(two))
    assert "bridge" in one.ip("-d", "link", "show", "flannel.ipip")


def test_without_the_module_the_error_names_it_and_the_solution(fleet: Fleet) -> None:
    one, two = fleet(2)
    with without_module("ipip"):
        (failure,) = one.reach(one.desired(two))
    assert str(failure) == (
        "ip link add flannel.ipip mtu 1480 type ipip local 192.0.2.11 remote any: the kernel has no ipip devices, "
        "because it did not find its module ipip; install the kernel package that has it and run `modprobe ipip`, or "
        "choose another backend"
    )
    one.converge(two)
