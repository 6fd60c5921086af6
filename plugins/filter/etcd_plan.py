# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run of role etcd has to do on which member, from what its tasks have registered so far."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

Variables = Mapping[str, Any]
CLIENT_PACKAGE = "etcd-client"


def etcd_plan(
    members: Sequence[str], hostvars: Mapping[str, Variables], play: Collection[str], files: Collection[str]
) -> dict[str, list[str]]:
    """Return the names of the members that are present, absent, seeds, joining and stale.

    ``play`` has the hosts that the run still reaches, ``files`` what etcd reads at its start only. Call it again
    after more tasks: a change on a member that they registered makes it stale.
    """
    present = [name for name in members if name in play]
    found = {name: hostvars[name].get("_etcd_host") or {} for name in present}
    seeds = [name for name in present if found[name].get("has_data")]
    return {
        "present": present,
        "absent": [name for name in members if name not in play],
        "seeds": seeds,
        "joining": [name for name in present if seeds and name not in seeds and not _is_bootstrapping(found[name])],
        "stale": [name for name in seeds if is_stale(hostvars[name], files)],
    }


def is_stale(member: Variables, files: Collection[str]) -> bool:
    """Return whether the process of a member is older than its settings, its program or its CA.

    A member that is not started reads all of them at its start.
    """
    host = member["_etcd_host"]
    return bool(host["started"]) and (
        bool(host["changed_files"])
        or any(path in files for path in _registered(member, "_etcd_configured").get("changed_paths", ()))
        or _has_new_packages(member)
        or _has_new_archive(member)
        or _has_new_ca(member)
    )


def _is_bootstrapping(host: Mapping[str, Any]) -> bool:
    """Whether the first start of the whole cluster was interrupted; the member then continues it."""
    return (host.get("initial_cluster") or {}).get("state") == "new"


def _has_new_packages(member: Variables) -> bool:
    installed = set(member["_etcd_host"]["missing_packages"]) - {CLIENT_PACKAGE}
    return bool(installed) and bool(_registered(member, "_etcd_package").get("changed"))


def _has_new_archive(member: Variables) -> bool:
    return _changed(result for result in _results(member, "_etcd_linked") if result.get("item") == "etcd")


def _has_new_ca(member: Variables) -> bool:
    """The CA is the first or only file of the task; a new certificate needs no restart."""
    return _changed(_results(member, "_etcd_ca_copied")[:1])


def _registered(member: Variables, name: str) -> Mapping[str, Any]:
    result: Mapping[str, Any] = member.get(name) or {}
    return result


def _results(member: Variables, name: str) -> list[Mapping[str, Any]]:
    """Return the results of a task with a loop, or the one result of a task without."""
    result = _registered(member, name)
    return list(result.get("results", [result]))


def _changed(results: Iterable[Mapping[str, Any]]) -> bool:
    return any(result.get("changed") for result in results)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"etcd_plan": etcd_plan}
