# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The peers of a WireGuard device: the key of each host, its end point, and the subnet that it may use.

A packet to a subnet goes encrypted to the peer with that allowed IP, and a packet from a peer is dropped unless its
source is in one of the peer's allowed IPs. A subnet is an allowed IP of one peer: adding it takes it from another one.
WireGuard follows a peer that sends from another address or port, so an end point that works is left as it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from ...model.addresses import Subnet, format_ipv4
from ...model.secret import Secret
from ...model.wireguard_keys import NO_KEY, format_key, parse_key
from ...named_tuple import NamedTuple
from ..observation import Observation
from ..state import DesiredState, Found, ObservedState
from ..step import Action, Step
from ..table import Table, TableSteps
from ..wireguard import PeerSetting, control_of
from . import add_table
from .route import Routes

SESSION = 180.0  # seconds after a handshake in which its keys are valid: REJECT_AFTER_TIME of WireGuard
Identifier = tuple[str, bytes]  # device and public key


class WireguardPeer(NamedTuple):
    """A subnet of a peer (an allowed IP), with the settings of the peer: ``endpoint`` is an integer address."""

    device: str
    public_key: bytes
    subnet: Subnet
    endpoint: int
    port: int
    keepalive: int = 0
    psk: Secret | None = None

    @property
    def key(self) -> tuple[str, bytes, Subnet]:
        """Device, public key and subnet."""
        return self.device, self.public_key, self.subnet

    @property
    def peer(self) -> Identifier:
        """Device and public key."""
        return self.device, self.public_key

    def __str__(self) -> str:
        return f"WireGuard peer {format_key(self.public_key)} at {self.host} for {self.subnet}"

    @property
    def host(self) -> str:
        """The end point as text."""
        return f"{format_ipv4(self.endpoint)}:{self.port}"


class _PeerRows(NamedTuple):
    rows: tuple[WireguardPeer, ...]  # of one peer
    replace: bool


class _PeerName(NamedTuple):
    device: str
    public_key: bytes
    subnet: Subnet | None = None


class SetPeer(_PeerRows, Action):
    """Add a peer or subnets of a peer, or change its settings; with ``replace`` its other subnets are removed."""

    __slots__ = ()
    kind = "WireGuard peers"

    def __str__(self) -> str:
        row = self.rows[0]
        sign = "" if self.replace else "+"
        subnets = ",".join(f"{sign}{one.subnet}" for one in self.rows)
        psk = "" if row.psk is None else " preshared-key (hidden)"
        alive = f" persistent-keepalive {row.keepalive}" if row.keepalive else ""
        settings = f"{psk} endpoint {row.host}{alive} allowed-ips {subnets}"
        return f"wg set {row.device} peer {format_key(row.public_key)}{settings}"

    @property
    def needs(self) -> str:
        """The name of the device of the peers."""
        return self.rows[0].device

    def perform(self) -> None:
        """Act; raise KernelError."""
        row = self.rows[0]
        setting = PeerSetting(
            row.public_key,
            psk=NO_KEY if row.psk is None else parse_key(row.psk.reveal()),
            endpoint=(row.endpoint, row.port),
            keepalive=row.keepalive,
            replace=self.replace,
            allowed=tuple(one.subnet for one in self.rows),
        )
        control_of(row.device).set_peer(row.device, setting)

    @property
    def key(self) -> tuple[str, bytes, Subnet]:
        """The key of the first row."""
        return self.rows[0].key

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"{self.rows[0]} was missing or different"


class RemovePeer(_PeerName, Action):
    """Remove a peer with all its subnets; it is a success if it does not exist."""

    __slots__ = ()
    kind = "WireGuard peers"

    def __str__(self) -> str:
        return f"wg set {self.device} peer {format_key(self.public_key)} remove"

    def perform(self) -> None:
        """Act; raise KernelError."""
        control_of(self.device).set_peer(self.device, PeerSetting(self.public_key, remove=True))

    @property
    def key(self) -> tuple[str, bytes, Subnet | None]:
        """The key of the first removed row; without a subnet for a peer that had none."""
        return self.device, self.public_key, self.subnet

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"removed WireGuard peer {format_key(self.public_key)}"


class WireguardPeers(Table[WireguardPeer]):
    """The table of the peers of our WireGuard devices, one row for each allowed IP."""

    row = WireguardPeer

    def observe(self, observation: Observation) -> Found:
        """Return the peers that were read with their devices; as strays those without a subnet of IPv4."""
        if not observation.wireguard:
            return Found()
        wanted = observation.desired.rows(WireguardPeer)
        rows: dict[tuple[str, bytes, Subnet], WireguardPeer] = {}
        strays: list[RemovePeer] = []
        now = time.time()
        for device, state in observation.wireguard.items():
            for peer in state.peers:
                address, port = peer.endpoint or (0, 0)
                psk = None if peer.psk == NO_KEY else Secret(format_key(peer.psk))
                if peer.others or not peer.allowed:
                    strays.append(RemovePeer(device, peer.public_key))
                    continue
                for subnet in peer.allowed:
                    row = WireguardPeer(device, peer.public_key, subnet, address, port, peer.keepalive, psk)
                    known = wanted.get(row.key)
                    if known is not None and 0 <= now - peer.handshake < SESSION:
                        row = row._replace(endpoint=known.endpoint, port=known.port)
                    rows[row.key] = row
        return Found(rows, tuple(strays))

    def plan(self, desired: DesiredState, observed: ObservedState) -> TableSteps:
        """Compare by peer: a peer that loses a subnet and keeps another is set again, with its remaining subnets."""
        wanted, found = desired.rows(WireguardPeer), observed.found(WireguardPeer)
        held, leaving = found.rows, observed.leaving
        clear: list[Step] = [stray for stray in found.strays if stray.device not in leaving]
        if wanted == held:
            return TableSteps(clear=clear)
        kept = _by_peer(wanted.values())
        lost = _by_peer(row for key, row in held.items() if key not in wanted and row.device not in leaving)
        add: list[Step] = []
        for identifier, rows in kept.items():
            if identifier in lost:
                add.append(SetPeer(tuple(rows), replace=True))
                continue
            changed = tuple(row for row in rows if held.get(row.key) != row)
            if changed:
                add.append(SetPeer(changed, replace=False))
        gone = [RemovePeer(*identifier, rows[0].subnet) for identifier, rows in lost.items() if identifier not in kept]
        return TableSteps(clear=clear, add=add, remove=gone)


def _by_peer(rows: Iterable[WireguardPeer]) -> Mapping[Identifier, list[WireguardPeer]]:
    found: dict[Identifier, list[WireguardPeer]] = {}
    for row in rows:
        found.setdefault(row.peer, []).append(row)
    return found


add_table(WireguardPeers(), Routes)
