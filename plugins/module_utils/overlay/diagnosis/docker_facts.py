# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts about Docker on this host: its unit, the running dockerd, its bridge, and its containers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..kernel.netlink.interfaces import addresses, link
from ..kernel.netlink.rtnetlink import Netlink, NetlinkError
from ..model.addresses import Subnet, format_ipv4
from ..model.errors import OverlayError
from .agent_service import read_services
from .command import output
from .dockerd import (
    BRIDGE,
    DIRECT_ROUTING,
    MASQUERADE_OPTION,
    OPTIONS,
    Bridge,
    docker_version,
    options_of,
    read_flags,
    running_division,
)
from .facts import Docker, Facts
from .user_networks import MTU_OPTION, SWARM_BRIDGE, UserNetwork, parse_network

DAEMON_FILE = Path("/etc/docker/daemon.json")
DROP_IN = Path(
    "/etc/systemd/system/docker.service.d/zz-overlay.conf"
)  # of the role docker: passes all OPTIONS as flags
DEFAULT = "bridge"  # Docker's name of the network of docker0


def gather_docker(facts: Facts) -> None:
    """Add the state of Docker, if the host has it; without an answer of dockerd only its bridge is known."""
    unit = facts.setup.docker_unit
    try:
        service = read_services([unit])[0]
        state = service.state if service.is_installed else ""
    except OverlayError:
        state = ""
    flags = _flags(unit) if state else None
    in_file = _file_options()
    wanted = ""
    if facts.env is not None:
        division = running_division(facts.env, flags or {}, in_file)
        wanted = options_of(facts.env, facts.setup.docker_masq, division)["bip"]
    address = _bridge_address(facts.setup.bridge, wanted)
    if not state and address is None:
        return
    bridge = Bridge(address, None, None)
    strangers: tuple[str, ...] = ()
    known = _networks() if flags is not None else []
    default = next((one for one in known if one["Name"] == DEFAULT), None)
    if default is not None and facts.setup.bridge == BRIDGE:
        bridge, strangers = _default_network(default, address, facts.env.subnet if facts.env is not None else None)
    facts.docker = Docker(
        state,
        bridge,
        flags,
        _version() if flags is not None else None,
        _is_ordered(unit) if state and facts.agent is not None else None,
        _set_twice(flags, in_file),
        strangers,
        in_file,
        _user_networks(known),
        {one["Name"]: len(one.get("Containers") or {}) for one in known},
    )


def container_names(unit: str, own: Subnet | None) -> list[str]:
    """Return the names of the containers on Docker's default bridge, and on user-defined networks in this subnet."""
    known = _networks() if _flags(unit) is not None else []
    user = {one.name for one in _user_networks(known) if one.subnet and own and own.covers(one.subnet)}
    found = [one.get("Containers") or {} for one in known if one["Name"] in {DEFAULT, *user}]
    return sorted(container.get("Name", "") for each in found for container in each.values())


def _networks() -> list[dict[str, Any]]:
    """Return Docker's bridge networks as docker network inspect shows them; [] if that fails."""
    identifiers = output("docker", "network", "ls", "--quiet", "--filter", "driver=bridge").split()
    try:
        shown = json.loads(output("docker", "network", "inspect", *identifiers)) if identifiers else []
        return [one for one in shown if one["Name"] and isinstance(one.get("Containers") or {}, dict)]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


def _user_networks(known: list[dict[str, Any]]) -> tuple[UserNetwork, ...]:
    try:
        return tuple(sorted(parse_network(one) for one in known if one["Name"] not in (DEFAULT, SWARM_BRIDGE)))
    except (ValueError, LookupError, TypeError):
        return ()


def _bridge_address(name: str, wanted: str) -> str | None:
    """Return the wanted address if the bridge has it, else its first one; "" if it has none, None without a bridge."""
    netlink = Netlink()
    try:
        found = [f"{format_ipv4(one.address)}/{one.length}" for one in addresses(netlink, link(netlink, name).ifindex)]
    except NetlinkError:
        return None
    finally:
        netlink.close()
    return wanted if wanted in found else (found or [""])[0]


def _flags(unit: str) -> dict[str, str] | None:
    """Return the flags of the running dockerd, None if it does not run."""
    pid = output("systemctl", "show", "--property=MainPID", "--value", unit).strip()
    if pid in ("", "0"):
        return None
    try:
        return read_flags(Path("/proc", pid, "cmdline").read_bytes().decode(errors="replace").split("\0"))
    except OSError:
        return None


def _default_network(known: dict[str, Any], address: str | None, own: Subnet | None) -> tuple[Bridge, tuple[str, ...]]:
    """Return the bridge with what Docker knows of it, and the containers whose address is not in the subnet."""
    options, containers = known.get("Options") or {}, known.get("Containers") or {}
    mtu, masquerade = options.get(MTU_OPTION, ""), options.get(MASQUERADE_OPTION)
    bridge = Bridge(address, int(mtu) if mtu.isdigit() else None, None if masquerade is None else masquerade == "true")
    placed = {one.get("Name", ""): one.get("IPv4Address", "") for one in containers.values()}
    outside = tuple(f"{name} ({place})" for name, place in placed.items() if own and not _is_in(place, own))
    return bridge, outside


def _is_in(place: str, own: Subnet) -> bool:
    try:
        return own.covers(Subnet.parse(f"{place.partition('/')[0]}/32"))
    except ValueError:
        return True


def _version() -> tuple[int, int] | None:
    try:
        return docker_version(output("dockerd", "--version"))
    except OverlayError:
        return None


def _is_ordered(unit: str) -> bool | None:
    """Return whether systemd starts Docker after the agent."""
    shown = output("systemctl", "show", "--property=After", "--value", unit).split()
    return bool({"overlayd.service", "flanneld.service"} & set(shown)) if shown else None


def _file_options() -> dict[str, object]:
    """Return the overlay's options in daemon.json."""
    try:
        content = json.loads(DAEMON_FILE.read_text(encoding="utf-8"))
        return {key: content[key] for key in (*OPTIONS, DIRECT_ROUTING) if key in content}
    except (OSError, ValueError, TypeError):
        return {}


def _set_twice(flags: Mapping[str, str] | None, in_file: Mapping[str, object]) -> tuple[str, ...]:
    """Return the options that are set by flags and also in daemon.json: dockerd does not start with both."""
    given = flags if flags is not None else OPTIONS if DROP_IN.exists() else ()
    return tuple(key for key in in_file if key in given)
