# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The contract of a kernel table: how its rows are read, and which steps lead to the desired rows.

Each file in tables/ is one table: its row, its steps and a subclass of Table. tables/__init__.py registers them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..named_tuple import NamedTuple
from .state import DesiredState, Found, ObservedState
from .step import Step

if TYPE_CHECKING:
    from .observation import Observation

R = TypeVar("R")


class TableSteps(NamedTuple):
    """The steps for one table, by phase, and what they leave of the observed state (None for no loss elsewhere).

    ``first``: devices and their addresses, on which all rows depend. ``clear``: objects of ours that are in the way.
    ``add``: new and changed rows. ``remove``: stale rows. ``conflicts`` are sentences about desired rows that an
    object of another program prevents.
    """

    first: Sequence[Step] = ()
    clear: Sequence[Step] = ()
    add: Sequence[Step] = ()
    remove: Sequence[Step] = ()
    conflicts: Sequence[str] = ()
    observed: ObservedState | None = None


class Table(ABC, Generic[R]):
    """One kernel table; ``row`` is the class of its rows."""

    row: type[R]

    @abstractmethod
    def observe(self, observation: Observation) -> Found:
        """Return what the kernel holds of ours."""

    @abstractmethod
    def plan(self, desired: DesiredState, observed: ObservedState) -> TableSteps:
        """Return the steps from the observed to the desired rows. Pure."""


class DeviceRows(Table[R]):
    """A table whose rows are each on one of our devices, and of which each row is set and removed by one step."""

    @abstractmethod
    def read(self, observation: Observation, ifindex: int, device: str) -> Iterable[Any]:
        """Return the rows on a device."""

    @abstractmethod
    def setting(self, row: R) -> Step:
        """Return the step that adds a row or changes the one with its key."""

    @abstractmethod
    def removal(self, row: R) -> Step:
        """Return the step that removes a row."""

    def observe(self, observation: Observation) -> Found:
        """Return the rows on our devices; a second row with the same key on one device is a stray."""
        rows: dict[Any, Any] = {}
        strays: list[Any] = []
        for ifindex, device in observation.own.items():
            for row in self.read(observation, ifindex, device):
                held = rows.setdefault(row.key, row)
                if held is not row and held.device == device:
                    strays.append(row)
        return Found(rows, tuple(strays))

    def plan(self, desired: DesiredState, observed: ObservedState) -> TableSteps:
        """Compare by key. Rows on a device that leaves go with it."""
        wanted, found = desired.rows(self.row), observed.found(self.row)
        held, leaving = found.rows, observed.leaving
        if wanted == held and not found.strays:
            return TableSteps()
        return TableSteps(
            clear=[self.removal(row) for row in found.strays if row.device not in leaving],
            add=[self.setting(row) for key, row in wanted.items() if held.get(key) != row],
            remove=[self.removal(row) for key, row in held.items() if key not in wanted and row.device not in leaving],
        )
