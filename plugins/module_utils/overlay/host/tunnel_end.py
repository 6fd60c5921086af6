# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What identifies a peer's end of its tunnel: the MAC of its VTEP or its WireGuard key. No two hosts may have one."""

from __future__ import annotations

from typing import Any

from ..kernel.state import PeerRows
from ..model.addresses import format_mac
from ..named_tuple import NamedTuple

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


def mac_of(rows: PeerRows | None) -> bytes | None:
    """Return MAC or key of the end of a peer's tunnel, None for a peer without one."""
    end = end_of(rows)
    return end.mac if end is not None else None
