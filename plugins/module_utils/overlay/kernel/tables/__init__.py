# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kernel tables, one file each. This list is their registration and their order.

The tables of WireGuard are added when their files are imported, because most hosts never need them.
"""

from __future__ import annotations

from typing import Any

from ..table import Table
from .address import Addresses
from .fdb import Fdb
from .neighbour import Neighbours
from .next_hop import NextHops
from .route import Routes
from .unreachable import Unreachables
from .vxlan_device import VxlanDevices

# Rows are added in this order and removed in the reverse order. Devices must come first: observation finds the rows on
# our devices by them. Routes must come before the tables that are read with them (unreachable routes, next hops).
TABLES: list[Table[Any]] = [
    VxlanDevices(),
    Addresses(),
    Neighbours(),
    Fdb(),
    Routes(),
    Unreachables(),
    NextHops(),
]


def add_table(table: Table[Any], before: type[Table[Any]]) -> None:
    """Register the table of a backend that few hosts use, when its file is imported, before another table."""
    position = next(number for number, one in enumerate(TABLES) if isinstance(one, before))
    TABLES.insert(position, table)
