# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the firewall. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Facts
from ..finding import Finding, error
from .kernel import FORMER


def own_rules(facts: Facts) -> Iterator[Finding]:
    """overlayd's rules are present, once, and before what ends the chain."""
    if facts.firewall_error:
        yield error(
            "firewall-unreadable",
            f"the firewall rules cannot be read: {facts.firewall_error}",
            "iptables is missing, or another program made its table unreadable for it",
            "correct the cause in this message, then systemctl restart overlayd",
            FORMER,
        )
    if facts.firewall:
        yield error(
            "firewall-rules",
            f"{len(facts.firewall)} changes of the firewall rules are missing; the first: {facts.firewall[0]}",
            "another program removed or changed the rules, and overlayd did not restore them",
            "systemctl restart overlayd",
            FORMER,
        )


def drops(facts: Facts) -> Iterator[Finding]:
    """No rule or policy of others drops the overlay's packets."""
    is_silent = any(not one.overlay and one.host for one in facts.reach)
    for one in [*facts.drops, *(facts.suspects if is_silent else [])]:
        yield error(
            "firewall-drop",
            f"{one.where} drops {one.what}: {one.rule}",
            "an administrator or another firewall program added it; a packet must pass every ruleset",
            f"{one.cure}; if a firewall program manages the rules, also change its configuration"
            if one.cure
            else f"{one.show}; remove it, or accept {_network(facts)} before it",
        )


def _network(facts: Facts) -> str:
    return str(facts.config.network) if facts.config is not None else "the overlay network"
