# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules of others that drop the overlay's packets, in the formats of iptables-save and nft."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.kernel_facts import (
    drops_before,
    nft_drops,
    variant_drop,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.firewall.iptables import parse_tables
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet

NETWORK = Subnet.parse("10.50.0.0/16")
OURS = "-A FORWARD -j FLANNEL-FWD"


def dropping(*rules: str) -> list[str]:
    chains = ":FORWARD DROP [0:0]\n:FLANNEL-FWD - [0:0]\n:OTHER - [0:0]\n"
    tables = parse_tables("*filter\n" + chains + "".join(f"{rule}\n" for rule in rules) + "COMMIT\n", [])
    return drops_before(tables, NETWORK, "flannel.1", "FLANNEL-FWD")


@pytest.mark.parametrize(
    "rule",
    [
        "-A FORWARD -i flannel.1 -j DROP",
        "-A FORWARD -s 10.50.0.0/16 -j REJECT --reject-with icmp-port-unreachable",
        "-A FORWARD -d 10.0.0.0/8 -o flannel.1 -j DROP",
    ],
)
def test_a_rule_before_ours_that_names_the_overlay_drops_it(rule: str) -> None:
    assert dropping(rule, OURS) == [rule]
    assert dropping(OURS, rule) == []


@pytest.mark.parametrize(
    "rule",
    [
        "-A FORWARD -i eth1 -j DROP",
        "-A FORWARD -s 192.0.2.0/24 -j DROP",
        "-A FORWARD -i flannel.1 -p tcp -m tcp --dport 25 -j DROP",
        "-A FORWARD -i flannel.1 -m conntrack --ctstate INVALID -j DROP",
        "-A FORWARD ! -i flannel.1 -j DROP",
        "-A FORWARD -i flannel.1 -j ACCEPT",
    ],
)
def test_a_rule_for_other_packets_drops_nothing_of_the_overlay(rule: str) -> None:
    assert dropping(rule, OURS) == []


def test_a_rule_in_a_chain_that_is_called_before_ours_is_found() -> None:
    inner = "-A OTHER -i flannel.1 -j DROP"
    assert dropping("-A FORWARD -j OTHER", OURS, inner) == [inner]


@pytest.mark.parametrize(
    "rules, found",
    [
        (":FORWARD DROP [0:0]", "-P FORWARD DROP"),
        (":FORWARD ACCEPT [0:0]", ""),
        (":FORWARD ACCEPT [0:0]\n-A FORWARD -j REJECT", "-A FORWARD -j REJECT"),
        (":FORWARD DROP [0:0]\n-A FORWARD -j ACCEPT", ""),
        (":FORWARD DROP [0:0]\n-A FORWARD -s 10.50.0.0/16 -j ACCEPT", ""),
        ("", ""),
    ],
)
def test_the_other_variant_of_iptables_drops_what_it_does_not_accept(rules: str, found: str) -> None:
    assert variant_drop(f"*filter\n{rules}\nCOMMIT\n", NETWORK) == found


def chain(policy: str, hook: str = "forward", family: str = "inet") -> dict[str, Any]:
    return {"chain": {"family": family, "table": "strict", "name": "f", "hook": hook, "policy": policy}}


def rule(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"rule": {"family": "inet", "table": "strict", "chain": "f", "expr": list(parts)}}


@pytest.mark.parametrize(
    "listed, count",
    [
        ([chain("drop")], 1),
        ([chain("accept")], 0),
        ([chain("drop", hook="input")], 0),
        ([chain("drop", family="ip6")], 0),
        ([chain("accept"), rule({"counter": {}}, {"reject": {}})], 1),
        ([chain("drop"), rule({"accept": None})], 0),
        ([chain("drop"), rule({"match": {"right": "10.50.0.0"}}, {"accept": None})], 0),
    ],
)  # fmt: skip
def test_a_base_chain_of_nftables_that_drops_everything_is_found(listed: list[dict[str, Any]], count: int) -> None:
    assert len(nft_drops(listed, NETWORK)) == count
