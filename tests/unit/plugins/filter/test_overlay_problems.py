# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each conflict between an inventory and a network config is one sentence."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.clusternet.overlay.plugins.filter.overlay_problems import FilterModule

CONFIG = {"network": "10.5.0.0/16", "backend": {"Type": "vxlan"}}
overlay_problems = FilterModule().filters()["overlay_problems"]


def host(name: str = "h1", address: str = "192.0.2.11", **more: Any) -> dict[str, Any]:
    return {"name": name, "address": address, **more}


def test_a_sound_inventory_has_no_problem() -> None:
    hosts = [
        host(subnet="10.5.7.0/24", ranges=["172.17.0.0/16", "fd00::/8"]),
        host("h2", "192.0.2.12", subnet="10.5.8.0/24"),
        {"name": "not known yet"},
    ]
    assert overlay_problems(CONFIG, hosts, {"office": "10.6.0.0/16"}) == []


def test_options_that_are_left_empty_mean_the_default() -> None:
    config = {**CONFIG, "subnet_len": "", "subnet_min": "", "subnet_max": None}
    assert overlay_problems(config, [host(subnet="", ranges=None)]) == []


def test_numbers_may_be_text() -> None:
    config = {**CONFIG, "subnet_len": "26", "backend": {"Type": "vxlan", "VNI": "7"}}
    assert overlay_problems(config, [host(subnet="10.5.7.64/26")]) == []


@pytest.mark.parametrize(
    "config, hosts, ranges, problem",
    [
        ({"network": "10.5.0.0/29", "backend": {"Type": "vxlan"}}, [], {}, "network is too small"),
        ({"network": "10.5.0.0/16"}, [], {}, "backend is missing"),
        ({"network": "10.5.0.0/16", "backend": {"Type": "vlan"}}, [], {}, "'vlan' is not a known backend"),
        ({"network": "10.5.0.0/16", "backend": {"Typ": "vxlan"}}, [], {}, "backend.Typ is not a known key"),
        (
            {"network": "10.5.0.0/28", "backend": {"Type": "vxlan"}},
            [host(f"h{n}", f"192.0.2.{n}") for n in range(1, 5)],
            {},
            "network 10.5.0.0/28 has 3 subnets of subnet_len 30 .* but there are 4 hosts",
        ),
        (CONFIG, [host(address="10.5.3.4")], {}, "host h1: address 10.5.3.4 lies inside network 10.5.0.0/16"),
        (CONFIG, [host(address="h1.example")], {}, "host h1: address 'h1.example' is not an IP address"),
        (CONFIG, [host(address="fd00::1")], {}, "host h1: address fd00::1 is not IPv4"),
        (CONFIG, [host(), host("h2")], {}, "hosts h1 and h2 have the same address 192.0.2.11"),
        (CONFIG, [host(subnet="10.5.7.0")], {}, "host h1: subnet '10.5.7.0' is not an IPv4 network"),
        (CONFIG, [host(subnet="10.6.7.0/24")], {}, "host h1: subnet 10.6.7.0/24 is not a /24 from subnet_min"),
        (CONFIG, [host(subnet="10.5.7.0/25")], {}, "host h1: subnet 10.5.7.0/25 is not a /24 from subnet_min"),
        (
            CONFIG,
            [host(subnet="10.5.7.0/24"), host("h2", "192.0.2.12", subnet="10.5.7.0/24")],
            {},
            "hosts h1 and h2 have the same subnet 10.5.7.0/24",
        ),
        (CONFIG, [host(ranges=["10.5.9.1/24"])], {}, "host h1: range 10.5.9.0/24 overlaps network 10.5.0.0/16"),
        (CONFIG, [host(ranges=["docker0"])], {}, "host h1: range 'docker0' is not a network"),
        (CONFIG, [], {"office": "10.0.0.0/8"}, "office: range 10.0.0.0/8 overlaps network 10.5.0.0/16"),
    ],
)
def test_each_problem_is_one_sentence_that_names_the_host_and_the_value(
    config: dict[str, Any], hosts: list[dict[str, Any]], ranges: dict[str, str], problem: str
) -> None:
    problems = overlay_problems(config, hosts, ranges)
    assert len(problems) == 1
    assert re.search(problem, problems[0])


@pytest.mark.parametrize(
    "config, hosts, problem",
    [
        (
            {"network": "10.5.0.0/16", "backend": "host-gw"},
            [],
            "overlay_backend 'host-gw' is not a mapping; "
            "write overlay_backend: {Type: vxlan} or overlay_backend: {Type: host-gw}",
        ),
        (
            {**CONFIG, "backend": {"Type": "vxlan", "VNI": 0}},
            [],
            "overlay_backend.VNI 0 is out of range; it must be from 1 to 16777215",
        ),
        (
            {**CONFIG, "subnet_len": 17},
            [],
            "network must be able to accommodate at least four subnets: overlay_subnet_len 17 in "
            "overlay_network 10.5.0.0/16; use 18 or more",
        ),
        (
            {**CONFIG, "subnet_min": "10.5.9.0", "subnet_max": "10.5.8.0"},
            [],
            "overlay_subnet_min 10.5.9.0 is above overlay_subnet_max 10.5.8.0; swap them or widen the range",
        ),
        (
            {"network": "", "backend": {"Type": "vxlan"}},
            [],
            "overlay_network is not set; write an unused private range such as 10.5.0.0/16 (RFC 1918)",
        ),
        (
            CONFIG,
            [host(subnet="10.6.7.0/24")],
            "host h1: overlay_subnet 10.6.7.0/24 is not a /24 "
            "from overlay_subnet_min 10.5.1.0/24 to overlay_subnet_max 10.5.255.0/24",
        ),
    ],
)
def test_a_problem_names_the_variables_of_the_caller(
    config: dict[str, Any], hosts: list[dict[str, Any]], problem: str
) -> None:
    assert overlay_problems(config, hosts, prefix="overlay_") == [problem]


def test_all_problems_are_reported_at_once() -> None:
    hosts = [host(address="10.5.3.4", subnet="10.6.0.0/24"), host("h2", "10.5.3.4")]
    assert len(overlay_problems(CONFIG, hosts, {"office": "10.5.0.0/20"})) == 5


def test_a_config_that_is_no_mapping_is_an_error_of_the_caller() -> None:
    with pytest.raises(AnsibleFilterError, match="'x' is not a dictionary; use the options of network_config"):
        overlay_problems("x", [])


def test_a_host_that_permits_no_commands_cannot_have_the_backend_extension() -> None:
    config = {"network": "10.5.0.0/16", "backend": {"Type": "extension", "SubnetAddCommand": "true"}}
    hosts = [
        {"name": "h1", "extension_commands": "none"},
        {"name": "h2", "extension_commands": "direct"},
        {"name": "h3"},
    ]
    (problem,) = overlay_problems(config, hosts)
    assert problem.startswith("hosts h1: the backend extension runs commands of the network config as root")
    assert overlay_problems({**config, "backend": {"Type": "vxlan"}}, hosts) == []
