# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter overlay_reset_plan: which hosts, leases and etcd members a reset removes, and what it keeps for others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible.module_utils.parsing.convert_bool import boolean

SHOWN = 10  # maximum of names in one sentence


class _Fleet(NamedTuple):
    """The names of the hosts, by how the reset treats them."""

    overlay: list[str]  # Docker hosts that are reset
    overlay_outside: list[str]  # Docker hosts that keep the overlay, with the reason
    members: list[str]  # etcd members that this play reached
    installed: list[str]  # those of them that have etcd or its data
    members_outside: list[str]  # etcd members that stay, with the reason
    unreachable: list[str]  # hosts of this play that did not answer
    limited: bool  # whether --limit excludes a Docker host
    gone: list[str]  # hosts and addresses that the user declared gone


def overlay_reset_plan(hosts: Iterable[Mapping[str, Any]], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a reset of these hosts removes and keeps; see the documentation."""
    known = list(hosts)
    fleet = _fleet(known, _names(request.get("gone")))
    leases = request.get("leases") or []
    others = _leases_of_others(known, fleet, leases)
    # Without any member left there is no key to remove; an etcd outside of the inventory may still have keys.
    keys = bool(fleet.overlay) and not (fleet.members and not fleet.installed and not fleet.members_outside)
    whole = bool(fleet.overlay) and not fleet.overlay_outside and not others
    asked = request.get("etcd")
    etcd, refusals = _etcd_action(fleet, None if asked in (None, "") else boolean(asked), whole)
    reset = [lease for lease in leases if whole or _is_of(lease, [h for h in known if h["name"] in fleet.overlay])]
    prefix = request["prefix"]
    return {
        "whole": whole,
        "prefix": prefix,
        "hosts": fleet.overlay,
        "missing": [] if fleet.limited else [*fleet.unreachable, *others],
        "clients": [str(host["name"]) for host in known if host["client"]],
        "etcd": etcd,
        "etcd_members": fleet.members if etcd != "keep" else [],
        "removes": [
            *(text for host in known if host["overlay"] and host["reached"] for text in _removed_host(host)),
            *(_removed_leases(reset, request, whole) if keys else []),
            *([f"the network config {prefix}/config"] if keys and whole and request.get("config", True) else []),
            *_removed_members(fleet, etcd),
        ],
        "keeps": [*_kept_keys(fleet, others, prefix, whole), *_kept_members(fleet, etcd)],
        "refusals": refusals,
    }


def _fleet(hosts: list[Mapping[str, Any]], gone: list[str]) -> _Fleet:
    def outside(group: str) -> list[str]:
        left = [host for host in hosts if host[group] and host["name"] not in gone and not host["reached"]]
        return [f"{host['name']} ({'unreachable' if host['in_play'] else 'not in this play'})" for host in left]

    def inside(group: str) -> list[str]:
        return [str(host["name"]) for host in hosts if host[group] and host["reached"]]

    existing = [host for host in hosts if host["name"] not in gone]
    silent = [str(host["name"]) for host in existing if host["in_play"] and not host["reached"]]
    limited = any(host["overlay"] and not host["in_play"] for host in existing)
    members = inside("etcd")
    installed = [str(host["name"]) for host in hosts if host["name"] in members and host.get("member", True)]
    outer = outside("etcd")
    return _Fleet(inside("overlay"), outside("overlay"), members, installed, outer, silent, limited, gone)


def _leases_of_others(hosts: list[Mapping[str, Any]], fleet: _Fleet, leases: list[Mapping[str, Any]]) -> list[str]:
    """Return the live leases of machines that are not in the inventory, such as hosts that still run flanneld."""
    members = [host for host in hosts if host["overlay"]]
    return [
        str(lease["public_ip"])
        for lease in leases
        if lease.get("backend_type") and not _is_of(lease, members) and lease["public_ip"] not in fleet.gone
    ]


def _is_of(lease: Mapping[str, Any], hosts: list[Mapping[str, Any]]) -> bool:
    return any(lease.get("public_ip") in (host.get("addresses") or ()) for host in hosts)


def _etcd_action(fleet: _Fleet, asked: bool | None, whole: bool) -> tuple[str, list[str]]:
    """Return "all", "leave" or "keep", and the reasons to refuse the request."""
    if not fleet.members or asked is False or (asked is None and (not whole or fleet.members_outside)):
        return "keep", []
    if fleet.members_outside:
        return "leave", []
    if whole or not (fleet.overlay or fleet.overlay_outside):
        return "all", []
    return "keep", [
        f"reset cannot remove etcd from {_listed(fleet.members)} (overlay_reset_etcd is true): these are all members, "
        "and other hosts still use the overlay; do not set overlay_reset_etcd, or reset the whole group"
    ]


def _removed_host(host: Mapping[str, Any]) -> list[str]:
    parts = [
        *(["overlayd with its device, routes and firewall rules"] if host.get("agent", True) else []),
        *(["Docker and its containers restart on Docker's own bridge"] if host.get("docker", True) else []),
    ]
    return [f"host {host['name']}: {'; '.join(parts)}"] if parts else []


def _removed_leases(leases: Sequence[Mapping[str, Any]], request: Mapping[str, Any], whole: bool) -> list[str]:
    if request.get("error"):
        scope = "all leases" if whole else "the leases of these hosts"
        return [f"{scope} below {request['prefix']}/subnets (unknown at this time: {request['error']})"]
    gone = whole or request.get("reservation")
    wanted = [f"{lease['subnet']} of {lease['public_ip']}" for lease in leases if gone or not lease["reservation"]]
    return [f"leases: {_listed(wanted)}"] if wanted else []


def _removed_members(fleet: _Fleet, etcd: str) -> list[str]:
    if not fleet.installed or etcd == "keep":
        return []
    if etcd == "all":
        return [f"etcd with all its data on {_listed(fleet.installed)}"]
    return [f"etcd members {_listed(fleet.installed)} with their data; the cluster continues without them"]


def _kept_keys(fleet: _Fleet, others: list[str], prefix: str, whole: bool) -> list[str]:
    if whole or not (fleet.overlay or fleet.overlay_outside):
        return []
    reasons = []
    if fleet.overlay_outside:
        reasons.append(f"used by {_listed(fleet.overlay_outside)}")
    if others:
        reasons.append(f"used by hosts that are not in the inventory: {_listed(others)}")
    return [f"the network config and the other leases below {prefix}: {'; '.join(reasons)}"]


def _kept_members(fleet: _Fleet, etcd: str) -> list[str]:
    members = fleet.installed if etcd == "keep" else fleet.members_outside if etcd == "leave" else []
    return [f"etcd on {_listed(members)}"] if members else []


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _names(value: object) -> list[str]:
    """Return the names in a list, or in a text with commas (from a command line)."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, Sequence) else []
    return [str(part).strip() for part in parts if str(part).strip()]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"overlay_reset_plan": overlay_reset_plan}
