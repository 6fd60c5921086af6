# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for the keywords of plays (hosts, serial, max_fail_percentage), computed from variables of the hosts."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

DEFAULT_GROUP = "overlay"
DEFAULT_ETCD_GROUP = "etcd"

Host = Mapping[str, Any]


class SettingError(ValueError):
    """A variable with an invalid value; the text is a sentence for the user."""


def overlay_plays(hosts: Iterable[Host], groups: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return hosts, etcd_hosts, serial and max_fail_percentage of the plays, and problems as sentences.

    Each of ``hosts`` has its name, in_play, and the four variables, None where unset.
    """
    known = list(hosts)
    plays: dict[str, Any] = {"hosts": [], "etcd_hosts": [], "serial": None, "max_fail_percentage": None}
    problems = []
    for key, read in (
        ("hosts", lambda: _members(known, groups)),
        ("etcd_hosts", lambda: _etcd_members(known, groups)),
        ("serial", lambda: _serial(known)),
        ("max_fail_percentage", lambda: _percentage(known)),
    ):
        try:
            plays[key] = read()
        except SettingError as error:
            problems.append(str(error))
    used = {*plays["hosts"], *plays["etcd_hosts"]}
    if not problems and not any(host["in_play"] and host["name"] in used for host in known):
        problems.append("no host of this run belongs to the overlay or its etcd; widen --limit")
    return {**plays, "problems": problems}


def overlay_batches(plans: Iterable[Mapping[str, Any]], serial: Sequence[str] | None) -> dict[str, list[Any]]:
    """Return the order of the hosts, the sizes of the batches, and a line of text for each batch with restarts.

    Each plan has its host, restarts (whether its Docker restarts), containers (the number of running ones) and maybe
    converged (whether there is nothing to do). Hosts whose Docker does not restart are the first batch; it is left out
    if all of them are converged. ``serial`` is that of overlay_plays; without it, hosts with containers restart one at
    a time, and hosts without containers all at once.
    """
    known = list(plans)
    counted = [plan["host"] for plan in known if plan["restarts"] and (serial or plan["containers"])]
    first = [plan for plan in known if plan["host"] not in counted]
    # All of them or none: Ansible compares max_fail_percentage with the size of the batch.
    batches = [[] if all(plan.get("converged") for plan in first) else [plan["host"] for plan in first]]
    sizes = [_size(each, len(known)) for each in serial or ["1"]]
    while counted:
        size = sizes[min(len(batches), len(sizes)) - 1]
        batches.append(counted[:size])
        counted = counted[size:]
    lines = {plan["host"]: f"{plan['host']} ({plan['containers']} containers)" for plan in known if plan["restarts"]}
    shown = [", ".join(lines[host] for host in batch if host in lines) for batch in batches]
    return {
        "order": [host for batch in batches for host in batch],
        "sizes": [len(batch) for batch in batches if batch],
        "restarts": [text for text in shown if text],
    }


def overlay_lost_problems(
    play: Sequence[str], reached: Collection[str], members: Sequence[str], percentage: float | None
) -> list[str]:
    """Return why a run cannot continue without the hosts of ``play`` that are not in ``reached``, as sentences.

    ``members`` are all members of etcd; more than half of them must be reached. ``percentage`` is the maximum
    percentage of lost hosts, None for any number.
    """
    lost = [host for host in play if host not in reached]
    names = ", ".join(lost)
    problems = []
    left = [member for member in members if member in reached]
    if any(member in lost for member in members) and 2 * len(left) <= len(members):
        problems.append(
            f"{names}: not reached, and etcd needs more than half of its members ({', '.join(members)}); start "
            f"{len(members) // 2 + 1 - len(left)} of them again"
        )
    if lost and percentage is not None and 100 * len(lost) > percentage * len(play):
        problems.append(
            f"{names}: not reached, {len(lost)} of {len(play)} hosts are more than overlay_max_fail_percentage "
            f"({percentage:g}) allows"
        )
    return problems


def _size(serial: str, hosts: int) -> int:
    """Return the number of hosts in a batch; for a percentage at least one, as in Ansible."""
    return max(1, hosts * int(serial[:-1]) // 100) if serial.endswith("%") else int(serial)


def _members(known: Sequence[Host], groups: Mapping[str, Sequence[str]]) -> list[str]:
    name = _group_name(known, "overlay_group") or DEFAULT_GROUP
    members = list(groups.get(name, ()))
    if not members:
        what = "has no hosts" if name in groups else "is not in the inventory"
        raise SettingError(
            f"overlay_group: the group {name} {what}; add the Docker hosts to it, or set the variable to their group"
        )
    _refuse_partly_set(known, "overlay_group", name, DEFAULT_GROUP, members)
    return members


def _etcd_members(known: Sequence[Host], groups: Mapping[str, Sequence[str]]) -> list[str]:
    chosen = _group_name(known, "overlay_etcd_group")
    name = chosen or DEFAULT_ETCD_GROUP
    if chosen and name not in groups:
        raise SettingError(
            f"overlay_etcd_group: the group {name} is not in the inventory; set it to the group of the etcd members"
        )
    members = list(groups.get(name, ()))
    _refuse_partly_set(known, "overlay_etcd_group", name, DEFAULT_ETCD_GROUP, members)
    return members


def _group_name(known: Sequence[Host], variable: str) -> Any:
    """Return the value of the variable, None if no host has it; raise SettingError if it is a list or a mapping."""
    value = _agreed(known, variable)
    if isinstance(value, (Mapping, list)):
        raise SettingError(f"{variable}: {value!r} is not the name of a group; write one name")
    return value


def _serial(known: Sequence[Host]) -> list[str] | None:
    value = _agreed(known, "overlay_serial")
    if value in (None, ""):
        return None
    sizes = [str(each).strip() for each in (value if isinstance(value, (list, tuple)) else [value])]
    if not sizes or not all(re.fullmatch("[1-9][0-9]*|[1-9][0-9]?%|100%", size) for size in sizes):
        raise SettingError(
            f"overlay_serial: {value!r} is not a number of hosts; use a number from 1, a percentage from 1% to 100%, "
            "or a list of these"
        )
    return sizes


def _percentage(known: Sequence[Host]) -> float | None:
    value = _agreed(known, "overlay_max_fail_percentage")
    if value in (None, ""):
        return None
    text = str(value).strip().removesuffix("%")
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?", text) or float(text) > 100:
        raise SettingError(f"overlay_max_fail_percentage: {value!r} is not a percentage; use a number from 0 to 100")
    return float(text)


def _agreed(known: Sequence[Host], variable: str) -> Any:
    """Return the value of the variable on the hosts of this run, None if no host has it; raise SettingError."""
    holders = {str(host[variable]): host for host in known if host["in_play"] and host[variable] is not None}
    if len(holders) > 1:
        shown = ", ".join(f"{value} on {host['name']}" for value, host in holders.items())
        raise SettingError(f"{variable}: it must be the same on all hosts, but is {shown}; set it in group_vars/all")
    return next((host[variable] for host in holders.values()), None)


def _refuse_partly_set(known: Sequence[Host], variable: str, value: str, default: str, members: Sequence[str]) -> None:
    """Raise SettingError if a member has another value: roles read the variable on each member, too."""
    others = [host["name"] for host in known if host["name"] in members and (host[variable] or default) != value]
    if others:
        raise SettingError(f"{variable}: it is {value}, but not on {', '.join(others)}; set it in group_vars/all")


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "overlay_plays": overlay_plays,
            "overlay_batches": overlay_batches,
            "overlay_lost_problems": overlay_lost_problems,
        }
