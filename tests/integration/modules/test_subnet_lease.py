# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""subnet_lease and subnet_lease_info on a real etcd, over both APIs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.module_runner import ModuleNetwork

CONFIG = '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}'
SMALL = '{"Network": "10.5.0.0/16", "SubnetMin": "10.5.7.0", "SubnetMax": "10.5.9.0", "Backend": {"Type": "vxlan"}}'
BARE = '{"PublicIP":"192.0.2.7","PublicIPv6":null}'
DATA = '"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0e:00:00:00:00:01"}}'


def live(address: str) -> str:
    return f'{{"PublicIP":"{address}","PublicIPv6":null,{DATA}'


def test_a_reservation_is_created_once_and_released_once(overlay: ModuleNetwork) -> None:
    overlay.put("config", CONFIG)
    run = overlay.runner("subnet_lease")
    wanted: dict[str, Any] = {"public_ip": "192.0.2.7", "subnet": "10.5.7.0/24"}
    predicted = run(check=True, **wanted)
    assert predicted["changed"] and overlay.get("subnets/10.5.7.0-24") is None
    made = run(**wanted)
    item = overlay.item("subnets/10.5.7.0-24")
    assert made["changed"] and item.value == BARE and item.reservation
    assert made["diff"] == predicted["diff"] == {"before": "", "after": f"10.5.7.0-24 reservation {BARE}\n"}
    assert made["lease"] == {
        "key": overlay.key("subnets/10.5.7.0-24"),
        "subnet": "10.5.7.0/24",
        "public_ip": "192.0.2.7",
        "backend_type": "",
        "backend_data": None,
        "ttl": None,
        "reservation": True,
        "revision": item.revision,
        "problem": None,
    }
    assert predicted["lease"] == {**made["lease"], "revision": None}
    for check in (False, True):
        again = run(check=check, **wanted)
        assert not again["changed"] and again["lease"] == made["lease"]
        assert again["diff"] == {"before": "", "after": ""}
    gone = run(check=True, state="absent", **wanted)
    assert gone["changed"] and gone["diff"] == {"before": f"10.5.7.0-24 reservation {BARE}\n", "after": ""}
    assert overlay.get("subnets/10.5.7.0-24") == item
    assert run(state="absent", **wanted)["changed"] and overlay.get("subnets/10.5.7.0-24") is None
    assert not run(state="absent", **wanted)["changed"] and not run(check=True, state="absent", **wanted)["changed"]


def test_without_a_subnet_it_is_the_first_free_one_and_then_the_same(overlay: ModuleNetwork) -> None:
    overlay.put("config", SMALL)
    overlay.put("subnets/10.5.7.0-25", live("192.0.2.9"), ttl=600)
    overlay.put("subnets/10.5.8.0-24", "garbage")
    run = overlay.runner("subnet_lease")
    assert run(public_ip="192.0.2.7")["lease"]["subnet"] == "10.5.9.0/24"
    again = run(public_ip="192.0.2.7")
    assert not again["changed"] and again["lease"]["subnet"] == "10.5.9.0/24"


@pytest.mark.parametrize("named", [{}, {"subnet": "10.5.7.0/24"}])
def test_a_live_lease_becomes_a_reservation_with_the_same_value(overlay: ModuleNetwork, named: dict[str, Any]) -> None:
    overlay.put("config", CONFIG)
    overlay.put("subnets/10.5.7.0-24", live("192.0.2.7"), ttl=600)
    run = overlay.runner("subnet_lease")
    assert run(check=True, public_ip="192.0.2.7", **named)["changed"]
    assert not overlay.item("subnets/10.5.7.0-24").reservation
    made = run(public_ip="192.0.2.7", **named)
    item = overlay.item("subnets/10.5.7.0-24")
    assert made["changed"] and item.reservation and item.value == live("192.0.2.7")
    assert made["lease"]["backend_data"] == {"VNI": 1, "VtepMAC": "0e:00:00:00:00:01"}
    assert made["diff"]["before"].startswith("10.5.7.0-24 lease ")
    assert made["diff"]["after"].startswith("10.5.7.0-24 reservation ")
    assert not run(public_ip="192.0.2.7", **named)["changed"]


@pytest.mark.parametrize("key", ["subnets/10.5.7.0-24", "subnets/10.5.7.128-25", "subnets/10.5.6.0-23"])
@pytest.mark.parametrize("ttl", [600, None])
def test_the_subnet_of_another_host_is_taken_only_with_force(overlay: ModuleNetwork, key: str, ttl: int | None) -> None:
    overlay.put("config", CONFIG)
    theirs = overlay.put(key, live("192.0.2.8"), ttl=ttl)
    run = overlay.runner("subnet_lease")
    wanted: dict[str, Any] = {"public_ip": "192.0.2.7", "subnet": "10.5.7.0/24"}
    for check in (True, False):
        failed = run(fails=True, check=check, **wanted)
        assert "subnet 10.5.7.0/24 is taken by the" in failed["msg"] and "of 192.0.2.8" in failed["msg"]
        assert ("which expires in" in failed["msg"]) == (ttl is not None)
        assert overlay.item(key).value == theirs.value
    assert run(force=True, **wanted)["changed"]
    assert overlay.item("subnets/10.5.7.0-24").value == BARE and overlay.item("subnets/10.5.7.0-24").reservation
    assert overlay.keys("subnets") == ["10.5.7.0-24"]
    assert not run(force=True, **wanted)["changed"]


@pytest.mark.parametrize("ttl", [600, None])
def test_a_host_is_moved_to_another_subnet_only_with_force(overlay: ModuleNetwork, ttl: int | None) -> None:
    overlay.put("config", CONFIG)
    overlay.put("subnets/10.5.9.0-24", live("192.0.2.7"), ttl=ttl)
    run = overlay.runner("subnet_lease")
    wanted: dict[str, Any] = {"public_ip": "192.0.2.7", "subnet": "10.5.7.0/24"}
    assert "host 192.0.2.7 already has the" in run(fails=True, **wanted)["msg"]
    assert overlay.keys("subnets") == ["10.5.9.0-24"]
    assert run(force=True, **wanted)["changed"]
    assert overlay.keys("subnets") == ["10.5.7.0-24"]


def test_a_full_pool_is_an_error_with_a_solution(overlay: ModuleNetwork) -> None:
    overlay.put("config", SMALL)
    for third in (7, 8, 9):
        overlay.put(f"subnets/10.5.{third}.0-24", live(f"192.0.2.1{third}"), ttl=600)
    failed = overlay.runner("subnet_lease")(fails=True, public_ip="192.0.2.7")
    assert "out of subnets: all 3 of Network 10.5.0.0/16" in failed["msg"]


def test_hosts_that_reserve_at_the_same_time_get_different_subnets(overlay: ModuleNetwork) -> None:
    overlay.put("config", CONFIG)
    run = overlay.runner("subnet_lease")
    addresses = [f"192.0.2.{number}" for number in range(1, 13)]
    with ThreadPoolExecutor(len(addresses)) as pool:
        results = list(pool.map(lambda address: run(public_ip=address), addresses))
    assert [result["lease"]["public_ip"] for result in results] == addresses
    assert len({result["lease"]["subnet"] for result in results}) == len(addresses) == len(overlay.keys("subnets"))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"public_ip": "192.0.2.7", "subnet": "10.6.7.0/24"}, "subnet 10.6.7.0/24 cannot be leased"),
        ({"public_ip": "192.0.2.7", "subnet": "10.5.0.0/24"}, "subnet 10.5.0.0/24 cannot be leased"),
        ({"public_ip": "192.0.2.7", "subnet": "10.5.7.0/25"}, "subnet 10.5.7.0/25 cannot be leased"),
        ({"public_ip": "192.0.2.7", "subnet": "10.5.7.1/24"}, "subnet '10.5.7.1/24' has host bits set"),
        ({"public_ip": "192.0.2.7", "subnet": "10.5.7.0"}, "subnet '10.5.7.0' is not an IPv4 network"),
        ({"public_ip": "10.5.7.1"}, "PublicIP 10.5.7.1 lies inside the overlay Network 10.5.0.0/16"),
        ({"public_ip": "0.0.0.0"}, "PublicIP 0.0.0.0 is not the address of a host"),
        ({"public_ip": "h1.example"}, "public_ip 'h1.example' is not an IPv4 address"),
        ({"public_ip": ""}, "public_ip is empty"),
        ({"subnet": "10.5.7.0/24"}, "state is present but all of the following are missing: public_ip"),
        ({"state": "absent"}, "state is absent but any of the following are missing: public_ip, subnet"),
        ({"state": "absent", "public_ip": "", "subnet": ""}, "public_ip and subnet are empty"),
    ],
)
def test_bad_input_is_one_clear_error_and_writes_nothing(
    overlay: ModuleNetwork, options: dict[str, Any], message: str
) -> None:
    overlay.put("config", CONFIG)
    assert message in overlay.runner("subnet_lease")(fails=True, **options)["msg"]
    assert overlay.keys("subnets") == []


def test_without_a_config_nothing_is_reserved(overlay: ModuleNetwork) -> None:
    failed = overlay.runner("subnet_lease")(fails=True, public_ip="192.0.2.7")
    assert f"there is no network config at {overlay.key('config')}" in failed["msg"]
    assert overlay.keys("subnets") == []


def test_release_by_public_ip_releases_exactly_the_subnets_of_the_host(overlay: ModuleNetwork) -> None:
    overlay.put("subnets/10.5.7.0-24", live("192.0.2.7"), ttl=600)
    overlay.put("subnets/10.5.8.0-24", BARE)
    overlay.put("subnets/10.5.9.0-24", live("192.0.2.8"), ttl=600)
    released = overlay.runner("subnet_lease")(state="absent", public_ip="192.0.2.7")
    assert released["changed"] and released["lease"] == {}
    assert overlay.keys("subnets") == ["10.5.9.0-24"]


@pytest.mark.parametrize(
    "value, ttl, options, message",
    [
        (live("192.0.2.8"), 600, {}, "live lease 10.5.7.0-24 of 192.0.2.8 may be in use; also set public_ip"),
        (live("192.0.2.8"), 600, {"public_ip": "192.0.2.7"}, "10.5.7.0-24 of 192.0.2.8 does not belong to 192.0.2.7"),
        (live("192.0.2.8"), None, {"public_ip": "192.0.2.7"}, "10.5.7.0-24 of 192.0.2.8 does not belong to 192.0.2.7"),
        ("garbage", None, {}, "10.5.7.0-24 with an unusable value"),
    ],
)
def test_a_lease_that_may_be_another_hosts_is_released_only_with_force(
    overlay: ModuleNetwork, value: str, ttl: int | None, options: dict[str, Any], message: str
) -> None:
    overlay.put("subnets/10.5.7.0-24", value, ttl=ttl)
    run = overlay.runner("subnet_lease")
    for check in (True, False):
        assert message in run(fails=True, check=check, state="absent", subnet="10.5.7.0/24", **options)["msg"]
        assert overlay.value("subnets/10.5.7.0-24") == value
    assert run(state="absent", subnet="10.5.7.0/24", force=True, **options)["changed"]
    assert overlay.keys("subnets") == []


@pytest.mark.parametrize(
    "value, ttl, options", [(BARE, None, {}), (live("192.0.2.7"), 600, {"public_ip": "192.0.2.7"})]
)
def test_a_reservation_is_released_by_subnet_and_a_live_lease_by_subnet_and_holder(
    overlay: ModuleNetwork, value: str, ttl: int | None, options: dict[str, Any]
) -> None:
    overlay.put("subnets/10.5.7.0-24", value, ttl=ttl)
    assert overlay.runner("subnet_lease")(state="absent", subnet="10.5.7.0/24", **options)["changed"]
    assert overlay.keys("subnets") == []


def test_no_lease_at_all_is_an_empty_list(overlay: ModuleNetwork) -> None:
    overlay.put("config", CONFIG)
    info = overlay.runner("subnet_lease_info")()
    assert (info["changed"], info["leases"], info["problems"]) == (False, [], [])
    assert (info["api"], info["path"]) == (overlay.api, overlay.key("subnets"))


def test_leases_are_listed_in_order_with_the_seconds_they_have_left(overlay: ModuleNetwork) -> None:
    overlay.put("config", CONFIG)
    item = overlay.put("subnets/10.5.10.0-24", live("192.0.2.7"), ttl=600)
    overlay.put("subnets/10.5.9.0-24", '{"PublicIP":"192.0.2.9"}')
    late, early = reversed(overlay.runner("subnet_lease_info")(check=True)["leases"])
    assert (early["subnet"], early["ttl"], early["reservation"]) == ("10.5.9.0/24", None, True)
    assert 500 < late.pop("ttl") <= 600
    assert late == {
        "key": overlay.key("subnets/10.5.10.0-24"),
        "subnet": "10.5.10.0/24",
        "public_ip": "192.0.2.7",
        "backend_type": "vxlan",
        "backend_data": {"VNI": 1, "VtepMAC": "0e:00:00:00:00:01"},
        "reservation": False,
        "revision": item.revision,
        "problem": None,
    }


@pytest.mark.parametrize(
    "options, subnets",
    [
        ({"subnet": "10.5.9.0/24"}, ["10.5.9.0/24"]),
        ({"public_ip": "192.0.2.7"}, ["10.5.7.0/24", "10.5.8.0/24"]),
        ({"public_ip": "192.0.2.7", "subnet": "10.5.8.0/24"}, ["10.5.8.0/24"]),
        ({"public_ip": "192.0.2.7", "subnet": "10.5.9.0/24"}, []),
        ({"public_ip": "192.0.2.99"}, []),
    ],
)
def test_leases_are_found_by_subnet_and_by_public_ip(
    overlay: ModuleNetwork, options: dict[str, Any], subnets: list[str]
) -> None:
    overlay.put("subnets/10.5.7.0-24", live("192.0.2.7"), ttl=600)
    overlay.put("subnets/10.5.8.0-24", BARE)
    overlay.put("subnets/10.5.9.0-24", live("192.0.2.9"), ttl=600)
    found = overlay.runner("subnet_lease_info")(**options)["leases"]
    assert [lease["subnet"] for lease in found] == subnets


def test_each_invalid_entry_is_listed_with_its_problem(overlay: ModuleNetwork) -> None:
    overlay.put("config", CONFIG)
    overlay.put("subnets/10.5.7.0-24", "{garbage")
    overlay.put("subnets/10.6.7.0-24", BARE)
    overlay.put("subnets/0.0.0.0-0", live("192.0.2.8"), ttl=600)
    overlay.put("subnets/10.5.8.1-24", live("192.0.2.10"), ttl=600)
    overlay.put("subnets/10.5.9.0-24", live("192.0.2.7"), ttl=600)
    overlay.put("subnets/10.5.9.0-25", live("192.0.2.11"), ttl=600)
    info = overlay.runner("subnet_lease_info")()
    problems = {lease["key"].rpartition("/")[2]: lease["problem"] for lease in info["leases"]}
    assert list(problems) == ["0.0.0.0-0", "10.5.7.0-24", "10.5.9.0-24", "10.5.9.0-25", "10.6.7.0-24", "10.5.8.1-24"]
    assert "the value is not JSON" in problems["10.5.7.0-24"]
    assert "is not a part of Network 10.5.0.0/16" in problems["10.6.7.0-24"]
    assert "is not a part of Network 10.5.0.0/16" in problems["0.0.0.0-0"]
    assert "has host bits set" in problems["10.5.8.1-24"]
    assert problems["10.5.9.0-24"] is None
    told = "\n".join(info["problems"])
    assert all(problem in told for problem in problems.values() if problem)
    assert "leases 10.5.9.0-24 of 192.0.2.7 and 10.5.9.0-25 of 192.0.2.11 overlap" in told
    assert "host 192.0.2.7 holds 2 leases: 10.5.9.0-24, 10.6.7.0-24" in told


def test_leases_are_listed_though_the_config_is_gone(overlay: ModuleNetwork) -> None:
    overlay.put("subnets/10.5.7.0-24", live("192.0.2.7"), ttl=600)
    info = overlay.runner("subnet_lease_info")()
    assert [lease["subnet"] for lease in info["leases"]] == ["10.5.7.0/24"]
    assert info["problems"][0].startswith(f"there is no network config at {overlay.key('config')}")


def test_a_nested_key_is_a_problem_and_no_lease(overlay: ModuleNetwork) -> None:
    overlay.put("config", CONFIG)
    overlay.put("subnets/10.5.7.0-24", live("192.0.2.7"), ttl=600)
    overlay.put("subnets/backup/10.5.7.0-24", live("192.0.2.66"), ttl=600)
    overlay.put("subnets/backup/10.5.9.0-24", BARE)
    info = overlay.runner("subnet_lease_info")()
    assert [lease["public_ip"] for lease in info["leases"]] == ["192.0.2.7"]
    folder = overlay.key("subnets/backup/")
    assert [problem.partition(": only")[0] for problem in info["problems"]] == [f"ignored keys: '{folder}'"]
    run = overlay.runner("subnet_lease")
    assert run(public_ip="192.0.2.7")["lease"]["subnet"] == "10.5.7.0/24"
    assert run(state="absent", public_ip="192.0.2.7")["changed"]
    assert overlay.item("subnets/backup/10.5.9.0-24").value == BARE


def test_an_invalid_lease_does_not_fill_the_pool(overlay: ModuleNetwork) -> None:
    overlay.put("config", SMALL)
    for name in ("0.0.0.0-0", "10.5.0.0-16", "10.0.0.0-8"):
        overlay.put(f"subnets/{name}", live("192.0.2.66"), ttl=600)
    overlay.put("subnets/10.5.0.0-17", "garbage")
    run = overlay.runner("subnet_lease")
    assert run(public_ip="192.0.2.7")["lease"]["subnet"] == "10.5.7.0/24"
    assert run(public_ip="192.0.2.8", subnet="10.5.8.0/24", force=True)["changed"]
    assert "0.0.0.0-0" in overlay.keys("subnets")
    overlay.put("subnets/10.5.8.0-21", live("192.0.2.9"), ttl=600)
    assert "out of subnets" in run(fails=True, public_ip="192.0.2.10")["msg"]


@pytest.mark.parametrize("overlay", ["v2"], indirect=True)
def test_a_directory_in_place_of_a_lease_is_named_and_never_tried(overlay: ModuleNetwork) -> None:
    overlay.put("config", SMALL)
    overlay.put("subnets/10.5.7.0-24/x", "1")
    run = overlay.runner("subnet_lease")
    assert "is a directory of etcd's v2 store" in run(fails=True, public_ip="192.0.2.7", subnet="10.5.7.0/24")["msg"]
    assert run(public_ip="192.0.2.7")["lease"]["subnet"] == "10.5.8.0/24"
