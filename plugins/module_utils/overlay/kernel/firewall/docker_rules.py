# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of Docker among those of iptables that change packets between containers of different hosts."""

from __future__ import annotations

from ...model.addresses import Subnet
from .iptables import Rule, Tables

DOCKER_USER = "DOCKER-USER"  # the chain that Docker reserves for rules of others, before its own
_REWRITES = ("MASQUERADE", "SNAT")


def masquerading_rules(tables: Tables, own: Subnet) -> tuple[Rule, ...]:
    """Return the rules of POSTROUTING that give packets from a part of this host's subnet another source address.

    Docker has one for each bridge that masquerades. Rules for packets to this host's own subnet do not count: Docker
    has one for each published port (hairpin).
    """
    return tuple(
        rule
        for rule in tables.get("nat", {}).get("POSTROUTING", [])
        if rule.target in _REWRITES and _is_within(rule, "-s", own) and not _is_within(rule, "-d", own)
    )


def _is_within(rule: Rule, option: str, own: Subnet) -> bool:
    """Return whether a rule matches addresses of the subnet only; iptables-save prints an address as ADDRESS/32."""
    values = [words[1] for words in rule.options if words[0] == option]
    try:
        return bool(values) and own.covers(Subnet.parse(values[0]))
    except ValueError:  # a mask that is no prefix length
        return False
