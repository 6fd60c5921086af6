# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayctl ping: packets through the overlay from this host's subnet to the subnets of its peers."""

from __future__ import annotations

import json
import time
from typing import Any

from ..diagnosis.gather import gather_kernel
from ..diagnosis.probe import Peer, chosen_peers, largest_size, source_address
from ..diagnosis.setup import Setup
from ..diagnosis.view import View
from ..kernel.echo import Echo, ping
from ..model.errors import OverlayError
from . import text

ALL = "all"
INTERVAL = 0.2  # seconds between two packets to one peer


def ping_peers(setup: Setup, as_json: bool, peer: str, count: int) -> int:
    """Print loss, delay and the largest size that passes for each chosen peer; return 1 if packets are lost."""
    facts = gather_kernel(setup)
    if facts.view is None:
        reason = facts.etcd_error or facts.config_error or facts.view_error or facts.env_error
        raise OverlayError(f"no peers are known: {reason or 'etcd has no lease of this host'}; run overlayctl doctor")
    if facts.remembered is not None:
        text.remark(text.memory_words(facts.remembered))
    mtu = facts.env.mtu if facts.env is not None else facts.view.backend.mtu
    results = measure(facts.view, _chosen(facts.view, peer), count, mtu)
    if as_json:
        text.show(json.dumps({"peers": results, "mtu": mtu, "source": facts.source}, indent=2))
    else:
        header = ("peer", "subnet", "answered", "delay min/avg/max", "largest packet")
        text.show(
            "\n".join(text.table(header, [_cells(one, mtu) for one in results]) if results else ["no peers are known"])
        )
    return 0 if all(one["received"] == one["sent"] and one["largest"] == mtu for one in results) else 1


def _chosen(view: View, asked: str) -> list[Peer]:
    """Return the peers that a word names: all, a public IP, a subnet or an address in it."""
    peers = chosen_peers(view, len(view.table.rows))
    chosen = [one for one in peers if asked in (ALL, one.host, str(one.subnet), *one.inside)]
    if not chosen and asked != ALL:
        known = ", ".join(one.host for one in peers[:5]) or "none"
        raise OverlayError(
            f"peer {asked!r} is unknown, or the kernel has no rows for it: this host's peers are {known}"
            f"{' and others' if len(peers) > 5 else ''}; use a public IP, a subnet or all"
        )
    return chosen


def measure(view: View, peers: list[Peer], count: int, mtu: int) -> list[dict[str, Any]]:
    """Send ``count`` packets to each peer, and search the largest one that passes."""
    source = source_address(view)
    first = ping([Echo(address) for peer in peers for address in peer.inside], source, tries=1)
    places = {peer.subnet: next((a for a in peer.inside if Echo(a) in first), peer.inside[0]) for peer in peers}
    delays: dict[str, list[float]] = {address: [] for address in places.values()}
    for address in delays:
        if Echo(address) in first:
            delays[address].append(first[Echo(address)])
    for _packet in range(count - 1):
        time.sleep(INTERVAL)
        for echo, delay in ping([Echo(address) for address in delays], source, tries=1).items():
            delays[echo.address].append(delay)
    return [_result(peer, delays[places[peer.subnet]], count, places[peer.subnet], source, mtu) for peer in peers]


def _result(peer: Peer, delays: list[float], count: int, address: str, source: str, mtu: int) -> dict[str, Any]:
    whole = bool(delays) and bool(ping([Echo(address, mtu)], source))
    largest = mtu if whole else largest_size(address, source, mtu) if delays else 0
    shown = [round(delay * 1000, 3) for delay in delays]
    return {
        "public_ip": peer.host,
        "subnet": str(peer.subnet),
        "address": address,
        "sent": count,
        "received": len(delays),
        "delay_ms": {"min": min(shown), "avg": round(sum(shown) / len(shown), 3), "max": max(shown)} if shown else None,
        "largest": largest,
    }


def _cells(one: dict[str, Any], mtu: int) -> tuple[str, ...]:
    delay = one["delay_ms"]
    times = f"{delay['min']}/{delay['avg']}/{delay['max']} ms" if delay else "-"
    size = "-" if not one["largest"] else f"{one['largest']}" + ("" if one["largest"] == mtu else f" of {mtu}")
    return one["public_ip"], one["subnet"], f"{one['received']}/{one['sent']}", times, size
