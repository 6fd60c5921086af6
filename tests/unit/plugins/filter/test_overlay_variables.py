# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validation of role variables, and their names in messages of modules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleUndefinedVariable
from ansible.utils.display import Display
from ansible_collections.clusternet.overlay.plugins.filter.overlay_variables import (
    PLAYBOOKS,
    _specs,
    overlay_common_problems,
    overlay_variable_names,
    overlay_variable_problems,
)

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def doubts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings so far."""
    found: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _self, text: found.append(text))
    return found


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
        (
            "overlay_etcd_endpoints",
            ["https://192.0.2.10:2379/"],
            "overlay_etcd_endpoints ['https://192.0.2.10:2379/'] is not a list of URLs without a path; write a list "
            "such as [http://192.0.2.10:2379]",
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


@pytest.mark.parametrize(
    "name, meant",
    [
        ("docker_restrt", "docker_restart"),
        ("overlay_backnd", "overlay_backend"),
        ("agent_ifcae", "agent_iface"),
        ("overaly_serial", "overlay_serial"),
        ("overlay_reset_confirmm", "overlay_reset_confirm"),
        ("overlay_etcd_endpoint", "overlay_etcd_endpoints"),
        ("overlay_subnet_lem", "overlay_subnet_len"),
        ("Overlay-Network", "overlay_network"),
        ("etcd_tsl", "etcd_tls"),
    ],
)
def test_a_variable_one_slip_away_from_a_known_one_is_refused(name: str, meant: str) -> None:
    assert problems(**{name: "any"}) == [
        f"{name}: no such variable; did you mean {meant}? (if {name} is yours: set {meant}, too)"
    ]


@pytest.mark.parametrize(
    "name",
    ["docker_users", "docker_version", "etcd_backup_dir", "etcd_cert_dir", "agent_name", "network_mtu", "verify_ssl"],
)
def test_a_variable_that_shares_a_prefix_is_the_user_s_own(name: str, doubts: list[str]) -> None:
    assert problems(**{name: "any"}) == doubts == []


@pytest.mark.parametrize(
    "name, known",
    [
        ("docker_package", {}),  # a plural or a number, as other collections have it
        ("docker_unit2", {}),
        ("overlay_max_fail_precentge", {}),  # more than one slip
        ("overlay_ifaces", {"overlay_iface": "eth0"}),  # a part of the value of the known one
    ],
)
def test_a_name_in_doubt_is_a_warning(name: str, known: dict[str, Any], doubts: list[str]) -> None:
    assert problems(**{name: "any"}, **known) == []
    assert [text.partition(":")[0] for text in doubts] == [name]


def test_a_misspelling_of_some_hosts_names_them() -> None:
    hosts = {"h1": {"docker_restrt": "needed"}, "h2": {"docker_restart": "needed"}}
    assert overlay_variable_problems(hosts, hosts)[0].startswith("h1: docker_restrt: no such variable")


def test_no_name_in_this_collection_is_taken_for_a_misspelling(doubts: list[str]) -> None:
    texts = [
        path.read_text() for folder in ("playbooks", "roles", "inventories") for path in (ROOT / folder).rglob("*.*ml")
    ]
    names = {name for text in texts for name in re.findall(r"(?<![\w./-])[a-z]\w+", text)}
    assert len(names) > 500
    assert problems(**dict.fromkeys(names - _specs().keys())) == doubts == []


def test_every_variable_of_the_playbooks_is_known() -> None:
    texts = [path.read_text() for path in (ROOT / "playbooks").glob("*.yml")]
    used = {name for text in texts for name in re.findall(r"(?<![\w.])(overlay_\w+)(?= \| (?:default|bool))", text)}
    pages = [ROOT / "README.md", ROOT / "roles/overlay/README.md", *(ROOT / "docs").glob("*.md")]
    rows = [
        line.split("|")[1] for page in pages for line in page.read_text().splitlines() if line.startswith("| `overlay_")
    ]
    documented = {name for row in rows for name in re.findall("`(overlay_[a-z_]*[a-z])`", row)}
    assert len(used) > 20
    modules = {path.stem for path in (ROOT / "plugins/modules").glob("*.py")}
    assert (used | documented) - modules - _specs().keys() == set(PLAYBOOKS)
