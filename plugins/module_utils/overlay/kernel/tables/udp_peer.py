# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The peers of the data path process of the udp backend: the host of each subnet."""

from __future__ import annotations

from collections.abc import Iterable

from ...model.addresses import Subnet, format_ipv4
from ...model.errors import KernelError
from ...named_tuple import NamedTuple
from ..observation import Observation
from ..state import DesiredState, Found, ObservedState
from ..step import Action, Step
from ..table import Table, TableSteps
from . import add_table
from .route import Routes
from .tun_device import TunDevice


class UdpPeer(NamedTuple):
    """The host (integer address) of a subnet, and its port; port 0 for a host that may send, but is not sent to.

    A host is sent to by the backend of its lease, but it sends by the backend of ours.
    """

    device: str
    subnet: Subnet
    host: int
    port: int = 0

    @property
    def key(self) -> tuple[str, Subnet]:
        """Device and subnet."""
        return self.device, self.subnet

    def __str__(self) -> str:
        return f"udp peer {self.subnet} at {format_ipv4(self.host)}:{self.port}"


class _Peers(NamedTuple):
    rows: tuple[UdpPeer, ...]


class SetUdpPeers(_Peers, Action):
    """Add peers or change their hosts."""

    __slots__ = ()
    kind = "udp peers"

    def __str__(self) -> str:
        return f"# data path of {self.rows[0].device}: {', '.join(map(str, self.rows))}"

    @property
    def needs(self) -> str:
        """The name of the device of the peers."""
        return self.rows[0].device

    def perform(self) -> None:
        """Act; raise KernelError."""
        _send(self.rows, is_added=True)

    @property
    def key(self) -> tuple[str, Subnet]:
        """The key of the first row."""
        return self.rows[0].key

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"{', '.join(map(str, self.rows))} was missing or different"


class RemoveUdpPeers(_Peers, Action):
    """Remove peers; it is a success if they do not exist."""

    __slots__ = ()
    kind = "udp peers"

    def __str__(self) -> str:
        return f"# data path of {self.rows[0].device}: remove {', '.join(map(str, self.rows))}"

    def perform(self) -> None:
        """Act; raise KernelError."""
        _send(self.rows, is_added=False)

    @property
    def key(self) -> tuple[str, Subnet]:
        """The key of the first row."""
        return self.rows[0].key

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"removed {', '.join(map(str, self.rows))}"


class UdpPeers(Table[UdpPeer]):
    """The table of the peers of the data path process."""

    row = UdpPeer

    def observe(self, observation: Observation) -> Found:
        """Return the peers of the process, if one serves a device of ours."""
        device = next(iter(observation.desired.rows(TunDevice)), "")
        if device not in observation.own.values():
            return Found()
        from ...udp.protocol import peers

        rows = [UdpPeer(device, Subnet(one.first, one.length), one.host, one.port) for one in peers()]
        return Found({row.key: row for row in rows})

    def plan(self, desired: DesiredState, observed: ObservedState) -> TableSteps:
        """Compare by subnet. Without a device there is no process: its peers vanish with it."""
        if not desired.rows(TunDevice):
            return TableSteps()
        wanted, held = desired.rows(UdpPeer), observed.rows(UdpPeer)
        changed = [row for key, row in wanted.items() if held.get(key) != row]
        # A peer that is reached in another way from now on: its route has to change first.
        left = [row for row in changed if not row.port and row.key in held]
        gone = [row for key, row in held.items() if key not in wanted]
        return TableSteps(
            add=_steps(SetUdpPeers, [row for row in changed if row not in left]),
            remove=[*_steps(SetUdpPeers, left), *_steps(RemoveUdpPeers, gone)],
        )


_AT_ONCE = 1000  # peers in a message


def _steps(kind: type[SetUdpPeers] | type[RemoveUdpPeers], rows: list[UdpPeer]) -> list[Step]:
    return [kind(tuple(rows[start : start + _AT_ONCE])) for start in range(0, len(rows), _AT_ONCE)]


def _send(rows: Iterable[UdpPeer], *, is_added: bool) -> None:
    from ...udp.protocol import ADD, REMOVE, ControlError, Peer, pack, request

    body = pack(Peer(*row.subnet, row.host, row.port) for row in rows)
    try:
        request(ADD if is_added else REMOVE, body)
    except ControlError as error:
        raise KernelError(str(error)) from None


add_table(UdpPeers(), before=Routes)
