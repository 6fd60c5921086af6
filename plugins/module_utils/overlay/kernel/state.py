# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the kernel should hold and what it holds: rows by table and key.

A packet from a container here to one at 10.50.7.5 on a vxlan overlay meets the rows of a peer in this order::

    Route      10.50.7.0/24 via 10.50.7.0 dev flannel.1   which device and gateway
    Neighbour  10.50.7.0 is at 0e:1c:9a:04:7f:22          the destination of the inner Ethernet frame
    FdbEntry   0e:1c:9a:04:7f:22 is at 192.0.2.12         the destination of the outer IPv4 packet

host-gw needs the route alone, with the address of the other host as its gateway.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..named_tuple import NamedTuple

if TYPE_CHECKING:
    from .tables.fdb import FdbEntry
    from .tables.neighbour import Neighbour
    from .tables.route import Route

R = TypeVar("R")


class Row(Protocol):
    """A row of a kernel table: a named tuple. Its class names the table."""

    @property
    def key(self) -> Hashable:
        """What identifies the row in its table."""


class PeerRows(NamedTuple):
    """All rows that one peer needs; ``others`` are rows of further tables.

    ``backend`` and ``host`` (public IP) are for the log, where route, neighbour and FDB entry do not show them.
    """

    route: Route | None
    neighbour: Neighbour | None = None
    fdb: FdbEntry | None = None
    others: tuple[Row, ...] = ()
    backend: str = ""
    host: int = 0

    def all(self) -> list[Row]:
        """Return the rows of all tables."""
        return [row for row in (self.route, self.neighbour, self.fdb, *self.others) if row is not None]

    def keys(self) -> list[Hashable]:
        """Return the keys of the rows."""
        return [row.key for row in self.all()]


class DesiredState(NamedTuple):
    """The rows that the kernel should hold, by table and key: of all peers, or of those that changed.

    ``partial``: this state does not decide on rows of the whole network (the unreachable route); those are left
    untouched.
    """

    tables: Mapping[type, Mapping[Any, Any]] = {}
    partial: bool = False

    @classmethod
    def of(cls, own: Iterable[Row], peers: Iterable[PeerRows], network: Iterable[Row] | None = None) -> DesiredState:
        """Return the state with this host's own rows, the rows of peers and, unless None, those of the network."""
        tables: dict[type, dict[Any, Any]] = defaultdict(dict)
        for own_row in (*own, *(network or ())):
            tables[type(own_row)][own_row.key] = own_row
        for route, neighbour, entry, others, _backend, _host in peers:
            for row in (route, neighbour, entry, *others):
                if row is not None:
                    tables[type(row)][row.key] = row
        return cls(tables, partial=network is None)

    def rows(self, table: type[R]) -> Mapping[Any, R]:
        """Return the rows of a table by key."""
        return self.tables.get(table, {})


class Found(NamedTuple):
    """What the kernel holds in one table.

    ``strays`` are objects of ours that no desired state contains; a plan removes them. ``foreign`` are objects of
    others that occupy a desired key.
    """

    rows: Mapping[Any, Any] = {}
    strays: tuple[Any, ...] = ()
    foreign: Mapping[Any, Any] = {}


_NOTHING = Found()


class ObservedState(NamedTuple):
    """What the kernel holds, by table. ``leaving`` names devices that the plan deletes at its end, with their rows."""

    tables: Mapping[type, Found] = {}
    leaving: frozenset[str] = frozenset()

    @classmethod
    def of(cls, state: DesiredState) -> ObservedState:
        """Return what would be observed if this state were reached: an event is planned without an observation."""
        return cls({table: Found(rows) for table, rows in state.tables.items()})

    def found(self, table: type[object]) -> Found:
        """Return what was found in a table."""
        return self.tables.get(table, _NOTHING)

    def rows(self, table: type[R]) -> Mapping[Any, R]:
        """Return the rows of a table by key."""
        return self.found(table).rows

    def replace(self, table: type[object], **changes: Any) -> ObservedState:
        """Return the same state with another content of one table."""
        return self._replace(tables={**self.tables, table: self.found(table)._replace(**changes)})

    def without(self, *tables: type[object]) -> ObservedState:
        """Return the same state without some tables."""
        return self._replace(tables={table: found for table, found in self.tables.items() if table not in tables})

    def without_device(self, device: str, *tables: type[object]) -> ObservedState:
        """Return the same state without the rows on a device, in all tables or in some."""
        changed = {
            table: found._replace(
                rows={key: row for key, row in found.rows.items() if getattr(row, "device", None) != device},
                strays=tuple(stray for stray in found.strays if getattr(stray, "device", None) != device),
            )
            for table, found in self.tables.items()
            if not tables or table in tables
        }
        return self._replace(tables={**self.tables, **changed})
