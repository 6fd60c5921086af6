# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters of the playbook remove_host: which hosts it removes, what this removes, and the lines at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

PLAYBOOK = "clusternet.overlay.remove_host"


def overlay_names(value: object) -> list[str]:
    """Return the names in a list, or in a text with commas (from a command line)."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, Sequence) else []
    return [str(part).strip() for part in parts if str(part).strip()]


def overlay_removal_scope(request: Mapping[str, Any], hosts: Sequence[str], members: Sequence[str]) -> dict[str, Any]:
    """Return the hosts that leave, those that are gone, and why they cannot be removed; see the documentation."""
    leaving, gone = overlay_names(request.get("leaving")), overlay_names(request.get("gone"))
    named, known = [*leaving, *gone], [*hosts, *members]
    problems = []
    if not named:
        problems.append(
            "no host is named: set overlay_remove to a host that still runs, or overlay_remove_gone to one that never "
            "comes back, such as -e overlay_remove=h3"
        )
    unknown = [name for name in named if name not in known]
    if unknown:
        problems.append(
            f"{', '.join(unknown)}: not in the groups of the overlay and its etcd; remove a host before you delete it "
            f"from the inventory. Known hosts: {', '.join(dict.fromkeys(known))}"
        )
    both = [name for name in leaving if name in gone]
    if both:
        problems.append(f"{', '.join(both)}: named in overlay_remove and in overlay_remove_gone; use one of them")
    if named and not unknown:
        problems += _last_problems(named, hosts, members)
    return {"leaving": leaving, "gone": gone, "problems": problems}


def _last_problems(named: Sequence[str], hosts: Sequence[str], members: Sequence[str]) -> list[str]:
    """Return why these hosts cannot leave because nothing would be left."""
    staying = [name for name in hosts if name not in named]
    if not staying:
        return ["no host of the overlay would be left; clusternet.overlay.reset removes a whole fleet"]
    if members and all(name in named for name in members):
        return [
            f"{', '.join(members)}: all members of etcd would leave, and {', '.join(staying)} still use it; add "
            "another member first (group of etcd members, then clusternet.overlay.site)"
        ]
    return []


def overlay_removal_plan(hosts: Iterable[Mapping[str, Any]], request: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return leases, removes, warnings and problems of a removal; see the documentation."""
    known = list(hosts)
    leaving = [host for host in known if host["name"] in request["leaving"]]
    gone = [host for host in known if host["name"] in request["gone"]]
    staying = [host for host in known if host not in leaving and host not in gone]
    leases = [(host, lease) for host in (*leaving, *gone) for lease in request["leases"] if _is_of(lease, host)]
    return {
        "leases": [lease for host, lease in leases if host in gone],
        "removes": [
            *(_removed(host, [lease for owner, lease in leases if owner is host], host in gone) for host in leaving),
            *(_removed(host, [lease for owner, lease in leases if owner is host], host in gone) for host in gone),
        ],
        "warnings": _warnings(leaving, gone, staying, leases),
        "problems": [
            *_problems(leaving, gone, staying, request.get("error") or ""),
            *(text for host, lease in leases for other in staying for text in _shared(lease, host, other)),
        ],
    }


def _is_of(lease: Mapping[str, Any], host: Mapping[str, Any]) -> bool:
    return lease.get("public_ip") in (host.get("addresses") or ())


def _shared(lease: Mapping[str, Any], host: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return why a lease of a host to remove is kept: it may be the lease of a host that stays."""
    if not other["overlay"] or not _is_of(lease, other):
        return []
    return [
        f"the lease {lease['subnet']} has the address {lease['public_ip']}, which {host['name']} and {other['name']} "
        f"have by the inventory, and {other['name']} stays; set agent_public_ip of {host['name']} to the address that "
        f"it had, or remove both hosts if they are one"
    ]


def _removed(host: Mapping[str, Any], leases: list[Mapping[str, Any]], gone: bool) -> str:
    containers = int(host.get("containers") or 0)
    parts = [
        *(f"{'reservation' if lease.get('reservation') else 'lease'} {lease['subnet']}" for lease in leases),
        *(["its etcd member"] if host["etcd"] else []),
        *([] if gone or not host["overlay"] else ["agent, network devices, routes and firewall rules"]),
        *([] if gone or not host["etcd"] else ["etcd with its data and certificates"]),
        *([f"{containers} running containers restart on Docker's own bridge"] if containers and not gone else []),
    ]
    return f"{host['name']}{' (gone, not contacted)' if gone else ''}: {'; '.join(parts) or 'nothing is left of it'}"


def _warnings(
    leaving: list[Mapping[str, Any]],
    gone: list[Mapping[str, Any]],
    staying: list[Mapping[str, Any]],
    leases: list[tuple[Mapping[str, Any], Mapping[str, Any]]],
) -> list[str]:
    members = [str(host["name"]) for host in staying if host["etcd"]]
    lost = [str(host["name"]) for host in gone if host.get("ca")]
    owners = [owner for owner, _unused in leases]
    even = len(members) and len(members) % 2 == 0 and any(host["etcd"] for host in (*leaving, *gone))
    return [
        *(
            f"{host['name']}: no lease with the address {', '.join(host.get('addresses') or ())}; if its agent used "
            "another one (agent_public_ip), release that with the module subnet_lease, or wait 24 hours for its end"
            for host in gone
            if host["overlay"] and host not in owners
        ),
        *(
            [
                f"etcd keeps {len(members)} members ({', '.join(members)}), an even number, which "
                "clusternet.overlay.site refuses: add a host to the group of etcd members before its next run"
            ]
            if even
            else []
        ),
        *(
            [
                f"the private key of etcd's CA was on {', '.join(lost)}: put the one of a backup on {members[0]} "
                "(clusternet.overlay.restore -e overlay_restore_parts=ca) before a host needs a new certificate"
            ]
            if lost and members
            else []
        ),
    ]


def _problems(
    leaving: list[Mapping[str, Any]], gone: list[Mapping[str, Any]], staying: list[Mapping[str, Any]], error: str
) -> list[str]:
    silent = [str(host["name"]) for host in leaving if not host["reached"]]
    alive = [str(host["name"]) for host in gone if host["reached"]]
    problems = []
    if silent:
        names = ",".join(silent)
        problems.append(
            f"{names}: not reached; start it and run {PLAYBOOK} again, or if it never comes back, name it with "
            f"-e overlay_remove_gone={names} instead"
        )
    if alive:
        names = ",".join(alive)
        problems.append(
            f"{names}: named in overlay_remove_gone, but it answers, and its agent would take its lease again; name it "
            f"with -e overlay_remove={names} instead"
        )
    if not any(host["reached"] for host in staying):
        names = ", ".join(str(host["name"]) for host in staying)
        problems.append(
            f"none of the remaining hosts was reached ({names}); start one of them and run {PLAYBOOK} again"
        )
    elif error:
        problems.append(f"the leases cannot be read: {error}; repair etcd first (clusternet.overlay.recover_etcd)")
    return problems


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "overlay_names": overlay_names,
            "overlay_removal_scope": overlay_removal_scope,
            "overlay_removal_plan": overlay_removal_plan,
        }
