# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters of the playbooks recover_etcd and replace_etcd_member: what they do on which member, or why they refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

RECOVER = "clusternet.overlay.recover_etcd"
REPLACE = "clusternet.overlay.replace_etcd_member"

Member = Mapping[str, Any]


def etcd_recovery_plan(members: Iterable[Member], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return lost, seed, set_aside, does and problems of a recovery; see the documentation."""
    known = list(members)
    names = [str(member["name"]) for member in known]
    healthy = [str(member["name"]) for member in known if member["healthy"]]
    plan: dict[str, Any] = {"lost": 2 * len(healthy) <= len(known), "seed": "", "set_aside": [], "does": []}
    problems = _unreached(known)
    if not plan["lost"]:
        waiting = [name for name in names if name not in healthy]
        plan["does"] = [f"etcd has a quorum ({', '.join(healthy)} healthy): no data is changed"]
        if any(member["has_data"] for member in known if member["name"] in waiting):
            plan["does"].append(
                f"{', '.join(waiting)}: not healthy; if the disk is lost, use {REPLACE} -e overlay_replace={waiting[0]}"
            )
        return {**plan, "problems": problems}
    if request.get("snapshot"):
        plan["seed"] = names[0]
    else:
        plan["seed"], more = _survivor(known, str(request.get("survivor") or ""))
        problems += more
    if problems:
        return {**plan, "problems": problems}
    others = [member for member in known if member["name"] != plan["seed"] or request.get("snapshot")]
    plan["set_aside"] = [str(member["name"]) for member in others if member["has_data"]]
    source = f"the backup of {request['snapshot']}" if request.get("snapshot") else "its own data"
    joining = [name for name in names if name != plan["seed"]]
    plan["does"] = [
        *(f"{name}: etcd stops, and its data is renamed" for name in plan["set_aside"]),
        f"{plan['seed']}: a new cluster starts with {source}",
        *(f"{name}: joins the new cluster without data" for name in joining),
    ]
    return {**plan, "problems": []}


def _unreached(members: Sequence[Member]) -> list[str]:
    silent = [str(member["name"]) for member in members if not member["reached"]]
    if not silent:
        return []
    return [
        f"{', '.join(silent)}: not reached, or outside --limit, and all members of the inventory take part; start "
        "them, or if they never come back, delete them from the group of etcd members (1, 3, 5 or 7 must be left) and "
        "run this again"
    ]


def _survivor(members: Sequence[Member], chosen: str) -> tuple[str, list[str]]:
    """Return the member whose data is used, and why there is none."""
    having = [member for member in members if member["reached"] and member["has_data"]]
    names = [str(member["name"]) for member in having]
    if chosen:
        if chosen in names:
            return chosen, []
        return "", [f"overlay_recover_from is {chosen}, which has no data of etcd; members with data: {_listed(names)}"]
    if not having:
        return "", [
            "no member has data of etcd; recover from a backup: -e overlay_recover_from=FILE, a file that "
            "clusternet.overlay.backup wrote on the controller"
        ]
    if len(having) == 1:
        return names[0], []
    best = max(having, key=_progress)
    if all(_progress(member) > (0, 0) for member in having):
        return str(best["name"]), []
    known = ", ".join(f"{member['name']} ({_shown(member)})" for member in having)
    return "", [
        f"{known}: these members have data of etcd, and it is unknown which is the newest, because etcd does not "
        "answer on all of them; data of the others is not used, so choose the member that lost the quorum last "
        "(journalctl --unit=etcd): -e overlay_recover_from=NAME"
    ]


def _shown(member: Member) -> str:
    term, index = _progress(member)
    return f"raft term {term}, index {index}" if term else "etcd does not answer"


def _progress(member: Member) -> tuple[int, int]:
    """Return raft term and index of a member, which is (0, 0) if its etcd does not answer."""
    return int(member.get("raft_term") or 0), int(member.get("raft_index") or 0)


def etcd_replacement_plan(members: Iterable[Member], name: str) -> dict[str, Any]:
    """Return needed, speaker, does and problems of the replacement of one member; see the documentation."""
    known = list(members)
    names = [str(member["name"]) for member in known]
    plan: dict[str, Any] = {"needed": False, "speaker": "", "does": [], "problems": []}
    if name not in names:
        what = f"overlay_replace is {name}, no member of etcd" if name else "overlay_replace is not set"
        return {**plan, "problems": [f"{what}; set it to one of {', '.join(names)}"]}
    problems = _unreached(known)
    old = known[names.index(name)]
    healthy = [str(member["name"]) for member in known if member["healthy"] and member["name"] != name]
    plan["speaker"] = healthy[0] if healthy else ""
    if 2 * len(healthy) <= len(known):
        problems.append(
            f"{name} cannot be replaced: {len(healthy)} of the other {len(known) - 1} members are healthy "
            f"({_listed(healthy)}), and {len(known) // 2 + 1} are needed for a quorum; repair them, or use {RECOVER}"
        )
    if old.get("ca_lost"):
        problems.append(
            f"{name} is etcd_ca_host and lost the CA; put the one of a backup there first: clusternet.overlay.restore "
            "-e overlay_restore_parts=ca -e overlay_restore_from=FILE"
        )
    if problems:
        return {**plan, "problems": problems}
    if old["healthy"] and old["has_data"]:
        return {**plan, "does": [f"{name} is healthy: nothing is replaced"]}
    return {
        **plan,
        "needed": True,
        "does": [
            f"{name}: its member is removed from the cluster",
            *([f"{name}: its data is renamed"] if old["has_data"] else []),
            f"{name}: joins the cluster as a new member without data",
        ],
    }


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"etcd_recovery_plan": etcd_recovery_plan, "etcd_replacement_plan": etcd_replacement_plan}
