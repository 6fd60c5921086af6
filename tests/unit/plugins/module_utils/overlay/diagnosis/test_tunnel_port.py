# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules and chains that drop the tunnel packets, by iptables and by nftables, and the commands that let them pass."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.tunnel_port import (
    closed_policy,
    nft_closed,
    nft_port_drops,
    port_drops,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.firewall.iptables import parse_tables
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import parse_ipv4


def port_rules(*rules: str) -> list[str]:
    tables = parse_tables("*filter\n:INPUT ACCEPT [0:0]\n" + "".join(f"{rule}\n" for rule in rules) + "COMMIT\n", [])
    return [one.cure for one in port_drops(tables, 8472, "eth0", [parse_ipv4("192.0.2.12")])]


@pytest.mark.parametrize(
    "rule",
    [
        "INPUT -p udp -m udp --dport 8472 -j DROP",
        "OUTPUT -p udp -m udp --dport 8000:9000 -j REJECT --reject-with icmp-port-unreachable",
        "INPUT -s 192.0.2.0/24 -i eth0 -p udp -m multiport --dports 53,8472 -j DROP",
    ],
)
def test_a_rule_that_drops_the_tunnel_port_is_found_with_the_command_that_deletes_it(rule: str) -> None:
    assert port_rules(f"-A {rule}") == [f"iptables -D {rule}"]


@pytest.mark.parametrize(
    "rule",
    [
        "-A INPUT -p udp -m udp --dport 53 -j DROP",
        "-A INPUT -p tcp -m tcp --dport 8472 -j DROP",
        "-A INPUT ! -s 192.0.2.0/24 -p udp -m udp --dport 8472 -j DROP",
        "-A INPUT -s 203.0.113.0/24 -p udp -m udp --dport 8472 -j DROP",
        "-A INPUT -i eth1 -p udp -m udp --dport 8472 -j DROP",
        "-A INPUT -p udp -m udp --sport 8472 -j DROP",
        "-A INPUT -j DROP",
    ],
)
def test_a_rule_about_other_packets_is_no_finding(rule: str) -> None:
    assert port_rules(rule) == []


def test_a_rule_after_one_that_accepts_the_port_has_no_effect() -> None:
    drop = "-A INPUT -p udp -m udp --dport 8472 -j DROP"
    assert port_rules(drop.replace("DROP", "ACCEPT"), drop) == []


def closed(*rules: str, policy: str = "ACCEPT") -> list[str]:
    tables = parse_tables("*filter\n:INPUT ACCEPT [0:0]\n" + "".join(f"{rule}\n" for rule in rules) + "COMMIT\n", [])
    return [one.cure for one in closed_policy(tables, 8472, f"-P INPUT {policy}\n")]


def test_a_chain_that_ends_with_a_drop_is_open_for_ports_that_it_accepts_only() -> None:
    end = "-A INPUT -j REJECT --reject-with icmp-host-prohibited"
    assert closed("-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT", end) == [
        "iptables -I INPUT -p udp --dport 8472 -j ACCEPT"
    ]
    assert closed("-A INPUT -p udp -m udp --dport 8472 -j ACCEPT", end) == []
    assert closed("-A INPUT -j ACCEPT", end) == [] == closed("-A INPUT -j ACCEPT", policy="DROP")
    assert closed("-A INPUT -j OTHER", policy="DROP") == ["iptables -I INPUT -p udp --dport 8472 -j ACCEPT"]
    assert closed() == []


def ruleset(*rules: list[dict[str, Any]], policy: str = "accept") -> list[dict[str, Any]]:
    """The output of nft for a chain of the hook input with these rules."""
    place = {"family": "inet", "table": "t"}
    chain = {"chain": {**place, "name": "c", "hook": "input", "policy": policy}}
    return [chain, *({"rule": {**place, "chain": "c", "handle": 7 + n, "expr": rule}} for n, rule in enumerate(rules))]


def to_port(right: Any) -> dict[str, Any]:
    return {"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": right}}


SOURCE = {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "203.0.113.1"}}
DROP: dict[str, Any] = {"drop": None}
ACCEPT: dict[str, Any] = {"accept": None}


@pytest.mark.parametrize("right", [8472, {"set": [53, {"range": [8000, 9000]}]}, {"range": [8472, 8472]}])
def test_a_rule_of_nftables_against_the_port_is_found_by_its_handle(right: Any) -> None:
    (found,) = nft_port_drops(ruleset([to_port(right), {"counter": {}}, DROP]), 8472)
    assert found.cure == "nft delete rule inet t c handle 7"


def test_rules_of_nftables_about_other_packets_are_no_finding() -> None:
    others = ([to_port(53), DROP], [SOURCE, to_port(8472), DROP], [to_port(8472), ACCEPT], [to_port(8472), DROP])
    assert nft_port_drops(ruleset(*others), 8472) == []


def test_a_chain_of_nftables_that_drops_the_rest_is_open_for_ports_that_a_rule_names() -> None:
    (found,) = nft_closed(ruleset([SOURCE, ACCEPT], policy="drop"), 8472)
    assert found.cure == "nft insert rule inet t c udp dport 8472 accept"
    assert nft_closed(ruleset([to_port(8472), ACCEPT], policy="drop"), 8472) == []
    assert nft_closed(ruleset([ACCEPT], policy="drop"), 8472) == []
    assert nft_closed(ruleset(), 8472) == []
