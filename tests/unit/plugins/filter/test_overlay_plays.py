# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keywords of the plays, computed from variables of the hosts, and the batches of Docker restarts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.filter.overlay_plays import (
    overlay_batches,
    overlay_lost_problems,
    overlay_plays,
)

GROUPS = {"all": ["h1", "h2", "e1", "x"], "overlay": ["h1", "h2"], "web": ["h2", "x"], "etcd": ["e1"], "none": []}


def hosts(changes: dict[str, dict[str, Any]] | None = None, **common: Any) -> list[dict[str, Any]]:
    """The inventory's hosts: ``common`` variables for all, ``changes`` for single ones."""
    unset = {"overlay_group": None, "overlay_etcd_group": None, "overlay_serial": None}
    unset["overlay_max_fail_percentage"] = None
    return [
        {"name": name, "in_play": True, **unset, **common, **(changes or {}).get(name, {})} for name in GROUPS["all"]
    ]


def test_without_variables_the_groups_are_overlay_and_etcd() -> None:
    assert overlay_plays(hosts(), GROUPS) == {
        "hosts": ["h1", "h2"],
        "etcd_hosts": ["e1"],
        "serial": None,
        "max_fail_percentage": None,
        "problems": [],
    }


def test_a_group_named_in_group_vars_is_used() -> None:
    assert overlay_plays(hosts(overlay_group="web"), GROUPS)["hosts"] == ["h2", "x"]
    assert overlay_plays(hosts(overlay_etcd_group="web"), GROUPS)["etcd_hosts"] == ["h2", "x"]


@pytest.mark.parametrize("variable", ["overlay_group", "overlay_etcd_group"])
def test_a_group_that_does_not_exist_is_refused_by_name(variable: str) -> None:
    [problem] = overlay_plays(hosts(None, **{variable: "wbe"}), GROUPS)["problems"]
    assert f"{variable}: the group wbe is not in the inventory" in problem


@pytest.mark.parametrize("variable", ["overlay_group", "overlay_etcd_group"])
@pytest.mark.parametrize("value", [["overlay"], {"overlay": None}], ids=str)
def test_a_group_that_is_no_name_is_refused(variable: str, value: Any) -> None:
    [problem] = overlay_plays(hosts(None, **{variable: value}), GROUPS)["problems"]
    assert problem == f"{variable}: {value!r} is not the name of a group; write one name"


def test_an_empty_group_of_docker_hosts_is_refused_and_one_of_etcd_members_is_not() -> None:
    assert "the group none has no hosts" in overlay_plays(hosts(overlay_group="none"), GROUPS)["problems"][0]
    assert overlay_plays(hosts(overlay_etcd_group="none"), GROUPS)["problems"] == []


def test_two_values_in_one_run_are_refused_with_their_hosts() -> None:
    known = hosts({"h1": {"overlay_serial": 1}, "h2": {"overlay_serial": 2}})
    assert overlay_plays(known, GROUPS)["problems"] == [
        "overlay_serial: it must be the same on all hosts, but is 1 on h1, 2 on h2; set it in group_vars/all"
    ]


def test_the_limit_selects_one_of_two_fleets_of_an_inventory() -> None:
    known = hosts({"h1": {"overlay_group": "web", "in_play": False}})
    assert overlay_plays(known, GROUPS)["problems"] == [
        "overlay_group: it is overlay, but not on h1; set it in group_vars/all"
    ]
    known = hosts({"e1": {"overlay_group": "web", "in_play": False}})
    assert overlay_plays(known, GROUPS)["problems"] == []


def test_a_group_set_for_some_of_its_hosts_only_is_refused() -> None:
    known = hosts({"h2": {"overlay_group": "web"}})
    assert overlay_plays(known, GROUPS)["problems"] == [
        "overlay_group: it is web, but not on x; set it in group_vars/all"
    ]


def test_a_limit_without_any_host_of_the_overlay_is_refused() -> None:
    known = [{**host, "in_play": host["name"] == "x"} for host in hosts()]
    assert "widen --limit" in overlay_plays(known, GROUPS)["problems"][0]


@pytest.mark.parametrize(
    ("value", "serial"),
    [(1, ["1"]), ("2", ["2"]), ("25%", ["25%"]), ([1, "50%"], ["1", "50%"]), ("", None), (None, None)],
)
def test_overlay_serial_accepts_the_values_of_serial(value: object, serial: list[str] | None) -> None:
    plays = overlay_plays(hosts(overlay_serial=value), GROUPS)
    assert (plays["serial"], plays["problems"]) == (serial, [])


@pytest.mark.parametrize("value", [0, -1, "0%", "101%", "one", "1.5", [], [1, 0], {"a": 1}, True])
def test_an_overlay_serial_that_cannot_be_honoured_is_refused(value: object) -> None:
    [problem] = overlay_plays(hosts(overlay_serial=value), GROUPS)["problems"]
    assert problem.startswith(f"overlay_serial: {value!r} is not a number of hosts; use a number from 1")


@pytest.mark.parametrize(("value", "percentage"), [(0, 0.0), ("30", 30.0), ("30%", 30.0), (12.5, 12.5), (100, 100.0)])
def test_the_share_of_hosts_that_may_fail_is_a_percentage(value: object, percentage: float) -> None:
    assert overlay_plays(hosts(overlay_max_fail_percentage=value), GROUPS)["max_fail_percentage"] == percentage


@pytest.mark.parametrize("value", [-1, 101, "some"])
def test_a_share_that_is_no_percentage_is_refused(value: object) -> None:
    [problem] = overlay_plays(hosts(overlay_max_fail_percentage=value), GROUPS)["problems"]
    assert problem.startswith("overlay_max_fail_percentage:")


def plan(host: str, containers: int = 2, restarts: bool = True) -> dict[str, Any]:
    return {"host": host, "restarts": restarts, "containers": containers}


def test_by_default_hosts_with_containers_restart_last_and_one_at_a_time() -> None:
    plans = [plan("a"), plan("b", restarts=False), plan("c", containers=0), plan("d"), plan("e", restarts=False)]
    assert overlay_batches(plans, None) == {
        "order": ["b", "c", "e", "a", "d"],
        "sizes": [3, 1, 1],
        "restarts": ["c (0 containers)", "a (2 containers)", "d (2 containers)"],
    }


def test_hosts_that_do_not_restart_are_left_out_if_all_of_them_are_converged() -> None:
    plans = [{**plan("a"), "converged": False}, *({**plan(host, 0, False), "converged": True} for host in "bc")]
    assert overlay_batches(plans, None)["order"] == ["a"]
    assert overlay_batches(plans, None)["sizes"] == [1]
    assert overlay_batches(plans[1:], ["50%"]) == {"order": [], "sizes": [], "restarts": []}


def test_a_converged_host_stays_in_the_batch_of_a_host_that_is_not() -> None:
    plans = [{**plan("a", 0, False), "converged": True}, {**plan("b", 0, False), "converged": False}]
    assert overlay_batches(plans, None)["sizes"] == [2]


def test_on_a_fresh_fleet_all_hosts_are_one_batch() -> None:
    assert overlay_batches([plan(name, 0, False) for name in "abc"], ["1"])["sizes"] == [3]


@pytest.mark.parametrize(
    ("serial", "sizes"),
    [(["1"], [1] * 6), (["4"], [4, 2]), (["50%"], [3, 3]), (["1%"], [1] * 6), (["1", "2"], [1, 2, 2, 1]), (["9"], [6])],
)
def test_overlay_serial_sizes_the_batches_and_its_last_size_repeats(serial: list[str], sizes: list[int]) -> None:
    assert overlay_batches([plan(name) for name in "abcdef"], serial)["sizes"] == sizes


def test_overlay_serial_counts_restarts_without_containers_too() -> None:
    assert overlay_batches([plan("a", 0), plan("b", 0), plan("c", 0, False)], ["1"])["sizes"] == [1, 1, 1]


@pytest.mark.parametrize(
    ("reached", "percentage"),
    [("abcde", None), ("abcde", 0.0), ("bcde", None), ("abc", None), ("bcde", 20.0), ("ab", 60.0)],
)
def test_a_run_continues_without_lost_hosts_while_etcd_has_a_quorum(reached: str, percentage: float | None) -> None:
    assert overlay_lost_problems("abcde", reached, "abx" if reached == "ab" else "abc", percentage) == []


def test_a_run_ends_where_etcd_loses_its_quorum() -> None:
    [problem] = overlay_lost_problems("abcde", "ade", "abc", None)
    assert problem == "b, c: not reached, and etcd needs more than half of its members (a, b, c); start 1 of them again"


def test_members_outside_the_limit_do_not_end_a_run_that_reaches_all_its_hosts() -> None:
    assert overlay_lost_problems("d", "d", "abc", None) == []


def test_lost_hosts_count_for_the_percentage_of_hosts_that_may_fail() -> None:
    [problem] = overlay_lost_problems("abcde", "abcd", "abc", 10.0)
    assert problem == "e: not reached, 1 of 5 hosts are more than overlay_max_fail_percentage (10) allows"
