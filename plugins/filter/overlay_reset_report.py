# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter overlay_reset_report: the last lines of a reset (not removed, kept, next step)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet

LEASE_HOURS = 24  # flannel's lifetime of a lease that nobody renews


def overlay_reset_report(plan: Mapping[str, Any], results: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the lines for a plan of overlay_reset_plan and the results of its hosts; see the documentation."""
    hosts = list(results)
    unfinished = [str(host["name"]) for host in hosts if not host["done"]]
    finished = [host for host in hosts if host["done"]]
    deleted = plan["etcd"] == "all" and not unfinished
    return [
        *(
            f"failed: {name} failed above and still uses the overlay; repair it and reset it again"
            for name in unfinished
        ),
        *_unfinished_fleet(plan, unfinished),
        *(line for host in finished for line in _dataplane(host)),
        *([] if deleted else _etcd_lines(plan, finished, unfinished)),
        *(f"kept: {text}" for text in plan["keeps"]),
        *([_packages(finished)] if finished else []),
        *_next_step(plan, finished),
    ]


def _unfinished_fleet(plan: Mapping[str, Any], unfinished: list[str]) -> Iterator[str]:
    if plan["whole"] and unfinished:
        also = " and etcd" if plan["etcd"] == "all" else ""
        yield f"kept: the network config{also}, because {', '.join(unfinished)} still uses them"


def _dataplane(host: Mapping[str, Any]) -> Iterator[str]:
    if not host["agent"].get("dataplane", True):
        yield (
            f"not removed: device, routes and firewall rules of {host['name']}: /usr/sbin/overlayd, which removes "
            "them, was missing or incomplete; reboot the host, or delete what `ip link show type vxlan` and "
            "`ip route show proto 158` list"
        )


def _etcd_lines(plan: Mapping[str, Any], finished: list[Mapping[str, Any]], unfinished: list[str]) -> Iterator[str]:
    """Yield a line for each key that is still in etcd because etcd did not answer."""
    if plan["whole"] and not unfinished:
        error = next((str(host["removal"]["msg"]) for host in finished if _failed(host["removal"])), "")
        if error and any(_had_client(host, plan) for host in finished):
            yield (
                f"not removed: the network config and the leases below {plan['prefix']} in etcd: {error}; "
                "run the reset again when etcd answers"
            )
        return
    for host in finished:
        agent, error = host["agent"], ""
        if _failed(host["release"]) and _had_client(host, plan):
            error = agent.get("lease_error") or str(host["release"]["msg"])
        if error:
            subnet = agent.get("subnet")
            lease = f"the lease {Subnet.parse_interface(subnet)[0]} of" if subnet else "any lease of"
            yield (
                f"not removed: {lease} {host['name']} in etcd: {error}; run the reset again when etcd answers, "
                f"or wait: a lease expires {LEASE_HOURS} hours after its last renewal (a reservation does not)"
            )


def _failed(result: Mapping[str, Any]) -> bool:
    return "leases" not in result and bool(result.get("msg"))


def _had_client(host: Mapping[str, Any], plan: Mapping[str, Any]) -> bool:
    """Whether the host had an agent or an etcd client's settings; if not, an earlier reset was successful."""
    return bool(host["agent"].get("installed")) or host["name"] in plan["clients"]


def _packages(finished: list[Mapping[str, Any]]) -> str:
    names = ", ".join(sorted({name for host in finished for name in host["agent"].get("packages", ())}))
    return f"kept: Docker, packages that other programs may use ({names}), and net.ipv4.ip_forward until the next boot"


def _next_step(plan: Mapping[str, Any], finished: list[Mapping[str, Any]]) -> Iterator[str]:
    missing = plan["missing"]
    if missing:
        yield (
            f"next: reset {', '.join(missing)} too, or if they no longer exist, run the reset again with "
            f"-e overlay_reset_gone={','.join(missing)}"
        )
    elif finished and not plan["whole"]:
        names = ", ".join(str(host["name"]) for host in finished)
        etcd = "; a host that keeps etcd stays in the group of etcd members" if plan["etcd"] == "keep" else ""
        yield (
            f"next: remove {names} from the group of Docker hosts (overlay_group) in the inventory; otherwise the next "
            f"run of site adds the overlay again{etcd}"
        )


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"overlay_reset_report": overlay_reset_report}
