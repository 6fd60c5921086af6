# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module underlay_info: it names the problems of an underlay interface before a setting is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._module.underlay import Choice, examine
from support.netns import Lan


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    """Two hosts; the first also has eth1, on which nobody answers, and has its default route there."""
    lan = Lan(2)
    host = lan.hosts[0]
    host.command("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "end1")
    host.command("ip", "link", "set", "end1", "up")
    host.command("ip", "address", "add", "198.51.100.11/24", "dev", "eth1")
    host.command("ip", "link", "set", "eth1", "up")
    host.command("ip", "route", "add", "203.0.113.0/24", "via", "198.51.100.1")
    yield lan
    lan.close()


def examined(lan: Lan, *peers: str, iface: str = "", regex: str = "", reach: str = "") -> dict[str, Any]:
    return lan.hosts[0].run(examine, Choice(iface.split(), regex.split(), reach, ""), peers)


def test_an_interface_that_reaches_the_other_host_has_no_problem(lan: Lan) -> None:
    assert examined(lan, lan.addresses[1], iface="eth0") == {
        "interface": "eth0",
        "address": lan.addresses[0],
        "public_ip": lan.addresses[0],
        "mtu": 1500,
        "problems": [],
    }


@pytest.mark.parametrize(
    ("asked", "option"),
    [
        ({"iface": "eth9"}, "iface=eth9"),
        ({"regex": "^10"}, "iface_regex=^10"),
        ({"reach": "9.9.9.9"}, "iface_can_reach"),
    ],
)
def test_an_interface_that_the_host_does_not_have_is_refused_with_those_it_has(
    lan: Lan, asked: dict[str, str], option: str
) -> None:
    [problem] = examined(lan, **asked)["problems"]
    assert option in problem
    assert f"eth0 ({lan.addresses[0]}/24)" in problem
    assert problem.startswith("no interface found: ")
    assert "--" not in problem


def test_an_interface_without_an_address_is_refused(lan: Lan) -> None:
    [problem] = examined(lan, iface="end1")["problems"]
    assert "interface end1 has no usable IPv4 address" in problem


def test_a_host_that_is_reached_by_another_interface_is_named(lan: Lan) -> None:
    problems = examined(lan, lan.addresses[1], "203.0.113.7", iface="eth0")["problems"]
    assert problems == ["packets to 203.0.113.7 leave by interface eth1, not by eth0"]


def test_a_host_without_a_route_is_named(lan: Lan) -> None:
    [problem] = examined(lan, "192.88.99.1", iface="eth0")["problems"]
    assert problem.startswith(f"no route to 192.88.99.1 from {lan.addresses[0]}")


def test_a_host_that_does_not_answer_on_the_network_of_the_interface_is_named(lan: Lan) -> None:
    problems = examined(lan, "198.51.100.12", iface="eth1")["problems"]
    assert problems == ["198.51.100.12 does not answer ARP requests on interface eth1"]
