# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Stay with one host: boot it, boot it again when it reboots, clear up when it goes off."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from . import cgroup, image, network
from .host import power_off, record_supervisor
from .process import LabError, run
from .settings import Host, lab_of

_REBOOT = 133  # how systemd-nspawn --keep-unit ends when the system in it asked for a reboot


def supervise(host: Host, lock: int) -> int:
    """Boot the host till it ends otherwise than by a reboot; gives how systemd-nspawn ended."""
    record_supervisor(lock, os.getpid())
    image.hold(host.lab.image.resolve(strict=True))
    while True:
        network.connect(host)
        cgroup.create(host.full_name)
        _say(f"{host.name} boots")
        own_mounts = ("unshare", "--mount", "--propagation", "slave")
        code = subprocess.call([*own_mounts, sys.executable, "-m", "overlaylab.supervisor", "boot", host.name])
        power_off(host)
        _say(f"{host.name} {'reboots' if code == _REBOOT else f'is off ({code})'}")
        if code != _REBOOT:
            return code


def boot(host: Host) -> None:
    """Become the host's systemd-nspawn. The caller has given this process a mount namespace of its own.

    The disk is mounted there only, so no end of any process leaves a mount behind. `volatile` spares the outer
    machine the fsyncs of package installations: what is written survives everything but the outer machine's crash.
    """
    cgroup.join(host.full_name)
    disk, root = host.directory, host.directory / "root"
    shutil.rmtree(disk / "work" / "work" / "incompat", ignore_errors=True)  # says that it was mounted so before
    layers = f"lowerdir={host.lab.image / 'base'},upperdir={disk / 'upper'},workdir={disk / 'work'},volatile"
    run("mount", "-t", "overlay", "overlay", "-o", layers, str(root))
    os.environ.update(
        SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1",
        SYSTEMD_NSPAWN_API_VFS_WRITABLE="network",
        SYSTEMD_NSPAWN_LOCK="0",  # its lock files outlive a killed nspawn; the supervisor holds a lock anyway
    )
    command = [
        *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", f"--directory={root}"),
        *(f"--machine={host.full_name}", f"--hostname={host.name}", f"--network-namespace-path={host.netns}"),
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
        # iptables wants the capabilities, runc the system calls, Docker's storage a disk that is no overlay
        *("--capability=all", "--system-call-filter=@keyring bpf", f"--bind={disk / 'docker'}:/var/lib/docker"),
        f"--bind-ro={host.lab.image / 'srv'}:/srv",
    ]
    if Path("/dev/net/tun").exists():
        command.append("--bind=/dev/net/tun")
    os.execvp(command[0], command)


def _say(message: str) -> None:
    print(time.strftime("%Y-%m-%dT%H:%M:%S"), message, flush=True)


def main(arguments: list[str]) -> int:
    """`run HOST LOCK` supervises the host, LOCK being the descriptor of its locked file; `boot HOST` boots it."""
    host = lab_of(os.environ).named(arguments[1])
    try:
        if arguments[0] == "run":
            return supervise(host, int(arguments[2]))
        boot(host)
    except (LabError, OSError) as error:
        _say(f"{host.name}: {error}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
