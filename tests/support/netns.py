# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts for tests: network namespaces connected by a switch; the machine's own namespace is not changed."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")
_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace, kept by one thread; sockets opened in it can be used from any thread."""

    def __init__(self) -> None:
        """Create an empty namespace with its loopback interface up."""
        assert os.geteuid() == 0, "a network namespace needs root; run the integration tests as root"
        self._thread = ThreadPoolExecutor(max_workers=1, initializer=_leave_for_a_new_one)
        self.tid = self.run(threading.get_native_id)
        self.command("ip", "link", "set", "lo", "up")

    def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function inside; return its result."""
        return self._thread.submit(function, *arguments).result()

    def command(self, *words: str) -> str:
        """Run a command inside and return its output; raise AssertionError with the command if it fails."""
        done = self.run(lambda: subprocess.run(words, capture_output=True, text=True, check=False))
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr or done.stdout}"
        return done.stdout

    def setting(self, name: str, value: str) -> None:
        """Set a kernel setting of the namespace, such as net/ipv4/ip_forward."""
        self.run(Path("/proc/sys", name).write_text, value)

    def private_folder(self, path: str) -> None:
        """Give the processes that are started inside from now on an own, empty folder in place of this one."""
        Path(path).mkdir(parents=True, exist_ok=True)
        self.run(_mount_private, path)

    def close(self) -> None:
        """Remove the namespace with all its interfaces."""
        self._thread.shutdown()


class Lan:
    """Hosts on one switch: ``hosts[n]`` has interface eth0 with address ``addresses[n]`` in 192.0.2.0/24."""

    def __init__(self, count: int) -> None:
        """Create the switch and ``count`` hosts."""
        self.switch = Namespace()
        self.hosts = [Namespace() for _attempt in range(count)]
        self.addresses = [f"192.0.2.{11 + number}" for number in range(count)]
        self.switch.command("ip", "link", "add", "br0", "up", "type", "bridge")
        for number, (host, address) in enumerate(zip(self.hosts, self.addresses)):
            port = f"port{number}"
            host.command(
                "ip", "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", str(self.switch.tid)
            )
            self.switch.command("ip", "link", "set", port, "master", "br0", "up")
            host.command("ip", "address", "add", f"{address}/24", "dev", "eth0")
            host.command("ip", "link", "set", "eth0", "up")

    def close(self) -> None:
        """Remove all namespaces."""
        for namespace in (*self.hosts, self.switch):
            namespace.close()


def _leave_for_a_new_one() -> None:
    _check(_libc.unshare(_CLONE_NEWNET))


def _mount_private(path: str) -> None:
    _check(_libc.unshare(_CLONE_NEWNS))
    _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    _check(_libc.mount(b"tmpfs", path.encode(), b"tmpfs", 0, None))


def _check(failed: int) -> None:
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
