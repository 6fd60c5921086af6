# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides which host a WireGuard key belongs to if a lease of another BackendType contains it.

Such a lease contains the key so that peers accept packets while its host changes to or from wireguard. A lease of type
wireguard has priority, because it cannot be used without the key. Of several other leases, the lease whose text was
written last has the key. A renewal does not count, so running hosts do not take the key from each other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..kernel.state import PeerRows
from ..model.addresses import Subnet
from ..named_tuple import NamedTuple
from .tunnel_end import Rival, TunnelEnd, accepted_of, conflict

if TYPE_CHECKING:
    from ..kernel.tables.wireguard_peer import WireguardPeer

_EFFECT = "its packets are not accepted on the wireguard device"


class _Claim(NamedTuple):
    written: int  # the revision of the lease
    row: WireguardPeer


class _Refused(NamedTuple):
    row: WireguardPeer
    winner: Subnet
    host: int  # of the winner
    why: str


class AcceptedKeys:
    """The subnets of leases of another BackendType with a WireGuard key, by key."""

    def __init__(self) -> None:
        """Start without claims."""
        self._claims: dict[bytes, dict[Subnet, _Claim]] = {}
        self._keys: dict[Subnet, bytes] = {}
        self._touched: set[bytes] = set()
        self._refused: dict[Subnet, _Refused] = {}

    def offer(self, subnet: Subnet, rows: PeerRows | None, written: int) -> None:
        """Replace the claim of a subnet by that of its new rows, which may have none."""
        known = self._keys.pop(subnet, None) if self._keys else None
        if known is not None:
            del self._claims[known][subnet]
            self._refused.pop(subnet, None)
            self._touched.add(known)
        row = accepted_of(rows)
        if row is not None:
            self._keys[subnet] = row.public_key
            self._claims.setdefault(row.public_key, {})[subnet] = _Claim(written, row)
            self._touched.add(row.public_key)

    def touch(self, key: bytes) -> None:
        """Record that a lease of type wireguard claims this key now, or does not any more."""
        if key in self._claims:
            self._touched.add(key)

    def take_touched(self) -> Collection[bytes]:
        """Return the keys that must be awarded again, once."""
        if not self._touched:
            return ()
        touched, self._touched = self._touched, set()
        for key in touched:
            if not self._claims[key]:
                del self._claims[key]
        return touched & self._claims.keys()

    def award(
        self, key: bytes, strong: Subnet | None, strong_rows: PeerRows | None
    ) -> Mapping[Subnet, WireguardPeer | None]:
        """Award a key; return each subnet with its row, None if its host does not have the key.

        ``strong`` is the subnet of the lease of type wireguard that has the key. All subnets of a peer have its
        settings.
        """
        claims = self._claims[key]
        winner = strong or max(claims, key=lambda subnet: (claims[subnet].written, subnet))
        best: Any = strong_rows.others[0] if strong_rows is not None else claims[winner].row
        found: dict[Subnet, WireguardPeer | None] = {}
        for subnet, (_written, row) in claims.items():
            if row.endpoint == best.endpoint:
                self._refused.pop(subnet, None)
                found[subnet] = best._replace(subnet=subnet)
            else:
                why = "is newer" if strong is None else "is of type wireguard"
                self._refused[subnet] = _Refused(row, winner, best.endpoint, why)
                found[subnet] = None
        return found

    def problems(self, lease_of: Callable[[Subnet], str]) -> Iterator[str]:
        """Yield a sentence for each lease whose key belongs to another host; ``lease_of`` returns the key in etcd."""
        for subnet, (row, winner, host, why) in self._refused.items():
            end = TunnelEnd(row.public_key, row.endpoint, row.device)
            yield conflict(lease_of(subnet), end, _EFFECT, Rival(lease_of(winner), host, why))

    def subnets(self, key: bytes) -> Collection[Subnet]:
        """Return the subnets that claim a key."""
        return self._claims.get(key, {}).keys()


def with_accepted(rows: PeerRows, row: WireguardPeer | None) -> PeerRows:
    """Return rows with this WireGuard peer instead of the one in them; None for no such peer."""
    former = accepted_of(rows)
    if former == row:
        return rows
    others = tuple(one for one in rows.others if one is not former)
    return rows._replace(others=others if row is None else (row, *others))
