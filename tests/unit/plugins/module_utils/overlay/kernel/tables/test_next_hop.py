# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Next hops: ids that no two subnets share, and requests that can be read back."""

from __future__ import annotations

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.codec import HEADER
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.constants import RTM_DELNEXTHOP
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.next_hops import (
    HopRow,
    read_hop,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.ownership import PROTOCOL
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.next_hop import (
    RemoveNextHop,
    add_hop,
    hop_identifier,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from support.netlink_messages import kind_and_flags, requests

GATEWAY = parse_ipv4("192.0.2.12")


def test_an_encoded_next_hop_is_read_back() -> None:
    message = add_hop(0, 77, GATEWAY, 3, onlink=True)
    assert read_hop(message, HEADER.size, len(message)) == HopRow(77, PROTOCOL, 3, GATEWAY)


def test_a_next_hop_is_removed_by_its_id() -> None:
    (message,) = requests(RemoveNextHop(77))
    assert kind_and_flags(message) == (RTM_DELNEXTHOP, 1)
    assert read_hop(message, HEADER.size, len(message)).identifier == 77


def test_no_two_subnets_of_any_length_share_a_next_hop() -> None:
    network = Subnet.parse("10.50.0.0/22")
    subnets = [
        Subnet(first, length)
        for length in range(22, 31)
        for first in range(network.first, network.last, 1 << (32 - length))
    ]
    assert len({hop_identifier(subnet) for subnet in subnets}) == len(subnets)
