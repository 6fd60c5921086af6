# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of Docker. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ...model.errors import OverlayError
from ..dockerd import (
    DIRECT_ROUTING,
    DIRECT_ROUTING_SINCE,
    bridge_differences,
    flag_differences,
    options_of,
    running_division,
)
from ..facts import Facts
from ..finding import Finding, error, note, warning
from ..user_networks import network_notes, network_problems
from .agent import NOT_RUNNING

RESTART = "run clusternet.overlay.site with -e docker_restart=needed when the containers of this host may restart"
FORMER = ("docker-stopped", "docker-options", "subnet-outside-config", "lease-taken", "mtu")
_DROPS_SINCE = (28, 0)


def options_twice(facts: Facts) -> Iterator[Finding]:
    """No option is set both by a flag and in daemon.json."""
    if facts.docker is not None and facts.docker.twice:
        names = ", ".join(facts.docker.twice)
        yield error(
            "docker-options-twice",
            f"/etc/docker/daemon.json sets {names}, which dockerd also gets as flags",
            "dockerd does not start with an option in both places",
            f"remove {names} from /etc/docker/daemon.json; systemctl restart docker",
        )


def stopped(facts: Facts) -> Iterator[Finding]:
    """Docker runs."""
    docker, unit = facts.docker, facts.setup.docker_unit
    if docker is not None and docker.state not in ("", "active", "reloading"):
        yield error(
            "docker-stopped",
            f"{unit} is {docker.state}",
            "somebody stopped it, or it failed at its start",
            f"systemctl start {unit}; if that fails: journalctl -u {unit}",
            ("docker-options-twice", *NOT_RUNNING),
        )


def options(facts: Facts) -> Iterator[Finding]:
    """dockerd runs with the options of the subnet file, by flags or daemon.json."""
    docker = facts.docker
    if docker is None or docker.flags is None or facts.env is None or docker.bridge.address is None:
        return
    division = running_division(facts.env, docker.flags or {}, docker.in_file)
    wanted = options_of(facts.env, facts.setup.docker_masq, division)
    differences = flag_differences(wanted, {**wanted, **{k: v for k, v in docker.flags.items() if k in wanted}})
    if differences:
        yield error(
            "docker-options",
            f"Docker uses another subnet or MTU than the overlay: {'; '.join(differences)}",
            "Docker was not restarted after overlayd got its subnet",
            RESTART,
            (*NOT_RUNNING, "lease-taken"),
        )


def bridge(facts: Facts) -> Iterator[Finding]:
    """docker0 has the address and the MTU of the subnet file."""
    docker = facts.docker
    if docker is None or facts.env is None or docker.bridge.address is None:
        return
    division = running_division(facts.env, docker.flags or {}, docker.in_file)
    wanted = options_of(facts.env, facts.setup.docker_masq, division)
    name = facts.setup.bridge
    reasons = bridge_differences(wanted, docker.bridge, name)
    if docker.bridge.address == "":
        reasons = [f"{name} has no address, not {wanted['bip']}"]
    given = {**docker.in_file, **(docker.flags or {})}
    fits = docker.flags is not None and all(str(given.get(flag)) == wanted[flag] for flag in ("bip", "mtu"))
    if reasons:
        yield error(
            "docker-bridge",
            "; ".join(reasons),
            f"somebody changed {name}, or Docker kept a former bridge"
            if fits
            else "Docker was not restarted after overlayd got its subnet, or it kept a former bridge",
            f"systemctl restart {facts.setup.docker_unit}; if its containers must not restart now, do it later"
            if fits
            else RESTART,
            FORMER,
        )


def direct_routing(facts: Facts) -> Iterator[Finding]:
    """Docker 28 and later accept packets that are routed to a container."""
    docker = facts.docker
    if docker is None or docker.flags is None or docker.version is None:
        return
    if (
        docker.version >= DIRECT_ROUTING_SINCE
        and docker.flags.get(DIRECT_ROUTING) != "true"
        and not docker.in_file.get(DIRECT_ROUTING)
    ):
        yield error(
            "docker-direct-routing",
            f"Docker {docker.version[0]}.{docker.version[1]} runs without --{DIRECT_ROUTING}: it drops packets that "
            f"other hosts send to its containers",
            "the option is missing in the options of dockerd",
            RESTART,
            ("docker-options", "docker-bridge"),
        )
    elif _DROPS_SINCE <= docker.version < DIRECT_ROUTING_SINCE:
        yield error(
            "docker-direct-routing",
            f"Docker {docker.version[0]}.{docker.version[1]} drops packets that other hosts send to its containers",
            "versions 28.0 and 28.1 have no option against it",
            "upgrade Docker to 28.2 or later",
        )


def old_containers(facts: Facts) -> Iterator[Finding]:
    """No container has an address outside of this host's subnet."""
    if facts.docker is not None and facts.docker.strangers:
        yield error(
            "docker-old-containers",
            f"containers on docker0 have addresses outside of this host's subnet: {', '.join(facts.docker.strangers)}",
            "Docker kept them running over a restart (live-restore), so they kept the addresses of the former bridge",
            "docker restart " + " ".join(name.partition(" ")[0] for name in facts.docker.strangers),
            ("docker-bridge", "docker-options"),
        )


def networks(facts: Facts) -> Iterator[Finding]:
    """No user-defined network has addresses of another host; with a divided subnet, each is part of the overlay."""
    docker, env = facts.docker, facts.env
    if docker is None or env is None:
        return
    for text in network_problems(docker.networks, env):
        yield error(
            "docker-network",
            text.partition("; ")[0],
            "the network was created before this host got its subnet, or with a range that somebody chose",
            text.partition("; ")[2],
            (*FORMER, "docker-bridge"),
        )
    division = running_division(env, docker.flags or {}, docker.in_file)
    try:
        notes = network_notes(docker.networks, division, env) if division is not None else []
    except OverlayError:
        return  # the division leaves no room for networks: nothing can be said about them
    for text in notes:
        yield note(
            "docker-network-use",
            text.partition("; ")[0],
            "the network was created before docker_user_networks was set, or with other options",
            text.partition("; ")[2] or text.rpartition(": ")[2],
        )


def order(facts: Facts) -> Iterator[Finding]:
    """systemd starts Docker after the agent."""
    if facts.docker is not None and facts.docker.ordered is False:
        yield warning(
            "docker-order",
            f"systemd may start {facts.setup.docker_unit} before the agent",
            "the unit of the agent has no Before=docker.service, so Docker may use a former subnet after a boot",
            "run clusternet.overlay.site, which writes the unit again",
            ("agent-missing",),
        )
