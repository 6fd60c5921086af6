# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The example rulebooks in ansible-rulebook itself, with a real etcd that uses TLS, and with a real agent."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pytest
from support.agent_fleet import SWITCH, Fleet
from support.agent_host import HEALTH_PORT, until
from support.agent_network import Network
from support.etcd_server import EtcdServer, free_ports, make_tls
from support.netns import Namespace

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE_RULEBOOK = "1.3.2"  # docs/monitoring/README.md names this version
WAIT = 180.0  # seconds for each event on a busy machine; a rule of the example waits for 30 seconds by itself
PREFIX = "/coreos.com/network"
FLAGS = ("--healthz-ip=0.0.0.0", f"--healthz-port={HEALTH_PORT}", "--probe-interval=1", "--probe-peers=1")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of a new virtual environment with ansible-rulebook."""
    assert shutil.which("java"), "java is not installed: run make setup-long"
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    wanted = [f"ansible-rulebook=={ANSIBLE_RULEBOOK}"]
    wanted += [f"{name}=={version(name)}" for name in ("ansible-core", "netaddr")]
    pip = (str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    done = subprocess.run([*pip, *wanted], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "bin"


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[EtcdServer]:
    """A cluster with TLS, and a network config."""
    with EtcdServer(tls=make_tls(tmp_path / "tls"), client_cert_auth=True) as etcd:
        put(etcd, "config", {"Network": "10.50.0.0/16", "Backend": {"Type": "vxlan"}})
        yield etcd


def put(etcd: EtcdServer, name: str, value: object, ttl: int = 0) -> None:
    """Write a key of the network, which expires after ``ttl`` seconds, or never."""
    options = [f"--lease={etcd.etcdctl('lease', 'grant', str(ttl)).split()[1]}"] if ttl else []
    etcd.etcdctl("put", f"{PREFIX}/{name}", json.dumps(value), *options)


def lease(etcd: EtcdServer, number: int, public_ip: str, ttl: int = 86400) -> None:
    """Write the lease of subnet 10.50.NUMBER.0/24."""
    data = {"VNI": 1, "VtepMAC": f"0e:00:00:00:00:{number:02x}"}
    put(etcd, f"subnets/10.50.{number}.0-24", {"PublicIP": public_ip, "BackendType": "vxlan", "BackendData": data}, ttl)


class Rulebook:
    """A process of ansible-rulebook; ``wait`` reads what it printed."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process = process
        self._output = output

    @property
    def printed(self) -> str:
        return self._output.read_text(encoding="utf-8", errors="replace")

    def wait(self, *texts: str) -> None:
        """Return once each text was printed; fail with all output if the process ends or the time is over."""
        deadline = time.monotonic() + WAIT
        while missing := [text for text in texts if text not in self.printed]:
            assert self._process.poll() is None, f"ansible-rulebook ended: {self.printed}"
            assert time.monotonic() < deadline, f"{missing} not in: {self.printed}"
            time.sleep(0.2)

    def ended(self) -> int:
        """Return the exit code; fail if the process does not end."""
        return self._process.wait(timeout=WAIT)


@contextmanager
def running(
    programs: Path, folder: Path, rulebook: str, variables: dict[str, object], namespace: Namespace | None = None
) -> Iterator[Rulebook]:
    """Run a rulebook in a network namespace or outside, with an inventory of one host that cannot be reached."""
    inventory = folder / "inventory"
    (inventory / "group_vars/all").mkdir(parents=True)
    host = {"ansible_host": "127.0.0.1", "ansible_port": free_ports(1)[0]}
    (inventory / "hosts.yml").write_text(json.dumps({"overlay": {"hosts": {"web1": host}}}))
    network = {"overlay_network": "10.50.0.0/16", "overlay_etcd_endpoints": ["http://127.0.0.1:9"]}
    (inventory / "group_vars/all/overlay.yml").write_text(json.dumps(network))
    (folder / "variables.yml").write_text(json.dumps(variables))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "EDA_"))}
    environment = clean | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "PYTHONUNBUFFERED": "1",
    }
    words = ["--rulebook", rulebook, "--inventory", str(inventory), "--vars", str(folder / "variables.yml")]
    output = folder / "output"

    def start() -> subprocess.Popen[bytes]:
        command = [str(programs / "ansible-rulebook"), *words, "--print-events"]
        with output.open("wb") as printed:
            return subprocess.Popen(command, cwd=folder, env=environment, stdout=printed, stderr=subprocess.STDOUT)

    process = namespace.run(start) if namespace else start()
    try:
        yield Rulebook(process, output)
    finally:
        process.terminate()
        try:
            process.wait(timeout=WAIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_a_rule_of_the_example_runs_for_each_kind_of_event(programs: Path, etcd: EtcdServer, tmp_path: Path) -> None:
    assert etcd.tls is not None
    lease(etcd, 7, "192.0.2.7")
    lease(etcd, 8, "192.0.2.8", ttl=1200)
    variables: dict[str, object] = {
        "overlay_etcd_endpoints": list(etcd.endpoints),
        "overlay_etcd_ca_file": etcd.tls.ca_file,
        "overlay_etcd_cert_file": etcd.tls.client_cert_file,
        "overlay_etcd_key_file": etcd.tls.client_key_file,
    }
    present = "'subnet': '10.50.7.0/24'"
    with running(programs, tmp_path, "clusternet.overlay.leases", variables) as book:
        book.wait(present, "Lease of 10.50.8.0/24 expires in ")
        assert "PLAY [" not in book.printed

        lease(etcd, 7, "192.0.2.17")
        book.wait("Lease of 10.50.7.0/24 changed: host 192.0.2.17, backend vxlan")
        etcd.etcdctl("del", f"{PREFIX}/subnets/10.50.7.0-24")
        book.wait("Lease of 10.50.7.0/24 was removed or expired: host 192.0.2.17")
        put(etcd, "subnets/10.50.8.0-24", "garbage")
        book.wait("Lease of 10.50.8.0/24 is invalid: ")

        lease(etcd, 9, "192.0.2.9", ttl=5)
        book.wait("Lease of 10.50.9.0/24 was removed or expired: host 192.0.2.9")
        book.wait("PLAY [Verify the overlay]", "web1: unreachable: ")

        etcd.kill()
        book.wait(f"etcd cannot be used: no etcd endpoint can be used: {etcd.endpoint}")
        etcd.heal()
        book.wait("etcd can be used again")
        assert "Traceback" not in book.printed


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Two hosts with agents whose pages can be read from the switch."""
    with EtcdServer() as etcd:
        network = Network(etcd.endpoint)
        network.configure()
        made = Fleet(etcd, network, tmp_path)
        made.joined(2, *FLAGS)
        until(made.know_each_other, "routes to the other host")
        yield made
        made.close()
        network.close()


def test_a_rule_of_the_example_runs_for_each_kind_of_event_of_an_agent(
    programs: Path, fleet: Fleet, tmp_path: Path
) -> None:
    first, second = fleet.hosts
    urls = [f"http://{host.address}:{HEALTH_PORT}" for host in fleet.hosts]
    variables: dict[str, object] = {"overlay_agent_urls": [*urls, f"http://{SWITCH}:1"], "overlay_agent_interval": 0.5}
    with running(programs, tmp_path, "clusternet.overlay.agents", variables, fleet.switch) as book:
        book.wait(f"Agent does not answer: http://{SWITCH}:1/metrics: Connection refused")
        first.ip("route", "delete", second.subnet)
        book.wait(f"Host {first.address}: overlayd repaired 1 routes")

        tunnel_packets = ("INPUT", "-p", "udp", "--dport", "8472", "-j", "DROP")
        second.namespace.command("iptables", "-I", *tunnel_packets)
        book.wait("PLAY [Verify the overlay]", "web1: unreachable: ")
        second.namespace.command("iptables", "-D", *tunnel_packets)
        book.wait(f"Host {first.address} reaches {second.subnet} again")

        subnet = second.subnet
        second.stop(signal.SIGKILL)
        second.ip("link", "delete", "flannel.1")
        second.ip("link", "add", "flannel.1", "type", "bridge")
        book.wait(f"Agent does not answer: {urls[1]}/metrics: Connection refused")
        second.start(*FLAGS)
        book.wait(
            f"Agent of host {second.address} answers again", f"Host {second.address} is not ready: starting: kernel: "
        )
        second.ip("link", "delete", "flannel.1")
        book.wait(f"Host {second.address} is ready again")

        second.stop(signal.SIGKILL)
        lost = book.printed.count("'peer_unreachable'")
        second.ip("link", "delete", "flannel.1")
        until(lambda: book.printed.count("'peer_unreachable'") > lost, "the event of a lost peer")
        fleet.network.delete(fleet.network.lease_name(subnet))
        book.wait(f"Host {first.address} does not probe {subnet} any more")
        assert "Traceback" not in book.printed


def test_an_option_with_a_wrong_name_ends_ansible_rulebook_with_one_sentence(programs: Path, tmp_path: Path) -> None:
    sources = [{"clusternet.overlay.leases": {"endpoint": "http://127.0.0.1:9"}}]
    rule = {"name": "any", "condition": "event.lease is defined", "action": {"debug": None}}
    (tmp_path / "book.yml").write_text(
        json.dumps([{"name": "wrong", "hosts": "all", "sources": sources, "rules": [rule]}])
    )
    with running(programs, tmp_path, "book.yml", {}) as book:
        assert book.ended() != 0
        assert "leases: option endpoint: unknown; the options are endpoints" in book.printed
