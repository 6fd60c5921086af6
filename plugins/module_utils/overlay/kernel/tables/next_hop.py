# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Next-hop objects: one under each of our routes (linux/nexthop.h).

They can be replaced under a route in use. And adding plain routes with a gateway each on one device takes time that
grows with the square of their number. The steps of routes add and change these objects (route.py); this table only
removes those that no route of ours uses.
"""

from __future__ import annotations

import socket
import struct
from functools import lru_cache

from ...model.addresses import Subnet
from ...named_tuple import NamedTuple
from ..netlink.codec import NHMSG, NO_PORT, head, title
from ..netlink.constants import (
    NHA_GATEWAY,
    NHA_ID,
    NHA_OIF,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    RTM_DELNEXTHOP,
    RTM_NEWNEXTHOP,
    RTNH_F_ONLINK,
)
from ..observation import Observation
from ..ownership import PROTOCOL
from ..state import DesiredState, Found, ObservedState
from ..step import Removal, Wire
from ..table import Table, TableSteps

# Requests: length, type and flags; sequence; port, struct nhmsg and the header of NHA_ID; id; further attributes.
_REQUEST = struct.Struct("=8sI16sI4sI4s4s")
_LINK_REQUEST = struct.Struct("=8sI16sI4sI")
_REMOVAL = struct.Struct("=8sI16sI")
_ID, _OIF, _GATEWAY = title(4, NHA_ID), title(4, NHA_OIF), title(4, NHA_GATEWAY)
_ADD, _SET = (head(_REQUEST, RTM_NEWNEXTHOP, NLM_F_CREATE | flag) for flag in (NLM_F_EXCL, NLM_F_REPLACE))
_ADD_LINK, _SET_LINK = (
    head(_LINK_REQUEST, RTM_NEWNEXTHOP, NLM_F_CREATE | flag) for flag in (NLM_F_EXCL, NLM_F_REPLACE)
)
_REMOVE, _REMOVE_MIDDLE = head(_REMOVAL, RTM_DELNEXTHOP, 0), NO_PORT + NHMSG.pack(0, 0, 0, 0) + _ID


class NextHop(NamedTuple):
    """A next-hop object of ours."""

    identifier: int

    @property
    def key(self) -> int:
        """The id."""
        return self.identifier


class RemoveNextHop(NextHop, Removal):
    """Remove a next hop of ours that no route uses. It is no repair: it accompanies the repair of a route."""

    __slots__ = ()
    kind = "next hops"

    def __str__(self) -> str:
        return f"ip nexthop delete id {self.identifier}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        messages.append(remove_hop(len(messages), self.identifier))


class NextHops(Table[NextHop]):
    """The table of our next-hop objects; each in use belongs to a route, so that only unused ones appear here."""

    row = NextHop

    def observe(self, observation: Observation) -> Found:
        """Return as strays our next hops that no route of ours uses."""
        used = observation.used_hops
        strays: list[NextHop] = []
        for identifier, protocol, ifindex, _unused in observation.hops.values():
            is_ours = protocol == PROTOCOL and (ifindex in observation.own or observation.network.has(identifier))
            if is_ours and identifier not in used:
                strays.append(NextHop(identifier))
        return Found(strays=tuple(strays))

    def plan(self, _desired: DesiredState, observed: ObservedState) -> TableSteps:
        """Remove the unused ones."""
        return TableSteps(clear=[RemoveNextHop(hop.identifier) for hop in observed.found(NextHop).strays])


def hop_identifier(subnet: Subnet) -> int:
    """Return the id of a subnet's next hop: its middle address, which no other subnet of any length shares."""
    return subnet.first + (1 << (32 - subnet.length) >> 1)


def add_hop(sequence: int, identifier: int, gateway: int, ifindex: int, onlink: bool) -> bytes:
    """Return the request that adds a next hop, without a gateway if that is 0; it is refused if the id exists."""
    middle = _middle(onlink)
    if not gateway:
        return _LINK_REQUEST.pack(_ADD_LINK, sequence, middle, identifier, _OIF, ifindex)
    return _REQUEST.pack(_ADD, sequence, middle, identifier, _OIF, ifindex, _GATEWAY, gateway.to_bytes(4, "big"))


def set_hop(sequence: int, identifier: int, gateway: int, ifindex: int, onlink: bool) -> bytes:
    """Return the request that adds or replaces a next hop, without a gateway if that is 0."""
    middle = _middle(onlink)
    if not gateway:
        return _LINK_REQUEST.pack(_SET_LINK, sequence, middle, identifier, _OIF, ifindex)
    return _REQUEST.pack(_SET, sequence, middle, identifier, _OIF, ifindex, _GATEWAY, gateway.to_bytes(4, "big"))


def remove_hop(sequence: int, identifier: int) -> bytes:
    """Return the request that removes a next hop."""
    return _REMOVAL.pack(_REMOVE, sequence, _REMOVE_MIDDLE, identifier)


@lru_cache(maxsize=2)
def _middle(onlink: bool) -> bytes:
    return NO_PORT + NHMSG.pack(socket.AF_INET, 0, PROTOCOL, RTNH_F_ONLINK if onlink else 0) + _ID
