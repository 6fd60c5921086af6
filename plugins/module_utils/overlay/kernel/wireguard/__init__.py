# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""WireGuard devices: their keys, port and peers, in the kernel (genl.py) or in a wireguard-go process (uapi.py)."""

from __future__ import annotations

from contextlib import closing
from typing import Protocol

from ...model.addresses import Subnet
from ...model.errors import NotYetError
from ...model.wireguard_keys import NO_KEY
from ...named_tuple import NamedTuple
from ..netlink.interfaces import link
from ..netlink.rtnetlink import Netlink

GENL_KIND = "wireguard"  # the kernel's name of the kind of device; wireguard-go has a TUN device


class NoAnswerError(NotYetError):
    """The wireguard-go process of a device does not answer, yet or any more."""


class PeerState(NamedTuple):
    """A peer of a device. ``endpoint`` is address (integer) and port, None for none or an IPv6 one.

    ``handshake`` is the time of the last one in seconds since 1970, 0 for none. ``others`` is whether it has allowed
    IPs that are not IPv4 subnets.
    """

    public_key: bytes
    psk: bytes = NO_KEY
    endpoint: tuple[int, int] | None = None
    keepalive: int = 0
    handshake: int = 0
    allowed: tuple[Subnet, ...] = ()
    others: bool = False


class WireguardState(NamedTuple):
    """A device; the public key is empty if it has no private key."""

    public_key: bytes = b""
    port: int = 0
    peers: tuple[PeerState, ...] = ()


class PeerSetting(NamedTuple):
    """A change of a peer: its removal, or new values and further allowed IPs; ``replace`` removes its other ones."""

    public_key: bytes
    remove: bool = False
    psk: bytes = NO_KEY
    endpoint: tuple[int, int] = (0, 0)
    keepalive: int = 0
    replace: bool = False
    allowed: tuple[Subnet, ...] = ()


class Control(Protocol):
    """A way to read and change devices. Each method raises KernelError."""

    def read(self, device: str) -> WireguardState:
        """Return a device."""

    def private_key(self, device: str) -> bytes:
        """Return the private key of a device, zero for none."""

    def set_device(self, device: str, private_key: bytes, port: int) -> None:
        """Set the private key and the UDP port of a device."""

    def set_peer(self, device: str, peer: PeerSetting) -> None:
        """Change a peer of a device."""


def control_for(kind: str) -> Control:
    """Return the control of a kind of device."""
    if kind == GENL_KIND:
        from .genl import Genl

        return Genl()
    from .uapi import Uapi

    return Uapi()


def control_of(device: str) -> Control:
    """Return the control of a device; raise NetlinkError if it does not exist."""
    with closing(Netlink()) as netlink:
        return control_for(link(netlink, device).kind)
