# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real etcd clusters for tests and benchmarks, with any number of members, TLS and users; members stop on demand."""

from __future__ import annotations

import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

PORTS = range(10_000, 32_000)
START_LIMIT = 120.0  # seconds for a cluster to become healthy; it takes one or two, in an emulated guest up to fifty
NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"


@dataclass(frozen=True)
class EtcdTls:
    """Files of a certificate authority for a test; see make_tls."""

    ca_file: str
    cert_file: str
    key_file: str
    client_cert_file: str
    client_key_file: str
    other_ca_file: str


def make_tls(folder: Path, server_is_client: bool = True) -> EtcdTls:
    """Create a CA, a server certificate for localhost, 127.0.0.1 and ::1, a client certificate, and an unrelated CA.

    etcd's JSON gateway is a client of its own server: where client certificates are demanded, it only works with a
    server certificate that is fit for a client as well.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for ca in ("ca", "other-ca"):
        _openssl(folder, f"req -x509 {NEW_KEY} -days 2 -keyout {ca}.key -out {ca}.pem -subj /CN={ca}")
    usage = "serverAuth,clientAuth" if server_is_client else "serverAuth"
    _sign(folder, "server", f"extendedKeyUsage={usage}\nsubjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n")
    _sign(folder, "client", "extendedKeyUsage=clientAuth\n")
    names = ("ca.pem", "server.pem", "server.key", "client.pem", "client.key", "other-ca.pem")
    return EtcdTls(*(str(folder / name) for name in names))


def _sign(folder: Path, name: str, extensions: str) -> None:
    (folder / f"{name}.ext").write_text(extensions)
    _openssl(folder, f"req -new {NEW_KEY} -keyout {name}.key -out {name}.csr -subj /CN={name}")
    authority = "-CA ca.pem -CAkey ca.key -CAcreateserial"
    _openssl(folder, f"x509 -req -in {name}.csr {authority} -days 2 -extfile {name}.ext -out {name}.pem")


def _openssl(folder: Path, arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True)


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody listens on, below those that the kernel gives to clients.

    A server that restarts on its port must find it free, also while other tests run.
    """
    sockets: list[socket.socket] = []
    try:
        while len(sockets) < count:
            one = socket.socket()
            with suppress(OSError):  # the port is in use
                one.bind(("127.0.0.1", random.choice(PORTS)))
                sockets.append(one)
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


@dataclass
class _Member:
    name: str
    client_port: int
    peer_port: int
    health_port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None


@dataclass
class EtcdServer:
    """A cluster of ``members`` etcd processes; use it as a context manager, or call start and stop.

    Data and logs are in ``folder``, or in a temporary one. ``tls`` serves https; ``client_cert_auth`` demands a client
    certificate. ``v2`` serves the v2 API as well. ``options`` are further flags of etcd. Clients connect to the members
    at ``address``. Members are numbered from 0.
    """

    folder: Path | None = None
    members: int = 1
    v2: bool = True
    tls: EtcdTls | None = None
    client_cert_auth: bool = False
    options: Sequence[str] = ()
    address: str = "127.0.0.1"
    _members: list[_Member] = field(default_factory=list, init=False)
    _root: Path | None = field(default=None, init=False)

    def __enter__(self) -> EtcdServer:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The client endpoints, one for each member."""
        scheme = "https" if self.tls else "http"
        return tuple(f"{scheme}://{self.address}:{member.client_port}" for member in self._members)

    @property
    def endpoint(self) -> str:
        """The client endpoint of the first member."""
        return self.endpoints[0]

    def start(self) -> None:
        """Start all members with empty data and return once the cluster is healthy; raise RuntimeError with the log."""
        if shutil.which("etcd") is None or shutil.which("etcdctl") is None:
            raise RuntimeError("etcd and etcdctl are not on PATH; install the packages etcd-server and etcd-client")
        self._root = self.folder or Path(tempfile.mkdtemp(prefix="overlay-etcd-"))
        ports = iter(free_ports(3 * self.members))
        self._members = [
            _Member(f"m{number}", next(ports), next(ports), next(ports), self._root / f"m{number}")
            for number in range(self.members)
        ]
        try:
            for member in self._members:
                self._launch(member)
            self.wait_healthy()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all members and remove their data."""
        for number in range(len(self._members)):
            self.kill(number)
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None

    def kill(self, number: int = 0, signal_number: int = signal.SIGKILL) -> None:
        """End a member; its data stays."""
        member = self._members[number]
        if member.process is not None:
            member.process.send_signal(signal.SIGCONT)
            member.process.send_signal(signal_number)
            member.process.wait(timeout=START_LIMIT)
            member.process = None

    def pause(self, number: int = 0) -> None:
        """Stop a member by SIGSTOP: its connections stay open without answers."""
        self._running(number).send_signal(signal.SIGSTOP)

    def heal(self) -> None:
        """Start all killed and continue all paused members; return once the cluster is healthy."""
        for member in self._members:
            if member.process is None:
                self._launch(member)
            else:
                member.process.send_signal(signal.SIGCONT)
        self.wait_healthy()

    def restart(self, number: int = 0, wipe: bool = False) -> None:
        """End a member if it runs and start it again on the same ports, without its data if ``wipe``."""
        self.kill(number)
        member = self._members[number]
        if wipe:
            shutil.rmtree(member.folder / "data")
        self._launch(member)
        self.wait_healthy(number)

    def etcdctl(self, *arguments: str, api: str = "3", user: str = "", feed: str = "") -> str:
        """Run etcdctl with ``feed`` as standard input; return its output, or raise RuntimeError with its error.

        It speaks to the first member that runs.
        """
        running = next(number for number, member in enumerate(self._members) if member.process is not None)
        command = ["etcdctl", "--endpoints", self.endpoints[running]]
        ca, cert, key = ("--cacert", "--cert", "--key") if api == "3" else ("--ca-file", "--cert-file", "--key-file")
        if self.tls is not None:
            command += [ca, self.tls.ca_file]
            command += [cert, self.tls.client_cert_file, key, self.tls.client_key_file] if self.client_cert_auth else []
        if user:
            command += ["--user" if api == "3" else "-u", user]
        environment = {"ETCDCTL_API": api, "PATH": "/usr/local/bin:/usr/bin:/bin"}
        command += arguments
        done = subprocess.run(command, env=environment, capture_output=True, text=True, input=feed, check=False)
        if done.returncode:
            raise RuntimeError(f"etcdctl {' '.join(arguments)}: {done.stderr or done.stdout}")
        return done.stdout

    def enable_auth(self, password: str) -> None:
        """Create the user root with this password and demand authentication, for both APIs."""
        for api in ("3", "2") if self.v2 else ("3",):
            self.etcdctl("user", "add", f"root:{password}", api=api)
            if api == "3":
                self.etcdctl("user", "grant-role", "root", "root")
            self.etcdctl("auth", "enable", api=api)
        if self.v2:
            # Without this the v2 API lets everybody do everything, as the role guest.
            everything = ("--path", "/*", "--readwrite")
            self.etcdctl("role", "revoke", "guest", *everything, api="2", user=f"root:{password}")

    def wait_healthy(self, number: int | None = None) -> None:
        """Return once a member, or each, takes part in a cluster with a leader; raise RuntimeError with the log."""
        deadline = time.monotonic() + START_LIMIT
        for member in self._members if number is None else [self._members[number]]:
            while not self._healthy(member):
                if time.monotonic() > deadline or (member.process is not None and member.process.poll() is not None):
                    raise RuntimeError(f"etcd did not start:\n{(member.folder / 'log').read_text()[-3000:]}")
                time.sleep(0.02)

    def _launch(self, member: _Member) -> None:
        scheme = "https" if self.tls else "http"
        client = f"{scheme}://{self.address}:{member.client_port}"
        peer = f"http://127.0.0.1:{member.peer_port}"
        cluster = ",".join(f"{other.name}=http://127.0.0.1:{other.peer_port}" for other in self._members)
        command = [
            "etcd",
            "--name",
            member.name,
            "--data-dir",
            str(member.folder / "data"),
            "--listen-client-urls",
            client,
            "--advertise-client-urls",
            client,
            "--listen-peer-urls",
            peer,
            "--initial-advertise-peer-urls",
            peer,
            "--initial-cluster",
            cluster,
            "--listen-metrics-urls",
            f"http://127.0.0.1:{member.health_port}",
            "--heartbeat-interval",
            "50",
            "--election-timeout",
            "500",
            f"--enable-v2={str(self.v2).lower()}",
        ]
        if self.tls is not None:
            command += ["--cert-file", self.tls.cert_file, "--key-file", self.tls.key_file]
            if self.client_cert_auth:
                command += ["--client-cert-auth", "--trusted-ca-file", self.tls.ca_file]
        member.folder.mkdir(parents=True, exist_ok=True)
        with (member.folder / "log").open("ab") as log:
            member.process = subprocess.Popen([*command, *self.options], stdout=log, stderr=log, cwd=member.folder)

    def _healthy(self, member: _Member) -> bool:
        # etcd's own word: it has a leader, and a linearizable read went through.
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{member.health_port}/health", timeout=2) as answer:
                return b'"true"' in answer.read()
        except OSError:
            return False

    def _running(self, number: int) -> subprocess.Popen[bytes]:
        process = self._members[number].process
        if process is None:
            raise RuntimeError(f"etcd member {number} does not run")
        return process
