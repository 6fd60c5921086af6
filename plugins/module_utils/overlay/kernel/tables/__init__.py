# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kernel tables, one file each. This list is their registration and their order."""

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
TABLES: tuple[Table[Any], ...] = (
    VxlanDevices(),
    Addresses(),
    Neighbours(),
    Fdb(),
    Routes(),
    Unreachables(),
    NextHops(),
)
