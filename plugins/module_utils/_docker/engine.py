# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state of this host's Docker engine, read from systemd, /proc, the docker CLI and the bridge's device."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..overlay.diagnosis.dockerd import BRIDGE, MASQUERADE_OPTION, Bridge, docker_version, read_flags
from ..overlay.diagnosis.user_networks import MTU_OPTION, SWARM_BRIDGE, UserNetwork, parse_network
from ..overlay.model.errors import OverlayError
from .unit import (
    DaemonStart,
    UnitFile,
    parse_environment_file,
    parse_environment_line,
    parse_unit,
)

VALIDATE_SINCE = (23, 0)  # dockerd --validate


class Engine:
    """The engine that a systemd unit runs; only ``reload_units`` changes something."""

    def __init__(self, module: AnsibleModule, unit: str) -> None:
        self._module = module
        self.unit = unit

    def unit_files(self) -> list[UnitFile]:
        """Return the unit's files; raise OverlayError if systemd has no such unit."""
        files = parse_unit(self._answer("systemctl", "cat", "--no-pager", self.unit))
        if not files:
            raise OverlayError(f"systemd has no unit {self.unit}; install Docker first, or set unit to the right name")
        return files

    def reload_units(self) -> None:
        """Make systemd read its unit files again."""
        self._module.run_command(["systemctl", "daemon-reload"], check_rc=True)

    def version(self, program: str) -> tuple[int, int]:
        """Return the major and minor version of a dockerd."""
        code, text, errors = self._module.run_command([program, "--version"])
        if code:
            raise OverlayError(f"{program} --version failed: {errors.strip() or text.strip()}; reinstall Docker")
        return docker_version(text)

    def validate(self, program: str, daemon_file: str, text: str) -> None:
        """Raise OverlayError if dockerd rejects a daemon.json with this text."""
        draft = Path(self._module.tmpdir) / "daemon.json"
        draft.write_text(text, encoding="utf-8")
        code, answer, errors = self._module.run_command([program, "--validate", f"--config-file={draft}"])
        if code:
            raise OverlayError(
                f"dockerd rejects the new content of {daemon_file}: {errors.strip() or answer.strip()};"
                f" correct the other keys of this file"
            )

    def running_flags(self) -> dict[str, str] | None:
        """Return the flags of the running dockerd for the bridge, None if it does not run."""
        pid = self._answer("systemctl", "show", "--property=MainPID", "--value", self.unit).strip()
        if pid in ("", "0"):
            return None
        try:
            words = Path("/proc", pid, "cmdline").read_bytes().decode(errors="replace").split("\0")
        except FileNotFoundError:
            return None
        return read_flags(words)

    def bridge(self) -> Bridge:
        """Return the state of the default bridge; values that cannot be read are None."""
        options = self._network_options()
        mtu, masquerade = options.get(MTU_OPTION, ""), options.get(MASQUERADE_OPTION)
        return Bridge(
            self.bridge_address(),
            int(mtu) if mtu.isdigit() else None,
            None if masquerade is None else masquerade == "true",
        )

    def user_networks(self) -> list[UserNetwork]:
        """Return the user-defined bridge networks, [] if dockerd does not run: the docker CLI would start it."""
        if self.running_flags() is None:
            return []
        custom = ("--filter", "driver=bridge", "--filter", "type=custom")
        names = self._answer("docker", "network", "ls", "--quiet", *custom).split()
        shown = json.loads(self._answer("docker", "network", "inspect", *names) or "[]") if names else []
        return sorted(parse_network(network) for network in shown if network["Name"] != SWARM_BRIDGE)

    def bridge_address(self) -> str | None:
        """Return the address of the default bridge with its length, None if it has none."""
        answer = self._answer("ip", "-4", "-json", "address", "show", "dev", BRIDGE)
        found = [address for link in json.loads(answer or "[]") for address in link.get("addr_info", [])]
        return f"{found[0]['local']}/{found[0]['prefixlen']}" if found else None

    def _network_options(self) -> dict[str, str]:
        """Return the options of Docker's default network, {} if dockerd does not run: the docker CLI would start it."""
        if self.running_flags() is None:
            return {}
        answer = self._answer("docker", "network", "inspect", "--format", "{{json .Options}}", "bridge")
        return json.loads(answer or "{}") or {}

    def _answer(self, program: str, *words: str) -> str:
        """Return the output of a program, "" if it fails or is not installed."""
        path = self._module.get_bin_path(program)
        code, text = self._module.run_command([path, *words])[:2] if path else (127, "")
        return text if code == 0 else ""


def environment(start: DaemonStart, without: str) -> dict[str, tuple[str, str]]:
    """Return the unit's environment variables, each with value and file, except those in the file ``without``."""
    found: dict[str, tuple[str, str]] = {}
    for source, line in start.environment:
        found |= _with_source(parse_environment_line(line), source)
    for named in start.environment_files:
        path = Path(named.lstrip("-"))
        if str(path) != without and path.is_file():
            found |= _with_source(parse_environment_file(path.read_text(encoding="utf-8", errors="replace")), str(path))
    return found


def _with_source(variables: Mapping[str, str], source: str) -> dict[str, tuple[str, str]]:
    return {name: (value, source) for name, value in variables.items()}
