# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The members of an etcd cluster by the inventory: their addresses, client URLs and peer URLs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Variables = Mapping[str, Any]


def etcd_members(
    hosts: Iterable[str],
    hostvars: Mapping[str, Variables],
    scheme: str = "http",
    client_port: int | str = 2379,
    peer_port: int | str = 2380,
) -> list[dict[str, str]]:
    """Return name, address, client_url and peer_url of each host.

    The address is the host's etcd_address, else its ansible_host, else its name. The ports are those of hosts that
    set no etcd_client_port and etcd_peer_port.
    """
    return [_member(host, hostvars[host], scheme, client_port, peer_port) for host in hosts]


def _member(
    name: str, variables: Variables, scheme: str, client_port: int | str, peer_port: int | str
) -> dict[str, str]:
    address = variables.get("etcd_address") or variables.get("ansible_host") or name
    where = f"{scheme}://[{address}]" if ":" in address else f"{scheme}://{address}"
    return {
        "name": name,
        "address": address,
        "client_url": f"{where}:{variables.get('etcd_client_port', client_port)}",
        "peer_url": f"{where}:{variables.get('etcd_peer_port', peer_port)}",
    }


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"etcd_members": etcd_members}
