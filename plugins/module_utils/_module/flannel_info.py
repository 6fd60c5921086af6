# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module flannel_info: how a host runs flanneld, from its unit and its environment files."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..overlay.agent.options import Options, parse_options
from ..overlay.model.errors import OverlayError
from .host_state import output

_PROPERTIES = "LoadState,ActiveState,UnitFileState,FragmentPath,Environment,EnvironmentFiles,ExecStart"
# The start script of Red Hat's package turns these variables into flags.
_RED_HAT = {
    "FLANNELD_ETCD_ENDPOINTS": ("FLANNEL_ETCD_ENDPOINTS", "FLANNEL_ETCD"),
    "FLANNELD_ETCD_PREFIX": ("FLANNEL_ETCD_PREFIX", "FLANNEL_ETCD_KEY"),
}
_VALUES = (
    "etcd_prefix", "etcd_api", "etcd_cafile", "etcd_certfile", "etcd_keyfile", "etcd_username", "iface", "iface_regex",
    "iface_can_reach", "public_ip", "subnet_file", "ip_masq", "iptables_forward_rules",
)  # fmt: skip


def show(unit: str, docker_unit: str, own_dropin: str) -> dict[str, Any]:
    """Return the module's result; a host without flanneld is a fact. Raise OverlayError for invalid flags."""
    shown = properties(output("systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", unit))
    result: dict[str, Any] = {
        "changed": False,
        "installed": shown.get("LoadState", ["not-found"])[0] == "loaded",
        "active": shown.get("ActiveState", [""])[0] in ("active", "activating", "reloading"),
        "enabled": shown.get("UnitFileState", [""])[0] == "enabled",
        "unit_file": shown.get("FragmentPath", [""])[0],
        "settings": {},
        "docker_dropins": docker_dropins(docker_unit, own_dropin),
    }
    if not result["installed"]:
        return result
    environment = dict(variables(shown))
    words = expanded(command(shown), environment)
    return {**result, "settings": settings(words, environment, unit)}


def properties(text: str) -> dict[str, list[str]]:
    """Return the properties that systemctl printed; a property can have several lines."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _unused, value = line.partition("=")
        found.setdefault(name, []).append(value)
    return found


def variables(shown: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yield the variables of the unit and of its environment files, in the order in which systemd sets them."""
    for line in shown.get("Environment", ()):
        for word in shlex.split(line):
            name, _unused, value = word.partition("=")
            yield name, value
    for line in shown.get("EnvironmentFiles", ()):
        path = Path(line.rpartition(" (")[0] or line)
        if path.is_file():
            yield from file_variables(path.read_text(encoding="utf-8", errors="replace"))


def file_variables(text: str) -> Iterator[tuple[str, str]]:
    """Yield the variables of an environment file."""
    for line in text.replace("\\\n", "").splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and re.fullmatch(r"\w+", name):
            try:
                yield name, " ".join(shlex.split(value))
            except ValueError:
                raise OverlayError(
                    f"flanneld's settings cannot be read: {name}: the quotes do not match; correct them"
                ) from None


def command(shown: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the words of ExecStart after the program, not expanded."""
    found = re.search(r"argv\[\]=(.*?) ; ", " ".join(shown.get("ExecStart", ())))
    return found[1].split()[1:] if found else []


def expanded(words: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Return the words with their variables, as systemd expands them: $A alone can be several words, ${A} is one."""
    result: list[str] = []
    for word in words:
        alone = re.fullmatch(r"\$(\w+)", word)
        if alone:
            result += environment.get(alone[1], "").split()
        else:
            result.append(re.sub(r"\$\{(\w+)\}", lambda found: environment.get(found[1], ""), word))
    return [word.strip("'\"") for word in result]


def settings(words: Sequence[str], environment: Mapping[str, str], unit: str) -> dict[str, Any]:
    """Return flanneld's settings, and whether it has a password; raise OverlayError if it has other flags."""
    known = dict(environment)
    for name, others in _RED_HAT.items():
        value = next((environment[other] for other in others if environment.get(other)), "")
        if value:
            known.setdefault(name, value)
    options = _parsed(words, known, unit)
    return {
        "etcd_endpoints": list(options.endpoints),
        **{name: getattr(options, name) for name in _VALUES},
        "has_password": bool(known.get("FLANNELD_ETCD_PASSWORD")) or any("etcd-password" in word for word in words),
    }


def _parsed(words: Sequence[str], environment: Mapping[str, str], unit: str) -> Options:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            return parse_options(words, environment)
    except SystemExit:
        cause = said.getvalue().strip().removeprefix("overlayd: ").removesuffix("; see overlayd --help")
        raise OverlayError(
            f"flanneld's settings cannot be used: {unit}: {cause}; correct the unit or its files"
        ) from None


def docker_dropins(unit: str, own: str) -> list[str]:
    """Return the drop-ins of Docker's unit in /etc that give it flannel's options."""
    listed = " ".join(
        properties(output("systemctl", "show", "--no-pager", "--property=DropInPaths", unit))["DropInPaths"]
    )
    paths = [Path(word) for word in listed.split() if word.startswith("/etc/")]
    return [
        str(path)
        for path in paths
        if path.name != own and path.is_file() and re.search("flannel", path.name + path.read_text(errors="replace"))
    ]
