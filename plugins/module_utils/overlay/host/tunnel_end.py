# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What identifies a peer's end of its tunnel: the MAC of its VTEP or its WireGuard key. No two hosts may have one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..kernel.state import PeerRows
from ..model.addresses import format_ipv4, format_mac
from ..named_tuple import NamedTuple

if TYPE_CHECKING:
    from ..kernel.tables.wireguard_peer import WireguardPeer

MAC_SIZE = 6  # bytes


class TunnelEnd(NamedTuple):
    """MAC or key, the public IP of the host (integer) that the rows lead to, and this host's device."""

    mac: bytes
    host: int
    device: str

    @property
    def name(self) -> str:
        """MAC or key, as in leases."""
        if len(self.mac) == MAC_SIZE:
            return f"VtepMAC {format_mac(self.mac)}"
        from ..model.wireguard_keys import format_key  # most hosts do not need it

        return f"PublicKey {format_key(self.mac)}"


def end_of(rows: PeerRows | None) -> TunnelEnd | None:
    """Return the end of a peer's tunnel, None for a peer without one."""
    if rows is None:
        return None
    if rows.fdb is not None:
        device, mac, destination = rows.fdb
        return TunnelEnd(mac, destination, device)
    if rows.backend != "wireguard":
        return None
    peer: Any = rows.others[0]  # see backends/wireguard.py
    return TunnelEnd(peer.public_key, peer.endpoint, peer.device)


def accepted_of(rows: PeerRows | None) -> WireguardPeer | None:
    """Return the WireGuard peer in the rows of a lease that names another backend, None if there is none."""
    if rows is None or not rows.others or rows.backend == "wireguard":
        return None
    others: Any = rows.others
    return next((row for row in others if hasattr(row, "public_key")), None)


def ends_of(rows: PeerRows | None) -> set[bytes]:
    """Return MAC and keys of a peer."""
    accepted = accepted_of(rows)
    found = (mac_of(rows), accepted.public_key if accepted else None)
    return {one for one in found if one is not None}


class Rival(NamedTuple):
    """The lease that has a MAC or key: its key in etcd, the public IP of its host (integer), why it has it."""

    lease: str
    host: int
    why: str


def conflict(lease: str, end: TunnelEnd, effect: str, rival: Rival) -> str:
    """Return the sentence about a lease whose MAC or key belongs to another host, and about what to do."""
    host, other = format_ipv4(end.host), format_ipv4(rival.host)
    return (
        f"lease {lease} of {host}: {effect}: {end.name} is also that of another host, {other}, whose lease "
        f"{rival.lease} {rival.why}; if {host} moved to {other}, delete the old lease or let it expire; if both hosts "
        f"run, stop the overlay agent on one of them, run `ip link delete {end.device}` and `rm -r /var/lib/overlayd` "
        f"on that host, and start the agent again"
    )


def mac_of(rows: PeerRows | None) -> bytes | None:
    """Return MAC or key of the end of a peer's tunnel, None for a peer without one."""
    end = end_of(rows)
    return end.mac if end is not None else None
