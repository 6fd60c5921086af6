# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The supervisor of one host: boots it, boots it again after a reboot, and cleans up when it powers off."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from . import cgroup, image, network, vm
from .host import power_off, record_supervisor
from .process import LabError, run
from .settings import VM, Host, lab_of

_REBOOT = 133  # exit code of systemd-nspawn --keep-unit after a reboot of the system inside


def supervise(host: Host, lock: int) -> int:
    """Boot the host, and again after each reboot, until it powers off; return its exit code."""
    record_supervisor(lock, os.getpid())
    image.hold(host.lab.image.resolve(strict=True))
    while True:
        if host.lab.kind == VM:
            network.attach(host)
        else:
            network.connect(host)
        cgroup.create(host.full_name)
        _print(f"{host.name} boots")
        own_mounts = () if host.lab.kind == VM else ("unshare", "--mount", "--propagation", "slave")
        code = subprocess.call([*own_mounts, sys.executable, "-m", "overlaylab.supervisor", "boot", host.name])
        power_off(host)
        rebooted = code == _REBOOT and host.lab.kind != VM  # QEMU reboots without ending
        _print(f"{host.name} {'reboots' if rebooted else f'is off ({code})'}")
        if not rebooted:
            return code


def boot(host: Host) -> None:
    """Replace this process by the host's systemd-nspawn or QEMU."""
    cgroup.join(host.full_name)
    command = vm.command(host, vm.accelerator(os.environ)) if host.lab.kind == VM else _container(host)
    os.execvp(command[0], command)


def _container(host: Host) -> list[str]:
    """Mount the host's disk; return the command line of systemd-nspawn.

    This process has its own mount namespace, and the disk is mounted in it only, so no mount remains when the process
    ends. `volatile` avoids the fsyncs of package installations: written data is lost only if the outer machine crashes.
    """
    disk, root = host.directory, host.directory / "root"
    shutil.rmtree(disk / "work" / "work" / "incompat", ignore_errors=True)  # the mark of a former volatile mount
    layers = f"lowerdir={host.lab.image / 'base'},upperdir={host.files},workdir={disk / 'work'},volatile"
    run("mount", "-t", "overlay", "overlay", "-o", layers, str(root))
    os.environ.update(
        SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1",
        SYSTEMD_NSPAWN_API_VFS_WRITABLE="network",
        SYSTEMD_NSPAWN_LOCK="0",  # its lock files remain after a killed nspawn; the supervisor holds a lock itself
    )
    command = [
        *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", f"--directory={root}"),
        *(f"--machine={host.full_name}", f"--hostname={host.name}", f"--network-namespace-path={host.netns}"),
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
        # iptables needs the capabilities, runc the system calls, Docker's storage a disk without an overlay
        *("--capability=all", "--system-call-filter=@keyring bpf", f"--bind={disk / 'docker'}:/var/lib/docker"),
        f"--bind-ro={host.lab.image / 'srv'}:/srv",
    ]
    if Path("/dev/net/tun").exists():
        command.append("--bind=/dev/net/tun")
    return command


def _print(message: str) -> None:
    print(time.strftime("%Y-%m-%dT%H:%M:%S"), message, flush=True)


def main(arguments: list[str]) -> int:
    """`run HOST LOCK` supervises the host, LOCK being the descriptor of its locked file; `boot HOST` boots it."""
    host = lab_of(os.environ).named(arguments[1])
    try:
        if arguments[0] == "run":
            return supervise(host, int(arguments[2]))
        boot(host)
    except (LabError, OSError) as error:
        _print(f"{host.name}: {error}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
