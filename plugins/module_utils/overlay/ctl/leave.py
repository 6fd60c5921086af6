# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayctl drain, release and uninstall: this host leaves the overlay. Each first prints the effects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ..agent.removal import release_leases, remove
from ..diagnosis.docker_facts import container_names
from ..diagnosis.setup import Setup, read_setup
from ..host.lock import is_held
from ..host.memory import recall
from ..model.addresses import Subnet
from ..model.errors import OverlayError
from ..model.subnet_env import parse_subnet_env
from ..store.api_choice import connect
from ..store.reachable import reachable_first
from ..store.schema import Keys, read_network
from .text import show, wrapped

UNIT = "overlayd.service"
_STOP = f"{UNIT} is stopped and does not start at boot"
MEANINGS = {
    "drain": (
        "the lease of this host is deleted, unless it is a reservation: other hosts remove their routes to its subnet",
        "routes, device and firewall rules of this host stay, so that its open connections end by themselves",
        f"undo: systemctl enable --now {UNIT}; the host gets the same subnet if it is still free",
    ),
    "release": (
        "the lease of this host is deleted, unless it is a reservation: other hosts remove their routes to its subnet",
        "the device, routes, firewall rules, subnet file and memory of overlayd are removed from this host",
        f"undo: systemctl enable --now {UNIT}; the host may get another subnet, and Docker then needs a restart",
    ),
    "uninstall": (
        "the device, routes, firewall rules, subnet file and memory of overlayd are removed from this host",
        "the lease stays for up to a day, so that the host can return with its subnet",
        "the files of overlayd and Docker's options stay; the playbook clusternet.overlay.reset removes them, too",
    ),
}


def leave(how: str, settings: Path, confirmed: bool) -> int:
    """Do one of the three after a confirmation; raise OverlayError without one."""
    setup = read_setup(settings, {"release": ("--remove", "--release"), "uninstall": ("--remove",)}.get(how, ()))
    if how != "uninstall":
        _check_etcd(how, setup)
    for line in meaning(how, container_names(setup.docker_unit, _own(setup))):
        show(line)
    if not confirmed and not _agrees():
        raise OverlayError(f"nothing was changed: {how} was not confirmed; use --yes")
    _stop_agent(setup)
    return _drain(setup) if how == "drain" else remove(setup.options, setup.connection)


def _check_etcd(how: str, setup: Setup) -> None:
    """Raise OverlayError if the leases cannot be read: overlayd would be stopped, and its lease would stay."""
    try:
        store = connect(reachable_first(setup.connection), setup.prefix)
        try:
            read_network(store, Keys(store.root(setup.prefix)))
        finally:
            store.close()
    except OverlayError as error:
        raise OverlayError(
            f"nothing was changed: {how} deletes the lease of this host in etcd: {error}; uninstall works without etcd"
        ) from error


def _own(setup: Setup) -> Subnet | None:
    try:
        return parse_subnet_env(Path(setup.subnet_file).read_text(encoding="utf-8"), setup.subnet_file).subnet
    except (OSError, UnicodeDecodeError, OverlayError):
        return None


def meaning(how: str, containers: list[str]) -> list[str]:
    """Return the lines that say what a command does to this host and its containers."""
    shown = ", ".join(containers[:5]) + (f" and {len(containers) - 5} more" if len(containers) > 5 else "")
    effect = (
        f"the containers on this host lose the connection to those on other hosts: {shown}"
        if containers
        else "no container runs on this host's networks of the overlay"
    )
    return [f"{how}:", *(wrapped("  - ", line, 4) for line in (_STOP, *MEANINGS[how], effect))]


def _agrees() -> bool:
    if not sys.stdin.isatty():
        return False
    show("Continue? [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _stop_agent(setup: Setup) -> None:
    """Stop overlayd, which would do everything again; raise OverlayError if it still runs."""
    if Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "disable", "--now", "--quiet", UNIT], check=False)
    if is_held(setup.options.memory_file):
        raise OverlayError("overlayd still runs, but not as a unit of systemd: nothing was changed; stop it first")


def _drain(setup: Setup) -> int:
    release_leases(setup.options, setup.connection, recall(setup.options.memory_file))
    return 0
