# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Netlink requests and rows: written rows are read back, with attributes in any order."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.codec import (
    HEADER,
    RTMSG,
    attribute,
    attributes,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.constants import (
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.rows import (
    FdbWriter,
    HopRow,
    HopWriter,
    NeighbourWriter,
    RouteRow,
    RouteWriter,
    hop_identifier,
    read_fdb,
    read_hop,
    read_neighbour,
    read_route,
    remove_hop,
    remove_route,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.steps import PROTOCOL
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import (
    Subnet,
    parse_ipv4,
    parse_mac,
)

ADDRESS = parse_ipv4("10.50.7.0")
HOST = parse_ipv4("192.0.2.12")
MAC = parse_mac("0e:1c:9a:04:7f:22")
TABLE = attribute(15, struct.pack("=I", 254))


def body(message: bytes) -> tuple[bytes, int, int]:
    """Return buffer, start and end of a message as in a dump; its header must have the length."""
    length = HEADER.unpack_from(message)[0]
    assert length == len(message)
    return message, HEADER.size, length


def test_every_message_has_its_length_type_flags_and_number() -> None:
    message = NeighbourWriter(RTM_NEWNEIGH, 0x500, 3).write(7, ADDRESS, MAC)
    assert HEADER.unpack_from(message) == (len(message), RTM_NEWNEIGH, 0x501, 7, 0)
    assert len(message) % 4 == 0


def test_a_neighbour_written_is_read_back() -> None:
    assert read_neighbour(*body(NeighbourWriter(RTM_NEWNEIGH, 0, 3).write(0, ADDRESS, MAC))) == (3, ADDRESS, MAC)


def test_a_forwarding_row_written_is_read_back() -> None:
    assert read_fdb(*body(FdbWriter(RTM_NEWNEIGH, 0, 3).write(0, MAC, HOST))) == (3, HOST, MAC)


@pytest.mark.parametrize("kind", [6, 7, 8], ids=["port", "VNI", "interface"])
def test_a_forwarding_row_with_other_attributes_has_no_known_destination(kind: int) -> None:
    message, start, end = body(FdbWriter(RTM_NEWNEIGH, 0, 3).write(0, MAC, HOST))
    detour = attribute(kind, struct.pack(">I", 99))
    assert read_fdb(message + detour, start, end + len(detour)) == (3, 0, MAC)


def test_rows_that_are_not_permanent_are_ignored() -> None:
    message, start, end = body(NeighbourWriter(RTM_NEWNEIGH, 0, 3).write(0, ADDRESS, MAC))
    reachable = bytearray(message)
    struct.pack_into("=H", reachable, start + 8, 0x02)
    assert read_neighbour(bytes(reachable), start, end) is None
    assert read_fdb(bytes(reachable), start, end) is None


def test_attributes_are_read_in_any_order() -> None:
    message, start, end = body(FdbWriter(RTM_NEWNEIGH, 0, 3).write(0, MAC, HOST))
    assert read_neighbour(message, start, end) == (3, HOST, MAC)


def test_a_next_hop_written_is_read_back() -> None:
    assert read_hop(*body(HopWriter(0, 3).write(0, 77, HOST, True))) == HopRow(77, PROTOCOL, 3, HOST)


def test_a_black_hole_next_hop_has_no_gateway() -> None:
    message, start, end = body(remove_hop(0, 77))
    hole = attribute(4, b"")
    assert read_hop(message + hole, start, end + len(hole)) == HopRow(77, 0, 0, 0)


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
    told = RTMSG.pack(2, 24, 0, 0, 254, 158, 0, 1, 0) + TABLE + attribute(1, ADDRESS.to_bytes(4, "big")) + more
    assert read_route(told, 0, len(told)) == row


def test_a_route_of_another_table_is_ignored() -> None:
    told = RTMSG.pack(2, 24, 0, 0, 252, 158, 0, 1, 0) + attribute(15, struct.pack("=I", 1000))
    assert read_route(told, 0, len(told)) is None


def test_a_route_is_written_with_all_its_attributes() -> None:
    message, start, end = body(RouteWriter(RTM_NEWROUTE, 0, PROTOCOL).plain(0, ADDRESS, 24, HOST, 3, True))
    assert RTMSG.unpack_from(message, start) == (2, 24, 0, 0, 254, PROTOCOL, 0, 1, 4)
    assert attributes(message, start + RTMSG.size, end) == {
        1: ADDRESS.to_bytes(4, "big"),
        4: struct.pack("=I", 3),
        5: HOST.to_bytes(4, "big"),
    }


def test_the_removal_of_a_stray_names_its_metric_and_protocol() -> None:
    message, start, end = body(remove_route(0, RouteRow(ADDRESS, 24, 3, 1, 0, 7, 0, 5, 0)))
    assert RTMSG.unpack_from(message, start)[5:8] == (3, 255, 1)
    assert attributes(message, start + RTMSG.size, end) == {
        1: ADDRESS.to_bytes(4, "big"),
        6: struct.pack("=I", 7),
        4: struct.pack("=I", 5),
    }


def test_no_two_subnets_of_any_length_share_a_next_hop() -> None:
    network = Subnet.parse("10.50.0.0/22")
    subnets = [
        Subnet(first, length)
        for length in range(22, 31)
        for first in range(network.first, network.last, 1 << (32 - length))
    ]
    assert len({hop_identifier(subnet) for subnet in subnets}) == len(subnets)
