# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Boot a host, power it off, and run commands on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import cgroup, network, ssh, vm
from .process import LabError, run, wait_until
from .settings import NSPAWN, VM, Host

_SSHD_SECONDS = {NSPAWN: "2", VM: "20"}  # for the first line of sshd, which an emulated processor starts slowly
_PACKAGES = Path(__file__).resolve().parent.parent


def start(host: Host) -> bool:
    """Start the supervisor of a host, which boots it; return False if it has one. Does not wait for the boot."""
    lock = _take_lock(host)
    if lock is None:
        return False
    with contextlib.closing(os.fdopen(lock)), host.log.open("ab") as log:
        power_off(host)
        os.ftruncate(lock, 0)
        # the lock belongs to the open file: the supervisor inherits it, so it is never free in between
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "overlaylab.supervisor", "run", host.name, str(lock)],
            env={**host.lab.environment(), "PYTHONPATH": str(_PACKAGES)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock,),
            start_new_session=True,
            cwd="/",
        )
        record_supervisor(lock, supervisor.pid)
    return True


def record_supervisor(lock: int, pid: int) -> None:
    """Write the holder's process id into the lock file. start() and the supervisor both do, in case one is killed."""
    os.pwrite(lock, str(pid).encode(), 0)


def stop(host: Host) -> bool:
    """Power the host off: end its supervisor and all its processes; return whether it had a supervisor."""
    was_on = False

    def locked() -> bool:
        nonlocal was_on
        lock = _take_lock(host)
        if lock is None:
            was_on = True
            supervisor = supervisor_of(host)
            if supervisor:
                os.kill(supervisor, signal.SIGKILL)
            return False
        os.close(lock)
        return True

    if host.directory.is_dir():
        wait_until(locked, 20, f"the end of the supervisor of {host.name}")
    power_off(host)
    return was_on


def power_off(host: Host) -> None:
    """End the host's processes and remove its network; for the supervisor, and for a host without one."""
    forget_connection(host)
    cgroup.remove(host.full_name)
    network.disconnect(host)
    shutil.rmtree(Path("/run/systemd/nspawn/propagate") / host.full_name, ignore_errors=True)


def forget_connection(host: Host) -> None:
    """End ssh's shared connection to the host: ssh would wait for a dead connection instead of opening a new one.

    ProxyCommand=false prevents that ssh connects to the machine's own network if the connection ends at this moment.
    """
    if host.socket.exists():
        nowhere = ("-o", "ProxyCommand=false")
        run("ssh", *nowhere, "-o", f"ControlPath={host.socket}", "-O", "exit", host.address, check=False)
        host.socket.unlink(missing_ok=True)


def supervisor_of(host: Host) -> int | None:
    """The process id of the host's supervisor, None if it has none."""
    try:
        pid = int(host.lock.read_text(encoding="ascii"))
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    except (OSError, ValueError):
        return None
    for descriptor in descriptors:  # another process with the id of a dead supervisor does not have the lock file open
        with contextlib.suppress(OSError):
            if descriptor.readlink() == host.lock:
                return pid
    return None


def leader_of(host: Host) -> int | None:
    """The process id of the host's systemd (process 1 in the host), None if the host is off or has not booted yet.

    For a virtual machine it is the process of QEMU.
    """
    supervisor = supervisor_of(host)
    children = _children(supervisor) if supervisor else []
    if host.lab.kind == VM:
        return next((child for child in children if _name(child) == vm.PROGRAM[:15]), None)
    return next((child for nspawn in children for child in _children(nspawn) if _name(child) == "systemd"), None)


def _name(pid: int) -> str:
    """The first 15 characters of the name of a process, "" if it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()
    return ""


def command_in(host: Host, *command: str) -> list[str]:
    """The command line that runs a command on the host, as root and with a plain environment."""
    leader = leader_of(host)
    if leader is None:
        raise LabError(f"{host.name} of lab {host.lab.name} is off; `lab/lab up` starts it")
    terminal = os.environ.get("TERM", "dumb")
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    plain = ("env", "-i", f"PATH={path}", "HOME=/root", "USER=root", "LANG=C.UTF-8", f"TERM={terminal}")
    if host.lab.kind == VM:
        return ssh.command_on(host, *plain, *command)
    namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
    return ["nsenter", "--target", str(leader), *namespaces, "--", *plain, *command]


def state(host: Host) -> str:
    """The state of the host in its systemd (running, degraded, starting, ...), or off."""
    if leader_of(host) is None:
        return "off" if supervisor_of(host) is None else "booting"
    if host.lab.kind == VM and not _ssh_answers(host):
        return "booting"
    return run(*command_in(host, "systemctl", "is-system-running"), check=False).stdout.strip() or "booting"


def wait(host: Host, seconds: float) -> str:
    """Wait until the host has booted and its sshd answers; return its state, running or degraded."""
    deadline = time.monotonic() + seconds
    reached = ""
    while time.monotonic() < deadline:
        reached = state(host)
        if reached == "off":
            way_out = f"run `lab/lab start {host.name}`"
            if host.lab.kind == VM:
                way_out = f"if KVM does not work here, set LAB_ACCEL=tcg (software emulation); {way_out}"
            raise LabError(f"{host.name} powered off; see {host.log}, then {way_out}")
        if reached in ("running", "degraded") and _ssh_answers(host):
            return reached
        time.sleep(0.1)
    raise LabError(f"{host.name} is {reached} and not ready after {seconds:.0f} s; see {host.log}")


def _ssh_answers(host: Host) -> bool:
    seconds = _SSHD_SECONDS[host.lab.kind]
    greeting = f"TCP:{host.address}:22,connect-timeout=2,readbytes=4"
    heard = run("nsenter", f"--net={host.lab.netns}", "socat", "-T", seconds, "-u", greeting, "STDOUT", check=False)
    return heard.stdout == "SSH-"


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return []


def _take_lock(host: Host) -> int | None:
    """The descriptor of the host's locked lock file, None if its supervisor holds the lock."""
    lock = os.open(host.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
