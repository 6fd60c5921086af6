# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The systemd unit of the overlay agent: its state and its problems."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..agent.status import reported_trouble
from ..model.errors import OverlayError

AGENT_UNITS = ("overlayd.service", "flanneld.service")  # hosts of a mixed fleet run one of them
SUSPICIOUS_RESTARTS = 3  # number of restarts from which a unit is watched, unless it is active for SETTLED seconds
SETTLED = 5.0  # seconds that a unit must be active to count as running
WATCH, PAUSE = 10.0, 0.5  # seconds to watch a unit that may be crash-looping; seconds between two checks
_UP = ("active", "reloading", "activating", "deactivating")
_NOT_AT_BOOT = ("disabled", "enabled-runtime")
_TIMEOUT = 20.0  # seconds
_PROPERTIES = (
    "Id", "LoadState", "ActiveState", "SubState", "UnitFileState", "NRestarts", "Result", "ExecMainStatus",
    "StatusText", "ActiveEnterTimestampMonotonic",
)  # fmt: skip


class Service(NamedTuple):
    """The state of a unit in systemd; ``active_seconds`` is the time since it became active, 0 if it is not active."""

    unit: str
    load: str
    state: str
    sub_state: str
    enabled: str
    restarts: int
    result: str
    exit_status: int
    status: str
    active_seconds: float
    last_line: str = ""
    crash_looping: bool = False  # the process ends repeatedly, and systemd restarts it each time

    @property
    def is_installed(self) -> bool:
        """Whether systemd has a unit of that name."""
        return self.load != "not-found"

    @property
    def runs(self) -> bool:
        """Whether the unit is active, and ready if it notifies systemd."""
        return self.state in ("active", "reloading")


def read_services(units: Sequence[str]) -> list[Service]:
    """Return the states of the units; raise OverlayError if systemd cannot be queried."""
    shown = _output(["systemctl", "show", "--no-pager", f"--property={','.join(_PROPERTIES)}", *units])
    now = time.monotonic()
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in shown.split("\n\n")]
    return [_service(unit, block, now) for unit, block in zip(units, blocks)]


def watch_service(service: Service) -> Service:
    """Watch a unit until it is known whether it is crash-looping; return its state, with its last log line if it fails.

    systemd does not reset its restart counter when a crash loop ends, so a unit with restarts is watched for a while.
    """
    now, end = service, time.monotonic() + WATCH
    verdict = loops(service, now)
    while verdict is None and time.monotonic() < end:
        time.sleep(PAUSE)
        now = read_services([service.unit])[0]
        verdict = loops(service, now)
    now = now._replace(crash_looping=now.sub_state == "auto-restart" if verdict is None else verdict)
    needs_cause = now.is_installed and (now.crash_looping or not (now.runs or now.state == "inactive"))
    return _with_last_line(now) if needs_cause else now


def loops(first: Service, now: Service) -> bool | None:
    """Return whether a unit is crash-looping, by its first and its present state; None if it is not known yet."""
    if now.restarts > first.restarts + 1 or (now.restarts > first.restarts and now.sub_state == "auto-restart"):
        return True
    may_loop = first.sub_state == "auto-restart" or (first.state in _UP and first.restarts >= SUSPICIOUS_RESTARTS)
    settled = now.runs and (now.active_seconds >= SETTLED or now.state == "reloading")
    return None if may_loop and not settled else False


def choose_agent(services: Sequence[Service]) -> Service:
    """Return the agent's unit on this host: the one that is active, else enabled, else installed, else the first."""
    ranks = (
        lambda one: one.state in _UP,
        lambda one: one.enabled == "enabled",
        lambda one: one.is_installed,
        lambda one: True,
    )
    return next(one for rank in ranks for one in services if rank(one))


def service_problems(chosen: Service, services: Sequence[Service]) -> list[str]:
    """Return a sentence for each problem of the agent's unit ``chosen``; ``services`` are all possible units."""
    if not chosen.is_installed:
        units = " or ".join(one.unit for one in services)
        return [
            f"systemd has no unit {units}: no overlay agent is installed on this host; "
            f"run the playbook clusternet.overlay.site"
        ]
    rivals = [one.unit for one in services if one.state in _UP and one.unit != chosen.unit]
    conflicts = [
        f"{chosen.unit} and {rival} both run and change the same device; systemctl disable --now {rival}"
        for rival in rivals
    ]
    return [*_run_problems(chosen), *_boot_problems(chosen), *conflicts]


def _run_problems(service: Service) -> list[str]:
    unit = service.unit
    if service.crash_looping:
        return [
            f"{unit} is crash-looping: {service.restarts} automatic restarts{_cause(service)}; correct its settings "
            f"(playbook clusternet.overlay.site), see journalctl -u {unit}"
        ]
    if service.runs:
        trouble = reported_trouble(service.status)
        return [trouble] if trouble else []
    if service.state == "activating":
        return [f"{unit} is starting and is not ready yet{_cause(service)}; see journalctl -u {unit}"]
    if service.state == "failed":
        return [f"{unit} failed ({service.result}){_cause(service)}; see journalctl -u {unit}"]
    if service.load == "masked":
        return [f"{unit} is stopped and masked; systemctl unmask {unit}, then systemctl enable --now {unit}"]
    return [f"{unit} is stopped; systemctl start {unit}"]


def _boot_problems(service: Service) -> list[str]:
    if service.enabled not in _NOT_AT_BOOT:
        return []
    return [f"{service.unit} is {service.enabled} and does not start at boot; systemctl enable {service.unit}"]


def _cause(service: Service) -> str:
    """Return the exit status and the last log line of the process, or its status line."""
    text = service.last_line or service.status
    ended = f", exit status {service.exit_status}" if service.exit_status else ""
    return f"{ended}: {text}" if text else ended


def _service(unit: str, shown: Mapping[str, str], now: float) -> Service:
    state, entered = shown.get("ActiveState", ""), _number(shown.get("ActiveEnterTimestampMonotonic", "")) / 1e6
    return Service(
        unit=unit,
        load=shown.get("LoadState", ""),
        state=state,
        sub_state=shown.get("SubState", ""),
        enabled=shown.get("UnitFileState", ""),
        restarts=_number(shown.get("NRestarts", "")),
        result=shown.get("Result", ""),
        exit_status=_number(shown.get("ExecMainStatus", "")),
        status=shown.get("StatusText", ""),
        active_seconds=round(now - entered, 1) if state == "active" else 0.0,
    )


def _with_last_line(service: Service) -> Service:
    """Return the service with its last log line, which may have the cause of a failure."""
    command = ["journalctl", "--no-pager", "--output=cat", "--lines=1", f"_SYSTEMD_UNIT={service.unit}"]
    try:
        return service._replace(last_line=_output(command).strip())
    except OverlayError:
        return service


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OverlayError(f"{command[0]} cannot be run: {error}") from error
    if done.returncode:
        raise OverlayError(
            f"{command[0]} failed: {' '.join(done.stderr.split())}; set agent_unit (verify_agent_unit) to none if "
            f"systemd does not run the agent on this host"
        )
    return done.stdout


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
