# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work of the module overlay_info: the state of one host's agent, subnet, kernel and Docker."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

from .._docker.engine import Engine
from ..overlay.diagnosis.agent_service import (
    AGENT_UNITS,
    Service,
    choose_agent,
    read_services,
    service_problems,
    watch_service,
)
from ..overlay.diagnosis.certificate import read_certificates
from ..overlay.diagnosis.dockerd import BRIDGE, Bridge, bridge_differences, options_of
from ..overlay.diagnosis.endpoints import read_members
from ..overlay.diagnosis.expiry import expiring_soon
from ..overlay.diagnosis.host_report import inspect_host, read_env
from ..overlay.diagnosis.user_networks import UserNetworks, network_notes, network_problems
from ..overlay.model.errors import OverlayError
from .runner import connection_of, open_store

LOOK_SECONDS = 0.5  # between two checks while it waits


class DockerReport(NamedTuple):
    """The state of Docker's unit ("" without one), and the reasons for a restart: the bridge's wrong settings."""

    state: str
    restart_reasons: list[str]

    @property
    def restart_problems(self) -> list[str]:
        """The problems that only a restart of Docker solves."""
        if not self.restart_reasons:
            return []
        return [
            f"a restart of Docker is pending ({'; '.join(self.restart_reasons)}); run clusternet.overlay.site with "
            f"-e docker_restart=needed when the containers of this host may restart"
        ]


class NetworksReport(NamedTuple):
    """The user-defined networks, what is wrong with them, and how many more the host's subnet has room for."""

    networks: list[dict[str, Any]]
    problems: list[str]
    notes: list[str]
    free: int


def look(module: AnsibleModule) -> dict[str, Any]:
    """Return the state of the host; wait up to ``wait`` seconds for problems to end, except for pending restarts."""
    end = time.monotonic() + module.params["wait"]
    while True:
        found = _look_once(module)
        if set(found["problems"]) <= set(found["restart_problems"]) or time.monotonic() >= end:
            return {**found, **_etcd(module)}
        time.sleep(LOOK_SECONDS)


def _look_once(module: AnsibleModule) -> dict[str, Any]:
    """Return the state of the host; if a part cannot be read, this is a problem in the result."""
    params = module.params
    service, agent_problems = _agent(params["agent_unit"])
    report = inspect_host(
        lambda: open_store(module), params["subnet_file"], params["bridge"], params["renew_margin"] * 60.0
    )
    docker = _docker(module, report.bridge_address)
    networks = _user_networks(module)
    # A host without an agent has no subnet file: report only the cause.
    is_cause = service is not None and not service.runs and not Path(params["subnet_file"]).exists()
    stopped = [f"{params['docker_unit']} is {docker.state}; systemctl start {params['docker_unit']}"]
    problems = [
        *agent_problems,
        *(stopped if docker.state not in ("", "active", "reloading") else []),
        *docker.restart_problems,
        *networks.problems,
        *([] if is_cause else report.problems),
    ]
    return {
        **asdict(report),
        "service": service._asdict() if service else {},
        "docker_state": docker.state,
        "restart_required": bool(docker.restart_reasons),
        "restart_reasons": docker.restart_reasons,
        "restart_problems": docker.restart_problems,
        "user_networks": networks.networks,
        "user_networks_free": networks.free,
        "network_notes": networks.notes,
        "problems": list(dict.fromkeys(problems)),
    }


def _etcd(module: AnsibleModule) -> dict[str, list[str]]:
    """Return a text for each etcd endpoint that does not answer while another one does, and for certificates."""
    try:
        connection = connection_of(module)[0]
        members = read_members(connection)
    except OverlayError:
        return {"etcd_problems": [], "certificate_warnings": []}  # a problem of the host
    silent = [f"{each.endpoint}: {each.problem}" for each in members if each.problem is not None]
    soon = expiring_soon(read_certificates(connection), members, time.time())
    return {
        "etcd_problems": silent if len(silent) < len(members) else [],
        "certificate_warnings": [f"{each.text}; {each.cause}; {each.cure}" for each in soon],
    }


def _agent(unit: str) -> tuple[Service | None, list[str]]:
    """Return the agent's unit and its problems; the unit is None for ``none`` and if systemd cannot be queried."""
    if unit == "none":
        return None, []
    try:
        services = read_services(AGENT_UNITS if unit == "auto" else [unit])
        chosen = watch_service(choose_agent(services))
    except OverlayError as error:
        return None, [f"the state of the overlay agent is unknown: {error}"]
    return chosen, service_problems(chosen, services)


def _docker(module: AnsibleModule, bridge_address: str) -> DockerReport:
    """Return how Docker's bridge differs from the subnet file; no reasons if the file or the bridge is missing."""
    params = module.params
    try:
        service = read_services([params["docker_unit"]])[0]
        state = service.state if service.is_installed else ""
    except OverlayError:
        state = ""
    try:
        lengths = UserNetworks.of(params["user_networks"])
        wanted = options_of(read_env(params["subnet_file"]), params["ip_masq"], lengths)
    except OverlayError:
        return DockerReport(state, [])
    found = bridge_address.split(", ")
    address = wanted["bip"] if wanted["bip"] in found else found[0] or None
    mtu, ip_masq = Engine(module, params["docker_unit"]).bridge()[1:] if params["bridge"] == BRIDGE else (None, None)
    reasons = bridge_differences(wanted, Bridge(address, mtu, ip_masq), params["bridge"])
    return DockerReport(state, reasons)


def _user_networks(module: AnsibleModule) -> NetworksReport:
    """Return the user-defined networks; none if they are not part of the overlay, or without a subnet file."""
    try:
        lengths = UserNetworks.of(module.params["user_networks"])
        if lengths is None:
            return NetworksReport([], [], [], 0)
        env = read_env(module.params["subnet_file"])
        networks = Engine(module, module.params["docker_unit"]).user_networks()
        notes, free = network_notes(networks, lengths, env), lengths.free(env.subnet, networks)
    except OverlayError as error:
        return NetworksReport([], [str(error)], [], 0)
    return NetworksReport([each.as_result() for each in networks], network_problems(networks, env), notes, free)
