# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayctl status: this host in a few lines, and a line for each peer."""

from __future__ import annotations

import json
from typing import Any

from ..agent.options import VERSION
from ..diagnosis.checks import diagnose
from ..diagnosis.docker_facts import DEFAULT
from ..diagnosis.facts import Facts, Reach
from ..diagnosis.gather import gather
from ..diagnosis.probe import leases_of
from ..diagnosis.setup import Setup
from ..model.addresses import format_ipv4
from . import text

_INDENT = 10


def status(setup: Setup, as_json: bool) -> int:
    """Print the state; return 1 if the host has a problem, else 0."""
    state = state_of(gather(setup))
    text.show(json.dumps(state, indent=2) if as_json else "\n".join(_lines(state)))
    return 1 if state["problems"] else 0


def state_of(facts: Facts) -> dict[str, Any]:
    """Return the state as JSON values; None for what is unknown."""
    view, env, agent = facts.view, facts.env, facts.agent
    device = view.backend.device if view is not None else None
    answering = [one.endpoint for one in facts.members if one.problem is None]
    return {
        "subnet": str(env.subnet) if env else None,
        "network": str(env.network) if env else None,
        "mtu": env.mtu if env else None,
        "public_ip": format_ipv4(facts.public_ip) if facts.public_ip is not None else None,
        "interface": facts.underlay.name if facts.underlay else None,
        "backend": view.backend.type if view else None,
        "device": device.name if device is not None else None,
        "lease": {
            "held": facts.own_item is not None if facts.network is not None else None,
            "reservation": facts.own_item.reservation if facts.own_item else None,
            "seconds_left": facts.ttl,
            "seconds_to_renewal": max(0, int(facts.ttl - facts.setup.margin)) if facts.ttl is not None else None,
        },
        "etcd": {"api": facts.api or None, "answering": answering, "endpoints": len(facts.members)},
        "agent": {
            "unit": agent.unit if agent else None,
            "state": agent.state if agent else None,
            "version": VERSION if facts.runs_overlayd else None,
            "active_seconds": agent.active_seconds if agent else None,
            "status": agent.status if agent else None,
        },
        "docker": _docker(facts),
        "source": facts.source,
        "memory_age": int(facts.remembered) if facts.remembered is not None else None,
        "peers": _peers(facts),
        "problems": [one.name for one in diagnose(facts) if one.is_problem],
    }


def _docker(facts: Facts) -> dict[str, Any] | None:
    """Return the state of Docker, and its bridge networks; "reached": containers of other hosts reach this one's."""
    docker, own = facts.docker, facts.env.subnet if facts.env is not None else None
    if docker is None:
        return None
    networks = [
        {
            "name": one.name,
            "subnet": str(one.subnet) if one.subnet else None,
            "containers": docker.containers.get(one.name, 0),
            "reached": bool(one.subnet and own and own.covers(one.subnet) and not one.internal),
        }
        for one in docker.networks
    ]
    bridge = {
        "name": facts.setup.bridge,
        "subnet": docker.bridge.address or None,
        "containers": docker.containers.get(DEFAULT, 0),
        "reached": bool(own and (docker.bridge.address or "").partition("/")[0] == own.host(1)),
    }
    return {"state": docker.state or None, "networks": [bridge, *networks]}


def _peers(facts: Facts) -> list[dict[str, Any]]:
    if facts.view is None:
        return []
    reached = {one.subnet: one for one in facts.reach}
    programmed, rows = facts.view.programmed, facts.view.table.rows
    return [
        {
            "public_ip": format_ipv4(lease.public_ip),
            "subnet": str(lease.subnet),
            "backend": lease.backend_type or None,
            "programmed": lease.subnet in programmed,
            "usable": lease.subnet in rows,
            **_answer(reached.get(lease.subnet)),
        }
        for lease in sorted(leases_of(facts.view), key=lambda one: one.subnet)
        if lease.subnet != facts.view.own
    ]


def _answer(reach: Reach | None) -> dict[str, Any]:
    if reach is None:
        return {"answers": None, "delay_ms": None, "full_size_passes": None}
    delay = None if reach.delay is None else round(reach.delay * 1000, 2)
    return {"answers": reach.overlay, "delay_ms": delay, "full_size_passes": reach.full}


def _lines(state: dict[str, Any]) -> list[str]:
    etcd, agent = state["etcd"], state["agent"]
    where = f"{state['public_ip'] or 'unknown'} on {state['interface'] or 'no interface'}"
    device = f", device {state['device']}" if state["device"] else ""
    problems = ", ".join(state["problems"]) + " (overlayctl doctor)" if state["problems"] else "none"
    fields = {
        "host": f"subnet {state['subnet'] or 'none'}, public IP {where}",
        "backend": f"{state['backend'] or 'unknown'}{device}, MTU {state['mtu'] or 'unknown'}",
        "lease": _lease_words(state["lease"]),
        "etcd": f"{', '.join(etcd['answering'])} (API {etcd['api'] or 'unknown'})"
        if etcd["answering"]
        else "no endpoint answers",
        "agent": _agent_words(agent),
        **({"docker": _docker_words(state["docker"])} if state["docker"] else {}),
        "problems": problems,
        **({"note": text.memory_words(state["memory_age"])} if state["memory_age"] is not None else {}),
    }
    lines = [text.wrapped(name, value, _INDENT) for name, value in fields.items()]
    if not state["peers"]:
        return [*lines, "", "no peers are known"]
    header = ("public IP", "subnet", "backend", "state")
    rows = [(one["public_ip"], one["subnet"], one["backend"] or "-", _peer_words(one)) for one in state["peers"]]
    return [*lines, "", *text.table(header, rows)]


def _lease_words(lease: dict[str, Any]) -> str:
    if lease["held"] is None:
        return "unknown, as etcd cannot be read"
    if not lease["held"]:
        return "none in etcd"
    if lease["reservation"]:
        return "reserved, never expires"
    left = lease["seconds_left"]
    if left is None:
        return "held"
    return f"expires in {text.duration(left)}, is renewed in {text.duration(lease['seconds_to_renewal'])}"


def _agent_words(agent: dict[str, Any]) -> str:
    if agent["state"] is None:
        return "unknown, as systemd does not run it"
    version = f" {agent['version']}" if agent["version"] else ""
    since = f" for {text.duration(agent['active_seconds'])}" if agent["state"] == "active" else ""
    shown = f": {agent['status']}" if agent["status"] else ""
    return f"{agent['unit']}{version}, {agent['state']}{since}{shown}"


def _docker_words(docker: dict[str, Any]) -> str:
    """Return the networks with containers, and docker0."""
    shown = [
        f"{one['name']} {one['subnet'] or 'without an address'}, {_counted(one['containers'])}"
        + ("" if one["reached"] else " that other hosts cannot reach")
        for number, one in enumerate(docker["networks"])
        if number == 0 or one["containers"]
    ]
    return f"{docker['state'] or 'unknown'}: " + "; ".join(shown)


def _counted(containers: int) -> str:
    return f"{containers} container" + ("" if containers == 1 else "s")


def _peer_words(peer: dict[str, Any]) -> str:
    if not peer["usable"]:
        return "lease is not used (overlayctl leases)"
    if not peer["programmed"]:
        return "rows are missing (overlayctl plan)"
    if peer["answers"] is None:
        return "programmed"
    if not peer["answers"]:
        return "programmed, does not answer"
    return f"answers in {peer['delay_ms']} ms" + ("" if peer["full_size_passes"] else ", full-sized packets are lost")
