# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The wireguard backend: packets travel encrypted and authenticated in UDP, between the keys in the leases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..kernel.state import PeerRows, Row
from ..kernel.tables.address import Address
from ..kernel.tables.route import Route
from ..kernel.tables.wireguard_device import WireguardDevice, WireguardEnd, key_data
from ..kernel.tables.wireguard_peer import WireguardPeer
from ..model.addresses import Subnet, format_ipv4
from ..model.backends.wireguard import DEVICE, OVERHEAD, WIREGUARD, WireguardOptions
from ..model.errors import LeaseError
from ..model.lease import SubnetLease
from ..model.underlay import Underlay
from ..model.wireguard_keys import NO_KEY, format_key, parse_key

if TYPE_CHECKING:
    from . import Place

FIRST_KEEPALIVE = 5  # seconds: a keepalive makes a handshake at once


class Wireguard:
    """Each peer may use exactly the subnet of its lease, as source and as destination."""

    type = WIREGUARD

    def __init__(self, options: WireguardOptions, underlay: Underlay, own: Subnet, end: WireguardEnd | None) -> None:
        """Tunnel over the underlay. Raise LeaseError without a key."""
        if end is None:
            raise LeaseError(f"lease of this host's subnet {own}: this host has no WireGuard key")
        self.mtu = options.overlay_mtu(underlay.mtu)
        self.device = WireguardDevice(DEVICE, end, options.port, self.mtu, options.psk, options.keepalive)
        self.own_rows: tuple[Row, ...] = (self.device, Address(DEVICE, own.first))
        self._options = options
        self._underlay = underlay
        self._initiates = False

    @staticmethod
    def lease_data(options: WireguardOptions, end: WireguardEnd | None) -> dict[str, Any] | None:
        """Return the public key and the UDP port that others must send to; None without a key."""
        return None if end is None else {"PublicKey": format_key(end.public_key), "Port": options.port}

    @staticmethod
    def further_name(lease: SubnetLease, place: Place) -> str:
        """Return the name of the device."""
        return DEVICE

    @classmethod
    def further(cls, name: str, place: Place) -> Wireguard:
        """Return the backend for peers whose lease names wireguard, while that of this host names another backend.

        The device keeps its port and key. Leases do not contain the pre-shared key: it is that of the existing peers.
        """
        problem = place.tunnels.name_problem(name, "wireguard")
        if problem or place.wireguard is None:
            raise LeaseError(problem or "this host has no WireGuard key")
        options = place.options
        if not isinstance(options, WireguardOptions):
            options = WireguardOptions()
        found = place.tunnels.devices.get(name)
        if isinstance(found, WireguardDevice) and found.port and not isinstance(place.options, WireguardOptions):
            path = min(found.mtu + OVERHEAD, place.underlay.mtu)
            options = options._replace(psk=found.psk, port=found.port, keepalive=found.keepalive, mtu=path)
        else:
            options = options._replace(keepalive=0)  # see initiate
        return cls(options, place.underlay, place.own, place.wireguard())

    @property
    def key_data(self) -> dict[str, Any]:
        """The fields of BackendData that make peers accept packets of this host."""
        return key_data(self.device)

    def initiate(self) -> None:
        """Make the handshakes with half of the peers from now on, so that sessions exist before packets need them.

        Of two hosts only that with the smaller key does so: two simultaneous handshakes cancel each other, and
        WireGuard repeats them only after five seconds.
        """
        self._initiates = True

    def rows(self, lease: SubnetLease) -> PeerRows | None:
        """Return the peer's rows; None for another backend. Raise LeaseError for a key or port that is none."""
        if lease.backend_type != self.type:
            return None
        peer = self._peer(lease)
        route = Route(lease.subnet, 0, DEVICE, onlink=False)
        return PeerRows(route, others=(peer,), backend=WIREGUARD, host=lease.public_ip)

    def accepting(self, lease: SubnetLease) -> tuple[Row, ...]:
        """Return the rows by which packets of a peer are accepted whose lease names another backend.

        Such a lease contains the key as well while its host changes to wireguard or from it.
        """
        if lease.backend_type == self.type or "PublicKey" not in lease.data:
            return ()
        return (self._peer(lease),)

    def _peer(self, lease: SubnetLease) -> WireguardPeer:
        if lease.public_ip == self._underlay.address:
            raise LeaseError(f"lease {lease.key}: PublicIP {format_ipv4(lease.public_ip)} is this host's own address")
        data = lease.data
        if data.get("PublicKey") is None:
            raise LeaseError(f"lease {lease.key}: BackendData has no PublicKey; restart the overlay agent of that host")
        try:
            key = parse_key(data["PublicKey"])
        except ValueError as error:
            raise LeaseError(f"lease {lease.key}: PublicKey is not a WireGuard key: {error}") from None
        if key == NO_KEY:
            raise LeaseError(f"lease {lease.key}: PublicKey is zero")
        if key == self.device.end.public_key:
            raise LeaseError(
                f"lease {lease.key}: PublicKey {data['PublicKey']} is this host's own; two hosts with one key cannot "
                f"reach each other: on that host stop the overlay agent, run `rm -r /var/lib/overlayd` and "
                f"`ip link delete {DEVICE}`, and start the agent again"
            )
        port = data.get("Port", self._options.port)  # some releases of flannel do not write it
        if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
            raise LeaseError(f"lease {lease.key}: Port {port!r} is not a UDP port from 1 to 65535")
        keepalive, psk = self._options.keepalive, self._options.psk
        if self._initiates and self.device.end.public_key < key:
            keepalive = FIRST_KEEPALIVE
        return WireguardPeer(DEVICE, key, lease.subnet, lease.public_ip, port, keepalive, psk)
