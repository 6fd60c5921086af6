# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules that a stopped flanneld left: removed where the set is complete, and never rules of others."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.firewall.flannel_rules import (
    leftover_forwarding,
    leftover_masquerading,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.firewall.iptables import parse_tables
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet

NETWORK = Subnet.parse("10.50.0.0/16")
MASQUERADING = [
    "-s 10.50.0.0/16 -d 10.50.0.0/16 -j RETURN",
    "-s 10.50.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully",
    "! -s 10.50.0.0/16 -d 10.50.7.0/24 -j RETURN",
    "! -s 10.50.0.0/16 -d 10.50.0.0/16 -j MASQUERADE --random-fully",
]
OLD = ":FLANNEL - [0:0]\n-A FLANNEL -d 10.50.0.0/16 -j ACCEPT\n-A FLANNEL ! -d 224.0.0.0/4 -j MASQUERADE\n"
JUMP = "-A POSTROUTING -s 10.50.0.0/16 -j FLANNEL\n"


def masquerading(rules: list[str], more: str = "") -> list[str]:
    """The commands that remove flanneld's nat rules from these in POSTROUTING."""
    printed = "*nat\n" + "".join(f"-A POSTROUTING {rule}\n" for rule in rules) + more
    return [change.command for change in leftover_masquerading(parse_tables(printed, ["nat"]), NETWORK)]


def forwarding(rules: list[str]) -> list[str]:
    """The commands that remove flanneld's filter rules from these in FORWARD."""
    printed = "*filter\n" + "".join(f"-A FORWARD {rule}\n" for rule in rules)
    return [change.command for change in leftover_forwarding(parse_tables(printed, ["filter"]), NETWORK)]


def test_a_complete_set_of_nat_rules_is_removed() -> None:
    assert masquerading(["-s 172.17.0.0/16 -j MASQUERADE", *MASQUERADING]) == [
        f"-D POSTROUTING {rule}" for rule in MASQUERADING
    ]


def test_nat_rules_without_random_fully_and_with_comments_are_flannels_too() -> None:
    rules = [f'-m comment --comment "flanneld masq" {rule.removesuffix(" --random-fully")}' for rule in MASQUERADING]
    assert masquerading(rules) == [f"-D POSTROUTING {rule}" for rule in rules]


@pytest.mark.parametrize("missing", MASQUERADING)
def test_an_incomplete_set_of_nat_rules_is_not_flannels(missing: str) -> None:
    assert masquerading([rule for rule in MASQUERADING if rule != missing]) == []


@pytest.mark.parametrize("guarded", ["10.60.7.0/24", "10.50.0.0/16", "0.0.0.0/0"])
def test_the_guarded_subnet_is_a_part_of_the_network(guarded: str) -> None:
    rules = [rule.replace("10.50.7.0/24", guarded) for rule in MASQUERADING]
    assert masquerading(rules) == []


def test_rules_of_another_network_stay() -> None:
    assert masquerading([rule.replace("10.50.", "10.60.") for rule in MASQUERADING]) == []


def test_the_old_chain_is_removed_with_its_jump() -> None:
    assert masquerading([], OLD + JUMP) == ["-D POSTROUTING -s 10.50.0.0/16 -j FLANNEL", "-F FLANNEL", "-X FLANNEL"]


@pytest.mark.parametrize("more", [OLD, f"{OLD}{JUMP}-A FLANNEL -j DROP\n", JUMP])
def test_a_chain_of_that_name_with_other_rules_or_without_a_jump_stays(more: str) -> None:
    assert masquerading([], more) == []


def test_both_forward_rules_are_removed_and_one_alone_is_not_flannels() -> None:
    rules = ["-s 10.50.0.0/16 -j ACCEPT", "-d 10.50.0.0/16 -j ACCEPT"]
    assert forwarding(["-i eth0 -j DROP", *rules]) == [f"-D FORWARD {rule}" for rule in rules]
    assert forwarding(rules[:1]) == []


def test_a_forward_rule_with_a_condition_of_its_own_stays() -> None:
    assert forwarding(["-s 10.50.0.0/16 -i eth0 -j ACCEPT", "-d 10.50.0.0/16 -j ACCEPT"]) == []
