# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter overlay_report: what the role report draws, from the results of a verification and the leases."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.clusternet.overlay.plugins.filter.overlay_table import overlay_host_problems

FAST = 1.0  # milliseconds, the limits between the classes of a round trip
SLOW = 10.0
CLASSES = ("fast", "medium", "slow", "partial", "lost")
NAMED = 40  # hosts, at most, whose names and cells are labelled in the pictures
RADIUS = 200.0  # of the circle of hosts, in units of the picture
GAP = 24.0  # between the circle and the names
LINE = 16.0  # height of a line of names


def overlay_report(
    hosts: Iterable[Mapping[str, Any]], leases: Sequence[Mapping[str, Any]] = (), network: str = ""
) -> dict[str, Any]:
    """Return the data of the report; see the documentation of the filter."""
    rows = [_host(host) for host in hosts]
    by_address = {row["address"]: number for number, row in enumerate(rows) if row["address"]}
    paths = [path for number, row in enumerate(rows) for path in _paths(number, row, by_address)]
    return {
        "hosts": rows,
        "paths": paths,
        "named": len(rows) <= NAMED,
        "points": _circle(len(rows)),
        "pool": _pool(network, leases, {row["subnet"] for row in rows}),
        "leases": [dict(lease) for lease in leases],
        "counts": {
            "hosts": len(rows),
            "sound": sum(not row["problems"] for row in rows),
            "paths": len(paths),
            "good": sum(path["class"] in ("fast", "medium", "slow") for path in paths),
        },
    }


def _host(host: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the report shows of a host, from the variables that the role verify registers."""
    found, container, probe, doctor = (
        host.get(f"verify_{name}") or {} for name in ("host", "started", "probe", "doctor")
    )
    service, ttl = found.get("service") or {}, found.get("lease_ttl")
    findings = [finding for finding in doctor.get("findings") or () if finding["severity"] != "note"]
    problems = overlay_host_problems(host)
    return {
        "name": str(host["inventory_hostname"]),
        "subnet": found.get("subnet") or "",
        "public_ip": found.get("public_ip") or "",
        "backend": found.get("backend") or "",
        "mtu": found.get("mtu") or "",
        "agent": service.get("state") or "",
        "docker": found.get("docker_state") or "",
        "peers": f"{found['peers_programmed']} of {found['peers_expected']}" if "peers_expected" in found else "",
        "lease": "reserved"
        if found.get("reservation")
        else ""
        if ttl is None
        else f"{ttl // 3600} h {ttl % 3600 // 60} min",
        "pending": bool(found.get("restart_required")),
        "problems": problems,
        "cause": findings[0] if findings and problems else None,
        "address": container.get("address") or "",
        "probe": probe.get("peers") or {},
    }


def _paths(number: int, row: Mapping[str, Any], by_address: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the tested paths from a host, in the order of the hosts."""
    found = [
        {
            "from": number,
            "to": by_address[address],
            "class": _class(result),
            "milliseconds": result["milliseconds"],
            "problems": list(result["problems"]),
        }
        for address, result in row["probe"].items()
        if address in by_address
    ]
    return sorted(found, key=lambda path: path["to"])


def _class(result: Mapping[str, Any]) -> str:
    """Return the class of a path, one of CLASSES."""
    milliseconds = result["milliseconds"]
    if milliseconds is None:
        return "lost"
    if result["problems"]:
        return "partial"
    return "fast" if milliseconds < FAST else "medium" if milliseconds < SLOW else "slow"


def _circle(count: int) -> list[dict[str, Any]]:
    """Return where each host is on a circle around 0,0, the first one at the top; and where its name is."""
    points = []
    for number in range(count):
        angle = 2 * math.pi * number / max(count, 1) - math.pi / 2
        x, y = math.cos(angle), math.sin(angle)
        points.append(
            {
                "x": round(x * RADIUS, 1),
                "y": round(y * RADIUS, 1),
                "name_x": round(x * (RADIUS + GAP), 1),
                "name_y": round(y * (RADIUS + GAP) + (y - 0.3) * LINE / 2, 1),  # two lines: above, beside or below
                "anchor": "middle" if abs(x) < 0.3 else "start" if x > 0 else "end",
            }
        )
    return points


def _pool(network: str, leases: Sequence[Mapping[str, Any]], live: set[str]) -> dict[str, Any]:
    """Return the parts of Network that leases take: start and width in per mille, and what each one is."""
    if not network:
        return {"network": "", "parts": [], "taken": 0.0}
    whole = ipaddress.IPv4Network(network)
    parts, taken = [], 0
    for lease in leases:
        subnet = ipaddress.IPv4Network(lease["subnet"]) if lease.get("subnet") else None
        if subnet is None or not subnet.subnet_of(whole):
            continue
        kind = "bad" if lease.get("problem") else "reserved" if lease.get("reservation") else "leased"
        taken += subnet.num_addresses
        first = int(subnet.network_address) - int(whole.network_address)
        parts.append(
            {
                "x": round(first * 1000 / whole.num_addresses, 3),
                "width": round(subnet.num_addresses * 1000 / whole.num_addresses, 3),
                "kind": "absent" if kind == "leased" and lease["subnet"] not in live else kind,
                "subnet": lease["subnet"],
                "public_ip": lease.get("public_ip") or "",
            }
        )
    return {"network": str(whole), "parts": parts, "taken": round(taken * 100 / whole.num_addresses, 1)}


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"overlay_report": overlay_report}
