# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Addresses of our devices (linux/if_addr.h)."""

from __future__ import annotations

import socket

from ...model.addresses import format_ipv4
from ...named_tuple import NamedTuple
from ..netlink.codec import IFADDRMSG, attribute, message
from ..netlink.constants import IFA_ADDRESS, IFA_LOCAL, NLM_F_CREATE, NLM_F_EXCL, RTM_DELADDR, RTM_NEWADDR
from ..netlink.interfaces import addresses
from ..observation import Observation
from ..state import DesiredState, Found, ObservedState
from ..step import Removal, Step, Wire
from ..table import Table, TableSteps

HOST_LENGTH = 32  # of a tunnel device's address: the kernel then adds no route to the whole overlay


class Address(NamedTuple):
    """An IPv4 address (integer) of a device, with its prefix length."""

    device: str
    address: int
    length: int = HOST_LENGTH

    @property
    def key(self) -> Address:
        """The whole row: a device may have the same address with several lengths."""
        return self

    def __str__(self) -> str:
        return f"{format_ipv4(self.address)}/{self.length}"


class _AddressStep(NamedTuple):
    address: Address


class AddAddress(_AddressStep, Step):
    """Add an address to a device."""

    __slots__ = ()
    alone = True

    def __str__(self) -> str:
        return f"ip address add {self.address} dev {self.address.device}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        messages.append(message(len(messages), RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, _body(self.address, wire)))

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"address {self.address} was missing on {self.address.device}"


class RemoveAddress(_AddressStep, Removal):
    """Remove an address from a device."""

    __slots__ = ()
    alone = True

    def __str__(self) -> str:
        return f"ip address delete {self.address} dev {self.address.device}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        messages.append(message(len(messages), RTM_DELADDR, 0, _body(self.address, wire)))

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"removed address {self.address} from {self.address.device}"


class Addresses(Table[Address]):
    """The table of the addresses of our devices."""

    row = Address

    def observe(self, observation: Observation) -> Found:
        """Return all addresses of our devices."""
        rows = [
            Address(device, one.address, one.length)
            for ifindex, device in observation.own.items()
            for one in addresses(observation.netlink, ifindex)
        ]
        return Found({row.key: row for row in rows})

    def plan(self, desired: DesiredState, observed: ObservedState) -> TableSteps:
        """Add missing addresses first and remove surplus ones last.

        The kernel removes all routes of a device with its last address. With flannel up to 0.8 the address brings the
        one route to all peers, which has to stay until the routes to single peers exist.
        """
        wanted, held = desired.rows(Address), observed.rows(Address)
        return TableSteps(
            first=[AddAddress(row) for key, row in wanted.items() if key not in held],
            remove=[
                RemoveAddress(row)
                for key, row in held.items()
                if key not in wanted and row.device not in observed.leaving
            ],
        )


def _body(row: Address, wire: Wire) -> bytes:
    value = row.address.to_bytes(4, "big")
    fixed = IFADDRMSG.pack(socket.AF_INET, row.length, 0, 0, wire.index[row.device])
    return fixed + attribute(IFA_LOCAL, value) + attribute(IFA_ADDRESS, value)
