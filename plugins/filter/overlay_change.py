# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter overlay_change: the sentence that describes the effects of a change of a network in use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any


def overlay_change(
    change: Mapping[str, Any],
    hosts: Iterable[Mapping[str, Any]],
    docker_restart: str = "auto",
    prefix: str = "",
    serial: Sequence[str] | None = None,
) -> str:
    """Return the effects of a change of the network config on hosts and containers; see the documentation."""
    names = {address: host["name"] for host in hosts for address in host["addresses"]}

    def shown(addresses: Sequence[str]) -> str:
        return ", ".join(dict.fromkeys(names.get(address, address) for address in addresses))

    settings = [f"{prefix}{option} {before} -> {after}" for option, before, after in change["settings"]]
    effects = [f"the agents of {shown(change['hosts'])} use it at once, and a few packets can be lost"]
    if change["moved"]:
        effects.append(_moved(shown(change["moved"]), docker_restart, serial))
    if change["new_mtu"]:
        effects.append(_new_mtu(shown(change["new_mtu"]), docker_restart, serial))
    effects += change["losses"]
    if not change["moved"] and not change["new_mtu"]:
        effects.append("containers keep their addresses and their MTU, and Docker does not restart")
    return f"{', '.join(settings) or 'the network config'}: this changes a network in use: {'; '.join(effects)}"


def _moved(hosts: str, docker_restart: str, serial: Sequence[str] | None) -> str:
    felt = (
        f"{hosts} lease another subnet, so their running containers lose their addresses and all connectivity until "
        f"Docker restarts"
    )
    if docker_restart == "never":
        return f"{felt}; with docker_restart=never you must restart it yourself"
    return f"{felt}; Docker restarts on these hosts, {_batches(serial)}, also if containers run"


def _new_mtu(hosts: str, docker_restart: str, serial: Sequence[str] | None) -> str:
    felt = f"the MTU changes on {hosts}, and running containers keep addresses and old MTU until Docker restarts"
    if docker_restart == "needed":
        return f"{felt}; Docker restarts on these hosts, {_batches(serial)}, also if containers run"
    if docker_restart == "auto":
        return f"{felt}; with docker_restart=auto it restarts where no container runs, and stays pending elsewhere"
    return f"{felt}; with docker_restart={docker_restart} it does not restart on any host"


def _batches(serial: Sequence[str] | None) -> str:
    if serial is None or list(serial) == ["1"]:
        return "one host at a time (overlay_serial)"
    return f"in batches of overlay_serial ({', '.join(serial)})"


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"overlay_change": overlay_change}
