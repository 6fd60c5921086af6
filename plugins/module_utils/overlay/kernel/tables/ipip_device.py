# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ipip device of this host (linux/if_tunnel.h).

The kernel creates a device of its own, tunl0, when it loads the module ipip. It receives the packets for which no other
ipip device has a matching address, and is left untouched.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from ...model.addresses import format_ipv4
from ...model.backends.ipip import DEVICE
from ...model.errors import KernelError
from ...named_tuple import NamedTuple
from ..netlink.codec import U32, attribute, message
from ..netlink.constants import (
    IFLA_IFNAME,
    IFLA_IPTUN_COLLECT_METADATA,
    IFLA_IPTUN_LINK,
    IFLA_IPTUN_LOCAL,
    IFLA_IPTUN_REMOTE,
    IFLA_MTU,
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTM_NEWLINK,
)
from ..netlink.interfaces import Link
from ..netlink.rtnetlink import KernelRefusal
from ..observation import Observation
from ..step import Step, Wire
from . import add_table
from .address import Addresses
from .device import CreateDevice, DeviceTable, SetMtu, link_body, link_info, no_ipv6_address

KIND = "ipip"


class IpipDevice(NamedTuple):
    """An ipip device; ``local`` is the underlay address (integer) that its packets carry, 0 for any address.

    ``remote`` and ``underlay`` are 0 and "" for a device that sends to each host, through any interface. ``external``
    is set for a device that takes its addresses from other programs.
    """

    name: str
    local: int
    mtu: int
    remote: int = 0
    underlay: str = ""
    external: bool = False
    up: bool = True

    @property
    def backend(self) -> str:
        """The type of the backend that uses such devices."""
        return "ipip"

    @property
    def kind(self) -> str:
        """The kernel's name of the kind of device."""
        return KIND

    @property
    def standard_name(self) -> str:
        """The name that overlayd and flannel give such a device."""
        return DEVICE

    @property
    def mac(self) -> bytes:
        """Nothing: the device has no MAC."""
        return b""

    @property
    def key(self) -> str:
        """The name of the interface."""
        return self.name

    @property
    def identity(self) -> tuple[int, int, str, bool]:
        """What two ipip devices of a host cannot share."""
        return self.local, self.remote, self.underlay, self.external


class _WholeDevice(NamedTuple):
    device: IpipDevice


class CreateIpip(_WholeDevice, CreateDevice):
    """Create the ipip device; it is down and has no address yet. The kernel loads the module ipip if necessary."""

    __slots__ = ()

    def __str__(self) -> str:
        device = self.device
        return f"ip link add {device.name} mtu {device.mtu} type {KIND} {_tunnel_words(device)}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the creation, and a request that prevents an IPv6 address on the device."""
        name = attribute(IFLA_IFNAME, self.device.name.encode() + bytes(1))
        mtu = attribute(IFLA_MTU, U32.pack(self.device.mtu))
        body = link_body(0) + name + mtu + _tunnel(self.device)
        messages.append(message(len(messages), RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body))
        messages.append(no_ipv6_address(len(messages), self.device.name))

    def explain(self, refusal: KernelRefusal) -> str:
        """Name the module if the kernel has no ipip devices."""
        if refusal.errno != errno.EOPNOTSUPP:
            return refusal.message
        return (
            "the kernel has no ipip devices, because it did not find its module ipip; install the kernel package that "
            "has it and run `modprobe ipip`, or choose another backend"
        )


class SetIpip(_WholeDevice, Step):
    """Change the addresses of an existing ipip device."""

    __slots__ = ()
    alone = True

    def __str__(self) -> str:
        return f"ip link set {self.device.name} type {KIND} {_tunnel_words(self.device)}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        body = link_body(wire.index[self.device.name]) + _tunnel(self.device)
        messages.append(message(len(messages), RTM_NEWLINK, 0, body))

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"device {self.device.name} had other tunnel settings: {self}"


class IpipDevices(DeviceTable[IpipDevice]):
    """The table of our ipip devices."""

    row = IpipDevice
    kind = KIND

    def read(self, observation: Observation, link: Link) -> IpipDevice:
        """Return an ipip device as it is configured."""
        return read_ipip(link, observation.name)

    def refuse_rival(self, observation: Observation, wanted: IpipDevice, held: IpipDevice | None) -> None:
        """Raise KernelError for another device with the same addresses: the kernel allows one of them."""
        if held is not None and held.identity == wanted.identity:
            return
        for link in observation.links():
            if link.kind == KIND and link.name != wanted.name:
                problem = rival_problem(read_ipip(link, observation.name), wanted)
                if problem:
                    raise KernelError(f"device {wanted.name} cannot be created: {problem}")

    def creation(self, device: IpipDevice) -> Step:
        """Return the step that creates the device."""
        return CreateIpip(device)

    def can_become(self, held: IpipDevice, wanted: IpipDevice) -> bool:
        """Whether both send to each host: the kernel cannot change that."""
        return (held.remote, held.external) == (wanted.remote, wanted.external)

    def changes(self, held: IpipDevice, wanted: IpipDevice) -> list[Step]:
        """Return the steps for the settings that differ."""
        steps: list[Step] = []
        if (held.local, held.underlay) != (wanted.local, wanted.underlay):
            steps.append(SetIpip(wanted))
        if held.mtu != wanted.mtu:
            steps.append(SetMtu(wanted.name, wanted.mtu))
        return steps


def read_ipip(link: Link, name_of: Callable[[int], str]) -> IpipDevice:
    """Return an ipip device as it is configured; ``name_of`` returns the name of an interface by its index."""
    index = link.data.get(IFLA_IPTUN_LINK, bytes(4))
    return IpipDevice(
        name=link.name,
        local=int.from_bytes(link.data.get(IFLA_IPTUN_LOCAL, b""), "big"),
        mtu=link.mtu,
        remote=int.from_bytes(link.data.get(IFLA_IPTUN_REMOTE, b""), "big"),
        underlay=name_of(U32.unpack(index)[0]) if any(index) else "",
        external=IFLA_IPTUN_COLLECT_METADATA in link.data,
        up=link.up,
    )


def rival_problem(other: IpipDevice, wanted: IpipDevice) -> str | None:
    """Return why another device prevents the creation of the wanted one, None if it does not."""
    if other.identity != wanted.identity:
        return None
    return (
        f"{other.name} already is an ipip device from {format_ipv4(wanted.local)} to any address; run "
        f"`ip link delete {other.name}` if nothing needs it"
    )


def _tunnel_words(device: IpipDevice) -> str:
    return f"local {format_ipv4(device.local)} remote any"


def _tunnel(device: IpipDevice) -> bytes:
    return link_info(KIND, attribute(IFLA_IPTUN_LOCAL, device.local.to_bytes(4, "big")))


add_table(IpipDevices(), Addresses)
