# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Routes of the main table are read in any shape."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.codec import RTMSG, attribute
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.routes import (
    RouteRow,
    read_route,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import parse_ipv4

ADDRESS = parse_ipv4("10.50.7.0")
HOST = parse_ipv4("192.0.2.12")
TABLE = attribute(15, struct.pack("=I", 254))


@pytest.mark.parametrize(
    ("more", "row"),
    [
        (attribute(30, struct.pack("=I", 77)), RouteRow(ADDRESS, 24, 158, 1, 0, 0, 77, 0, 0)),
        (
            attribute(5, HOST.to_bytes(4, "big")) + attribute(4, struct.pack("=I", 3)),
            RouteRow(ADDRESS, 24, 158, 1, 0, 0, 0, 3, HOST, True),
        ),
        (
            attribute(5, HOST.to_bytes(4, "big")) + attribute(4, struct.pack("=I", 3)) + attribute(7, bytes(4)),
            RouteRow(ADDRESS, 24, 158, 1, 0, 0, 0, 3, HOST),
        ),
        (
            attribute(6, struct.pack("=I", 9)) + attribute(4, struct.pack("=I", 3)),
            RouteRow(ADDRESS, 24, 158, 1, 0, 9, 0, 3, 0),
        ),
        (attribute(9, bytes(16)), RouteRow(ADDRESS, 24, 158, 1, 0, 0, -1, 0, 0)),
    ],
    ids=["by next hop", "by gateway", "with a source address", "with a metric", "over several next hops"],
)
def test_a_route_of_any_shape_is_read(more: bytes, row: RouteRow) -> None:
    message = RTMSG.pack(2, 24, 0, 0, 254, 158, 0, 1, 0) + TABLE + attribute(1, ADDRESS.to_bytes(4, "big")) + more
    assert read_route(message, 0, len(message)) == row


def test_a_route_of_another_table_is_ignored() -> None:
    message = RTMSG.pack(2, 24, 0, 0, 252, 158, 0, 1, 0) + attribute(15, struct.pack("=I", 1000))
    assert read_route(message, 0, len(message)) is None
