# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work of the module docker_opts: writes the subnet into Docker's files, and finds out whether Docker must restart."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

from .._docker.daemon_json import (
    foreign_keys,
    key_of,
    managed_part,
    parse_daemon_json,
    render_daemon_json,
    with_options,
    without_options,
)
from .._docker.engine import VALIDATE_SINCE, Engine, environment
from .._docker.options import check_inherited, render_options, wants_direct_routing
from .._docker.unit import (
    DaemonStart,
    DropIn,
    check_names,
    daemon_start,
    flags_elsewhere,
    parse_environment_file,
    render_dropin,
)
from ..overlay.diagnosis.dockerd import (
    BRIDGE,
    DIRECT_ROUTING,
    NETWORK_OPTIONS,
    NETWORK_OPTIONS_SINCE,
    OPTIONS,
    POOLS,
    Bridge,
    bridge_differences,
    flag_differences,
    options_of,
    read_flags,
)
from ..overlay.diagnosis.user_networks import UserNetworks
from ..overlay.model.addresses import Subnet
from ..overlay.model.errors import OverlayError
from ..overlay.model.subnet_env import SubnetEnv, parse_subnet_env
from .config_files import replace

Params = Mapping[str, Any]
Content = Mapping[str, Any]  # the JSON object of a daemon.json


class FileChange(NamedTuple):
    """One file: its present and its wanted text (None: no file), and both as they may be shown in a diff."""

    path: str
    before: str | None
    after: str | None
    shown: tuple[str, str]

    def diff(self) -> dict[str, str]:
        """Return the change as Ansible's diff."""
        headers = {"before_header": self.path, "after_header": self.path}
        return {**headers, "before": self.shown[0], "after": self.shown[1]}


class DockerPlan(NamedTuple):
    """The files to change, the options of the bridge, dockerd's flags after the change, and its unit's own command."""

    changes: list[FileChange]
    options: dict[str, str]
    flags: dict[str, str] | None  # None: the running flags are not checked
    command: str = ""
    former: frozenset[str] = frozenset()  # addresses of the bridge that belong to the overlay
    subnet: Subnet | None = None  # this host's subnet


class Unit(NamedTuple):
    """The unit without the overlay's drop-in: how it starts dockerd, its flags and its inherited options."""

    start: DaemonStart
    flags: dict[str, tuple[str, str]]
    inherited: str


def run(module: AnsibleModule) -> dict[str, Any]:
    """Set Docker's options as the module's parameters require; return the module's result."""
    engine = Engine(module, module.params["unit"])
    plan = _plan(module, engine)
    changes = [change for change in plan.changes if change.before != change.after]
    if not module.check_mode:
        _apply(module, engine, changes)
    running, bridge = engine.running_flags(), engine.bridge()
    found = Subnet.parse_interface(bridge.address)[0] if bridge.address else None
    reasons = _reasons(plan, running, bridge)
    if running is not None and module.params["target"] == "daemon_json":
        reasons += [f"{change.path} {'would be ' if module.check_mode else ''}changed" for change in changes]
    return {
        "changed": bool(changes),
        "diff": [change.diff() for change in changes],
        "options": plan.options,
        "unit_command": plan.command,
        "daemon_running": running is not None,
        "running_flags": running or {},
        "bridge_address": bridge.address or "",
        "bridge_outside_subnet": bool(plan.subnet and found and not plan.subnet.covers(found)),
        "restart_required": bool(reasons),
        "restart_reasons": reasons,
    }


def _plan(module: AnsibleModule, engine: Engine) -> DockerPlan:
    params = module.params
    target, present = params["target"], params["state"] == "present"
    if not present:
        return _removal(params, engine)
    env = _subnet_env(params) if module.check_mode else _await_subnet_env(params)
    networks = UserNetworks.of(params["user_networks"])
    if target == "options_file":
        options = options_of(env, params["ip_masq"], networks) if env else {}
        inherited = check_inherited(os.environ.get(params["key"], ""), params["key"])
        return DockerPlan([_options_file(params, options, inherited)], options, None)
    if env is None:
        waited = (
            f" after {params['subnet_timeout']} seconds" if params["subnet_timeout"] and not module.check_mode else ""
        )
        raise OverlayError(
            f"{params['subnet_file']} is missing{waited}: {params['agent_unit']} has not written it;"
            f" see journalctl -u {params['agent_unit']}"
        )
    unit = _unit(params, engine)
    content = parse_daemon_json(_read(params["daemon_file"]), params["daemon_file"])
    own = target == "daemon_json"
    set_elsewhere = foreign_keys(content) if own else content
    defaults = networks is not None and _sets_network_options(engine, unit, set_elsewhere)
    options = options_of(env, params["ip_masq"], networks, defaults)
    _check_room(engine, options["bip"])
    plan = _daemon_json_plan if own else _dropin_plan
    return plan(params, engine, unit, options, content)._replace(subnet=env.subnet)


def _dropin_plan(params: Params, engine: Engine, unit: Unit, options: dict[str, str], content: Content) -> DockerPlan:
    _refuse_flags(unit, options)
    for flag in (*options, "bridge"):
        key = key_of(flag)
        if key in content:
            raise OverlayError(
                f"{params['daemon_file']} has the key {key} ({content[key]!r}), and dockerd does not start if --{flag}"
                f" is set, too; remove the key, or use target=daemon_json"
            )
    more = _direct_routing(params, engine, unit, content)
    dropin = _dropin(params, tuple(f"--{flag}" for flag in more), NETWORK_OPTIONS in options)
    check_names(dropin)
    before = _read(_dropin_path(params))
    after = render_dropin(dropin, unit.start)
    changes = [
        _options_file(params, options, unit.inherited),
        FileChange(_dropin_path(params), before, after, (before or "", after)),
    ]
    return DockerPlan(changes, options, {**_values(unit.flags), **options, **more}, unit.start.command)


def _daemon_json_plan(
    params: Params, engine: Engine, unit: Unit, options: dict[str, str], content: Content
) -> DockerPlan:
    _refuse_flags(unit, options)
    if "bridge" in content:
        raise OverlayError(
            f"{params['daemon_file']} has the key bridge ({content['bridge']!r}), so Docker does not create {BRIDGE};"
            " remove the key"
        )
    if POOLS in options and POOLS in foreign_keys(content):
        raise OverlayError(
            f"{params['daemon_file']} has the key {key_of(POOLS)}, which the overlay did not set; remove the key, or do"
            f" not set user_networks"
        )
    wanted = {**options, **_direct_routing(params, engine, unit, content)}
    change = _daemon_file(params["daemon_file"], content, with_options(content, wanted))
    program = unit.start.program
    if change.before != change.after and engine.version(program) >= VALIDATE_SINCE:
        engine.validate(program, change.path, change.after or "")
    return DockerPlan([change, *_own_files_gone(params)], options, _values(unit.flags), unit.start.command)


def _removal(params: Params, engine: Engine) -> DockerPlan:
    """Return the plan that removes what the target wrote; Docker may already be uninstalled."""
    changes = [_gone(params["path"])] if params["target"] == "options_file" else _own_files_gone(params)
    former = {read_flags((value or "").split()).get("bip", "") for value in _former_options(params)}
    with suppress(OverlayError):
        env = _subnet_env(params)
        former |= {env.bip} if env else set()
    if params["target"] == "daemon_json":
        content = parse_daemon_json(_read(params["daemon_file"]), params["daemon_file"])
        former.add(str(content.get("bip", "")))
        changes = [_daemon_file(params["daemon_file"], content, without_options(content)), *changes]
    with suppress(OverlayError):
        unit = _unit(params, engine)
        return DockerPlan(changes, {}, _values(unit.flags), unit.start.command, frozenset(former - {""}))
    return DockerPlan(changes, {}, {}, former=frozenset(former - {""}))


def _reasons(plan: DockerPlan, running: dict[str, str] | None, bridge: Bridge) -> list[str]:
    """Return the reasons why dockerd must be restarted for the plan to take effect, [] if it must not."""
    reasons = []
    if running is not None:
        wanted = {**running, **plan.options} if plan.flags is None else plan.flags
        reasons += flag_differences(wanted, running)
        if plan.options and bridge.address is None:
            reasons.append(f"{BRIDGE} has no address")
    reasons += bridge_differences(plan.options, bridge)
    if bridge.address in plan.former - {plan.flags.get("bip") if plan.flags else None}:
        reasons.append(f"{BRIDGE} still has the address {bridge.address} of the overlay")
    return reasons


def _unit(params: Params, engine: Engine) -> Unit:
    start = daemon_start(engine.unit_files(), _dropin_path(params))
    values = environment(start, without=params["path"])
    inherited = values.get(params["key"], ("", ""))[0]
    used = DaemonStart(f"{start.command} ${params['key']}", *start[1:]) if params["target"] == "dropin" else start
    return Unit(start, flags_elsewhere(used, values), check_inherited(inherited, params["key"]))


def _refuse_flags(unit: Unit, options: Iterable[str]) -> None:
    for flag in (*options, "bridge"):
        if flag in unit.flags:
            value, source = unit.flags[flag]
            raise OverlayError(
                f"dockerd already has --{flag}={value} from {source}, which conflicts with the subnet; remove the flag"
                f" from {source}"
            )


def _sets_network_options(engine: Engine, unit: Unit, elsewhere: Iterable[str]) -> bool:
    """Return whether to set --default-network-opt: Docker must have it, and a value that is set elsewhere is kept."""
    if NETWORK_OPTIONS in unit.flags or {NETWORK_OPTIONS, key_of(NETWORK_OPTIONS)} & set(elsewhere):
        return False
    return engine.version(unit.start.program) >= NETWORK_OPTIONS_SINCE


def _check_room(engine: Engine, bip: str) -> None:
    """Raise OverlayError if docker0 would overlap a user-defined network: dockerd would not start any more."""
    if engine.bridge_address() == bip:
        return
    wanted = Subnet.parse_interface(bip)[0]
    taken = [each for each in engine.user_networks() if each.subnet is not None and each.subnet.overlaps(wanted)]
    if taken:
        raise OverlayError(
            f"docker0 cannot get the address {bip}: dockerd does not start if docker0 overlaps a user-defined network"
            f" ({', '.join(f'{each.name} {each.subnet}' for each in taken)}); remove these networks first"
            f" (docker compose down, or docker network rm), and create them again afterwards"
        )


def _direct_routing(params: Params, engine: Engine, unit: Unit, content: Content) -> dict[str, str]:
    wish = params["allow_direct_routing"]
    if wish == "never":
        return {}
    version = engine.version(unit.start.program)
    return {DIRECT_ROUTING: "true"} if wants_direct_routing(wish, version, {*unit.flags, *content}) else {}


def _subnet_env(params: Params) -> SubnetEnv | None:
    text = _read(params["subnet_file"])
    return None if text is None else parse_subnet_env(text, params["subnet_file"])


def _await_subnet_env(params: Params) -> SubnetEnv | None:
    """Return the values of the subnet file as soon as it exists, None if it does not within subnet_timeout."""
    end = time.monotonic() + params["subnet_timeout"]
    while not Path(params["subnet_file"]).exists() and time.monotonic() < end:
        time.sleep(0.1)
    return _subnet_env(params)


def _former_options(params: Params) -> Iterable[str]:
    return parse_environment_file(_read(params["path"]) or "").values()


def _dropin(params: Params, more: tuple[str, ...], network_options: bool) -> DropIn:
    named = {name: params[name] for name in ("subnet_file", "mode", "key", "ip_masq", "agent_unit")}
    networks = UserNetworks.of(params["user_networks"])
    return DropIn(options_file=params["path"], more=more, networks=networks, network_options=network_options, **named)


def _dropin_path(params: Params) -> str:
    return f"{params['unit_dir']}/{params['unit']}.d/{params['dropin_name']}"


def _options_file(params: Params, options: Mapping[str, str], inherited: str) -> FileChange:
    before = _read(params["path"])
    after = render_options(options, params["mode"], params["key"], inherited)
    return FileChange(params["path"], before, after, (before or "", after))


def _own_files_gone(params: Params) -> list[FileChange]:
    return [_gone(_dropin_path(params)), _gone(params["path"])]


def _gone(path: str) -> FileChange:
    before = _read(path)
    return FileChange(path, before, None, (before or "", ""))


def _daemon_file(path: str, content: Content, wanted: Content) -> FileChange:
    """Return the change of daemon.json; the file keeps its formatting if its content is already right."""
    before = _read(path)
    after = before if wanted == content else render_daemon_json(wanted)
    shown = [render_daemon_json(managed_part(part)) or "" for part in (content, wanted)]
    return FileChange(path, before, after, (shown[0], shown[1]))


def _values(flags: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    return {flag: given[0] for flag, given in flags.items() if flag in (*OPTIONS, DIRECT_ROUTING)}


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise OverlayError(f"{path} cannot be read: {error}") from None


def _apply(module: AnsibleModule, engine: Engine, changes: Iterable[FileChange]) -> None:
    for change in changes:
        file = Path(change.path)
        if change.after is None:
            file.unlink()
        else:
            file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            replace(module, file, change.after.encode())
        if file.parent.name.endswith(".d"):
            if change.after is None:
                with suppress(OSError):  # the folder has other drop-ins
                    file.parent.rmdir()
            engine.reload_units()
