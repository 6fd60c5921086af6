# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host that runs overlayd: a process in a network namespace, and what an operator of the host can see and do."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.error import HTTPError

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.companion import Companion

from support.netns import Namespace

PACKAGE = Path(__file__).resolve().parents[2] / "plugins" / "module_utils"
PATIENCE = 60.0  # seconds; an idle machine needs a fraction of one
SOON = 5.0  # seconds; more than a busy machine needs for an event, less than overlayd needs without one
HEALTH_PORT = 8099
HEALTH = ("--healthz-ip=127.0.0.1", f"--healthz-port={HEALTH_PORT}")


def until(condition: Callable[[], object], what: str | Callable[[], str], seconds: float = PATIENCE) -> float:
    """Wait until the condition is true and return the seconds; fail with ``what`` after the limit."""
    start = time.monotonic()
    while not condition():
        late = time.monotonic() - start > seconds
        assert not late, f"not within {seconds} s: {what if isinstance(what, str) else what()}"
        time.sleep(0.01)
    return time.monotonic() - start


class Host:
    """One host: its namespace, the files of overlayd, and the process while it runs."""

    def __init__(self, namespace: Namespace, address: str, folder: Path, endpoint: str, prefix: str) -> None:
        self.namespace = namespace
        self.address = address
        self.folder = folder
        self.endpoint = endpoint
        self.prefix = prefix
        self.process: subprocess.Popen[bytes] | None = None
        self.subnet_file = folder / "subnet.env"
        self.state = folder / "state"
        self.notified: list[str] = []
        self.on_notification: Callable[[str], object] = len
        self._notifications: socket.socket | None = None
        self._log = folder / "log"
        folder.mkdir()
        namespace.setting("net/ipv4/ip_forward", "1")

    def ip(self, *words: str) -> str:
        """Return the output of an ip command on this host."""
        return self.namespace.command("ip", *words)

    # the process

    def flags(self, *more: str) -> list[str]:
        """Return overlayd's arguments on this host, followed by further ones."""
        files = [f"--subnet-file={self.subnet_file}", f"--state-dir={self.state}"]
        return [
            f"--etcd-endpoints={self.endpoint}", f"--etcd-prefix={self.prefix}", "--iface=eth0", *files, *more
        ]  # fmt: skip

    def run(self, *more: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run overlayd until it ends by itself."""
        return self.run_raw(*self.flags(*more), environment=environment)

    def run_raw(self, *words: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run overlayd with exactly these arguments until it ends by itself."""
        command = [sys.executable, "-m", "overlay.agent", *words]
        settings = self._environment(environment)
        return self.namespace.run(
            lambda: subprocess.run(command, env=settings, capture_output=True, text=True, timeout=30, check=False)
        )

    def start(self, *more: str, environment: Mapping[str, str] | None = None) -> None:
        """Start overlayd."""
        self.start_raw(*self.flags(*more), environment=environment)

    def start_raw(self, *words: str, environment: Mapping[str, str] | None = None) -> None:
        """Start overlayd with exactly these arguments."""
        assert self.process is None
        path = self.folder / "notify"
        path.unlink(missing_ok=True)
        self.notified = []
        self._notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notifications.bind(str(path))
        threading.Thread(target=self._listen, args=(self._notifications,), daemon=True).start()
        command = [sys.executable, "-m", "overlay.agent", *words]
        settings = {**self._environment(environment), "NOTIFY_SOCKET": str(path)}
        with self._log.open("ab") as log:
            self.process = self.namespace.run(lambda: subprocess.Popen(command, env=settings, stdout=log, stderr=log))

    def join(self, *more: str, environment: Mapping[str, str] | None = None) -> None:
        """Start overlayd and return once it is ready."""
        self.start(*more, environment=environment)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until overlayd has sent READY=1."""
        until(lambda: self.notified.count("READY=1") or self.is_dead(), lambda: f"READY=1; log:\n{self.log}")
        assert "READY=1" in self.notified, self.log

    def wait_started_again(self, times: int = 1) -> None:
        """Wait until overlayd has become ready ``times`` more times in the same process."""
        until(lambda: self.notified.count("READY=1") > times, lambda: f"READY=1 again; log:\n{self.log}")

    def is_dead(self) -> bool:
        """Whether the process has ended by itself."""
        return self.process is not None and self.process.poll() is not None

    @property
    def pid(self) -> int:
        """The ID of the running process."""
        assert self.process is not None
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        os.kill(self.pid, number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop overlayd by a signal; return its exit status."""
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        status = process.wait(timeout=PATIENCE)
        if self._notifications is not None:
            with contextlib.suppress(OSError):
                self._notifications.shutdown(socket.SHUT_RDWR)
        return status

    def close(self) -> None:
        """Kill overlayd if it runs, and the processes beside it."""
        if self.process is not None:
            self.stop(signal.SIGKILL)
        for file in self.state.glob("*.companion"):
            Companion(file.stem, self.state).stop()

    def _listen(self, notifications: socket.socket) -> None:
        with notifications:
            while True:
                data = notifications.recv(1 << 16)
                if not data:
                    return
                for line in data.decode().splitlines():
                    self.on_notification(line)
                    self.notified.append(line)

    @staticmethod
    def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FLANNELD_")}
        return {**kept, "PYTHONPATH": str(PACKAGE), **(more or {})}

    # what it shows

    @property
    def log(self) -> str:
        """The log of overlayd since its first start."""
        return self._log.read_text() if self._log.exists() else ""

    def said(self, pattern: str) -> int:
        """Return how often the pattern occurs in the log."""
        return len(re.findall(pattern, self.log))

    def wait_said(self, pattern: str, times: int = 1) -> float:
        """Wait until the pattern occurs ``times`` times in the log; return the seconds."""
        return until(lambda: self.said(pattern) >= times, lambda: f"{pattern!r} in the log:\n{self.log}")

    @property
    def subnet_env(self) -> dict[str, str]:
        """The values of the subnet file by key, empty if there is no file."""
        text = self.subnet_file.read_text() if self.subnet_file.exists() else ""
        return dict(line.split("=", 1) for line in text.splitlines())

    @property
    def subnet(self) -> str:
        """The subnet of this host, such as 10.50.7.0/24."""
        first, _unused, length = self.subnet_env["FLANNEL_SUBNET"].partition("/")
        return f"{first.rpartition('.')[0]}.{int(first.rpartition('.')[2]) - 1}/{length}"

    def routes(self) -> dict[str, str]:
        """Return the routes into the overlay (10.x) by subnet."""
        found = (line.split(" ", 1) for line in self.ip("-4", "route").splitlines())
        return {first: rest for first, rest in found if first.startswith("10.")}

    def dataplane(self, device: str = "flannel.1") -> str:
        """Return the routes, the device and its rows as text that can be compared."""
        tables = [self.ip("-4", "route")]
        if self.has(device):
            shows = ["-d", "-o", "link", "show"], ["-o", "-4", "address", "show"], ["neighbour", "show"]
            tables += [self.ip(*words, "dev", device) for words in shows]
            tables.append(self.namespace.command("bridge", "fdb", "show", "dev", device))
        # The kernel gives no order to rows, and a device has another index after each creation.
        return "\n".join(sorted(re.sub(r"^\d+: ", "", line) for table in tables for line in table.splitlines()))

    def has(self, device: str) -> bool:
        """Whether there is an interface of that name."""
        return re.search(rf"^\d+: {re.escape(device)}[:@]", self.ip("-o", "link"), re.MULTILINE) is not None

    def mac(self, device: str = "flannel.1") -> str:
        """Return an interface's MAC."""
        return self.ip("-o", "link", "show", "dev", device).partition("link/ether ")[2].split()[0]

    def rules(self) -> str:
        """Return all iptables rules."""
        return self.namespace.command("iptables-save")

    def own_rules(self) -> list[str]:
        """Return all iptables rules and chains except the built-in chains."""
        return [line for line in self.rules().splitlines() if line.startswith("-A") or re.match(r":\S+ - ", line)]

    def process_list(self) -> str:
        """Return the command lines of overlayd and its threads, as in the process list."""
        return "".join(path.read_text() for path in Path(f"/proc/{self.pid}/task").glob("*/cmdline"))

    def http(self, path: str, accept: str = "*/*") -> tuple[int, str]:
        """Return status and body of a page of the health port; (0, "") if overlayd does not listen."""
        request = urllib.request.Request(f"http://127.0.0.1:{HEALTH_PORT}{path}", headers={"Accept": accept})

        def ask() -> tuple[int, str]:
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    return answer.status, answer.read().decode()
            except HTTPError as error:
                return error.code, error.read().decode()
            except OSError:
                return 0, ""

        return self.namespace.run(ask)

    # what is around it

    def container(self) -> Container:
        """Return a container on this host, on a bridge as Docker creates it."""
        return Container(self)


class Container:
    """A network namespace on the bridge of a host, with an address of the host's subnet."""

    def __init__(self, host: Host) -> None:
        self.namespace = Namespace()
        bip, mtu = host.subnet_env["FLANNEL_SUBNET"], host.subnet_env["FLANNEL_MTU"]
        gateway, _unused, length = bip.partition("/")
        start, _unused, last = gateway.rpartition(".")
        self.address = f"{start}.{int(last) + 1}"
        host.ip("link", "add", "docker0", "up", "type", "bridge")
        host.ip("address", "add", bip, "dev", "docker0")
        peer = ["type", "veth", "peer", "name", "eth0", "mtu", mtu, "netns", str(self.namespace.tid)]
        host.ip("link", "add", "vethc", "mtu", mtu, "master", "docker0", "up", *peer)
        self.namespace.command("ip", "address", "add", f"{self.address}/{length}", "dev", "eth0")
        self.namespace.command("ip", "link", "set", "eth0", "up")
        self.namespace.command("ip", "route", "add", "default", "via", gateway)

    def reaches(self, other: Container, size: int = 56) -> bool:
        """Whether the first ping with ``size`` bytes of payload, unfragmented, is answered."""
        command = ["ping", "-c1", "-W5", "-M", "do", "-s", str(size), other.address]
        return self.namespace.run(lambda: subprocess.run(command, capture_output=True, check=False).returncode == 0)

    def ping(self, address: str) -> bool:
        """Whether an address answers a ping."""
        command = ["ping", "-c1", "-W1", address]
        return self.namespace.run(lambda: subprocess.run(command, capture_output=True, check=False).returncode == 0)

    def stream(self, other: Container) -> subprocess.Popen[str]:
        """Start a ping every 10 ms; see ``lost``."""
        command = ["ping", "-i", "0.01", other.address]
        return self.namespace.run(lambda: subprocess.Popen(command, stdout=subprocess.PIPE, text=True))

    def close(self) -> None:
        """Remove the container."""
        self.namespace.close()


def lost(stream: subprocess.Popen[str]) -> tuple[int, int]:
    """Stop a stream of pings; return the number of packets up to the last answer, and how many of them were lost."""
    stream.send_signal(signal.SIGINT)
    output, _unused = stream.communicate(timeout=PATIENCE)
    answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", output)}
    assert answered, output
    return max(answered), max(answered) - len(answered)
