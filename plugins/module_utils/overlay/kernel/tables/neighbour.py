# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Neighbours: the MAC of each peer's VTEP by its overlay address (linux/neighbour.h).

A fleet has thousands of these rows. A row is therefore encoded by one pack, and read by one unpack of the layout that
the kernel uses for rows such as ours; any other layout is read attribute by attribute.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from functools import lru_cache

from ...model.addresses import format_ipv4, format_mac
from ...named_tuple import NamedTuple
from ..netlink.codec import NDMSG, NO_PORT, U32, attribute, attributes, head, title
from ..netlink.constants import (
    NDA_DST,
    NDA_IFINDEX,
    NDA_LLADDR,
    NLM_F_CREATE,
    NLM_F_REPLACE,
    NUD_PERMANENT,
    RTM_DELNEIGH,
    RTM_GETNEIGH,
    RTM_NEWNEIGH,
    RTN_UNICAST,
)
from ..observation import Observation
from ..step import Removal, Step, Wire
from ..table import DeviceRows

# Request: length, type and flags; sequence; port, struct ndmsg and the header of NDA_DST; address; NDA_LLADDR; MAC.
_REQUEST = struct.Struct("=8sI20s4s4s6s2x")
_ANSWER = struct.Struct("=BxxxiHBB4s4s4s6s")
_DST, _LLADDR = title(4, NDA_DST), title(6, NDA_LLADDR)
_SET, _REMOVE = head(_REQUEST, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE), head(_REQUEST, RTM_DELNEIGH, 0)


class Neighbour(NamedTuple):
    """A permanent neighbour: the overlay address (integer) of a peer's VTEP and its MAC."""

    device: str
    address: int
    mac: bytes

    @property
    def key(self) -> tuple[str, int]:
        """Device and address."""
        return self.device, self.address

    def __str__(self) -> str:
        return f"neighbour {format_ipv4(self.address)} lladdr {format_mac(self.mac)} dev {self.device}"


class _NeighbourStep(NamedTuple):
    neighbour: Neighbour


class SetNeighbour(_NeighbourStep, Step):
    """Add a neighbour, or change its MAC."""

    __slots__ = ()
    kind = "neighbours"

    def __str__(self) -> str:
        device, address, mac = self.neighbour
        return f"ip neighbour replace {format_ipv4(address)} lladdr {format_mac(mac)} dev {device} nud permanent"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        device, address, mac = self.neighbour
        middle = _middle(wire.index[device])
        messages.append(_REQUEST.pack(_SET, len(messages), middle, address.to_bytes(4, "big"), _LLADDR, mac))

    @property
    def key(self) -> tuple[str, int]:
        """The key of the row."""
        return self.neighbour.key

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"{self.neighbour} was missing or different"


class RemoveNeighbour(_NeighbourStep, Removal):
    """Remove a neighbour."""

    __slots__ = ()
    kind = "neighbours"

    def __str__(self) -> str:
        return f"ip neighbour delete {format_ipv4(self.neighbour.address)} dev {self.neighbour.device}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        device, address, mac = self.neighbour
        middle = _middle(wire.index[device])
        messages.append(_REQUEST.pack(_REMOVE, len(messages), middle, address.to_bytes(4, "big"), _LLADDR, mac))

    @property
    def key(self) -> tuple[str, int]:
        """The key of the row."""
        return self.neighbour.key

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"removed {self.neighbour}"


class Neighbours(DeviceRows[Neighbour]):
    """The table of the permanent neighbours on our devices."""

    row = Neighbour

    def read(self, observation: Observation, ifindex: int, device: str) -> Iterable[Neighbour]:
        """Return the permanent neighbours on a device."""
        body = NDMSG.pack(socket.AF_INET, 0, 0, 0, 0) + attribute(NDA_IFINDEX, U32.pack(ifindex))
        for index, address, mac in observation.netlink.dump(RTM_GETNEIGH, body, read_neighbour):
            if index == ifindex:
                yield Neighbour(device, address, mac)

    def setting(self, row: Neighbour) -> Step:
        """Return the step that adds or changes a neighbour."""
        return SetNeighbour(row)

    def removal(self, row: Neighbour) -> Step:
        """Return the step that removes a neighbour."""
        return RemoveNeighbour(row)


@lru_cache(maxsize=8)
def _middle(ifindex: int) -> bytes:
    return NO_PORT + NDMSG.pack(socket.AF_INET, ifindex, NUD_PERMANENT, 0, RTN_UNICAST) + _DST


def read_neighbour(buffer: bytes, start: int, end: int) -> tuple[int, int, bytes] | None:
    """Return interface index, address and MAC of a permanent neighbour; None for any other."""
    if end - start >= _ANSWER.size:
        _unused, ifindex, state, _unused, _unused, dst, address, lladdr, mac = _ANSWER.unpack_from(buffer, start)
        if not state & NUD_PERMANENT:
            return None
        if dst == _DST and lladdr == _LLADDR:
            return ifindex, int.from_bytes(address, "big"), mac
    return read_any_layout(buffer, start, end)


def read_any_layout(buffer: bytes, start: int, end: int) -> tuple[int, int, bytes] | None:
    """Return interface index, NDA_DST and MAC of a permanent row, attribute by attribute; None for any other."""
    _unused, ifindex, state, _unused, _unused = NDMSG.unpack_from(buffer, start)
    found = attributes(buffer, start + NDMSG.size, end)
    address, mac = found.get(NDA_DST, b""), found.get(NDA_LLADDR, b"")
    if not state & NUD_PERMANENT or len(address) != 4 or len(mac) != 6:
        return None
    return ifindex, int.from_bytes(address, "big"), mac
