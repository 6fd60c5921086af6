# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Next-hop objects are read in any layout."""

from __future__ import annotations

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.codec import HEADER, attribute
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.next_hops import (
    HopRow,
    read_hop,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.next_hop import remove_hop


def test_a_black_hole_next_hop_has_neither_interface_nor_gateway() -> None:
    message = remove_hop(0, 77) + attribute(4, b"")
    assert read_hop(message, HEADER.size, len(message)) == HopRow(77, 0, 0, 0)
