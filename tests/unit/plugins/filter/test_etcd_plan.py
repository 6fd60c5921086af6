# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which members of etcd a run starts, adds and restarts, from what its tasks registered."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.filter.etcd_plan import etcd_plan

SETTINGS = "/etc/etcd/etcd.env"
ALL = ["a", "b", "c"]


def member(registered: dict[str, Any] | None = None, **state: Any) -> dict[str, Any]:
    """The variables of a member that runs with its current files, less what is different."""
    host = {
        "has_data": True,
        "initial_cluster": {"token": "overlay", "state": "existing"},
        "started": True,
        "changed_files": [],
        "missing_packages": [],
    }
    return {"_etcd_host": {**host, **state}, **(registered or {})}


def plan(hostvars: dict[str, Any], play: list[str] | None = None) -> dict[str, list[str]]:
    """The plan for three members."""
    return etcd_plan(ALL, hostvars, ALL if play is None else play, [SETTINGS])


def test_members_that_run_with_their_files_need_nothing() -> None:
    found = plan({name: member() for name in ALL})
    assert found == {"present": ALL, "absent": [], "seeds": ALL, "joining": [], "stale": []}


def test_a_new_cluster_has_no_seeds_and_no_joining_member() -> None:
    found = plan({name: member(has_data=False, initial_cluster=None, started=False) for name in ALL})
    assert (found["seeds"], found["joining"]) == ([], [])


def test_a_member_without_data_joins_the_others() -> None:
    found = plan({"a": member(), "b": member(has_data=False, initial_cluster=None, started=False), "c": member()})
    assert (found["seeds"], found["joining"]) == (["a", "c"], ["b"])


def test_a_member_whose_first_start_was_interrupted_does_not_join() -> None:
    interrupted = member(has_data=False, initial_cluster={"token": "overlay", "state": "new"})
    assert plan({"a": member(), "b": interrupted, "c": member()})["joining"] == []


def test_members_outside_the_run_are_only_absent() -> None:
    found = plan({"a": {}, "b": member(), "c": member(changed_files=[SETTINGS])}, play=["b"])
    assert found == {"present": ["b"], "absent": ["a", "c"], "seeds": ["b"], "joining": [], "stale": []}


@pytest.mark.parametrize(
    ("state", "registered"),
    [
        ({"changed_files": [SETTINGS]}, {}),
        ({}, {"_etcd_configured": {"changed_paths": ["/etc/etcd/bootstrap.env", SETTINGS]}}),
        ({"missing_packages": ["etcd-server"]}, {"_etcd_package": {"changed": True}}),
        ({}, {"_etcd_linked": {"results": [{"item": "etcdctl"}, {"item": "etcd", "changed": True}]}}),
        ({}, {"_etcd_ca_copied": {"changed": True}}),
        ({}, {"_etcd_ca_copied": {"results": [{"changed": True}, {"changed": False}]}}),
    ],
)
def test_a_change_that_etcd_reads_at_its_start_makes_a_started_member_stale(
    state: dict[str, Any], registered: dict[str, Any]
) -> None:
    assert plan({"a": member(), "b": member(registered, **state), "c": member()})["stale"] == ["b"]
    stopped = member(registered, **{**state, "started": False})
    assert plan({"a": member(), "b": stopped, "c": member()})["stale"] == []


@pytest.mark.parametrize(
    ("state", "registered"),
    [
        ({}, {"_etcd_configured": {"changed_paths": ["/etc/etcd/bootstrap.env"]}}),
        ({"missing_packages": ["etcd-client"]}, {"_etcd_package": {"changed": True}}),
        ({}, {"_etcd_linked": {"results": [{"item": "etcdctl", "changed": True}, {"item": "etcd"}]}}),
        ({}, {"_etcd_ca_copied": {"results": [{"changed": False}, {"changed": True}]}}),
        ({}, {"_etcd_ca_copied": {"skipped": True}, "_etcd_package": {"skipped": True}}),
    ],
)
def test_a_change_that_needs_no_restart_makes_no_member_stale(
    state: dict[str, Any], registered: dict[str, Any]
) -> None:
    assert plan({"a": member(), "b": member(registered, **state), "c": member()})["stale"] == []
