# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validation of role variables, and their names in messages of modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible.errors import AnsibleUndefinedVariable
from ansible_collections.clusternet.overlay.plugins.filter.overlay_variables import (
    overlay_common_problems,
    overlay_variable_names,
    overlay_variable_problems,
)


def problems(**variables: Any) -> list[str]:
    """Return the problems of one host with these variables."""
    return overlay_variable_problems(["h1"], {"h1": variables})


@pytest.mark.parametrize(
    "name, value",
    [
        ("docker_restart", "needed"),
        ("overlay_iface", "eth0"),
        ("overlay_subnet_len", "24"),
        ("agent_firewall", "no"),
        ("verify_wait", 2.5),
        ("agent_etcd_username", None),
        ("overlay_etcd_endpoints", ["http://192.0.2.10:2379", "https://[2001:db8::1]:2379"]),
        ("overlay_etcd_endpoints", []),
        ("docker_of_another_collection", {"any": "value"}),
    ],
)
def test_a_valid_value_is_no_problem(name: str, value: object) -> None:
    assert problems(**{name: value}) == []


@pytest.mark.parametrize(
    "name, value, sentence",
    [
        ("docker_restart", "always", "docker_restart 'always' is not auto, needed or never; write one of these"),
        ("docker_restart", None, "docker_restart None is not auto, needed or never; write one of these"),
        ("overlay_subnet_len", "abc", "overlay_subnet_len 'abc' is not a whole number; write a number without quotes"),
        ("overlay_ip_masq", "maybe", "overlay_ip_masq 'maybe' is neither true nor false; write true or false"),
        ("verify_timeout", "5s", "verify_timeout '5s' is not a number; write a number without quotes"),
        (
            "overlay_etcd_prefix",
            "/",
            "overlay_etcd_prefix '/' is not an etcd prefix; write one such as /coreos.com/network",
        ),
        ("etcd_settings", 3, "etcd_settings 3 is not a mapping; write a mapping such as {key: value}"),
        ("overlay_iface", {"eth0": 1}, "overlay_iface {'eth0': 1} is not a list; write a list such as [first, second]"),
        ("overlay_network", ["10.50.0.0/16"], "overlay_network ['10.50.0.0/16'] is not a text; write one value"),
        (
            "agent_etcd_endpoints",
            ["192.0.2.10:2379"],
            "agent_etcd_endpoints ['192.0.2.10:2379'] is not a list of URLs; write a list such as "
            "[http://192.0.2.10:2379]",
        ),
        ("overlay_etcd_password", ["secret"], "overlay_etcd_password is not a text; write one value"),
    ],
)
def test_an_invalid_value_is_one_sentence_with_the_way_out(name: str, value: object, sentence: str) -> None:
    assert problems(**{name: value}) == [sentence]


def test_a_value_of_some_hosts_is_reported_once_with_their_names() -> None:
    hosts: dict[str, dict[str, Any]] = {"h1": {"docker_restart": "no"}, "h2": {}, "h3": {"docker_restart": "no"}}
    assert overlay_variable_problems(hosts, hosts) == [
        "h1, h3: docker_restart 'no' is not auto, needed or never; write one of these"
    ]


class LateVariables(Mapping[str, Any]):
    """Variables with one that needs facts."""

    def __getitem__(self, key: str) -> Any:
        if key == "agent_public_ip":
            raise AnsibleUndefinedVariable("no facts yet")
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(["agent_public_ip"])

    def __len__(self) -> int:
        return 1


def test_a_variable_that_needs_facts_is_left_to_its_role() -> None:
    assert overlay_variable_problems(["h1"], {"h1": LateVariables()}) == []


def test_a_problem_of_several_hosts_is_one_sentence() -> None:
    hosts = [
        {"inventory_hostname": "h1", "underlay": {"problems": ["interface lo has no usable IPv4 address"]}},
        {"inventory_hostname": "h2", "underlay": {"problems": ["interface lo has no usable IPv4 address"]}},
        {"inventory_hostname": "h3", "underlay": {"problems": ["it overlaps"], "member": True}},
        {"inventory_hostname": "h4", "underlay": {"skipped": True}},
    ]
    assert overlay_common_problems(hosts, "underlay", "member") == ["h1, h2: interface lo has no usable IPv4 address"]


@pytest.mark.parametrize(
    "text, shown",
    [
        ("name another interface with iface", "name another interface with overlay_iface"),
        (
            "no interface found: iface=eth9 iface_regex=^x",
            "no interface found: overlay_iface=eth9 overlay_iface_regex=^x",
        ),
        ("--iface-can-reach: 'x'", "overlay_iface_can_reach: 'x'"),
        ("public_ip: 'x'", "agent_public_ip: 'x'"),
        ("overlay_iface: 'x'", "overlay_iface: 'x'"),
    ],
)
def test_messages_name_role_variables(text: str, shown: str) -> None:
    assert overlay_variable_names(text) == shown
