# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Routes: the requests of each step, and what a refused request means."""

from __future__ import annotations

import errno
import struct

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.codec import RTMSG, attributes
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.constants import (
    RTM_DELNEXTHOP,
    RTM_DELROUTE,
    RTM_NEWNEXTHOP,
    RTM_NEWROUTE,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.rtnetlink import KernelRefusal
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.ownership import PROTOCOL
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.step import Wire
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.next_hop import (
    hop_identifier,
    remove_hop,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.route import (
    AddRoute,
    AdoptRoute,
    ChangeRoute,
    RemoveRoute,
    Route,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.stray_route import (
    RemoveStray,
    StrayRoute,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from support.netlink_messages import INDEXES, body, kind_and_flags, requests

SUBNET = Subnet.parse("10.50.7.0/24")
GATEWAY = parse_ipv4("192.0.2.12")
ROUTE = Route(SUBNET, GATEWAY, "flannel.1", onlink=True)
DIRECT = Route(SUBNET, GATEWAY, "eth0", onlink=False)
CREATE, REPLACE, EXCL, APPEND = 0x400, 0x100, 0x200, 0x800
ALREADY, MISSING, DOWN = (KernelRefusal(number, "") for number in (errno.EEXIST, errno.ESRCH, errno.ENETDOWN))


def test_a_route_reads_like_the_line_a_person_would_type() -> None:
    assert str(ROUTE) == "route 10.50.7.0/24 via 192.0.2.12 dev flannel.1 onlink"
    assert str(ROUTE._replace(onlink=False)) == "route 10.50.7.0/24 via 192.0.2.12 dev flannel.1"


def test_a_route_without_a_gateway_is_encoded_with_the_scope_of_its_link() -> None:
    link = Route(SUBNET, 0, "flannel.1", onlink=False)
    assert str(link) == "route 10.50.7.0/24 dev flannel.1 scope link"
    message, start, end = body(*requests(AddRoute(link), by_hops=False))
    assert RTMSG.unpack_from(message, start) == (2, 24, 0, 0, 254, PROTOCOL, 253, 1, 0)
    assert attributes(message, start + RTMSG.size, end) == {1: SUBNET.first.to_bytes(4, "big"), 4: struct.pack("=I", 3)}


def test_a_plain_route_is_encoded_with_all_its_parts() -> None:
    message, start, end = body(*requests(AddRoute(ROUTE), by_hops=False))
    assert kind_and_flags(message) == (RTM_NEWROUTE, CREATE | EXCL | 1)
    assert RTMSG.unpack_from(message, start) == (2, 24, 0, 0, 254, PROTOCOL, 0, 1, 4)
    assert attributes(message, start + RTMSG.size, end) == {
        1: SUBNET.first.to_bytes(4, "big"),
        4: struct.pack("=I", 3),
        5: GATEWAY.to_bytes(4, "big"),
    }


def test_each_step_takes_its_requests_with_and_without_next_hops() -> None:
    assert [kind_and_flags(one) for one in requests(AddRoute(ROUTE))] == [
        (RTM_NEWNEXTHOP, CREATE | EXCL | 1),
        (RTM_NEWROUTE, CREATE | EXCL | 1),
    ]
    assert [kind_and_flags(one) for one in requests(ChangeRoute(DIRECT, ROUTE))] == [
        (RTM_NEWNEXTHOP, CREATE | REPLACE | 1),
        (RTM_NEWROUTE, CREATE | APPEND | 1),
        (RTM_DELROUTE, 1),
    ]
    assert [kind_and_flags(one) for one in requests(ChangeRoute(DIRECT, ROUTE), by_hops=False)] == [
        (RTM_NEWROUTE, CREATE | APPEND | 1),
        (RTM_DELROUTE, 1),
    ]
    removal = [(RTM_DELROUTE, 1), (RTM_DELROUTE, 1), (RTM_DELNEXTHOP, 1)]
    assert [kind_and_flags(one) for one in requests(RemoveRoute(ROUTE))] == removal
    assert [kind_and_flags(one) for one in requests(RemoveRoute(ROUTE), by_hops=False)] == removal[:1]


def test_an_adopted_route_stays_a_plain_one() -> None:
    assert [kind_and_flags(one) for one in requests(AdoptRoute(DIRECT))] == [(RTM_NEWROUTE, REPLACE | 1)]


def test_routes_on_our_device_or_with_our_protocol_are_removed() -> None:
    protocols = [
        RTMSG.unpack_from(*body(requests(RemoveRoute(route), by_hops=False)[0])[:2])[5] for route in (ROUTE, DIRECT)
    ]
    assert protocols == [0, PROTOCOL]


def test_the_removal_of_a_stray_names_its_metric_and_protocol() -> None:
    message, start, end = body(*requests(RemoveStray(StrayRoute(SUBNET, "flannel.1", 0, 7, 0, 3, 1, 0))))
    assert RTMSG.unpack_from(message, start)[5:8] == (3, 255, 1)
    assert attributes(message, start + RTMSG.size, end) == {
        1: SUBNET.first.to_bytes(4, "big"),
        6: struct.pack("=I", 7),
        4: struct.pack("=I", 3),
    }


def test_a_change_succeeds_if_the_route_uses_its_next_hop_already() -> None:
    change = ChangeRoute(ROUTE, ROUTE._replace(gateway=GATEWAY + 1))
    assert change.refusal({1: ALREADY, 2: MISSING}) is None
    assert change.refusal({0: DOWN, 1: ALREADY}) == DOWN


def test_the_removal_of_a_missing_route_is_a_success() -> None:
    assert RemoveRoute(ROUTE).refusal({0: MISSING, 1: MISSING}) is None
    assert RemoveRoute(ROUTE).refusal({0: MISSING, 1: DOWN}) == DOWN


def test_the_next_hop_of_a_refused_route_is_removed() -> None:
    wire, withdrawn = Wire(INDEXES.__getitem__, True), list[bytes]()
    AddRoute(ROUTE).withdraw({0: ALREADY}, wire, withdrawn)
    assert withdrawn == []
    AddRoute(ROUTE).withdraw({1: ALREADY}, wire, withdrawn)
    assert withdrawn == [remove_hop(0, hop_identifier(SUBNET))]
