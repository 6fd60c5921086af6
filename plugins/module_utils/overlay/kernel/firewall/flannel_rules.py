# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds the iptables rules that a stopped flanneld left outside of the chains that it shares with overlayd.

Up to 0.5 flanneld hooked a nat chain FLANNEL in POSTROUTING; from 0.6 to 0.19 it appended four nat rules to
POSTROUTING and two filter rules to FORWARD, later ones with a comment. Since 0.20 it has the chains FLANNEL-POSTRTG
and FLANNEL-FWD, which overlayd takes over. A set of rules counts as flanneld's only where it is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...model.addresses import Subnet
from .iptables import Rule, RuleChange, Tables

_CHAIN = "FLANNEL"


def leftover_masquerading(tables: Tables, network: Subnet) -> list[RuleChange]:
    """Return the changes that remove flanneld's nat rules for a network."""
    nat = tables.get("nat", {})
    rules = nat.get("POSTROUTING", [])
    masquerade = "-j MASQUERADE", "-j MASQUERADE --random-fully"
    wanted = [
        {Rule(f"-s {network} -d {network} -j RETURN").options},
        {Rule(f"-s {network} ! -d 224.0.0.0/4 {target}").options for target in masquerade},
        {rule.options for rule in rules if _guards_subnet(rule, network)},
        {Rule(f"! -s {network} -d {network} {target}").options for target in masquerade},
    ]
    return [*_removal("nat", "POSTROUTING", rules, wanted), *_old_chain(nat, network)]


def leftover_forwarding(tables: Tables, network: Subnet) -> list[RuleChange]:
    """Return the changes that remove flanneld's filter rules for a network."""
    rules = tables.get("filter", {}).get("FORWARD", [])
    wanted = [{Rule(f"{option} {network} -j ACCEPT").options} for option in ("-s", "-d")]
    return _removal("filter", "FORWARD", rules, wanted)


def _removal(
    table: str, chain: str, rules: Iterable[Rule], wanted: Iterable[set[frozenset[tuple[str, ...]]]]
) -> list[RuleChange]:
    """Return the removal of all rules of a set, each given in its variants; [] if one of the set is missing."""
    found = [[rule for rule in rules if rule.options in variants] for variants in wanted]
    if not all(found):
        return []
    return [RuleChange(table, f"-D {chain} {rule.text}") for same in found for rule in same]


def _guards_subnet(rule: Rule, network: Subnet) -> bool:
    """Whether the rule exempts packets from outside to one host's subnet of the network from masquerading."""
    targets = [option[1] for option in rule.options if option[0] == "-d" and len(option) > 1]
    try:
        subnet = Subnet.parse(targets[0] if targets else "")
    except ValueError:
        return False
    expected = Rule(f"! -s {network} -d {subnet} -j RETURN").options
    return rule.options == expected and network.covers(subnet) and subnet != network


def _old_chain(nat: Mapping[str, list[Rule]], network: Subnet) -> list[RuleChange]:
    jump = Rule(f"-s {network} -j {_CHAIN}")
    rules = {Rule(f"-d {network} -j ACCEPT").options, Rule("! -d 224.0.0.0/4 -j MASQUERADE").options}
    jumps = [rule for rule in nat.get("POSTROUTING", []) if rule.options == jump.options]
    if not jumps or {rule.options for rule in nat.get(_CHAIN, [])} != rules:
        return []
    commands = [*(f"-D POSTROUTING {rule.text}" for rule in jumps), f"-F {_CHAIN}", f"-X {_CHAIN}"]
    return [RuleChange("nat", command) for command in commands]
