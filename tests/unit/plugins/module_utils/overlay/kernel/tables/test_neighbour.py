# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Neighbours: what is encoded can be read back, and only permanent ones are read."""

from __future__ import annotations

import struct

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.constants import (
    RTM_DELNEIGH,
    RTM_NEWNEIGH,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.neighbour import (
    Neighbour,
    RemoveNeighbour,
    SetNeighbour,
    read_neighbour,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import parse_ipv4, parse_mac
from support.netlink_messages import body, kind_and_flags, requests

ADDRESS = parse_ipv4("10.50.7.0")
MAC = parse_mac("0e:1c:9a:04:7f:22")
ROW = Neighbour("flannel.1", ADDRESS, MAC)


def test_a_neighbour_reads_like_the_line_a_person_would_type() -> None:
    assert str(ROW) == "neighbour 10.50.7.0 lladdr 0e:1c:9a:04:7f:22 dev flannel.1"


def test_a_neighbour_is_set_with_create_and_replace_and_removed_without_flags() -> None:
    assert [kind_and_flags(one) for one in requests(SetNeighbour(ROW))] == [(RTM_NEWNEIGH, 0x501)]
    assert [kind_and_flags(one) for one in requests(RemoveNeighbour(ROW))] == [(RTM_DELNEIGH, 0x001)]


def test_an_encoded_neighbour_is_read_back() -> None:
    assert read_neighbour(*body(*requests(SetNeighbour(ROW)))) == (3, ADDRESS, MAC)


def test_a_neighbour_that_is_not_permanent_is_not_read() -> None:
    message, start, end = body(*requests(SetNeighbour(ROW)))
    reachable = bytearray(message)
    struct.pack_into("=H", reachable, start + 8, 0x02)
    assert read_neighbour(bytes(reachable), start, end) is None
