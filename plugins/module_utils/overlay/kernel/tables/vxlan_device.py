# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The vxlan device of this host, its tunnel end point (VTEP; linux/if_link.h)."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable

from ...model.addresses import format_ipv4, format_mac
from ...model.errors import KernelError
from ...named_tuple import NamedTuple
from ..netlink.codec import U32, attribute, message
from ..netlink.constants import (
    IFLA_ADDRESS,
    IFLA_IFNAME,
    IFLA_MTU,
    IFLA_VXLAN_GBP,
    IFLA_VXLAN_ID,
    IFLA_VXLAN_LEARNING,
    IFLA_VXLAN_LINK,
    IFLA_VXLAN_LOCAL,
    IFLA_VXLAN_PORT,
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTM_NEWLINK,
)
from ..netlink.interfaces import Link
from ..netlink.rtnetlink import KernelRefusal
from ..observation import Observation
from ..state import ObservedState
from ..step import Step, Wire
from ..udp_port import udp_port_problem
from .device import CreateDevice, DeviceTable, SetMac, SetMtu, SetUp, link_body, link_info, no_ipv6_address
from .neighbour import Neighbour

KIND = "vxlan"


class VxlanDevice(NamedTuple):
    """A vxlan device; ``local`` is the underlay address (integer) that its packets carry."""

    name: str
    vni: int
    underlay: str
    local: int
    port: int
    mtu: int
    mac: bytes
    learning: bool = False
    gbp: bool = False
    up: bool = True

    @property
    def backend(self) -> str:
        """The type of the backend that uses such devices."""
        return "vxlan"

    @property
    def kind(self) -> str:
        """The kernel's name of the kind of device."""
        return KIND

    @property
    def standard_name(self) -> str:
        """The name that overlayd and flannel give a device with this VNI."""
        return f"flannel.{self.vni}"

    @property
    def key(self) -> str:
        """The name of the interface."""
        return self.name


class _WholeDevice(NamedTuple):
    device: VxlanDevice


class CreateVxlan(_WholeDevice, CreateDevice):
    """Create the vxlan device; it is down and has no address yet."""

    __slots__ = ()

    def __str__(self) -> str:
        device = self.device
        gbp = " gbp" if device.gbp else ""
        return (
            f"ip link add {device.name} address {format_mac(device.mac)} mtu {device.mtu} "
            f"type {KIND} {_tunnel_words(device)}{gbp}"
        )

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the creation, and a request that prevents an IPv6 address on the device."""
        device = self.device
        name = attribute(IFLA_IFNAME, device.name.encode() + bytes(1))
        fixed = attribute(IFLA_VXLAN_PORT, device.port.to_bytes(2, "big"))
        if device.gbp:
            fixed += attribute(IFLA_VXLAN_GBP, b"")
        body = (
            link_body(0)
            + name
            + attribute(IFLA_MTU, U32.pack(device.mtu))
            + attribute(IFLA_ADDRESS, device.mac)
            + _tunnel(device, wire.index[device.underlay], fixed)
        )
        messages.append(message(len(messages), RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body))
        messages.append(no_ipv6_address(len(messages), device.name))


class OpenVxlan(_WholeDevice, Step):
    """Bring a device up; the kernel then opens its UDP port, which another program may have."""

    __slots__ = ()
    alone = True
    essential = True

    def __str__(self) -> str:
        return f"ip link set {self.device.name} up"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        SetUp(self.device.name).encode(wire, messages)

    def explain(self, refusal: KernelRefusal) -> str:
        """Name the program that has the port."""
        problem = udp_port_problem(self.device.port) if refusal.errno == errno.EADDRINUSE else None
        return f"{problem}; stop it, or set another Port in the network config" if problem else refusal.message

    @property
    def creates(self) -> str:
        """The name of the device: while it is down, it does not work."""
        return self.device.name

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"device {self.device.name} was down"


class SetTunnel(_WholeDevice, Step):
    """Change the settings that an existing vxlan device can change: the underlay, the local address, learning."""

    __slots__ = ()
    alone = True

    def __str__(self) -> str:
        return f"ip link set {self.device.name} type {KIND} {_tunnel_words(self.device)}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        device = self.device
        body = link_body(wire.index[device.name]) + _tunnel(device, wire.index[device.underlay], b"")
        messages.append(message(len(messages), RTM_NEWLINK, 0, body))

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"device {self.device.name} had other tunnel settings: {self}"


class VxlanDevices(DeviceTable[VxlanDevice]):
    """The table of our vxlan devices."""

    row = VxlanDevice
    kind = KIND
    alternative = ", or choose another VNI in the network config"

    def read(self, observation: Observation, link: Link) -> VxlanDevice:
        """Return a vxlan device as it is configured."""
        return read_vxlan(link, observation.name)

    def refuse_rival(self, observation: Observation, wanted: VxlanDevice, held: VxlanDevice | None) -> None:
        """Raise KernelError for another device with the same VNI and port: the kernel allows one of them."""
        identity = (wanted.vni, wanted.port)
        if held is not None and (held.vni, held.port) == identity:
            return
        for other in observation.links():
            if other.name != wanted.name and other.kind == KIND and _identity(other) == identity:
                raise KernelError(
                    f"device {wanted.name} cannot be created: {other.name} already has VNI {wanted.vni} on port "
                    f"{wanted.port}; run `ip link delete {other.name}` if nothing needs it, or choose another VNI in "
                    f"the network config"
                )

    def creation(self, device: VxlanDevice) -> Step:
        """Return the step that creates the device."""
        return CreateVxlan(device)

    def activation(self, device: VxlanDevice) -> Step:
        """Return the step that brings a device up."""
        return OpenVxlan(device)

    def can_become(self, held: VxlanDevice, wanted: VxlanDevice) -> bool:
        """Whether VNI, port and GBP are the same: the kernel cannot change them."""
        return (held.vni, held.port, held.gbp) == (wanted.vni, wanted.port, wanted.gbp)

    def changes(self, held: VxlanDevice, wanted: VxlanDevice) -> list[Step]:
        """Return the steps for the settings that differ."""
        steps: list[Step] = []
        if (held.underlay, held.local, held.learning) != (wanted.underlay, wanted.local, wanted.learning):
            steps.append(SetTunnel(wanted))
        if held.mac != wanted.mac:
            steps.append(SetMac(wanted.name, wanted.mac))
        if held.mtu != wanted.mtu:
            steps.append(SetMtu(wanted.name, wanted.mtu))
        return steps

    def after_changes(self, held: VxlanDevice, wanted: VxlanDevice, observed: ObservedState) -> ObservedState:
        """With a changed MAC the neighbours are lost."""
        return observed if held.mac == wanted.mac else observed.without_device(wanted.name, Neighbour)


def read_vxlan(link: Link, name_of: Callable[[int], str]) -> VxlanDevice:
    """Return a vxlan device as it is configured; ``name_of`` returns the name of an interface by its index."""
    vni, port = _identity(link)
    return VxlanDevice(
        name=link.name,
        vni=vni,
        underlay=name_of(_number(link, IFLA_VXLAN_LINK)),
        local=int.from_bytes(link.data.get(IFLA_VXLAN_LOCAL, b""), "big"),
        port=port,
        mtu=link.mtu,
        mac=link.mac,
        learning=bool(_number(link, IFLA_VXLAN_LEARNING)),
        gbp=IFLA_VXLAN_GBP in link.data,
        up=link.up,
    )


def _identity(link: Link) -> tuple[int, int]:
    """Return VNI and UDP port."""
    return _number(link, IFLA_VXLAN_ID), int.from_bytes(link.data.get(IFLA_VXLAN_PORT, b""), "big")


def _number(link: Link, kind: int) -> int:
    value = link.data.get(kind, b"")
    return 0 if not value else value[0] if len(value) == 1 else int(struct.unpack("=I", value)[0])


def _tunnel_words(device: VxlanDevice) -> str:
    learning = "learning" if device.learning else "nolearning"
    return f"id {device.vni} dev {device.underlay} local {format_ipv4(device.local)} dstport {device.port} {learning}"


def _tunnel(device: VxlanDevice, underlay: int, more: bytes) -> bytes:
    data = (
        attribute(IFLA_VXLAN_ID, U32.pack(device.vni))
        + attribute(IFLA_VXLAN_LINK, U32.pack(underlay))
        + attribute(IFLA_VXLAN_LOCAL, device.local.to_bytes(4, "big"))
        + attribute(IFLA_VXLAN_LEARNING, bytes([device.learning]))
        + more
    )
    return link_info(KIND, data)
