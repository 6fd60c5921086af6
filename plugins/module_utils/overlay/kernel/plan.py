# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan: the steps from what the kernel holds to what it should hold. A pure comparison of rows, table by table."""

from __future__ import annotations

from itertools import chain

from ..model.collector import collector_at_rest
from ..named_tuple import NamedTuple
from .state import DesiredState, ObservedState
from .step import Step
from .table import TableSteps
from .tables import TABLES


class KernelPlan(NamedTuple):
    """The steps in order, and a sentence for each desired row that an object of another program prevents."""

    steps: tuple[Step, ...] = ()
    conflicts: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.steps)


@collector_at_rest()
def plan(desired: DesiredState, observed: ObservedState) -> KernelPlan:
    """Return the steps from the observed to the desired state.

    Devices come first. Then objects in the way are removed, and rows are added in the order of the tables: a route
    comes last, so that it never leads to a device that cannot deliver the packet. Stale rows are removed in the
    reverse order, devices last.
    """
    parts: list[TableSteps] = []
    for table in TABLES:
        if table.row not in desired.tables and table.row not in observed.tables:
            continue
        part = table.plan(desired, observed)
        observed = part.observed or observed
        parts.append(part)
    steps = chain(
        chain.from_iterable(part.first for part in parts),
        chain.from_iterable(part.clear for part in parts),
        chain.from_iterable(part.add for part in parts),
        chain.from_iterable(part.remove for part in reversed(parts)),
    )
    return KernelPlan(tuple(steps), tuple(chain.from_iterable(part.conflicts for part in parts)))
