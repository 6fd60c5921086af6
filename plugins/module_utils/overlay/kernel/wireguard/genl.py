# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""WireGuard devices of the kernel, through generic netlink (linux/wireguard.h)."""

from __future__ import annotations

import socket
import struct
from contextlib import closing

from ...model.addresses import Subnet
from ...model.errors import KernelError
from ...model.wireguard_keys import NO_KEY
from ..netlink.codec import U32, attribute, attribute_list, attributes
from ..netlink.constants import NLA_F_NESTED
from ..netlink.generic import Generic
from . import PeerSetting, PeerState, WireguardState

FAMILY = "wireguard"
_VERSION = 1
_GET_DEVICE, _SET_DEVICE = 0, 1
_A_IFNAME, _A_PRIVATE_KEY, _A_PUBLIC_KEY, _A_LISTEN_PORT, _A_PEERS = 2, 3, 4, 6, 8
_P_PUBLIC_KEY, _P_PSK, _P_FLAGS, _P_ENDPOINT, _P_KEEPALIVE, _P_HANDSHAKE, _P_ALLOWED = 1, 2, 3, 4, 5, 6, 9
_I_FAMILY, _I_ADDRESS, _I_LENGTH = 1, 2, 3
_REMOVE_ME, _REPLACE_ALLOWED = 1, 2
_U16 = struct.Struct("=H")
_SOCKADDR_IN = struct.Struct("=H2s4s8x")
_SECONDS = struct.Struct("=q")


class Genl:
    """A device is read as a dump, in which the allowed IPs of a peer may be spread over several messages."""

    def read(self, device: str) -> WireguardState:
        """Return a device."""
        found = WireguardState()
        peers: dict[bytes, PeerState] = {}
        with closing(Generic(FAMILY, _VERSION)) as generic:
            for body in generic.dump(_GET_DEVICE, _name(device)):
                values = attributes(body, 0, len(body))
                if _A_PUBLIC_KEY in values:
                    found = found._replace(public_key=values[_A_PUBLIC_KEY])
                if _A_LISTEN_PORT in values:
                    found = found._replace(port=_U16.unpack(values[_A_LISTEN_PORT])[0])
                for _unused, value in attribute_list(values.get(_A_PEERS, b"")):
                    peer = _peer(value)
                    first = peers.setdefault(peer.public_key, peer)
                    if first is not peer:
                        allowed, others = first.allowed + peer.allowed, first.others or peer.others
                        peers[peer.public_key] = first._replace(allowed=allowed, others=others)
        key = b"" if found.public_key == NO_KEY else found.public_key
        return found._replace(public_key=key, peers=tuple(peers.values()))

    def private_key(self, device: str) -> bytes:
        """Return the private key of a device, zero for none."""
        with closing(Generic(FAMILY, _VERSION)) as generic:
            bodies = generic.dump(_GET_DEVICE, _name(device))
        found = (attributes(body, 0, len(body)).get(_A_PRIVATE_KEY) for body in bodies)
        return next((key for key in found if key), NO_KEY)

    def set_device(self, device: str, private_key: bytes, port: int) -> None:
        """Set the private key and the UDP port of a device."""
        body = attribute(_A_PRIVATE_KEY, private_key) + attribute(_A_LISTEN_PORT, _U16.pack(port))
        _set(device, _name(device) + body)

    def set_peer(self, device: str, peer: PeerSetting) -> None:
        """Change a peer of a device."""
        one = attribute(NLA_F_NESTED, _peer_body(peer))
        _set(device, _name(device) + attribute(_A_PEERS | NLA_F_NESTED, one))


def _set(device: str, body: bytes) -> None:
    with closing(Generic(FAMILY, _VERSION)) as generic:
        refusal = generic.request(_SET_DEVICE, body)
    if refusal is not None:
        raise KernelError(f"device {device}: the kernel refused a change: {refusal.message}")


def _name(device: str) -> bytes:
    return attribute(_A_IFNAME, device.encode() + bytes(1))


def _peer_body(peer: PeerSetting) -> bytes:
    body = attribute(_P_PUBLIC_KEY, peer.public_key)
    if peer.remove:
        return body + attribute(_P_FLAGS, U32.pack(_REMOVE_ME))
    address, port = peer.endpoint
    endpoint = _SOCKADDR_IN.pack(socket.AF_INET, port.to_bytes(2, "big"), address.to_bytes(4, "big"))
    allowed = b"".join(attribute(NLA_F_NESTED, _allowed_body(subnet)) for subnet in peer.allowed)
    return (
        body
        + attribute(_P_PSK, peer.psk)
        + attribute(_P_FLAGS, U32.pack(_REPLACE_ALLOWED if peer.replace else 0))
        + attribute(_P_ENDPOINT, endpoint)
        + attribute(_P_KEEPALIVE, _U16.pack(peer.keepalive))
        + attribute(_P_ALLOWED | NLA_F_NESTED, allowed)
    )


def _allowed_body(subnet: Subnet) -> bytes:
    return (
        attribute(_I_FAMILY, _U16.pack(socket.AF_INET))
        + attribute(_I_ADDRESS, subnet.first.to_bytes(4, "big"))
        + attribute(_I_LENGTH, bytes([subnet.length]))
    )


def _peer(body: bytes) -> PeerState:
    values = attributes(body, 0, len(body))
    allowed: list[Subnet] = []
    others = False
    for _unused, value in attribute_list(values.get(_P_ALLOWED, b"")):
        inner = attributes(value, 0, len(value))
        if _U16.unpack(inner[_I_FAMILY])[0] == socket.AF_INET:
            allowed.append(Subnet(int.from_bytes(inner[_I_ADDRESS], "big"), inner[_I_LENGTH][0]))
        else:
            others = True
    return PeerState(
        public_key=values[_P_PUBLIC_KEY],
        psk=values.get(_P_PSK, NO_KEY),
        endpoint=_endpoint(values.get(_P_ENDPOINT, b"")),
        keepalive=_U16.unpack(values.get(_P_KEEPALIVE, bytes(2)))[0],
        handshake=_SECONDS.unpack_from(values.get(_P_HANDSHAKE, bytes(8)))[0],
        allowed=tuple(allowed),
        others=others,
    )


def _endpoint(value: bytes) -> tuple[int, int] | None:
    if len(value) != _SOCKADDR_IN.size:
        return None
    _unused, port, address = _SOCKADDR_IN.unpack(value)
    return int.from_bytes(address, "big"), int.from_bytes(port, "big")
