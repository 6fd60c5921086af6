# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The vxlan device in the kernel's language: messages that make and change it, and reading one (linux/if_link.h)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping

from ..model.state import VxlanDevice
from .netlink.codec import HEADER, IFADDRMSG, IFINFOMSG, attribute
from .netlink.constants import (
    IFA_ADDRESS,
    IFA_LOCAL,
    IFF_UP,
    IFLA_ADDRESS,
    IFLA_AF_SPEC,
    IFLA_IFNAME,
    IFLA_INET6_ADDR_GEN_MODE,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    IFLA_MTU,
    IFLA_VXLAN_GBP,
    IFLA_VXLAN_ID,
    IFLA_VXLAN_LEARNING,
    IFLA_VXLAN_LINK,
    IFLA_VXLAN_LOCAL,
    IFLA_VXLAN_PORT,
    IN6_ADDR_GEN_MODE_NONE,
    NLA_F_NESTED,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_SETLINK,
)
from .netlink.interfaces import Link

KIND = "vxlan"
Request = tuple[int, int, bytes]  # type, flags, body


def identity(data: Mapping[int, bytes]) -> tuple[int, int]:
    """Return VNI and UDP port of a vxlan device's attributes: only one device of a host can have them."""
    return _number(data, IFLA_VXLAN_ID), int.from_bytes(data.get(IFLA_VXLAN_PORT, b""), "big")


def read(link: Link, underlay: str) -> VxlanDevice:
    """Return what a vxlan interface is set to; its overlay address, told elsewhere, is 0."""
    vni, port = identity(link.data)
    return VxlanDevice(
        name=link.name,
        vni=vni,
        underlay=underlay,
        local=int.from_bytes(link.data.get(IFLA_VXLAN_LOCAL, b""), "big"),
        port=port,
        mtu=link.mtu,
        mac=link.mac,
        address=0,
        learning=bool(_number(link.data, IFLA_VXLAN_LEARNING)),
        gbp=IFLA_VXLAN_GBP in link.data,
    )


def underlay_index(link: Link) -> int:
    """Return the index of the interface a vxlan interface sends through, 0 for none."""
    return _number(link.data, IFLA_VXLAN_LINK)


def create(device: VxlanDevice, underlay: int) -> list[Request]:
    """Return the requests that make the device and keep IPv6 from giving it an address.

    The second is refused where IPv6 is off, which does no harm.
    """
    body = (
        _link(0, 0)
        + attribute(IFLA_IFNAME, device.name.encode() + bytes(1))
        + attribute(IFLA_MTU, struct.pack("=I", device.mtu))
        + attribute(IFLA_ADDRESS, device.mac)
        + _tunnel(
            device,
            underlay,
            attribute(IFLA_VXLAN_PORT, device.port.to_bytes(2, "big"))
            + (attribute(IFLA_VXLAN_GBP, b"") if device.gbp else b""),
        )
    )
    mode = attribute(IFLA_INET6_ADDR_GEN_MODE, bytes([IN6_ADDR_GEN_MODE_NONE]))
    quiet = (
        _link(0, 0)
        + attribute(IFLA_IFNAME, device.name.encode() + bytes(1))
        + attribute(IFLA_AF_SPEC | NLA_F_NESTED, attribute(socket.AF_INET6 | NLA_F_NESTED, mode))
    )
    return [(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body), (RTM_SETLINK, 0, quiet)]


def set_tunnel(index: int, device: VxlanDevice, underlay: int) -> Request:
    """Return the request that changes the interface below, the local address and learning."""
    return RTM_NEWLINK, 0, _link(index, 0) + _tunnel(device, underlay, b"")


def set_mac(index: int, mac: bytes) -> Request:
    """Return the request that changes a device's MAC."""
    return RTM_SETLINK, 0, _link(index, 0) + attribute(IFLA_ADDRESS, mac)


def set_mtu(index: int, mtu: int) -> Request:
    """Return the request that changes a device's MTU."""
    return RTM_SETLINK, 0, _link(index, 0) + attribute(IFLA_MTU, struct.pack("=I", mtu))


def set_up(index: int) -> Request:
    """Return the request that switches a device on."""
    return RTM_SETLINK, 0, _link(index, IFF_UP)


def delete(index: int) -> Request:
    """Return the request that removes a device."""
    return RTM_DELLINK, 0, _link(index, 0)


def add_address(index: int, address: int, length: int) -> Request:
    """Return the request that gives a device an address."""
    return RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, _address(index, address, length)


def remove_address(index: int, address: int, length: int) -> Request:
    """Return the request that takes an address away."""
    return RTM_DELADDR, 0, _address(index, address, length)


def frame(sequence: int, request: Request) -> bytes:
    """Return a request as a whole message."""
    kind, flags, body = request
    return HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | flags, sequence, 0) + body


def _link(index: int, flags: int) -> bytes:
    return IFINFOMSG.pack(socket.AF_UNSPEC, 0, 0, index, flags, flags)


def _address(index: int, address: int, length: int) -> bytes:
    value = address.to_bytes(4, "big")
    body = IFADDRMSG.pack(socket.AF_INET, length, 0, 0, index)
    return body + attribute(IFA_LOCAL, value) + attribute(IFA_ADDRESS, value)


def _tunnel(device: VxlanDevice, underlay: int, more: bytes) -> bytes:
    data = (
        attribute(IFLA_VXLAN_ID, struct.pack("=I", device.vni))
        + attribute(IFLA_VXLAN_LINK, struct.pack("=I", underlay))
        + attribute(IFLA_VXLAN_LOCAL, device.local.to_bytes(4, "big"))
        + attribute(IFLA_VXLAN_LEARNING, bytes([device.learning]))
        + more
    )
    kind = attribute(IFLA_INFO_KIND, KIND.encode())
    return attribute(IFLA_LINKINFO | NLA_F_NESTED, kind + attribute(IFLA_INFO_DATA | NLA_F_NESTED, data))


def _number(data: Mapping[int, bytes], kind: int) -> int:
    value = data.get(kind, b"")
    return 0 if not value else value[0] if len(value) == 1 else int(struct.unpack("=I", value)[0])
