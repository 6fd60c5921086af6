# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""FDB entries: what is encoded can be read back, in the usual layout and in any other."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.codec import attribute
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.constants import (
    RTM_DELNEIGH,
    RTM_NEWNEIGH,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.fdb import (
    FdbEntry,
    RemoveFdb,
    SetFdb,
    read_fdb,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.neighbour import read_neighbour
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import parse_ipv4, parse_mac
from support.netlink_messages import body, kind_and_flags, requests

HOST = parse_ipv4("192.0.2.12")
MAC = parse_mac("0e:1c:9a:04:7f:22")
ROW = FdbEntry("flannel.1", MAC, HOST)


def test_an_fdb_entry_reads_like_the_line_a_person_would_type() -> None:
    assert str(ROW) == "fdb 0e:1c:9a:04:7f:22 dst 192.0.2.12 dev flannel.1"


def test_an_fdb_entry_is_set_with_create_and_replace_and_removed_without_flags() -> None:
    assert [kind_and_flags(one) for one in requests(SetFdb(ROW))] == [(RTM_NEWNEIGH, 0x501)]
    assert [kind_and_flags(one) for one in requests(RemoveFdb(ROW))] == [(RTM_DELNEIGH, 0x001)]


def test_an_encoded_fdb_entry_is_read_back() -> None:
    assert read_fdb(*body(*requests(SetFdb(ROW)))) == (3, HOST, MAC)


@pytest.mark.parametrize("kind", [6, 7, 8], ids=["port", "VNI", "interface"])
def test_an_fdb_entry_with_another_port_vni_or_interface_has_no_destination(kind: int) -> None:
    message, start, end = body(*requests(SetFdb(ROW)))
    detour = attribute(kind, struct.pack(">I", 99))
    assert read_fdb(message + detour, start, end + len(detour)) == (3, 0, MAC)


def test_an_fdb_entry_that_is_not_permanent_is_not_read() -> None:
    message, start, end = body(*requests(SetFdb(ROW)))
    learned = bytearray(message)
    struct.pack_into("=H", learned, start + 8, 0x02)
    assert read_fdb(bytes(learned), start, end) is None


def test_attributes_in_another_order_are_read_as_well() -> None:
    assert read_neighbour(*body(*requests(SetFdb(ROW)))) == (3, HOST, MAC)
