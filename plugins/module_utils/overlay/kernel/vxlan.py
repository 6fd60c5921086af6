# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The vxlan device in the kernel's language: messages that make and change it, and reading one (linux/if_link.h)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping

from ..model.state import VxlanDevice
from .interfaces import ADDRESS, IFF_UP, LINK, RTM_NEWLINK, Link
from .netlink import HEADER, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, attribute

KIND = "vxlan"
Request = tuple[int, int, bytes]  # type, flags, body
_RTM_DELLINK, _RTM_SETLINK, _RTM_NEWADDR, _RTM_DELADDR = 17, 19, 20, 21
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_AF_SPEC = 1, 3, 4, 18, 26
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _NESTED = 1, 2, 0x8000
_ID, _LINK, _LOCAL, _LEARNING, _PORT, _GBP = 1, 3, 4, 7, 15, 23
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_IFLA_INET6_ADDR_GEN_MODE, _IN6_ADDR_GEN_MODE_NONE = 8, 1


def identity(data: Mapping[int, bytes]) -> tuple[int, int]:
    """Return VNI and UDP port of a vxlan device's attributes: only one device of a host can have them."""
    return _number(data, _ID), int.from_bytes(data.get(_PORT, b""), "big")


def read(link: Link, underlay: str) -> VxlanDevice:
    """Return what a vxlan interface is set to; its overlay address, told elsewhere, is 0."""
    vni, port = identity(link.data)
    return VxlanDevice(
        name=link.name,
        vni=vni,
        underlay=underlay,
        local=int.from_bytes(link.data.get(_LOCAL, b""), "big"),
        port=port,
        mtu=link.mtu,
        mac=link.mac,
        address=0,
        learning=bool(_number(link.data, _LEARNING)),
        gbp=_GBP in link.data,
    )


def underlay_index(link: Link) -> int:
    """Return the index of the interface a vxlan interface sends through, 0 for none."""
    return _number(link.data, _LINK)


def create(device: VxlanDevice, underlay: int) -> list[Request]:
    """Return the requests that make the device and keep IPv6 from giving it an address.

    The second is refused where IPv6 is off, which does no harm.
    """
    body = (
        _link(0, 0)
        + attribute(_IFLA_IFNAME, device.name.encode() + bytes(1))
        + attribute(_IFLA_MTU, struct.pack("=I", device.mtu))
        + attribute(_IFLA_ADDRESS, device.mac)
        + _tunnel(
            device,
            underlay,
            attribute(_PORT, device.port.to_bytes(2, "big")) + (attribute(_GBP, b"") if device.gbp else b""),
        )
    )
    mode = attribute(_IFLA_INET6_ADDR_GEN_MODE, bytes([_IN6_ADDR_GEN_MODE_NONE]))
    quiet = (
        _link(0, 0)
        + attribute(_IFLA_IFNAME, device.name.encode() + bytes(1))
        + attribute(_IFLA_AF_SPEC | _NESTED, attribute(socket.AF_INET6 | _NESTED, mode))
    )
    return [(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body), (_RTM_SETLINK, 0, quiet)]


def set_tunnel(index: int, device: VxlanDevice, underlay: int) -> Request:
    """Return the request that changes the interface below, the local address and learning."""
    return RTM_NEWLINK, 0, _link(index, 0) + _tunnel(device, underlay, b"")


def set_mac(index: int, mac: bytes) -> Request:
    """Return the request that changes a device's MAC."""
    return _RTM_SETLINK, 0, _link(index, 0) + attribute(_IFLA_ADDRESS, mac)


def set_mtu(index: int, mtu: int) -> Request:
    """Return the request that changes a device's MTU."""
    return _RTM_SETLINK, 0, _link(index, 0) + attribute(_IFLA_MTU, struct.pack("=I", mtu))


def set_up(index: int) -> Request:
    """Return the request that switches a device on."""
    return _RTM_SETLINK, 0, _link(index, IFF_UP)


def delete(index: int) -> Request:
    """Return the request that removes a device."""
    return _RTM_DELLINK, 0, _link(index, 0)


def add_address(index: int, address: int, length: int) -> Request:
    """Return the request that gives a device an address."""
    return _RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, _address(index, address, length)


def remove_address(index: int, address: int, length: int) -> Request:
    """Return the request that takes an address away."""
    return _RTM_DELADDR, 0, _address(index, address, length)


def frame(sequence: int, request: Request) -> bytes:
    """Return a request as a whole message."""
    kind, flags, body = request
    return HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | flags, sequence, 0) + body


def _link(index: int, flags: int) -> bytes:
    return LINK.pack(socket.AF_UNSPEC, 0, 0, index, flags, flags)


def _address(index: int, address: int, length: int) -> bytes:
    value = address.to_bytes(4, "big")
    body = ADDRESS.pack(socket.AF_INET, length, 0, 0, index)
    return body + attribute(_IFA_LOCAL, value) + attribute(_IFA_ADDRESS, value)


def _tunnel(device: VxlanDevice, underlay: int, more: bytes) -> bytes:
    data = (
        attribute(_ID, struct.pack("=I", device.vni))
        + attribute(_LINK, struct.pack("=I", underlay))
        + attribute(_LOCAL, device.local.to_bytes(4, "big"))
        + attribute(_LEARNING, bytes([device.learning]))
        + more
    )
    kind = attribute(_IFLA_INFO_KIND, KIND.encode())
    return attribute(_IFLA_LINKINFO | _NESTED, kind + attribute(_IFLA_INFO_DATA | _NESTED, data))


def _number(data: Mapping[int, bytes], kind: int) -> int:
    value = data.get(kind, b"")
    return 0 if not value else value[0] if len(value) == 1 else int(struct.unpack("=I", value)[0])
