# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The overlay's own chains: their rules, where they are hooked, and the commands from what a host has to that."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.firewall.iptables import parse_tables
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.firewall.rules import (
    FORWARD_CHAIN,
    MASQUERADE_CHAIN,
    OwnChain,
    differences,
)
from support.firewall_host import firewall

MASQUERADE, FORWARD = firewall(random=False).chains()
NOTHING = [OwnChain("nat", MASQUERADE_CHAIN), OwnChain("filter", FORWARD_CHAIN)]
RULES = "-A FLANNEL-FWD -s 10.50.0.0/16 -j ACCEPT\n-A FLANNEL-FWD -d 10.50.0.0/16 -j ACCEPT\n"
WITHIN = "-s 10.50.0.0/16 -d 10.50.0.0/16 -j FLANNEL-FWD"


def commands(printed: str, *wanted: OwnChain) -> list[str]:
    """The commands on the filter table that lead to these chains, the forward chain by default."""
    tables = parse_tables(f"*filter\n{printed}", ["filter"])
    return [change.command for change in differences(wanted or [FORWARD], tables)]


def test_masquerading_spares_traffic_within_the_overlay() -> None:
    assert [rule.text for rule in MASQUERADE.rules] == [
        "-m mark --mark 0x4000/0x4000 -j RETURN",
        "-s 10.50.1.0/24 -d 10.50.0.0/16 -j RETURN",
        "-s 10.50.0.0/16 -d 10.50.1.0/24 -j RETURN",
        "! -s 10.50.0.0/16 -d 10.50.1.0/24 -j RETURN",
        "-s 10.50.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE",
        "! -s 10.50.0.0/16 -d 10.50.0.0/16 -j MASQUERADE",
    ]


def test_both_directions_of_the_overlay_are_accepted() -> None:
    assert [rule.text for rule in FORWARD.rules] == ["-s 10.50.0.0/16 -j ACCEPT", "-d 10.50.0.0/16 -j ACCEPT"]


def test_chains_that_the_options_turn_off_have_no_rules_and_no_hooks() -> None:
    assert firewall(ip_masq=False, forward=False, random=False).chains() == NOTHING


def test_a_bare_host_gets_both_chains_with_their_rules_before_the_hooks() -> None:
    changes = [str(change) for change in differences([MASQUERADE, FORWARD], {})]
    assert [change for change in changes if " -N " in change or " -j FLANNEL" in change] == [
        "iptables -t nat -N FLANNEL-POSTRTG",
        "iptables -t nat -A POSTROUTING -j FLANNEL-POSTRTG",
        "iptables -t filter -N FLANNEL-FWD",
        "iptables -t filter -A FORWARD -j FLANNEL-FWD",
    ]
    assert len(changes) == 4 + len(MASQUERADE.rules) + len(FORWARD.rules)


def test_a_host_that_has_the_chain_and_its_hook_needs_no_command() -> None:
    assert commands(f":FLANNEL-FWD - [0:0]\n-A FORWARD -j FLANNEL-FWD\n{RULES}") == []


@pytest.mark.parametrize(
    "found", ["", "-A FLANNEL-FWD -s 10.50.0.0/16 -j ACCEPT\n", f"{RULES}-A FLANNEL-FWD -j DROP\n"]
)
def test_a_chain_with_other_rules_is_emptied_and_filled(found: str) -> None:
    assert commands(f":FLANNEL-FWD - [0:0]\n-A FORWARD -j FLANNEL-FWD\n{found}") == [
        "-F FLANNEL-FWD",
        "-A FLANNEL-FWD -s 10.50.0.0/16 -j ACCEPT",
        "-A FLANNEL-FWD -d 10.50.0.0/16 -j ACCEPT",
    ]


@pytest.mark.parametrize(
    ("rules", "hook"),
    [
        ("-A FORWARD -i eth0 -j DROP\n", "-A FORWARD -j FLANNEL-FWD"),
        ("-A FORWARD -j DROP\n", "-I FORWARD 1 -j FLANNEL-FWD"),
        ("-A FORWARD -i eth0 -j LOG\n-A FORWARD -j REJECT\n", "-I FORWARD 2 -j FLANNEL-FWD"),
        ("-A FORWARD -j RETURN\n", "-I FORWARD 1 -j FLANNEL-FWD"),
        (":ufw - [0:0]\n-A FORWARD -j ufw\n-A ufw -j DROP\n", "-I FORWARD 1 -j FLANNEL-FWD"),
        (":ufw - [0:0]\n-A FORWARD -j ufw\n-A ufw -j RETURN\n", "-A FORWARD -j FLANNEL-FWD"),
        (":a - [0:0]\n:b - [0:0]\n-A FORWARD -j a\n-A a -j b\n-A b -j a\n", "-A FORWARD -j FLANNEL-FWD"),
    ],
)
def test_the_hook_comes_after_other_rules_but_before_one_that_ends_the_chain(rules: str, hook: str) -> None:
    assert commands(f":FLANNEL-FWD - [0:0]\n{RULES}{rules}") == [hook]


def test_a_hook_after_a_rule_that_ends_the_chain_is_moved() -> None:
    assert commands(f"{RULES}-A FORWARD -j DROP\n-A FORWARD -j FLANNEL-FWD\n") == [
        "-D FORWARD -j FLANNEL-FWD",
        "-I FORWARD 1 -j FLANNEL-FWD",
    ]


def test_several_hooks_become_one() -> None:
    hooks = "-A FORWARD -j FLANNEL-FWD\n-A FORWARD -s 192.0.2.1/32 -j FLANNEL-FWD\n"
    assert commands(f"{RULES}{hooks}") == [
        "-D FORWARD -j FLANNEL-FWD",
        "-D FORWARD -s 192.0.2.1/32 -j FLANNEL-FWD",
        "-A FORWARD -j FLANNEL-FWD",
    ]


def test_dockers_chain_is_hooked_for_traffic_within_the_overlay_where_it_exists() -> None:
    docker = ":DOCKER-USER - [0:0]\n-A DOCKER-USER -j RETURN\n"
    assert commands(f"{RULES}-A FORWARD -j FLANNEL-FWD\n{docker}") == [f"-I DOCKER-USER 1 {WITHIN}"]


def test_removal_takes_every_jump_first_and_nothing_of_others() -> None:
    others = "-A FORWARD -s 192.0.2.0/24 -j ACCEPT\n-A FORWARD -j FLANNEL-FWD-OTHER\n"
    printed = f":FLANNEL-FWD - [0:0]\n{RULES}-A FORWARD -j FLANNEL-FWD\n-A DOCKER-USER {WITHIN}\n{others}"
    assert commands(printed, *NOTHING) == [
        "-D FORWARD -j FLANNEL-FWD",
        f"-D DOCKER-USER {WITHIN}",
        "-F FLANNEL-FWD",
        "-X FLANNEL-FWD",
    ]


def test_removal_on_a_host_without_the_chains_does_nothing() -> None:
    assert commands("-A FORWARD -j DROP\n", *NOTHING) == []
