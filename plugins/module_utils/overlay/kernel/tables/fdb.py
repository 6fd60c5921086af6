# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The forwarding database (FDB) of a vxlan device: the host of each VTEP by its MAC (linux/neighbour.h).

Encoded and read like neighbours (neighbour.py), as the kernel keeps both in messages of the same type.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from functools import lru_cache

from ...model.addresses import format_ipv4, format_mac
from ...named_tuple import NamedTuple
from ..netlink.codec import ATTRIBUTE, NDMSG, NO_PORT, attributes, head, title
from ..netlink.constants import (
    NDA_DST,
    NDA_IFINDEX,
    NDA_LLADDR,
    NDA_PORT,
    NDA_VNI,
    NLM_F_CREATE,
    NLM_F_REPLACE,
    NTF_SELF,
    NUD_PERMANENT,
    RTM_DELNEIGH,
    RTM_GETNEIGH,
    RTM_NEWNEIGH,
)
from ..observation import Observation
from ..step import Removal, Step, Wire
from ..table import DeviceRows
from .neighbour import read_any_layout

# Request: length, type and flags; sequence; port, struct ndmsg and the header of NDA_LLADDR; MAC; NDA_DST; address.
_REQUEST = struct.Struct("=8sI20s6s2x4s4s")
_ANSWER = struct.Struct("=BxxxiHBB4s6s2x4s4s")
_USUAL_SIZE = _ANSWER.size + ATTRIBUTE.size + 16  # NDA_CACHEINFO follows the part that is read
_DST, _LLADDR = title(4, NDA_DST), title(6, NDA_LLADDR)
_SET, _REMOVE = head(_REQUEST, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE), head(_REQUEST, RTM_DELNEIGH, 0)
_DETOURS = {NDA_PORT, NDA_VNI, NDA_IFINDEX}


class FdbEntry(NamedTuple):
    """A permanent FDB entry: the host (integer address) that has the VTEP with this MAC."""

    device: str
    mac: bytes
    destination: int

    @property
    def key(self) -> tuple[str, bytes]:
        """Device and MAC."""
        return self.device, self.mac

    def __str__(self) -> str:
        return f"fdb {format_mac(self.mac)} dst {format_ipv4(self.destination)} dev {self.device}"


class _FdbStep(NamedTuple):
    entry: FdbEntry


class SetFdb(_FdbStep, Step):
    """Add an FDB entry, or change its host."""

    __slots__ = ()
    kind = "FDB entries"

    def __str__(self) -> str:
        device, mac, destination = self.entry
        return f"bridge fdb replace {format_mac(mac)} dev {device} dst {format_ipv4(destination)} self permanent"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        device, mac, destination = self.entry
        middle = _middle(wire.index[device])
        messages.append(_REQUEST.pack(_SET, len(messages), middle, mac, _DST, destination.to_bytes(4, "big")))

    @property
    def key(self) -> tuple[str, bytes]:
        """The key of the row."""
        return self.entry.key

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"{self.entry} was missing or different"


class RemoveFdb(_FdbStep, Removal):
    """Remove an FDB entry, or one of its hosts."""

    __slots__ = ()
    kind = "FDB entries"

    def __str__(self) -> str:
        device, mac, destination = self.entry
        return f"bridge fdb delete {format_mac(mac)} dev {device} dst {format_ipv4(destination)} self"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        device, mac, destination = self.entry
        middle = _middle(wire.index[device])
        messages.append(_REQUEST.pack(_REMOVE, len(messages), middle, mac, _DST, destination.to_bytes(4, "big")))

    @property
    def key(self) -> tuple[str, bytes]:
        """The key of the row."""
        return self.entry.key

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"removed {self.entry}"


class Fdb(DeviceRows[FdbEntry]):
    """The table of the permanent FDB entries of our devices."""

    row = FdbEntry

    def read(self, observation: Observation, ifindex: int, device: str) -> Iterable[FdbEntry]:
        """Return the permanent FDB entries of a device."""
        body = NDMSG.pack(socket.AF_BRIDGE, ifindex, 0, 0, 0)
        for index, destination, mac in observation.netlink.dump(RTM_GETNEIGH, body, read_fdb):
            if index == ifindex:
                yield FdbEntry(device, mac, destination)

    def setting(self, row: FdbEntry) -> Step:
        """Return the step that adds or changes an FDB entry."""
        return SetFdb(row)

    def removal(self, row: FdbEntry) -> Step:
        """Return the step that removes an FDB entry."""
        return RemoveFdb(row)


@lru_cache(maxsize=8)
def _middle(ifindex: int) -> bytes:
    return NO_PORT + NDMSG.pack(socket.AF_BRIDGE, ifindex, NUD_PERMANENT, NTF_SELF, 0) + _LLADDR


def read_fdb(buffer: bytes, start: int, end: int) -> tuple[int, int, bytes] | None:
    """Return interface index, destination and MAC of a permanent FDB entry; None for any other.

    The destination is 0, which no entry of ours has, if the entry also names another port, VNI or interface.
    """
    if end - start == _USUAL_SIZE:
        _unused, ifindex, state, _unused, _unused, lladdr, mac, dst, destination = _ANSWER.unpack_from(buffer, start)
        if not state & NUD_PERMANENT:
            return None
        if lladdr == _LLADDR and dst == _DST:
            return ifindex, int.from_bytes(destination, "big"), mac
    row = read_any_layout(buffer, start, end)
    if row is None or not attributes(buffer, start + NDMSG.size, end).keys() & _DETOURS:
        return row
    ifindex, _unused, mac = row
    return ifindex, 0, mac
