# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A recovery or a replacement of etcd members refuses where data would be lost, and chooses the newest data."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.filter.etcd_recovery import FilterModule

filters = FilterModule().filters()


def member(number: int, healthy: bool = True, has_data: bool = True, **more: Any) -> dict[str, Any]:
    """Member h<number>, which was reached."""
    return {"name": f"h{number}", "reached": True, "healthy": healthy, "has_data": has_data, **more}


def recovery(*members: dict[str, Any], **request: Any) -> dict[str, Any]:
    """The plan of a recovery."""
    found: dict[str, Any] = filters["etcd_recovery_plan"](members, request)
    return found


def replacement(*members: dict[str, Any], name: str = "h3") -> dict[str, Any]:
    """The plan of a replacement."""
    found: dict[str, Any] = filters["etcd_replacement_plan"](members, name)
    return found


def test_a_cluster_with_a_quorum_is_not_recovered() -> None:
    found = recovery(member(1), member(2), member(3, healthy=False), snapshot="2026-11-29")
    assert (found["lost"], found["set_aside"], found["problems"]) == (False, [], [])
    assert "h3: not healthy; if the disk is lost, use clusternet.overlay.replace_etcd_member" in found["does"][1]


def test_the_only_member_with_data_is_the_survivor() -> None:
    found = recovery(member(1, False, False), member(2, False), member(3, False, False))
    assert (found["lost"], found["seed"], found["set_aside"], found["problems"]) == (True, "h2", [], [])


def test_the_survivor_with_the_newest_data_is_chosen_and_the_other_data_is_renamed() -> None:
    found = recovery(
        *(member(number, False, raft_term=2, raft_index=10 * number) for number in (1, 2)),
        *(member(number, False, False) for number in (3, 4, 5)),
    )
    assert (found["seed"], found["set_aside"]) == ("h2", ["h1"])


def test_survivors_of_unknown_progress_are_left_to_the_user() -> None:
    stopped = [member(1, False), member(2, False, raft_term=2, raft_index=9), member(3, False, False)]
    (problem,) = recovery(*stopped)["problems"]
    assert problem.startswith("h1 (etcd does not answer), h2 (raft term 2, index 9): these members have data of etcd")
    assert "-e overlay_recover_from=NAME" in problem  # no member is proposed: its data may be the oldest
    assert recovery(*stopped, survivor="h1")["seed"] == "h1"


def test_a_recovery_without_any_data_needs_a_backup() -> None:
    lost = [member(number, False, False) for number in (1, 2, 3)]
    assert "recover from a backup: -e overlay_recover_from=FILE" in recovery(*lost)["problems"][0]
    assert "h3, which has no data of etcd" in recovery(member(1, False), *lost[1:], survivor="h3")["problems"][0]


def test_a_backup_renames_the_data_of_all_members() -> None:
    found = recovery(member(1, False), member(2, False, False), member(3, False), snapshot="2026-11-29")
    assert (found["seed"], found["set_aside"]) == ("h1", ["h1", "h3"])
    assert "h1: a new cluster starts with the backup of 2026-11-29" in found["does"]


@pytest.mark.parametrize("plan", [recovery, replacement])
def test_a_member_that_is_not_reached_stops_the_run(plan: Any) -> None:
    found = plan(member(1, False), member(2, False, False), member(3, False, False, reached=False))
    assert "h3: not reached, or outside --limit" in found["problems"][0]


def test_a_replacement_needs_a_quorum_of_the_others() -> None:
    (problem,) = replacement(member(1), member(2, False), member(3, False, False))["problems"]
    assert problem.startswith("h3 cannot be replaced: 1 of the other 2 members are healthy (h1), and 2 are needed")
    assert "clusternet.overlay.recover_etcd" in problem


def test_a_healthy_member_is_not_replaced() -> None:
    found = replacement(member(1), member(2), member(3))
    assert (found["needed"], found["problems"], found["does"]) == (False, [], ["h3 is healthy: nothing is replaced"])


def test_a_member_without_data_is_replaced_through_a_healthy_one() -> None:
    found = replacement(member(1), member(2), member(3, False, False))
    assert (found["needed"], found["speaker"], found["problems"]) == (True, "h1", [])


def test_a_member_that_lost_the_ca_is_replaced_after_the_ca_is_restored() -> None:
    found = replacement(member(1, False, False, ca_lost=True), member(2), member(3), name="h1")
    assert "clusternet.overlay.restore -e overlay_restore_parts=ca" in found["problems"][0]


def test_only_a_member_can_be_replaced() -> None:
    assert "overlay_replace is h9, no member of etcd" in replacement(member(1), name="h9")["problems"][0]
    assert "overlay_replace is not set; set it to one of h1" in replacement(member(1), name="")["problems"][0]
