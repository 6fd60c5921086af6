# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table that verification ends with: one line a host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

COLUMNS = ("host", "subnet", "backend", "mtu", "docker0", "peers", "containers", "verdict")


def overlay_table(hosts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the lines of a table with a heading, from the hosts' variables that the role verify registers."""
    rows = [COLUMNS, *(_row(host) for host in hosts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _row(host: Mapping[str, Any]) -> tuple[str, ...]:
    found: Mapping[str, Any] = host.get("verify_host") or {}
    probe: Mapping[str, Any] = host.get("verify_probe") or {}
    reached = probe.get("peers") or {}
    good = [result for result in reached.values() if not result["problems"]]
    wrong = len(found.get("problems") or ()) + len(probe.get("problems") or ())
    return (
        str(host["inventory_hostname"]),
        found.get("subnet") or "-",
        found.get("backend") or "-",
        str(found.get("mtu") or "-"),
        found.get("bridge_address") or "-",
        f"{found.get('peers_programmed', 0)}/{found.get('peers_expected', 0)}",
        f"{len(good)}/{len(reached)} reached" if reached else "-",
        "ok" if not wrong else f"{wrong} problems",
    )


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"overlay_table": overlay_table}
