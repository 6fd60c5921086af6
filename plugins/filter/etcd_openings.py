# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The firewall rules of an etcd member: which addresses reach which of its ports."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any


def etcd_openings(
    fleet: Iterable[Mapping[str, str]],
    members: Collection[str],
    allowed_clients: Sequence[str],
    client_port: int | str,
    peer_port: int | str,
) -> list[dict[str, str]]:
    """Return for each opening its rule of ufw, as `ufw show added` prints it, and its rich rule of firewalld.

    ``fleet`` has name and address of each host. Members reach both ports. ``allowed_clients`` reach the client port;
    without any, the whole fleet does.
    """
    known = list(fleet)
    peers = [host["address"] for host in known if host["name"] in members]
    clients = allowed_clients or [host["address"] for host in known]
    openings = [(address, client_port) for address in (*clients, *peers)] + [(address, peer_port) for address in peers]
    return [_rules(address, port) for address, port in dict.fromkeys(openings)]


def _rules(address: str, port: int | str) -> dict[str, str]:
    family = "ipv6" if ":" in address else "ipv4"
    return {
        "ufw": f"ufw allow from {address} to any port {port} proto tcp",
        "firewalld": f'rule family="{family}" source address="{address}" port port="{port}" protocol="tcp" accept',
    }


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"etcd_openings": etcd_openings}
