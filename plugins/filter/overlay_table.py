# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters of the role verify: the table of the results, one line for each host, and the problems of a host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

COLUMNS = ("host", "subnet", "backend", "mtu", "peers", "agent", "lease", "containers", "verdict")


def overlay_table(hosts: Iterable[Mapping[str, Any]], others: Mapping[str, str] | None = None) -> list[str]:
    """Return the lines of a table with a header, from the variables that the role verify registers on the hosts.

    ``others`` has the reason for each host that was not checked, by name. A line for each problem follows the table,
    after the cause that overlay_doctor named for the host. Further lines name the hosts without a test of packets,
    the notes about user-defined networks, each etcd endpoint that does not answer some of the hosts, and each
    certificate that expires soon.
    """
    checked = {str(host["inventory_hostname"]): host for host in hosts}
    absent = [(name, *("-" for _unused in COLUMNS[2:]), "not checked") for name in others or {}]
    rows = [COLUMNS, *(_row(name, host) for name, host in checked.items()), *absent]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    problems = [f"{name}: {text}" for name, host in checked.items() for text in _lines(host)]
    unchecked = [f"{name}: {why}" for name, why in (others or {}).items()]
    notes = [f"{name}: note: {text}" for name, host in checked.items() for text in _notes(host)]
    warnings = [f"warning: {text} (reported by {names})" for text, names in _reporters(checked, "certificate_warnings")]
    return [*table, *problems, *unchecked, *_untested_lines(checked), *notes, *_etcd_lines(checked), *warnings]


def _notes(host: Mapping[str, Any]) -> Iterable[str]:
    return _registered(host)[0].get("network_notes") or ()


def _untested_lines(hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    names = ", ".join(name for name, host in hosts.items() if _is_untested(host))
    if not names:
        return []
    return [
        f"not tested: packets to and from containers of {names}, because Docker has not restarted there; run "
        "clusternet.overlay.verify again after the restart"
    ]


def _is_untested(host: Mapping[str, Any]) -> bool:
    """Return whether no packets were sent to and from the host because a restart of Docker is pending."""
    found, _unused, probe = _registered(host)
    return bool(found.get("restart_problems")) and not probe.get("peers")


def _lines(host: Mapping[str, Any]) -> list[str]:
    """Return the cause that the module overlay_doctor named, and the host's problems."""
    problems, cause = overlay_host_problems(host), _cause(host)
    return [f"cause: {_words(cause)}", *problems] if cause and problems else problems


def _cause(host: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first finding of overlay_doctor that is more than a note, None without one."""
    findings = (host.get("verify_doctor") or {}).get("findings") or ()
    return next((finding for finding in findings if finding["severity"] != "note"), None)


def _words(finding: Mapping[str, Any]) -> str:
    return f"{finding['name']}: {finding['text']}; {finding['cause']}; {finding['cure']}"


def _etcd_lines(hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        f"etcd: {problem} (reported by {names}); the overlay works while a quorum of the members runs: "
        f"start etcd there, or correct overlay_etcd_endpoints"
        for problem, names in _reporters(hosts, "etcd_problems")
    ]


def _reporters(hosts: Mapping[str, Mapping[str, Any]], key: str) -> list[tuple[str, str]]:
    """Return each text of this list in the results of overlay_info, with the names of the hosts that have it."""
    reporters: dict[str, list[str]] = {}
    for name, host in hosts.items():
        for text in _registered(host)[0].get(key) or ():
            reporters.setdefault(text, []).append(name)
    return [(text, ", ".join(names)) for text, names in reporters.items()]


def overlay_host_problems(host: Mapping[str, Any], pending: bool = True) -> list[str]:
    """Return a host's problems; without ``pending``, those that a restart of Docker solves are left out."""
    found, container, probe = _registered(host)
    problems = [text for text in found.get("problems") or () if pending or text not in found["restart_problems"]]
    if found.get("unreachable"):
        problems.append(f"unreachable: {_line(found)}; start the host, or correct Ansible's connection settings")
    elif "problems" not in found:
        problems.append(f"the check did not run: {_line(found)}" if found else "not checked")
    network, network_probe = (host.get(f"verify_network_{name}") or {} for name in ("container", "probe"))
    parts = (
        ("no container to send packets from", container),
        ("no packets sent", probe),
        ("no container in a user-defined network", network),
        ("no packets sent from a user-defined network", network_probe),
    )
    for what, result in parts:
        if result.get("unreachable") or (result.get("msg") and not result.get("skipped")):
            problems.append(f"{what}: {_line(result)}")
    more = [f"from a user-defined network: {text}" for text in network_probe.get("problems") or ()]
    return [*problems, *(probe.get("problems") or ()), *more]


def _registered(host: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]:
    found, container, probe = (host.get(f"verify_{name}") or {} for name in ("host", "started", "probe"))
    return found, container, probe


def _line(result: Mapping[str, Any]) -> str:
    """Return the error of a failed task in one line, with the last line of output if the module crashed."""
    printed = str(result.get("module_stderr") or result.get("module_stdout") or "").strip().splitlines()[-1:]
    return " ".join([*str(result.get("msg") or "the task has no error message").split(), *printed])


def _row(name: str, host: Mapping[str, Any]) -> tuple[str, ...]:
    found, _unused, probe = _registered(host)
    reached = probe.get("peers") or {}
    good = [result for result in reached.values() if not result["problems"]]
    return (
        name,
        found.get("subnet") or "-",
        found.get("backend") or "-",
        str(found.get("mtu") or "-"),
        f"{found['peers_programmed']}/{found['peers_expected']}" if "peers_expected" in found else "-",
        (found.get("service") or {}).get("state") or "-",
        _lease(found),
        f"{len(good)}/{len(reached)}" if reached else "not tested" if _is_untested(host) else "-",
        _verdict(host),
    )


def _lease(found: Mapping[str, Any]) -> str:
    """Return the time until the lease expires, as hours and minutes."""
    seconds = found.get("lease_ttl")
    if found.get("reservation"):
        return "reserved"
    return "-" if seconds is None else f"{seconds // 3600}h{seconds % 3600 // 60:02}"


def _verdict(host: Mapping[str, Any]) -> str:
    found = _registered(host)[0]
    problems = overlay_host_problems(host)
    if found.get("unreachable"):
        return "unreachable"
    if "problems" not in found:
        return "not checked"
    if problems and not overlay_host_problems(host, pending=False):
        return "restart pending"
    if not problems:
        return "ok"
    cause = _cause(host)
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    return f"{count} ({cause['name']})" if cause else count


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"overlay_table": overlay_table, "overlay_host_problems": overlay_host_problems}
