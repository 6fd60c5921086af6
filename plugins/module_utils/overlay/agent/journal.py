# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Log lines about the data plane: one for each peer that is added, changed or removed, and one for each repair.

Many at once become one line with their numbers, so that a mass change does not flood the journal.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Generic, TypeVar

from ..host.log import log
from ..host.peer_table import PeerChange
from ..kernel.state import PeerRows
from ..kernel.step import Step
from ..model.addresses import format_ipv4, format_mac
from ..model.backends.vxlan import VXLAN
from .status import Status

LINES = 20  # maximum of single lines in a period; the others become one sum at its end
PERIOD = 1.0  # seconds
Entry = TypeVar("Entry")


class BoundedLog(Generic[Entry]):
    """A log of INFO lines with at most LINES lines and one sum in a period."""

    def __init__(
        self,
        title: str,
        kind: Callable[[Entry], str],
        line: Callable[[Entry], str],
        count: Callable[[int, str], object],
    ) -> None:
        """``kind`` returns the kind of an entry, which a sum counts; ``line`` returns the text of an entry.

        ``count`` is called with the number of entries of each kind in a ``write``.
        """
        self._count = count
        self._title = title
        self._kind = kind
        self._line = line
        self._left = 0
        self._ends = 0.0
        self._kinds: Counter[str] = Counter()
        self._first = ""

    def write(self, entries: Sequence[Entry]) -> None:
        """Write the entries, or count them for the sum if they are too many."""
        self.flush()
        if not entries:
            return
        kinds = Counter(map(self._kind, entries))
        for kind, number in kinds.items():
            self._count(number, kind)
        now = time.monotonic()
        if now >= self._ends:
            self._left, self._ends = LINES, now + PERIOD
        if len(entries) <= self._left and not self._kinds:
            self._left -= len(entries)
            for entry in entries:
                log.info("%s", self._line(entry))
            return
        self._first = self._first or self._line(entries[0])
        self._kinds.update(kinds)
        if self._left == LINES:  # no line was written in this period, so write the sum at once
            self._sum()
        self._left = 0

    def flush(self) -> None:
        """Write the sum if it is due."""
        if self._kinds and time.monotonic() >= self._ends:
            self._sum()
            self._left, self._ends = 0, time.monotonic() + PERIOD

    @property
    def due(self) -> float | None:
        """Time (monotonic clock) at which ``flush`` has something to write, None if it has nothing."""
        return self._ends if self._kinds else None

    def _sum(self) -> None:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(self._kinds.items()))
        log.info("%s: %s; the first: %s", self._title, counts, self._first)
        self._kinds.clear()
        self._first = ""


def peer_log(backend: str, status: Status) -> BoundedLog[PeerChange]:
    """Return the log of peers that are added, changed and removed; ``backend`` is that of this host's lease."""
    count = partial(status.count, "peer_changes")
    return BoundedLog("peers", _kind_of_change, lambda change: _change_line(change, backend), count)


def repair_log(status: Status) -> BoundedLog[Step]:
    """Return the log of steps that undo changes of the kernel by other programs."""
    count = partial(status.count, "repairs")
    return BoundedLog("repaired", lambda step: step.kind, lambda step: f"repaired: {step.repaired}", count)


def _kind_of_change(change: PeerChange) -> str:
    if change.before is None:
        return "added"
    return "changed" if change.after is not None else "removed"


def _change_line(change: PeerChange, backend: str) -> str:
    before, after = change
    rows = after or before
    if rows is None:
        return ""
    if rows.backend:
        backend = rows.backend
    elif rows.fdb is not None:
        backend = VXLAN
    elif backend == VXLAN:
        backend = f"{VXLAN}, direct route"
    line = f"peer {_kind_of_change(change)}: {_subnet(rows)} at {_host(rows)} ({backend})"
    if before is None or after is None:
        return line
    if _host(before) != _host(after):
        return f"{line}, was at {_host(before)}"
    if before.fdb is not None and after.fdb is not None and before.fdb.mac != after.fdb.mac:
        return f"{line}, VtepMAC {format_mac(after.fdb.mac)}, was {format_mac(before.fdb.mac)}"
    return line


def _subnet(rows: PeerRows) -> Hashable:
    return rows.keys()[0]


def _host(rows: PeerRows) -> str:
    if rows.fdb is not None:
        return format_ipv4(rows.fdb.destination)
    return format_ipv4(rows.route.gateway if rows.route is not None and not rows.host else rows.host)
