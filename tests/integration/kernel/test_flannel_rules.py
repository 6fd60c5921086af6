# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules that a stopped flannel left in the firewall are named and removed; all other rules stay."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.firewall.rules import Firewall
from support.firewall_host import NETWORK, contents, firewall, iptables, rules
from support.netns import Namespace

FLANNEL_MASQUERADING = (
    "-t nat -A POSTROUTING -s 10.50.0.0/16 -d 10.50.0.0/16{0} -j RETURN",
    "-t nat -A POSTROUTING -s 10.50.0.0/16 ! -d 224.0.0.0/4{0} -j MASQUERADE{1}",
    "-t nat -A POSTROUTING ! -s 10.50.0.0/16 -d 10.50.1.0/24{0} -j RETURN",
    "-t nat -A POSTROUTING ! -s 10.50.0.0/16 -d 10.50.0.0/16{0} -j MASQUERADE{1}",
)
FLANNEL_FORWARDING = ("-A FORWARD -s 10.50.0.0/16{2} -j ACCEPT", "-A FORWARD -d 10.50.0.0/16{2} -j ACCEPT")
FLANNELS = {
    "0.10": ("", "", ""),
    "0.13": ("", " --random-fully", ""),
    "0.19": (" -m comment --comment flanneld_masq", " --random-fully", " -m comment --comment flanneld_forward"),
}


def leave_rules(host: Namespace, release: str) -> None:
    """Make the rules that a flanneld of this release leaves; a comment's blank is typed apart."""
    for rule in (*FLANNEL_MASQUERADING, *FLANNEL_FORWARDING):
        words = [word.replace("flanneld_", "flanneld ") for word in rule.format(*FLANNELS[release]).split()]
        host.command("iptables", *words)


@pytest.mark.parametrize("release", FLANNELS)
def test_the_rules_that_an_older_flannel_left_are_removed_and_named(host: Namespace, release: str) -> None:
    iptables(host, "-P FORWARD DROP", "-A FORWARD -s 10.9.0.0/16 -j DROP", "-t nat -A POSTROUTING -o eth9 -j ACCEPT")
    leave_rules(host, release)
    before = contents(host)
    planned = host.run(firewall().plan)
    assert contents(host) == before
    assert len([line for line in planned if line.endswith("  # left by flannel")]) == 6
    assert host.run(firewall().apply) == planned
    assert rules(host, "POSTROUTING") == ["-A POSTROUTING -o eth9 -j ACCEPT", "-A POSTROUTING -j FLANNEL-POSTRTG"]
    assert rules(host, "FORWARD") == ["-A FORWARD -s 10.9.0.0/16 -j DROP", "-A FORWARD -j FLANNEL-FWD"]
    assert host.run(firewall().plan) == []


def test_the_chain_that_a_flannel_before_0_6_left_is_removed(host: Namespace) -> None:
    iptables(host, "-t nat -N FLANNEL", "-t nat -A FLANNEL -d 10.50.0.0/16 -j ACCEPT")
    iptables(
        host, "-t nat -A FLANNEL ! -d 224.0.0.0/4 -j MASQUERADE", "-t nat -A POSTROUTING -s 10.50.0.0/16 -j FLANNEL"
    )
    host.run(firewall(ip_masq=False, forward=False).apply)
    assert rules(host) == [] and ":FLANNEL " not in host.command("iptables-save")


def test_an_incomplete_set_of_flannels_rules_stays(host: Namespace) -> None:
    for rule in (*FLANNEL_MASQUERADING[1:], FLANNEL_FORWARDING[0], "-t nat -N FLANNEL"):
        iptables(host, rule.format("", "", ""))
    before = contents(host)
    host.run(firewall(ip_masq=False, forward=False).apply)
    assert contents(host) == before
    host.run(firewall().apply)
    host.run(Firewall.remove)
    assert contents(host) == before


def test_with_own_forward_rules_turned_off_those_of_flannel_stay(host: Namespace) -> None:
    leave_rules(host, "0.10")
    host.run(firewall(forward=False).apply)
    assert len(rules(host, "FORWARD")) == 2 and rules(host, "POSTROUTING") == ["-A POSTROUTING -j FLANNEL-POSTRTG"]
    host.run(Firewall.none(NETWORK).apply)
    assert rules(host) == []


def test_rules_that_appear_after_the_take_over_are_not_touched(host: Namespace) -> None:
    host.run(firewall().apply)
    leave_rules(host, "0.10")
    assert host.run(lambda: firewall().apply(take_over=False)) == []


def test_the_nftables_tables_that_flannel_left_are_removed_and_others_stay(host: Namespace) -> None:
    for words in (
        "add table ip flannel-ipv4",
        "add chain ip flannel-ipv4 postrtg { type nat hook postrouting priority srcnat ; }",
        "add rule ip flannel-ipv4 postrtg ip saddr 10.50.0.0/16 masquerade",
        "add table ip6 flannel-ipv6",
        "add table ip kept",
    ):
        host.command("nft", *words.split())
    removal = [f"nft delete table {table}  # left by flannel" for table in ("ip flannel-ipv4", "ip6 flannel-ipv6")]
    assert host.run(firewall().plan)[-2:] == removal
    assert host.run(firewall().apply)[-2:] == removal
    assert "flannel-ipv" not in host.command("nft", "list", "tables")
    assert "table ip kept" in host.command("nft", "list", "tables")
    assert host.run(firewall().plan) == []
