# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Network devices in general: the steps that any kind of device shares, and the base of the tables of one kind."""

from __future__ import annotations

import socket
from abc import abstractmethod
from collections.abc import Mapping
from typing import Protocol, TypeVar

from ...model.addresses import format_mac
from ...model.errors import KernelError
from ...named_tuple import NamedTuple
from ..netlink.codec import IFINFOMSG, U32, attribute, message
from ..netlink.constants import (
    IFF_UP,
    IFLA_ADDRESS,
    IFLA_AF_SPEC,
    IFLA_IFNAME,
    IFLA_INET6_ADDR_GEN_MODE,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    IFLA_MTU,
    IN6_ADDR_GEN_MODE_NONE,
    NLA_F_NESTED,
    RTM_DELLINK,
    RTM_SETLINK,
)
from ..netlink.interfaces import Link
from ..netlink.rtnetlink import KernelRefusal
from ..observation import Observation
from ..state import DesiredState, Found, ObservedState
from ..step import Removal, Step, Wire
from ..table import Table, TableSteps


class Device(Protocol):
    """A row of a device table."""

    @property
    def backend(self) -> str:
        """The type of the backend that uses such devices."""

    @property
    def kind(self) -> str:
        """The kernel's name of the kind of device."""

    @property
    def standard_name(self) -> str:
        """The name that overlayd and flannel give such a device."""

    @property
    def name(self) -> str:
        """The name of the interface."""

    @property
    def mac(self) -> bytes:
        """The MAC address, empty for a device without one."""

    @property
    def up(self) -> bool:
        """Whether the device is administratively up."""


D = TypeVar("D", bound=Device)


class _DeviceMac(NamedTuple):
    device: str
    mac: bytes


class _DeviceMtu(NamedTuple):
    device: str
    mtu: int


class _DeviceName(NamedTuple):
    device: str


class CreateDevice(Step):
    """Base of the steps that create a device: one request creates it, another prevents an IPv6 address on it."""

    __slots__ = ()
    alone = True
    essential = True

    @property
    def device(self) -> Device:
        """The row of the device."""
        raise NotImplementedError

    def refusal(self, answers: Mapping[int, KernelRefusal]) -> KernelRefusal | None:
        """Return the refusal of the creation. The other request is refused if IPv6 is disabled, which does no harm."""
        return answers.get(0)

    @property
    def creates(self) -> str:
        """The name of the device."""
        return self.device.name

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"device {self.device.name} was missing"


class SetMac(_DeviceMac, Step):
    """Change the MAC of a device; the kernel then flushes the neighbours on it."""

    __slots__ = ()
    alone = True

    def __str__(self) -> str:
        return f"ip link set {self.device} address {format_mac(self.mac)}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        body = link_body(wire.index[self.device]) + attribute(IFLA_ADDRESS, self.mac)
        messages.append(message(len(messages), RTM_SETLINK, 0, body))

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"device {self.device} had another MAC than {format_mac(self.mac)}"


class SetMtu(_DeviceMtu, Step):
    """Change the MTU (bytes) of a device."""

    __slots__ = ()
    alone = True

    def __str__(self) -> str:
        return f"ip link set {self.device} mtu {self.mtu}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        body = link_body(wire.index[self.device]) + attribute(IFLA_MTU, U32.pack(self.mtu))
        messages.append(message(len(messages), RTM_SETLINK, 0, body))

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"device {self.device} had another MTU than {self.mtu}"


class SetUp(_DeviceName, Step):
    """Bring a device up."""

    __slots__ = ()
    alone = True

    def __str__(self) -> str:
        return f"ip link set {self.device} up"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        messages.append(message(len(messages), RTM_SETLINK, 0, link_body(wire.index[self.device], IFF_UP)))

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"device {self.device} was down"


class DeleteDevice(_DeviceName, Removal):
    """Delete a device, and with it all addresses, neighbours, FDB entries, next hops and routes on it."""

    __slots__ = ()
    alone = True

    def __str__(self) -> str:
        return f"ip link delete {self.device}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        messages.append(message(len(messages), RTM_DELLINK, 0, link_body(wire.index[self.device])))

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return str(self)


def link_body(index: int, flags: int = 0) -> bytes:
    """Return the fixed part of a link message; index 0 for a device that is named by an attribute."""
    return IFINFOMSG.pack(socket.AF_UNSPEC, 0, 0, index, flags, flags)


def link_info(kind: str, data: bytes = b"") -> bytes:
    """Return the attribute with the kind of a device and, if there are any, the attributes of that kind."""
    info = attribute(IFLA_INFO_KIND, kind.encode())
    if data:
        info += attribute(IFLA_INFO_DATA | NLA_F_NESTED, data)
    return attribute(IFLA_LINKINFO | NLA_F_NESTED, info)


def no_ipv6_address(sequence: int, name: str) -> bytes:
    """Return the request that prevents an IPv6 address on the device with this name."""
    mode = attribute(IFLA_INET6_ADDR_GEN_MODE, bytes([IN6_ADDR_GEN_MODE_NONE]))
    family = attribute(IFLA_AF_SPEC | NLA_F_NESTED, attribute(socket.AF_INET6 | NLA_F_NESTED, mode))
    return message(sequence, RTM_SETLINK, 0, link_body(0) + attribute(IFLA_IFNAME, name.encode() + bytes(1)) + family)


class DeviceTable(Table[D]):
    """The devices of one kind, by name; ``kind`` is the kernel's name of the kind."""

    kind: str
    alternative = ""  # words for another way out if an interface of another kind has the name of a device

    @abstractmethod
    def read(self, observation: Observation, link: Link) -> D:
        """Return a device as it is configured."""

    @abstractmethod
    def creation(self, device: D) -> Step:
        """Return the step that creates a device. The device is then down."""

    def deletion(self, name: str) -> Step:
        """Return the step that deletes a device."""
        return DeleteDevice(name)

    def activation(self, device: D) -> Step:
        """Return the step that brings a device up."""
        return SetUp(device.name)

    @abstractmethod
    def can_become(self, held: D, wanted: D) -> bool:
        """Whether an existing device can be changed into the wanted one; otherwise it is replaced."""

    @abstractmethod
    def changes(self, held: D, wanted: D) -> list[Step]:
        """Return the steps that change an existing device, apart from bringing it up."""

    def has_kind(self, link: Link) -> bool:
        """Whether an interface can be a device of this table."""
        return link.kind == self.kind

    def refuse_rival(self, observation: Observation, wanted: D, held: D | None) -> None:
        """Raise KernelError if another device prevents the creation of the wanted one."""

    def observe(self, observation: Observation) -> Found:
        """Return the desired devices and those left over that exist; the rows on them are ours from now on.

        Raise KernelError if an interface of another kind has the name of a device.
        """
        desired = observation.desired.rows(self.row)
        rows: dict[str, D] = {}
        for name in (*desired, *observation.leftovers):
            link = observation.link(name)
            if link is not None and not self.has_kind(link):
                if name not in desired:
                    continue  # another table's
                raise KernelError(
                    f"interface {name} exists but is a {link.kind or 'hardware'} device, not {self.kind}; it is left "
                    f"untouched: rename or remove it{self.alternative}"
                )
            held = self.read(observation, link) if link is not None else None
            if name in desired:
                self.refuse_rival(observation, desired[name], held)
            if link is not None and held is not None:
                rows[name] = held
                observation.adopt(link.ifindex, name)
        return Found(rows)

    def plan(self, desired: DesiredState, observed: ObservedState) -> TableSteps:
        """Create, replace or change the desired devices; delete the others at the end."""
        wanted, held = desired.rows(self.row), observed.rows(self.row)
        if wanted == held:
            return TableSteps()
        first: list[Step] = []
        up: list[Step] = []
        for name, device in wanted.items():
            old = held.get(name)
            if old is not None and not self.can_become(old, device):
                first.append(self.deletion(name))
                observed = observed.without_device(name)
                old = None
            if old is None:
                first.append(self.creation(device))
            else:
                first += self.changes(old, device)
                observed = self.after_changes(old, device, observed)
            if old is None or not old.up:
                up.append(self.activation(device))
        leaving = [name for name in held if name not in wanted]
        return TableSteps(
            first=first,
            add=up,
            remove=[self.deletion(name) for name in leaving],
            observed=observed._replace(leaving=observed.leaving.union(leaving)),
        )

    def after_changes(self, _held: D, _wanted: D, observed: ObservedState) -> ObservedState:
        """Return what is left of the observed state after the changes of a device."""
        return observed
