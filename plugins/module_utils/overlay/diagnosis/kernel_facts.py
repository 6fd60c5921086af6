# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts about the kernel beyond the plan: reverse path filtering, firewall rules, managers of network devices."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..agent.session import firewall_for
from ..kernel.firewall.iptables import Tables, parse_tables, read_tables
from ..kernel.firewall.rules import FORWARD_CHAIN
from ..model.addresses import Subnet
from ..model.errors import OverlayError
from .command import output
from .facts import Drop, Facts, Manager, Strict
from .probe import leases_of
from .tunnel_port import VERDICTS, closed_policy, nft_closed, nft_port_drops, port_drops
from .view import View, port_of

_CONF = Path("/proc/sys/net/ipv4/conf")
_LEGACY_TABLES = Path("/proc/net/ip_tables_names")  # exists only while the legacy modules are loaded
_STRICT = 1
_UNMANAGED = ("unmanaged", "connected (externally)", "unavailable", "")


def strict_devices(view: View) -> list[Strict]:
    """Return the devices with strict reverse path filtering on which packets arrive that are answered by another one.

    A peer sends by the backend in this host's lease, and this host answers by the backend in the peer's lease.
    """
    arrival = view.backend.device.name if view.backend.device is not None else view.underlay.name
    if max(_mode("all"), _mode(arrival)) != _STRICT:
        return []
    peers = sorted(
        subnet for subnet, rows in view.table.rows.items() if rows.route is not None and rows.route.device != arrival
    )
    return [Strict(arrival, tuple(peers))] if peers else []


def _mode(device: str) -> int:
    try:
        return int((_CONF / device / "rp_filter").read_text())
    except (OSError, ValueError):
        return 0


def gather_firewall(facts: Facts) -> None:
    """Add the changes that would correct our rules, and the rules of others that drop the overlay's packets."""
    if facts.view is None or not facts.runs_overlayd:
        return
    view, options = facts.view, facts.setup.options
    try:
        facts.firewall = firewall_for(options, view.config, view.own).plan()
        tables = read_tables(["filter"])
    except OverlayError as error:
        facts.firewall_error = str(error)
        return
    device = view.backend.device.name if view.backend.device is not None else ""
    rules = drops_before(tables, view.config.network, device, FORWARD_CHAIN)
    facts.drops = [
        Drop("iptables, chain FORWARD", rule, "iptables -S FORWARD", cure=f"iptables -D{rule[2:]}") for rule in rules
    ]
    port, peers = port_of(view), {one.public_ip for one in leases_of(view)}
    facts.drops += port_drops(tables, port, view.underlay.name, peers)
    facts.drops += _other_variant(view.config.network)
    ruleset = _nft_ruleset()
    facts.drops += [*nft_drops(ruleset, view.config.network), *nft_port_drops(ruleset, port)]
    if port:
        shown = output("iptables", "-S", "INPUT")
        facts.suspects = [*closed_policy(tables, port, shown), *nft_closed(ruleset, port)]


def drops_before(tables: Tables, network: Subnet, device: str, ours: str) -> list[str]:
    """Return the rules before our jump in FORWARD, also in the chains it calls, that drop packets of the overlay."""
    present = tables.get("filter", {})
    found: list[str] = []

    def walk(chain: str, seen: tuple[str, ...]) -> bool:
        """Add the dropping rules of a chain; return whether our jump ends the search."""
        for rule in present.get(chain, []):
            if rule.target == ours and chain == "FORWARD":
                return True
            if rule.target in VERDICTS and _concerns(rule.text, network, device):
                found.append(f"-A {chain} {rule.text}")
            if rule.target in present and rule.target not in (*seen, ours):
                walk(rule.target, (*seen, chain))
        return False

    return found if walk("FORWARD", ("FORWARD",)) else []


def _concerns(text: str, network: Subnet, device: str) -> bool:
    """Return whether a rule names the overlay's range or its device, and is not about a single protocol or state."""
    if " ! " in f" {text}" or "-p " in text or "--ctstate" in text or "--state" in text:
        return False
    overlay = ipaddress.ip_network(str(network))
    named = False
    for side, value in re.findall(r"(?:^| )-([sdio]) (\S+)", text):
        if side in "io":
            if value != device:
                return False
            named = True
        else:
            try:
                if not overlay.overlaps(ipaddress.ip_network(value, strict=False)):
                    return False
            except ValueError:
                return False
            named = True
    return named


def _other_variant(network: Subnet) -> list[Drop]:
    """Return what drops forwarded packets in the rules of the iptables variant that overlayd does not use."""
    is_legacy = "legacy" in output("iptables", "--version")
    program = "iptables-nft" if is_legacy else "iptables-legacy"
    if not is_legacy:
        try:
            if "filter" not in _LEGACY_TABLES.read_text().split():
                return []  # reading the rules would load the modules
        except OSError:
            return []
    printed = output(f"{program}-save", "-t", "filter")
    dropping = variant_drop(printed, network)
    return [Drop(f"{program}, chain FORWARD", dropping, f"{program} -S FORWARD")] if dropping else []


def variant_drop(printed: str, network: Subnet) -> str:
    """Return the policy or the rule in FORWARD that drops what no rule for the overlay's range accepts, "" if none."""
    try:
        chains = parse_tables(printed, []).get("filter", {})
    except OverlayError:
        return ""
    if any(rule.target == "ACCEPT" and str(network) in rule.text for rules in chains.values() for rule in rules):
        return ""
    for rule in chains.get("FORWARD", []):
        if rule.matches_all and rule.target == "ACCEPT":
            return ""
        if rule.matches_all and rule.target in VERDICTS:
            return f"-A FORWARD {rule.text}"
    policy = re.search(r"^:FORWARD (DROP)", printed, re.MULTILINE)
    return "-P FORWARD DROP" if policy else ""


def _nft_ruleset() -> list[dict[str, Any]]:
    """Return the content of ``nft --json list ruleset``, [] without nftables."""
    printed = output("nft", "--json", "list", "ruleset")
    try:
        return list(json.loads(printed)["nftables"]) if printed else []
    except (ValueError, KeyError, TypeError):
        return []


def nft_drops(listed: Iterable[dict[str, Any]], network: Subnet) -> list[Drop]:
    """Return the base chains of the hook forward that drop every packet which no rule accepts.

    ``listed`` is the content of ``nft --json list ruleset``. A table that names the overlay's range has rules for it.
    """
    chains = [one["chain"] for one in listed if "chain" in one]
    rules = [one["rule"] for one in listed if "rule" in one]
    found = []
    for chain in chains:
        family, table, name = chain["family"], chain["table"], chain["name"]
        is_ours_to_judge = family in ("ip", "inet") and not (family == "ip" and table == "filter")
        if chain.get("hook") != "forward" or not is_ours_to_judge:
            continue
        of_table = [rule for rule in rules if (rule["family"], rule["table"]) == (family, table)]
        if str(network).partition("/")[0] in json.dumps(of_table):
            continue
        verdicts = [_verdict(rule) for rule in of_table if rule["chain"] == name]
        first = next((verdict for verdict in verdicts if verdict), chain.get("policy", "accept"))
        if first in ("drop", "reject"):
            words = f"policy {first}" if not any(verdicts) else f"a rule that applies to every packet: {first}"
            found.append(
                Drop(f"nftables, chain {family} {table} {name}", words, f"nft list chain {family} {table} {name}")
            )
    return found


def _verdict(rule: dict[str, Any]) -> str:
    """Return the verdict of a rule that applies to every packet, "" for any other rule."""
    words = [key for part in rule.get("expr", []) for key in part if key not in ("counter", "log", "comment")]
    return words[0] if len(words) == 1 and words[0] in ("accept", "drop", "reject") else ""


def gather_managers(facts: Facts) -> None:
    """Add the programs that manage the tunnel device; both are only asked if they run."""
    if facts.view is None or facts.view.backend.device is None or not Path("/run/systemd/system").is_dir():
        return
    device = facts.view.backend.device.name
    if output("systemctl", "is-active", "systemd-networkd").strip() == "active":
        words = output("networkctl", "--no-pager", "--no-legend", "list", device).split()
        if words and words[-1] not in ("unmanaged", "linger"):
            facts.managers.append(Manager("systemd-networkd", device, words[-1]))
    if output("systemctl", "is-active", "NetworkManager").strip() == "active":
        for line in output("nmcli", "-t", "-f", "DEVICE,STATE", "device").splitlines():
            name, _unused, state = line.partition(":")
            if name == device and state not in _UNMANAGED:
                facts.managers.append(Manager("NetworkManager", device, state))
