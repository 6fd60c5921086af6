# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Switch a host on and off, and get into it."""

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

from . import cgroup, network
from .process import LabError, run, wait_until
from .settings import Host

_PACKAGES = Path(__file__).resolve().parent.parent


def start(host: Host) -> bool:
    """Start the supervisor of a host, which boots it; False when it has one. Does not wait for the boot."""
    lock = _take_lock(host)
    if lock is None:
        return False
    with contextlib.closing(os.fdopen(lock)), host.log.open("ab") as log:
        power_off(host)
        os.ftruncate(lock, 0)
        # the lock belongs to the open file: the supervisor inherits it, so there is no moment at which it is free
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
    """Write who holds the lock. Both sides do: start() may be killed too early, the supervisor may be late."""
    os.pwrite(lock, str(pid).encode(), 0)


def stop(host: Host) -> bool:
    """Pull the host's plug: end its supervisor and all that runs in it; gives whether it had a supervisor."""
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
    """End what runs in the host and remove its network; for a host that has no supervisor, and for the supervisor."""
    forget_connection(host)
    cgroup.remove(host.full_name)
    network.disconnect(host)
    shutil.rmtree(Path("/run/systemd/nspawn/propagate") / host.full_name, ignore_errors=True)


def forget_connection(host: Host) -> None:
    """End ssh's shared connection to the host: over a dead one ssh would wait instead of connecting anew.

    Where the connection ends by itself at that moment, ssh would look for the host in the machine's own network.
    """
    if host.socket.exists():
        nowhere = ("-o", "ProxyCommand=false")
        run("ssh", *nowhere, "-o", f"ControlPath={host.socket}", "-O", "exit", host.address, check=False)
        host.socket.unlink(missing_ok=True)


def supervisor_of(host: Host) -> int | None:
    """The process id of the host's supervisor; None when it has none."""
    try:
        pid = int(host.lock.read_text(encoding="ascii"))
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    except (OSError, ValueError):
        return None
    for descriptor in descriptors:  # a process that got the number of a dead supervisor does not have its lock open
        with contextlib.suppress(OSError):
            if descriptor.readlink() == host.lock:
                return pid
    return None


def leader_of(host: Host) -> int | None:
    """The process that is systemd, and process 1, in the host; None when the host is off or only about to boot."""
    supervisor = supervisor_of(host)
    for nspawn in _children(supervisor) if supervisor else []:
        for child in _children(nspawn):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text(encoding="ascii").strip() == "systemd":
                    return child
    return None


def command_in(host: Host, *command: str) -> list[str]:
    """The command line that runs a command in the host, as root and with a plain environment."""
    leader = leader_of(host)
    if leader is None:
        raise LabError(f"{host.name} of lab {host.lab.name} is off; `lab/lab up` starts it")
    terminal = os.environ.get("TERM", "dumb")
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return [
        *("nsenter", "--target", str(leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"),
        *("env", "-i", f"PATH={path}", "HOME=/root", "USER=root", "LANG=C.UTF-8", f"TERM={terminal}"),
        *command,
    ]


def state(host: Host) -> str:
    """What the host's systemd says of the system (running, degraded, starting, ...), or off."""
    if leader_of(host) is None:
        return "off" if supervisor_of(host) is None else "booting"
    return run(*command_in(host, "systemctl", "is-system-running"), check=False).stdout.strip() or "booting"


def wait(host: Host, seconds: float) -> str:
    """Wait till the host has booted and its sshd answers; gives its state, running or degraded."""
    deadline = time.monotonic() + seconds
    reached = ""
    while time.monotonic() < deadline:
        reached = state(host)
        if reached == "off":
            raise LabError(f"{host.name} went off; {host.log} tells why, `lab/lab start {host.name}` starts it")
        if reached in ("running", "degraded") and _ssh_answers(host):
            return reached
        time.sleep(0.1)
    raise LabError(f"{host.name} is {reached} and not ready after {seconds:.0f} s; see {host.log}")


def _ssh_answers(host: Host) -> bool:
    greeting = f"TCP:{host.address}:22,connect-timeout=2,readbytes=4"
    heard = run("nsenter", f"--net={host.lab.netns}", "socat", "-T", "2", "-u", greeting, "STDOUT", check=False)
    return heard.stdout == "SSH-"


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return []


def _take_lock(host: Host) -> int | None:
    """The descriptor of the host's lock file, locked; None when its supervisor has it locked."""
    lock = os.open(host.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
