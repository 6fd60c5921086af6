# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for role variables: their validation before any role runs, and their names in messages of modules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.validation import (
    check_type_bool,
    check_type_dict,
    check_type_float,
    check_type_int,
    check_type_list,
)
from ansible.module_utils.common.yaml import yaml_load
from ansible.utils.display import Display
from ansible_collections.clusternet.overlay.plugins.plugin_utils.variable_names import Misspelling, misspelling
from jinja2 import Undefined, UndefinedError

ROLES = Path(__file__).resolve().parents[2] / "roles"
PREFIXES = ("overlay_etcd_prefix", "agent_etcd_prefix")
ENDPOINTS = ("overlay_etcd_endpoints", "agent_etcd_endpoints")
SECRET = re.compile("password|psk")
# overlay_problems checks this one, and shows the keys that it may have.
CHECKED_LATER = ("overlay_backend",)
# The variables of the playbooks, which no role has; some are set by one playbook for another.
PLAYBOOKS = (
    "overlay_backup_dir",
    "overlay_backup_password",
    "overlay_host_ranges",
    "overlay_max_fail_percentage",
    "overlay_recover_confirm",
    "overlay_recover_from",
    "overlay_remove",
    "overlay_remove_confirm",
    "overlay_remove_gone",
    "overlay_replace",
    "overlay_replace_confirm",
    "overlay_reset_ca_heir",
    "overlay_reset_confirm",
    "overlay_reset_etcd",
    "overlay_reset_gone",
    "overlay_reset_reservation",
    "overlay_reset_scope",
    "overlay_restore_from",
    "overlay_restore_parts",
    "overlay_rotate_ca",
    "overlay_rotate_confirm",
    "overlay_rotate_serial",
    "overlay_serial",
    "overlay_upgrade_etcd",
)

# For each type: the check, what an invalid value is not, and what to write instead.
TYPES: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "bool": (check_type_bool, "neither true nor false", "write true or false"),
    "int": (check_type_int, "not a whole number", "write a number without quotes"),
    "float": (check_type_float, "not a number", "write a number without quotes"),
    "list": (check_type_list, "not a list", "write a list such as [first, second]"),
    "dict": (check_type_dict, "not a mapping", "write a mapping such as {key: value}"),
}
_OPTION = re.compile(r"(?<![\w-])(?:--)?(iface(?:[_-]regex|[_-]can[_-]reach)?|public[_-]ip)\b")


def overlay_variable_problems(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each role variable with an invalid value or a misspelt name on one of the hosts.

    The argument specs of the roles have the names, the types and the choices. A variable that cannot be computed yet,
    for example because it uses facts, is left to its role. A name that may be the user's own is a warning.
    """
    known = list(hosts)
    found: dict[str, list[str]] = {}
    doubts: dict[str, list[str]] = {}
    for host in known:
        for problem in _host_problems(hostvars[host]):
            found.setdefault(problem, []).append(host)
        for text, is_certain in _misspellings(hostvars[host]):
            (found if is_certain else doubts).setdefault(text, []).append(host)
    for warning in _with_hosts(doubts, known):
        Display().warning(warning)
    return _with_hosts(found, known)


def overlay_common_problems(hosts: Iterable[Mapping[str, Any]], result: str, unless: str = "") -> list[str]:
    """Return the problems in a registered result of the hosts: each sentence once, after the names of its hosts.

    The result of a host is ignored if its value named by ``unless`` is true.
    """
    found: dict[str, list[str]] = {}
    for host in hosts:
        registered = host.get(result) or {}
        for problem in () if registered.get(unless) else registered.get("problems") or ():
            found.setdefault(overlay_variable_names(problem), []).append(str(host["inventory_hostname"]))
    return [f"{', '.join(holders)}: {text}" for text, holders in found.items()]


def overlay_variable_names(text: str) -> str:
    """Return a message about the underlay with names of role variables instead of flags or module options."""

    def variable(match: re.Match[str]) -> str:
        name = match[1].replace("-", "_")
        return f"agent_{name}" if name == "public_ip" else f"overlay_{name}"

    return _OPTION.sub(variable, text)


def _with_hosts(found: Mapping[str, list[str]], known: list[str]) -> list[str]:
    """Return the sentences, each after the names of its hosts unless all known hosts have it."""
    return [text if holders == known else f"{', '.join(holders)}: {text}" for text, holders in found.items()]


def _misspellings(variables: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield a sentence for each variable that is probably misspelt, and whether there is no doubt.

    If the host has the variable that is meant, too, the other one may be a part of its value.
    """
    for name in variables:
        found = _misspelling(name)
        if found and found.is_certain and found.meant not in variables:
            yield (
                f"{name}: no such variable; did you mean {found.meant}? (if {name} is yours: set {found.meant}, too)",
                True,
            )
        elif found:
            yield f"{name}: this collection has no such variable and ignores it; did you mean {found.meant}?", False


@cache
def _misspelling(name: str) -> Misspelling | None:
    return misspelling(name, {*_specs(), *PLAYBOOKS})


def _host_problems(variables: Mapping[str, Any]) -> Iterator[str]:
    for name, spec in _specs().items():
        try:
            value = variables[name]
            is_late = isinstance(value, Undefined) or (isinstance(value, str) and "{{" in value)
            if name in CHECKED_LATER or is_late:
                continue
            problem = _problem(name, value, spec)
            if problem:
                yield f"{name} {'' if SECRET.search(name) else f'{value!r} '}is {problem}"
        except (KeyError, AnsibleError, UndefinedError):
            continue


def _problem(name: str, value: Any, spec: Mapping[str, Any]) -> str:
    """Return what an invalid value is not, and what to write instead; empty for a valid one."""
    if name in ENDPOINTS:
        return _endpoint_problem(value)
    if name in PREFIXES and not str(value).strip("/ "):
        return "not an etcd prefix; write one such as /coreos.com/network"
    if spec.get("choices"):
        choices = [str(choice) for choice in spec["choices"]]
        shown = " or ".join([", ".join(choices[:-1]), choices[-1]])
        return "" if str(value) in choices else f"not {shown}; write one of these"
    kind = spec.get("type", "str")
    if value is None:
        return ""
    if kind not in TYPES:
        return "not a text; write one value" if isinstance(value, (Mapping, list)) else ""
    check, cause, remedy = TYPES[kind]
    try:
        check(value)
    except (TypeError, ValueError):
        return f"{cause}; {remedy}"
    return ""


def _endpoint_problem(value: Any) -> str:
    urls = value if isinstance(value, list) else [value] if value else []
    if isinstance(value, list) and all(re.match("https?://[^/, ]+$", str(url)) for url in urls):
        return ""
    if isinstance(value, list) and all(re.match("https?://[^, ]+$", str(url)) for url in urls):
        return "not a list of URLs without a path; write a list such as [http://192.0.2.10:2379]"
    return "not a list of URLs; write a list such as [http://192.0.2.10:2379]" if urls else ""


@cache
def _specs() -> dict[str, Mapping[str, Any]]:
    """Return the argument spec of each variable of the roles by its name."""
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        for entry in yaml_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            found.update(entry.get("options") or {})
    return found


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "overlay_variable_problems": overlay_variable_problems,
            "overlay_common_problems": overlay_common_problems,
            "overlay_variable_names": overlay_variable_names,
        }
