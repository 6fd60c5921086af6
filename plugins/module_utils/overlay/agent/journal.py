# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Log lines on the data plane: one for each peer that is added, changed or removed, and one for each repair.

Many at once become one line with their numbers, so that a mass change does not flood the journal.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from ..host.log import log
from ..host.peer_table import PeerChange
from ..kernel.steps import (
    AddAddress,
    AddRoute,
    AddUnreachable,
    AdoptRoute,
    ChangeRoute,
    CreateDevice,
    RemoveAddress,
    RemoveFdb,
    RemoveNeighbour,
    RemoveRoute,
    RemoveStray,
    SetFdb,
    SetMac,
    SetMtu,
    SetNeighbour,
    SetTunnel,
    SetUp,
    Step,
)
from ..model.addresses import Subnet, format_ipv4, format_mac
from ..model.state import PeerRows

LINES = 20  # single lines in each period; what comes on top is summed up at its end
PERIOD = 1.0  # seconds
RowKey = object  # of a row: a route's subnet, a neighbour's address, an FDB entry's MAC
Entry = TypeVar("Entry")


class BoundedLog(Generic[Entry]):
    """Writes one INFO line for each entry, or one for many: at most 20 lines and a sum in a second."""

    def __init__(self, title: str, kind: Callable[[Entry], str], line: Callable[[Entry], str]) -> None:
        """``kind`` is what a sum counts, ``line`` the text of a single entry."""
        self._title = title
        self._kind = kind
        self._line = line
        self._left = 0
        self._ends = 0.0
        self._kinds: Counter[str] = Counter()
        self._first = ""

    def write(self, entries: Sequence[Entry]) -> None:
        """Write the entries now, or count them for the sum."""
        self.flush()
        if not entries:
            return
        now = time.monotonic()
        if now >= self._ends:
            self._left, self._ends = LINES, now + PERIOD
        if len(entries) <= self._left and not self._kinds:
            self._left -= len(entries)
            for entry in entries:
                log.info("%s", self._line(entry))
            return
        self._first = self._first or self._line(entries[0])
        self._kinds.update(map(self._kind, entries))
        if self._left == LINES:  # the first of this period: nothing to wait for
            self._sum()
        self._left = 0

    def flush(self) -> None:
        """Write the sum of what had to wait, once its time has come."""
        if self._kinds and time.monotonic() >= self._ends:
            self._sum()
            self._left, self._ends = 0, time.monotonic() + PERIOD

    @property
    def due(self) -> float | None:
        """When (monotonic clock) ``flush`` has something to write; None where it has not."""
        return self._ends if self._kinds else None

    def _sum(self) -> None:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(self._kinds.items()))
        log.info("%s: %s; the first: %s", self._title, counts, self._first)
        self._kinds.clear()
        self._first = ""


def peer_log(backend: str) -> BoundedLog[PeerChange]:
    """Return the log of peers that are added, changed and removed, as reached by this backend."""
    return BoundedLog("peers", _kind_of_change, lambda change: _change_line(change, backend))


def repair_log() -> BoundedLog[Step]:
    """Return the log of steps that undo what somebody else did in the kernel."""
    return BoundedLog("repaired", _kind_of_step, _repair_line)


def keys_of(rows: PeerRows | None) -> list[RowKey]:
    """Return the keys of a peer's rows."""
    if rows is None:
        return []
    keys: list[RowKey] = [rows.route.subnet]
    if rows.neighbour is not None:
        keys.append(rows.neighbour.address)
    if rows.fdb is not None:
        keys.append(rows.fdb.mac)
    return keys


def key_of(step: Step) -> RowKey | None:
    """Return the key of the row that a step is about; None for a step of a device, and for other routes."""
    if isinstance(step, (AddRoute, AdoptRoute, RemoveRoute, RemoveStray)):
        return step.route.subnet
    if isinstance(step, ChangeRoute):
        return step.new.subnet
    if isinstance(step, (SetNeighbour, RemoveNeighbour)):
        return step.neighbour.address
    if isinstance(step, (SetFdb, RemoveFdb)):
        return step.entry.mac
    return None


def _kind_of_change(change: PeerChange) -> str:
    if change.before is None:
        return "added"
    return "changed" if change.after is not None else "removed"


def _change_line(change: PeerChange, backend: str) -> str:
    before, after = change
    rows = after or before
    if rows is None:
        return ""
    direct = ", direct route" if backend == "vxlan" and rows.fdb is None else ""
    line = f"peer {_kind_of_change(change)}: {rows.route.subnet} at {_host(rows)} ({backend}{direct})"
    if before is None or after is None:
        return line
    if _host(before) != _host(after):
        return f"{line}, was at {_host(before)}"
    if before.fdb is not None and after.fdb is not None and before.fdb.mac != after.fdb.mac:
        return f"{line}, VtepMAC {format_mac(after.fdb.mac)}, was {format_mac(before.fdb.mac)}"
    return line


def _host(rows: PeerRows) -> str:
    return format_ipv4(rows.fdb.destination if rows.fdb is not None else rows.route.gateway)


def _kind_of_step(step: Step) -> str:
    if isinstance(step, (SetNeighbour, RemoveNeighbour)):
        return "neighbours"
    if isinstance(step, (SetFdb, RemoveFdb)):
        return "FDB entries"
    return "routes" if isinstance(key_of(step), Subnet) else "settings of the device"


def _repair_line(step: Step) -> str:
    if isinstance(step, CreateDevice):
        return f"repaired: device {step.device.name} was missing"
    if isinstance(step, SetUp):
        return f"repaired: device {step.device} was down"
    if isinstance(step, SetMac):
        return f"repaired: device {step.device} had another MAC than {format_mac(step.mac)}"
    if isinstance(step, SetMtu):
        return f"repaired: device {step.device} had another MTU than {step.mtu}"
    if isinstance(step, SetTunnel):
        return f"repaired: device {step.device.name} had other tunnel settings: {step}"
    if isinstance(step, AddAddress):
        return f"repaired: address {format_ipv4(step.address)}/{step.length} was missing on {step.device}"
    if isinstance(step, RemoveAddress):
        return f"repaired: removed address {format_ipv4(step.address)}/{step.length} from {step.device}"
    return _row_repair_line(step)


def _row_repair_line(step: Step) -> str:
    if isinstance(step, AddRoute):
        return f"repaired: {step.route} was missing"
    if isinstance(step, ChangeRoute):
        return f"repaired: {step.new} was another one: {step.old}"
    if isinstance(step, SetNeighbour):
        return f"repaired: {step.neighbour} was missing or another one"
    if isinstance(step, SetFdb):
        return f"repaired: {step.entry} was missing or another one"
    if isinstance(step, AddUnreachable):
        return f"repaired: the unreachable route {step.network} was missing"
    if isinstance(step, (RemoveRoute, RemoveStray)):
        return f"repaired: removed {step.route if isinstance(step, RemoveRoute) else f'route {step.route}'}"
    if isinstance(step, RemoveNeighbour):
        return f"repaired: removed {step.neighbour}"
    if isinstance(step, RemoveFdb):
        return f"repaired: removed {step.entry}"
    return f"repaired: {step}"
