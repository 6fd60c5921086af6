# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The systemd unit of dockerd: its start command and environment, and the drop-in that adds the overlay's options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from ..overlay.diagnosis.dockerd import NETWORK_OPTIONS, OPTIONS, POOLS, flag_text, mtu_default, read_flags
from ..overlay.diagnosis.user_networks import UserNetworks
from ..overlay.model.errors import OverlayError
from .options import option_lines
from .split import split_script

_HEADER = re.compile(r"# (/\S+\.(?:service|conf))")
_PLAIN_PATH = re.compile(r"/[\w./@:+-]+", re.ASCII)
_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}", re.ASCII)
_KEY = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_INVERSE = "ip_masq"  # the drop-in's shell variable for the inverse of FLANNEL_IPMASQ


class UnitFile(NamedTuple):
    """One file of a unit: the settings of its [Service] section in their order."""

    path: str
    settings: tuple[tuple[str, str], ...]


class DaemonStart(NamedTuple):
    """How a unit starts its daemon: the command, the file with it, and the environment in the order of its lines."""

    command: str
    source: str
    environment: tuple[tuple[str, str], ...]  # (file of the unit, value of its Environment=)
    environment_files: tuple[str, ...]  # as in the unit: a leading dash means that the file may be missing

    @property
    def variables(self) -> list[str]:
        """The names of the environment variables in the command."""
        return [plain or braced for plain, braced in _VARIABLE.findall(self.command)]

    @property
    def program(self) -> str:
        """The path of the daemon's program, without systemd's prefixes."""
        return self.command.split()[0].lstrip("@-:+!")


class DropIn(NamedTuple):
    """The parameters of the drop-in: the subnet file, the options file with its mode and key, and the agent's unit."""

    subnet_file: str
    options_file: str
    mode: str
    key: str
    ip_masq: bool
    agent_unit: str
    more: tuple[str, ...] = ()  # further flags, which are not in the options file
    networks: UserNetworks | None = None  # the division of the subnet
    network_options: bool = False  # whether user-defined networks get the MTU of docker0


def parse_unit(text: str) -> list[UnitFile]:
    """Return the files of a unit in the output of ``systemctl cat``: the unit file, then its drop-ins in order."""
    files: list[UnitFile] = []
    section = ""
    for line in _whole_lines(text):
        header = _HEADER.fullmatch(line)
        if header:
            files.append(UnitFile(header[1], ()))
        elif line.startswith("["):
            section = line.strip()
        elif section == "[Service]" and "=" in line and not line.startswith(("#", ";")) and files:
            name, value = line.split("=", 1)
            files[-1] = UnitFile(files[-1].path, (*files[-1].settings, (name.strip(), value.strip())))
    return files


def daemon_start(files: Sequence[UnitFile], own: str) -> DaemonStart:
    """Return how the unit starts its daemon without the drop-in ``own`` (a path).

    Raise OverlayError if it has not exactly one command, or if a drop-in that is read after ``own`` sets the command.
    """
    commands: list[tuple[str, str]] = []
    environment: list[tuple[str, str]] = []
    environment_files: list[str] = []
    for file in files:
        for name, value in file.settings if file.path != own else ():
            if name == "ExecStart":
                commands = [*commands, (value, file.path)] if value else []
            elif name == "Environment":
                environment = [*environment, (file.path, value)] if value else []
            elif name == "EnvironmentFile":
                environment_files = [*environment_files, value] if value else []
    if len(commands) != 1:
        raise OverlayError(
            f"the unit has {len(commands)} ExecStart= lines, not one ({', '.join(command[1] for command in commands)});"
            " correct it so that dockerd starts without the overlay"
        )
    command, source = commands[0]
    if PurePosixPath(source).parent.name.endswith(".d") and PurePosixPath(source).name > PurePosixPath(own).name:
        raise OverlayError(
            f"{source} is read after {own} and replaces its ExecStart=, so the overlay's options would be lost;"
            " set dropin_name to a name that sorts after it"
        )
    return DaemonStart(command, source, tuple(environment), tuple(environment_files))


def parse_environment_file(text: str) -> dict[str, str]:
    """Return the variables of an environment file; a value extends to the end of its line, without its quotes."""
    found = {}
    for line in _whole_lines(text):
        name, equals, value = line.strip().partition("=")
        if equals and name[:1] not in "#;":
            bare = value.strip()
            found[name.strip()] = bare[1:-1] if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'" else bare
    return found


def parse_environment_line(text: str) -> dict[str, str]:
    """Return the variables of a unit's Environment= line, {} if a quote is not closed, as in systemd."""
    try:
        words = shlex.split(text)
    except ValueError:
        return {}
    return dict(word.partition("=")[::2] for word in words if "=" in word)


def flags_elsewhere(start: DaemonStart, values: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Return the flags for the bridge that the unit itself sets, each with its value and its source.

    ``values`` has value and file of each environment variable.
    """
    found = {flag: (value, start.source) for flag, value in read_flags(start.command.split()).items()}
    for variable in start.variables:
        value, source = values.get(variable, ("", ""))
        found |= {flag: (text, f"{variable} in {source}") for flag, text in read_flags(value.split()).items()}
    return found


def check_names(dropin: DropIn) -> None:
    """Raise OverlayError if a path, key or mode cannot be used in a unit file."""
    for what, path in (("subnet_file", dropin.subnet_file), ("path", dropin.options_file)):
        if not _PLAIN_PATH.fullmatch(path):
            raise OverlayError(f"{what} {path!r} cannot be used in a unit file; use an absolute path without blanks")
    if not _PLAIN_PATH.fullmatch(f"/{dropin.agent_unit}"):
        raise OverlayError(
            f"agent_unit {dropin.agent_unit!r} is not the name of a systemd unit, such as overlayd.service"
        )
    if not _KEY.fullmatch(dropin.key):
        raise OverlayError(f"key {dropin.key!r} is not the name of an environment variable, such as DOCKER_OPTS")
    if dropin.mode == "individual":
        raise OverlayError("mode individual cannot be used with target=dropin; use combined or both")


def render_dropin(dropin: DropIn, start: DaemonStart) -> str:
    """Return the drop-in's text: the unit's own command with the overlay's options appended."""
    words = [*start.command.replace(f"${{{dropin.key}}}", f"${dropin.key}").split(" "), *dropin.more]
    if f"${dropin.key}" not in words:
        words.append(f"${dropin.key}")
    return f"""\
# Ansible managed (clusternet.overlay.docker_opts): Docker's bridge is this host's part of the overlay network.
[Unit]
Wants={dropin.agent_unit}
After={dropin.agent_unit}
# dockerd does not start without the subnet file; systemd retries until the agent has written it.
StartLimitIntervalSec=0

[Service]
RestartSec=2
# The options are written at each start: /run is empty after a boot, and the subnet may have changed.
# The old file is removed first, so that the second command sees only the value of {dropin.key} from elsewhere.
EnvironmentFile=-{dropin.options_file}
ExecStartPre=/bin/rm -f {dropin.options_file}
ExecStartPre=/bin/sh -efc '{_quoted(options_script(dropin))}'
ExecStart=
ExecStart={" ".join(words)}
"""


def options_script(dropin: DropIn) -> list[str]:
    """Return the parts of a POSIX shell line, without single quotes, that writes the options file."""
    lines = option_lines(_script_flags(dropin), dropin.mode, dropin.key, f"${dropin.key}")
    source = dropin.subnet_file
    split = split_script(dropin.networks, source) if dropin.networks is not None else []
    return [
        f"[ -r {source} ] || {{ echo {source} is missing: check {dropin.agent_unit} >&2; exit 1; }};",
        f". {source};",
        f"case $FLANNEL_IPMASQ in true) {_INVERSE}=false;; false) {_INVERSE}=true;;",
        f"*) echo {source}: FLANNEL_IPMASQ is neither true nor false >&2; exit 1;; esac;",
        *split,
        "{",
        *(f"echo {line};".replace('"', r"\"") for line in lines),
        f"}} > {dropin.options_file}",
    ]


def _script_flags(dropin: DropIn) -> dict[str, str]:
    """Return the text of each flag, with the variables of the script."""
    flags = {"bip": "--bip=$FLANNEL_SUBNET", "ip-masq": f"--ip-masq=${_INVERSE}", "mtu": "--mtu=$FLANNEL_MTU"}
    if dropin.networks is not None:
        flags |= {"bip": "--bip=$bip", POOLS: "${pools# }"}
        if dropin.network_options:
            flags[NETWORK_OPTIONS] = flag_text(NETWORK_OPTIONS, mtu_default("$FLANNEL_MTU"))
    return {flag: flags[flag] for flag in OPTIONS if flag in flags and (dropin.ip_masq or flag != "ip-masq")}


def _quoted(parts: Sequence[str]) -> str:
    """Return the text escaped for single quotes in a unit file, one line for each part (systemd.service(5))."""
    return " \\\n    ".join(part.replace("\\", "\\\\").replace("$", "$$").replace("%", "%%") for part in parts)


def _whole_lines(text: str) -> list[str]:
    """Return the lines as systemd reads them: continued lines joined by a blank, without comments in between."""
    lines: list[str] = []
    held: list[str] = []
    for line in text.splitlines():
        comment = line.lstrip().startswith(("#", ";"))
        if held and comment:
            continue
        held.append(line.strip())
        if line.endswith("\\") and not comment:
            held[-1] = held[-1][:-1].strip()
            continue
        lines.append(" ".join(held))
        held = []
    return [*lines, " ".join(held)]
