# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Firewall rules of this host that drop the tunnel packets: UDP packets to one port. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from ..kernel.firewall.iptables import Tables
from .facts import Drop

VERDICTS = ("DROP", "REJECT")


def port_drops(tables: Tables, port: int, device: str, peers: Collection[int]) -> list[Drop]:
    """Return the rules in INPUT and OUTPUT that drop the tunnel packets: UDP packets to a port; none for port 0."""
    found = []
    for chain in ("INPUT", "OUTPUT") if port else ():
        for rule in tables.get("filter", {}).get(chain, []):
            if not _names_port(rule.text, port) or not _meets(rule.text, device, peers):
                continue
            if rule.target == "ACCEPT":
                break
            if rule.target in VERDICTS:
                found.append(
                    Drop(
                        f"iptables, chain {chain}",
                        f"-A {chain} {rule.text}",
                        f"iptables -S {chain}",
                        cure=f"iptables -D {chain} {rule.text}",
                        what=f"tunnel packets (UDP port {port})",
                    )
                )
    return found


def _names_port(text: str, port: int) -> bool:
    """Return whether a rule is about UDP packets to a port, with any source port."""
    ports = re.search(r"(?:^| )--dports? (\S+)", text)
    if "-p udp" not in text or " ! " in f" {text}" or "--sport" in text or ports is None:
        return False
    ranges = (part.partition(":") for part in ports[1].split(","))
    return any(int(low or 0) <= port <= int(high or (65535 if colon else low)) for low, colon, high in ranges)


def _meets(text: str, device: str, peers: Collection[int]) -> bool:
    """Return whether a rule can apply to packets of one of these hosts on a device."""
    for side, value in re.findall(r"(?:^| )-([sdio]) (\S+)", text):
        if side in "io" and value != device:
            return False
        if side in "sd" and not any(ipaddress.ip_address(one) in ipaddress.ip_network(value, False) for one in peers):
            return False
    return True


def closed_policy(tables: Tables, port: int, shown: str) -> list[Drop]:
    """Return the end of INPUT if it drops every packet, and no rule of the table accepts the port.

    ``shown`` is the output of ``iptables -S INPUT``, which begins with the policy.
    """
    chains = tables.get("filter", {})
    if any(r.target == "ACCEPT" and _names_port(r.text, port) for rules in chains.values() for r in rules):
        return []
    ends = [rule for rule in chains.get("INPUT", []) if rule.matches_all and rule.target in ("ACCEPT", *VERDICTS)]
    rule = f"-A INPUT {ends[0].text}" if ends else shown.partition("\n")[0]
    if (ends[0].target if ends else rule.rpartition(" ")[2]) not in VERDICTS:
        return []
    return [
        Drop(
            "iptables, chain INPUT",
            rule,
            "iptables -S INPUT",
            f"iptables -I INPUT -p udp --dport {port} -j ACCEPT",
            f"tunnel packets (UDP port {port})",
        )
    ]


def nft_port_drops(listed: Iterable[dict[str, Any]], port: int) -> list[Drop]:
    """Return the rules of nftables for the hooks input and output that drop UDP packets to a port from any host."""
    listed = list(listed)
    found = []
    for chain in _base_chains(listed, ("input", "output")):
        for rule in _rules(listed, chain):
            matches, verdict = _parts(rule)
            if len(matches) != 1 or not _matches_port(matches[0], port):
                continue
            if verdict == "accept":
                break
            if verdict in ("drop", "reject"):
                place = f"{chain['family']} {chain['table']} {chain['name']}"
                found.append(
                    Drop(
                        f"nftables, chain {place}",
                        f"udp dport {port} {verdict}",
                        f"nft list chain {place}",
                        f"nft delete rule {place} handle {rule['handle']}",
                        f"tunnel packets (UDP port {port})",
                    )
                )
    return found


def nft_closed(listed: Iterable[dict[str, Any]], port: int) -> list[Drop]:
    """Return the base chains of the hook input that drop what no rule accepts, without a rule about the port."""
    listed = list(listed)
    found = []
    for chain in _base_chains(listed, ("input",)):
        family, table, name = chain["family"], chain["table"], chain["name"]
        of_table = [one["rule"] for one in listed if "rule" in one]
        of_table = [rule for rule in of_table if (rule["family"], rule["table"]) == (family, table)]
        if any(_matches_port(match, port) for rule in of_table for match in _parts(rule)[0]):
            continue
        ends = [verdict for matches, verdict in map(_parts, _rules(listed, chain)) if not matches and verdict]
        if (ends or [chain.get("policy", "accept")])[0] in ("drop", "reject"):
            place = f"{family} {table} {name}"
            found.append(
                Drop(
                    f"nftables, chain {place}",
                    "a packet that no rule accepts",
                    f"nft list chain {place}",
                    f"nft insert rule {place} udp dport {port} accept",
                    f"tunnel packets (UDP port {port})",
                )
            )
    return found


def _base_chains(listed: Iterable[dict[str, Any]], hooks: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield the base chains of hooks, except those of iptables-nft."""
    for one in listed:
        chain = one.get("chain", {})
        family, table = chain.get("family"), chain.get("table")
        if chain.get("hook") in hooks and family in ("ip", "inet") and (family, table) != ("ip", "filter"):
            yield chain


def _rules(listed: Iterable[dict[str, Any]], chain: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in listed:
        rule = one.get("rule", {})
        if (rule.get("family"), rule.get("table"), rule.get("chain")) == (
            chain["family"],
            chain["table"],
            chain["name"],
        ):
            yield rule


def _parts(rule: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Return the matches of a rule, and its verdict ("" for none that is final)."""
    expressions = rule.get("expr", [])
    matches = [part["match"] for part in expressions if "match" in part]
    verdicts = [key for part in expressions for key in part if key in ("accept", "drop", "reject")]
    return matches, verdicts[0] if verdicts else ""


def _matches_port(match: dict[str, Any], port: int) -> bool:
    left = match.get("left")
    field = left.get("payload", {}) if isinstance(left, dict) else {}
    if (field.get("protocol"), field.get("field")) not in (("udp", "dport"), ("th", "dport")) or match["op"] != "==":
        return False
    right = match["right"]
    values = right["set"] if isinstance(right, dict) and "set" in right else [right]
    return any(_holds(value, port) for value in values)


def _holds(value: object, port: int) -> bool:
    bounds = value.get("range") if isinstance(value, dict) else [value, value]
    return isinstance(bounds, list) and all(isinstance(one, int) for one in bounds) and bounds[0] <= port <= bounds[1]
