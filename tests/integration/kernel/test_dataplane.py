# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans applied to the kernel: packets between network namespaces, changes of the backend, and removal."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.dataplane import Dataplane
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.interfaces import path_to
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.rtnetlink import (
    Netlink,
    NetlinkError,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.plan import KernelPlan, plan
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.state import (
    DesiredState,
    ObservedState,
    PeerRows,
    Row,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.address import Address
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.route import Route
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.vxlan_device import VxlanDevice
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import (
    Subnet,
    format_ipv4,
    format_mac,
    parse_ipv4,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import KernelError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import SubnetLease
from support.overlay_end import NETWORK, End, joined, reaches, settle

Fleet = Callable[..., list[End]]
BACKENDS = [{"Type": "vxlan"}, {"Type": "vxlan", "DirectRouting": True}, {"Type": "host-gw"}]


@pytest.mark.parametrize("backend", BACKENDS, ids=["vxlan", "direct routing", "host-gw"])
def test_datagrams_of_the_full_mtu_pass_between_all_hosts(fleet: Fleet, backend: dict[str, object]) -> None:
    ends = joined(fleet(3, **backend))
    for one in ends:
        for other in ends:
            if one is not other:
                assert reaches(one, other, size=one.backend.mtu)


@pytest.mark.parametrize("backend", BACKENDS, ids=["vxlan", "direct routing", "host-gw"])
def test_all_rows_of_a_peer_are_removed_when_it_leaves(fleet: Fleet, backend: dict[str, object]) -> None:
    one, two, three = joined(fleet(3, **backend))
    one.converge(three)
    assert not reaches(one, two)
    assert reaches(one, three)
    everything = one.ip("route") + one.ip("neighbour") + one.host.command("bridge", "fdb") + one.ip("nexthop")
    for trace in ("10.50.2.", "0e:00:00:00:00:02"):
        assert trace not in everything
    assert "192.0.2.12 dev flannel.1" not in everything


@pytest.mark.parametrize("backend", BACKENDS, ids=["vxlan", "direct routing", "host-gw"])
def test_removal_removes_all_own_rows_and_no_foreign_one(fleet: Fleet, backend: dict[str, object]) -> None:
    one, two = fleet(2, **backend)
    one.ip("route", "add", "198.51.100.0/24", "via", "192.0.2.12")
    one.ip("route", "add", "10.50.77.0/24", "via", "192.0.2.12")
    before = one.ip("route") + one.ip("-o", "link") + one.ip("nexthop")
    joined([one, two])
    assert one.reach(DesiredState(), leftovers=["flannel.1"]) == []
    assert one.ip("route") + one.ip("-o", "link") + one.ip("nexthop") == before


def test_a_device_that_cannot_be_created_affects_no_peer_of_another_device(fleet: Fleet) -> None:
    one, two = fleet(2)
    two.converge(one)
    device = VxlanDevice("flannel.9", 9, "missing", one.public_ip, 8472, 1450, one.mac)
    lost = PeerRows(Route(Subnet.parse("10.50.9.0/24"), parse_ipv4("10.50.9.0"), "flannel.9", onlink=True))
    rows: list[Row] = [device, Address("flannel.9", one.subnet.first), *one.backend.own_rows]
    (failure,) = one.reach(DesiredState.of(rows, [lost, *one.rows([two])]))
    assert str(failure).startswith("ip link add flannel.9 ")
    assert "interface missing: No such device" in str(failure)
    assert reaches(one, two)


def test_a_foreign_route_that_replaces_the_own_one_is_noticed_and_is_a_conflict(fleet: Fleet) -> None:
    one, two = joined(fleet(2))
    settle(one, two)
    one.ip("route", "replace", "10.50.2.0/24", "via", "192.0.2.77")
    assert one.monitor.drain()
    assert one.reach(one.desired(two)) == []
    found = one.plan(one.desired(two))
    assert not found.steps
    assert "ip route delete 10.50.2.0/24 via 192.0.2.77 dev eth0" in found.conflicts[0]
    assert "10.50.2.0/24 via 192.0.2.77" in one.ip("route")
    one.ip("route", "delete", "10.50.2.0/24", "via", "192.0.2.77", "dev", "eth0")
    assert one.monitor.drain()
    one.converge(two)
    assert reaches(one, two)


def test_an_equivalent_foreign_route_is_left_untouched(fleet: Fleet) -> None:
    one, two = fleet(2, Type="host-gw")
    one.ip("route", "add", "10.50.2.0/24", "via", "192.0.2.12", "proto", "static")
    one.converge(two)
    two.converge(one)
    assert one.ip("route", "show", "10.50.2.0/24").strip() == "10.50.2.0/24 via 192.0.2.12 dev eth0 proto static"
    assert reaches(one, two)


@pytest.mark.parametrize(
    "backend", [{"Type": "vxlan", "DirectRouting": True}, {"Type": "host-gw"}], ids=["direct routing", "host-gw"]
)
def test_a_route_of_flannel_is_adopted_then_changed_and_removed_with_its_peer(
    fleet: Fleet, backend: dict[str, object]
) -> None:
    one, two, three = fleet(3, **backend)
    one.ip("route", "add", "10.50.2.0/24", "via", "192.0.2.12")
    two.converge(one)
    one.converge(two)
    assert one.ip("route", "show", "10.50.2.0/24").splitlines() == ["10.50.2.0/24 via 192.0.2.12 dev eth0 proto 158 "]
    assert reaches(one, two)
    known = one.desired(two)
    two.public_ip = three.public_ip
    assert one.dataplane.apply(plan(one.desired(two), ObservedState.of(known))) == []
    assert "via 192.0.2.13" in one.ip("route", "show", "10.50.2.0/24")
    one.converge(two)
    one.converge()
    assert one.ip("route", "show", "10.50.2.0/24") + one.ip("nexthop") == ""


@pytest.mark.parametrize(
    "words", ["proto static", "proto bgp", "proto dhcp", "src 192.0.2.11", "onlink", "mtu 1400"], ids=str
)
def test_a_route_in_a_shape_that_flannel_does_not_make_is_not_adopted(fleet: Fleet, words: str) -> None:
    one, two = fleet(2, Type="host-gw")
    one.ip("route", "add", "10.50.2.0/24", "via", "192.0.2.12", "dev", "eth0", *words.split())
    before = one.ip("route", "show", "10.50.2.0/24")
    one.converge(two)
    assert one.ip("route", "show", "10.50.2.0/24") == before


def test_an_adoption_without_the_route_adds_nothing_and_takes_no_other_route(fleet: Fleet) -> None:
    one, two = fleet(2, Type="host-gw")
    one.ip("route", "add", "10.50.2.0/24", "via", "192.0.2.12")
    steps = one.plan(one.desired(two))
    one.ip("route", "delete", "10.50.2.0/24")
    one.ip("route", "add", "10.50.2.0/24", "via", "192.0.2.12", "metric", "7")
    (failure,) = one.dataplane.apply(steps)
    assert "the route that flannel left no longer exists" in str(failure)
    assert one.ip("route", "show", "10.50.2.0/24").strip() == "10.50.2.0/24 via 192.0.2.12 dev eth0 metric 7"
    one.converge(two)


def test_a_foreign_route_found_while_applying_is_a_failure_and_leaves_no_next_hop(fleet: Fleet) -> None:
    one, two = fleet(2, Type="host-gw")
    steps = one.plan(one.desired(two))
    one.ip("route", "add", "10.50.2.0/24", "via", "192.0.2.77")
    (failure,) = one.dataplane.apply(steps)
    assert "ip route show 10.50.2.0/24" in str(failure)
    assert one.ip("route", "show", "10.50.2.0/24").strip() == "10.50.2.0/24 via 192.0.2.77 dev eth0"
    assert one.ip("nexthop") == ""


def test_a_change_without_observation_does_not_override_a_foreign_route(fleet: Fleet) -> None:
    one, two, three = fleet(3, Type="host-gw")
    one.ip("route", "add", "10.50.2.0/24", "via", "192.0.2.12", "proto", "static")
    one.converge(two)
    known = one.desired(two)
    two.public_ip = three.public_ip
    (failure,) = one.dataplane.apply(plan(one.desired(two), ObservedState.of(known)))
    assert "left untouched" in str(failure)
    assert one.ip("route", "show", "10.50.2.0/24").strip() == "10.50.2.0/24 via 192.0.2.12 dev eth0 proto static"
    assert one.ip("nexthop") == ""
    assert len(one.plan(one.desired(two)).conflicts) == 1


def test_a_changed_peer_is_applied_without_observing_the_kernel(fleet: Fleet) -> None:
    one, two, three = joined(fleet(3, Type="host-gw"))
    known = one.desired(two)
    two.public_ip = three.public_ip
    assert one.dataplane.apply(plan(one.desired(two), ObservedState.of(known))) == []
    one.converge(two, three)
    assert "via 192.0.2.13" in one.ip("route", "show", "10.50.2.0/24")


def test_routes_by_next_hop_objects_become_plain_ones_on_request(fleet: Fleet) -> None:
    one, two = joined(fleet(2))
    one.dataplane.close()
    one.dataplane = one.host.run(lambda: Dataplane(next_hops=False))
    one.converge(two)
    assert one.ip("nexthop") == ""
    assert reaches(one, two)


def test_the_take_over_of_a_flannel_host_leaves_correct_rows_untouched(fleet: Fleet) -> None:
    one, two = fleet(2)
    for command in (
        "ip link add flannel.1 address 0e:00:00:00:00:01 mtu 1450 type vxlan id 1 dev eth0 local 192.0.2.11 "
        "dstport 8472 nolearning",
        "ip addr add 10.50.1.0/32 dev flannel.1",
        "ip link set flannel.1 up",
        "ip neigh add 10.50.2.0 lladdr 0e:00:00:00:00:02 dev flannel.1 nud permanent",
        "bridge fdb add 0e:00:00:00:00:02 dev flannel.1 dst 192.0.2.12 self permanent",
        "ip route add 10.50.2.0/24 via 10.50.2.0 dev flannel.1 onlink",
    ):
        one.host.command(*command.split())
    assert one.plan(one.desired(two)) == KernelPlan()
    two.converge(one)
    assert reaches(one, two)
    assert [str(step) for step in one.plan(one.desired()).steps] == [
        "ip route delete 10.50.2.0/24 via 10.50.2.0 dev flannel.1 onlink",
        "bridge fdb delete 0e:00:00:00:00:02 dev flannel.1 dst 192.0.2.12 self",
        "ip neighbour delete 10.50.2.0 dev flannel.1",
    ]
    one.converge()


def test_a_new_mac_of_a_peer_leaves_no_stale_forwarding_row(fleet: Fleet) -> None:
    one, two = joined(fleet(2))
    two.mac = bytes.fromhex("0e0000000022")
    two.use(Type="vxlan")
    one.converge(two)
    two.converge(one)
    assert "0e:00:00:00:00:02" not in one.host.command("bridge", "fdb", "show", "dev", "flannel.1")
    assert reaches(one, two)


class Lookout:
    """Reads the kernel's route to an address repeatedly, and counts the gateways."""

    def __init__(self, address: int) -> None:
        self._address = address
        self._netlink = Netlink()
        self._seen: Counter[str] = Counter()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> Counter[str]:
        """Return how often each gateway was found."""
        self._stopped.set()
        self._thread.join()
        self._netlink.close()
        return self._seen

    def _look(self) -> None:
        while not self._stopped.is_set():
            try:
                gateway = path_to(self._netlink, self._address).gateway
            except NetlinkError:
                gateway = None
            self._seen["no route" if gateway is None else format_ipv4(gateway)] += 1


@pytest.mark.parametrize("adopted", [False, True], ids=["our route", "a route of flannel"])
def test_a_live_fleet_changes_its_backend_and_always_has_routes(fleet: Fleet, adopted: bool) -> None:
    one, two = joined(fleet(2))
    if adopted:
        one.ip("route", "delete", "10.50.2.0/24")
        one.ip("route", "add", "10.50.2.0/24", "via", "10.50.2.0", "dev", "flannel.1", "onlink")
    lookout = one.host.run(Lookout, two.subnet.first + 1)
    for backend, leftovers in (({"Type": "host-gw"}, ["flannel.1"]), ({"Type": "vxlan"}, [])) * 5:
        one.use(**backend)
        two.use(**backend)
        for end, peer in ((one, two), (two, one)):
            assert end.reach(end.desired(peer), leftovers) == []
            assert end.plan(end.desired(peer), leftovers) == KernelPlan()
        assert reaches(one, two)
    seen = lookout.stop()
    assert seen.pop("no route", 0) == 0
    assert seen.keys() == {"192.0.2.12", "10.50.2.0"}


def test_the_device_has_the_expected_settings_and_only_its_own_address(fleet: Fleet) -> None:
    (one,) = fleet(1, Type="vxlan", VNI=7, Port=4789)
    one.converge()
    shown = one.ip("-d", "link", "show", "flannel.7")
    assert "vxlan id 7 local 192.0.2.11 dev eth0" in shown
    assert " dstport 4789 " in shown
    assert " nolearning " in shown
    assert "link/ether 0e:00:00:00:00:01" in shown
    held = [line.split()[2:4] for line in one.ip("-o", "address", "show", "dev", "flannel.7").splitlines()]
    assert held == [["inet", "10.50.1.0/32"]]


def test_the_vni_of_a_live_fleet_changes(fleet: Fleet) -> None:
    one, two = joined(fleet(2))
    for end in (one, two):
        end.use(Type="vxlan", VNI=9)
    for end, peer in ((one, two), (two, one)):
        assert end.reach(end.desired(peer), leftovers=["flannel.1"]) == []
        assert end.plan(end.desired(peer), leftovers=["flannel.1"]) == KernelPlan()
    assert "flannel.1" not in one.ip("link")
    assert reaches(one, two, size=1450)


def test_a_device_of_the_tunnels_name_that_is_not_vxlan_is_named_and_left_untouched(fleet: Fleet) -> None:
    (one,) = fleet(1)
    one.ip("link", "add", "flannel.1", "type", "bridge")
    with pytest.raises(KernelError, match=r"interface flannel\.1 exists but is a bridge device, not vxlan"):
        one.plan(one.desired())
    assert "flannel.1" in one.ip("link", "show", "type", "bridge")


def test_a_device_with_the_same_vni_is_named_with_a_remedy(fleet: Fleet) -> None:
    (one,) = fleet(1)
    one.ip("link", "add", "vx0", "type", "vxlan", "id", "1", "dev", "eth0", "dstport", "8472")
    with pytest.raises(KernelError, match=r"vx0 already has VNI 1 on port 8472; run `ip link delete vx0`"):
        one.plan(one.desired())


def test_a_host_that_is_not_one_hop_away_fails_alone(fleet: Fleet) -> None:
    one, two, three = fleet(3, Type="host-gw")
    desired = one.desired(two, three)
    far = desired.rows(Route)[two.subnet]._replace(gateway=NETWORK.first + 1)
    (failure,) = one.reach(DesiredState({Route: {**desired.rows(Route), two.subnet: far}}))
    assert "10.50.2.0/24" in str(failure)
    assert "Nexthop has invalid gateway" in str(failure), "the kernel's own words are lost"
    assert "10.50.3.0/24 " in one.ip("route")
    assert "10.50.2.0/24" not in one.ip("route")


def test_when_the_underlay_interface_is_missing_the_error_names_it(fleet: Fleet) -> None:
    one, two = joined(fleet(2))
    settle(one, two)
    one.ip("link", "delete", "eth0")
    assert one.monitor.drain()
    (failure,) = one.reach(one.desired(two))
    assert "interface eth0" in str(failure)


def many(one: End, count: int) -> DesiredState:
    """Return the desired state with ``count`` invented peers."""
    leases = (
        SubnetLease(
            Subnet(NETWORK.first + 512 + 4 * number, 30),
            parse_ipv4("198.18.0.0") + number,
            "vxlan",
            {"VNI": 1, "VtepMAC": format_mac(bytes.fromhex("0e01") + number.to_bytes(4, "big"))},
        )
        for number in range(count)
    )
    return DesiredState.of(one.backend.own_rows, filter(None, map(one.backend.rows, leases)))


def test_ten_thousand_peers_are_added_and_removed_without_own_notifications(fleet: Fleet) -> None:
    (one,) = fleet(1)
    one.converge()
    settle(one)
    desired = many(one, 10_000)
    assert one.reach(desired) == []
    assert not one.monitor.drain()
    assert one.plan(desired) == KernelPlan()
    one.converge()
    assert not one.monitor.drain()
    assert one.host.command("bridge", "fdb", "show", "dev", "flannel.1") == ""


def test_more_foreign_changes_than_fit_the_buffer_count_as_one(fleet: Fleet) -> None:
    (one,) = fleet(1)
    one.converge()
    settle(one)
    other = one.host.run(Dataplane)
    assert other.apply(plan(many(one, 5_000), ObservedState.of(one.desired()))) == []
    other.close()
    assert one.monitor.drain()
    assert not one.monitor.drain()
    one.converge()


def test_a_route_changes_to_one_without_a_gateway_and_back(fleet: Fleet) -> None:
    one, two = joined(fleet(2))
    usual, (rows,) = one.desired(two), one.rows([two])
    assert rows.route is not None
    linked = rows.route._replace(gateway=0, onlink=False)
    direct = DesiredState.of(one.backend.own_rows, [PeerRows(linked)])
    assert one.reach(direct) == []
    assert one.plan(direct) == KernelPlan()
    shown = one.ip("route", "show", "10.50.2.0/24").split(" proto")[0]
    assert "via" not in shown
    assert "dev flannel.1" in shown
    assert one.reach(usual) == []
    assert one.plan(usual) == KernelPlan()
    assert reaches(one, two)
    assert one.reach(direct) == []
    assert one.reach(DesiredState.of(one.backend.own_rows, [])) == []
    assert "10.50.2." not in one.ip("route") + one.ip("nexthop")


def test_a_lost_route_without_a_gateway_is_added_again(fleet: Fleet) -> None:
    one, two = joined(fleet(2))
    (rows,) = one.rows([two])
    assert rows.route is not None
    direct = DesiredState.of(one.backend.own_rows, [PeerRows(rows.route._replace(gateway=0, onlink=False))])
    assert one.reach(direct) == []
    assert not one.monitor.drain()
    one.ip("route", "delete", "10.50.2.0/24")
    assert one.monitor.drain()
    assert "ip route add 10.50.2.0/24 dev flannel.1 scope link proto 158" in map(str, one.plan(direct).steps)
    assert one.reach(direct) == []
    assert "10.50.2.0/24" in one.ip("route")
