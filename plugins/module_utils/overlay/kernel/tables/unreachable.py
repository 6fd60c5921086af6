# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The unreachable route of the overlay network: packets to subnets that no host leases get an ICMP error.

Without it they would leave by the default route. Its metric is the highest, so that any other route wins.
"""

from __future__ import annotations

import socket

from ...model.addresses import Subnet
from ...named_tuple import NamedTuple
from ..netlink.codec import RTMSG, U32, attribute, message
from ..netlink.constants import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    RT_TABLE_MAIN,
    RTA_DST,
    RTA_PRIORITY,
    RTM_NEWROUTE,
    RTN_UNREACHABLE,
)
from ..netlink.routes import RouteRow, remove_exactly
from ..observation import Observation
from ..ownership import PROTOCOL
from ..state import DesiredState, Found, ObservedState
from ..step import Removal, Step, Wire
from ..table import Table, TableSteps

LAST_METRIC = 2**32 - 1


class Unreachable(NamedTuple):
    """The unreachable route of a network."""

    network: Subnet

    @property
    def key(self) -> Subnet:
        """The network."""
        return self.network

    def __str__(self) -> str:
        return f"unreachable {self.network} metric {LAST_METRIC}"


class AddUnreachable(Unreachable, Step):
    """Add the unreachable route."""

    __slots__ = ()
    kind = "routes"

    def __str__(self) -> str:
        return f"ip route add unreachable {self.network} metric {LAST_METRIC} proto {PROTOCOL}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        body = (
            RTMSG.pack(socket.AF_INET, self.network.length, 0, 0, RT_TABLE_MAIN, PROTOCOL, 0, RTN_UNREACHABLE, 0)
            + attribute(RTA_DST, self.network.first.to_bytes(4, "big"))
            + attribute(RTA_PRIORITY, U32.pack(LAST_METRIC))
        )
        messages.append(message(len(messages), RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, body))

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"the unreachable route {self.network} was missing"


class RemoveUnreachable(Unreachable, Removal):
    """Remove the unreachable route."""

    __slots__ = ()
    kind = "routes"

    def __str__(self) -> str:
        return f"ip route delete {self.network} metric {LAST_METRIC} proto {PROTOCOL}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request."""
        first, length = self.network
        row = RouteRow(first, length, PROTOCOL, RTN_UNREACHABLE, 0, LAST_METRIC, 0, 0, 0)
        messages.append(remove_exactly(len(messages), row))

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"removed the unreachable route {self.network}"


class Unreachables(Table[Unreachable]):
    """The unreachable routes of ours: one at most, that of the overlay network."""

    row = Unreachable

    def observe(self, observation: Observation) -> Found:
        """Return the unreachable route among the routes that were read."""
        rows = [Unreachable(network) for network in observation.unreachable]
        return Found({row.key: row for row in rows})

    def plan(self, desired: DesiredState, observed: ObservedState) -> TableSteps:
        """Add or remove the route, unless the desired state leaves it untouched."""
        if desired.partial:
            return TableSteps()
        wanted, held = desired.rows(Unreachable), observed.rows(Unreachable)
        return TableSteps(
            add=[AddUnreachable(row.network) for key, row in wanted.items() if key not in held],
            remove=[RemoveUnreachable(row.network) for key, row in held.items() if key not in wanted],
        )
