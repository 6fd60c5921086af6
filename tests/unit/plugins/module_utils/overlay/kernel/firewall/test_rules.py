# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The overlay's own chains: their rules, where they are hooked, and the commands from what a host has to that."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.firewall.iptables import parse_tables
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.firewall.rules import (
    DOCKER_CHAIN,
    FORWARD_CHAIN,
    MASQUERADE_CHAIN,
    SOURCE_CHAIN,
    OwnChain,
    differences,
)
from support.firewall_host import firewall

MASQUERADE, NO_SOURCE, FORWARD, NO_DOCKER = firewall(random=False).chains({})
NOTHING = [OwnChain("nat", MASQUERADE_CHAIN), NO_SOURCE, OwnChain("filter", FORWARD_CHAIN), NO_DOCKER]
RULES = "-A FLANNEL-FWD -s 10.50.0.0/16 -j ACCEPT\n-A FLANNEL-FWD -d 10.50.0.0/16 -j ACCEPT\n"
WITHIN = "-s 10.50.0.0/16 -d 10.50.0.0/16 -j OVERLAY-DOCKER"
DOCKERS = ":DOCKER-USER - [0:0]\n-A DOCKER-USER -j RETURN\n"


def commands(printed: str, *wanted: OwnChain) -> list[str]:
    """The commands on the filter table that lead to these chains, the forward chain by default."""
    tables = parse_tables(f"*filter\n{printed}", ["filter"])
    return [change.command for change in differences(wanted or [FORWARD], tables)]


def chain(printed: str, name: str) -> tuple[list[str], list[str]]:
    """The rules that a chain should have on a host with these tables, and the commands for it."""
    tables = parse_tables(printed, [])
    (found,) = [each for each in firewall(random=False).chains(tables) if each.name == name]
    return [rule.text for rule in found.rules], [change.command for change in differences([found], tables)]


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
    assert firewall(ip_masq=False, forward=False, random=False).chains({}) == NOTHING


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


def test_the_chain_for_docker_accepts_only_packets_of_other_hosts() -> None:
    kept, made = chain(f"*filter\n{DOCKERS}", DOCKER_CHAIN)
    assert kept == ["-s 10.50.1.0/24 -d 10.50.1.0/24 -j RETURN", "-j ACCEPT"]
    assert made[-1] == f"-I DOCKER-USER 1 {WITHIN}"
    assert NO_DOCKER.rules == ()


def test_the_jump_of_earlier_releases_in_dockers_chain_is_removed() -> None:
    former = "-s 10.50.0.0/16 -d 10.50.0.0/16 -j FLANNEL-FWD"
    printed = f"{RULES}-A FORWARD -j FLANNEL-FWD\n-A DOCKER-USER {former}\n-A DOCKER-USER -j RETURN\n"
    assert commands(printed) == [f"-D DOCKER-USER {former}"]


@pytest.mark.parametrize(
    "rule",
    [
        "-s 10.50.1.128/28 ! -o br-18f960b7c932 -j MASQUERADE",
        "-s 10.50.1.0/24 ! -o docker0 -j MASQUERADE",
        "-s 10.50.1.130/32 -j SNAT --to-source 192.0.2.1",
    ],
)
def test_sources_are_kept_before_a_rule_that_rewrites_those_of_this_host(rule: str) -> None:
    printed = f"*nat\n-A POSTROUTING -o eth9 -j ACCEPT\n-A POSTROUTING {rule}\n-A POSTROUTING -j FLANNEL-POSTRTG\n"
    kept, made = chain(printed, SOURCE_CHAIN)
    assert kept == ["-d 10.50.1.0/24 -j RETURN", "-s 10.50.1.0/24 -d 10.50.0.0/16 -j ACCEPT"]
    assert made[-1] == "-I POSTROUTING 2 -j OVERLAY-SOURCE"


@pytest.mark.parametrize(
    "rule",
    [
        "-s 172.18.0.0/16 ! -o br-18f960b7c932 -j MASQUERADE",
        "-s 10.50.1.2/32 -d 10.50.1.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE",
        "! -s 10.50.1.0/24 -o eth0 -j MASQUERADE",
        "-s 10.50.1.0/255.255.0.255 -j MASQUERADE",
        "-j MASQUERADE",
    ],
)
def test_other_rules_of_docker_and_the_administrator_need_no_chain(rule: str) -> None:
    assert chain(f"*nat\n-A POSTROUTING {rule}\n", SOURCE_CHAIN) == ([], [])


def test_the_chain_of_sources_is_before_all_rules_of_docker_and_removed_with_them() -> None:
    ours = "-A POSTROUTING -j OVERLAY-SOURCE\n"
    body = "-A OVERLAY-SOURCE -d 10.50.1.0/24 -j RETURN\n-A OVERLAY-SOURCE -s 10.50.1.0/24 -d 10.50.0.0/16 -j ACCEPT\n"
    rule = "-A POSTROUTING -s 10.50.1.128/28 ! -o br-18f960b7c932 -j MASQUERADE\n"
    assert chain(f"*nat\n:OVERLAY-SOURCE - [0:0]\n{ours}{rule}{body}", SOURCE_CHAIN)[1] == []
    assert chain(f"*nat\n:OVERLAY-SOURCE - [0:0]\n{rule}{ours}{body}", SOURCE_CHAIN)[1] == [
        "-D POSTROUTING -j OVERLAY-SOURCE",
        "-I POSTROUTING 1 -j OVERLAY-SOURCE",
    ]
    assert chain(f"*nat\n:OVERLAY-SOURCE - [0:0]\n{ours}{body}", SOURCE_CHAIN)[1] == [
        "-D POSTROUTING -j OVERLAY-SOURCE",
        "-F OVERLAY-SOURCE",
        "-X OVERLAY-SOURCE",
    ]


def test_removal_deletes_the_jumps_first_and_no_rule_of_others() -> None:
    others = "-A FORWARD -s 192.0.2.0/24 -j ACCEPT\n-A FORWARD -j FLANNEL-FWD-OTHER\n"
    printed = f":FLANNEL-FWD - [0:0]\n{RULES}-A FORWARD -j FLANNEL-FWD\n-A INPUT -j FLANNEL-FWD\n{others}"
    assert commands(printed, *NOTHING) == [
        "-D FORWARD -j FLANNEL-FWD",
        "-D INPUT -j FLANNEL-FWD",
        "-F FLANNEL-FWD",
        "-X FLANNEL-FWD",
    ]


def test_removal_on_a_host_without_the_chains_does_nothing() -> None:
    assert commands("-A FORWARD -j DROP\n", *NOTHING) == []
