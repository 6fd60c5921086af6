# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The event source agents, with real agents in network namespaces and with a proxy that uses TLS."""

from __future__ import annotations

import asyncio
import signal
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.metrics import page
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.status import Status
from support.agent_fleet import SWITCH, Fleet
from support.agent_host import HEALTH_PORT, Host, until
from support.agent_network import Network
from support.etcd_server import EtcdTls, make_tls
from support.event_source import Get, event_source, option_error

SILENT = f"http://{SWITCH}:1"
LOST = 2  # packets after which a peer is unreachable
TUNNEL_PACKETS = ("INPUT", "-p", "udp", "--dport", "8472", "-j", "DROP")
Event = dict[str, Any]


def url(host: Host) -> str:
    """Return the URL of the agent on a host."""
    return f"http://{host.address}:{HEALTH_PORT}"


def start(host: Host) -> None:
    """Start overlayd with its pages open to other hosts, and with probes."""
    health = f"--healthz-ip={host.address}", f"--healthz-port={HEALTH_PORT}"
    host.start(*health, "--probe-interval=1", "--probe-peers=1", "--iptables-resync=1")


async def expect(get: Get, *wanted: Event) -> None:
    """Compare the next events with these, in any order; the number of lost packets depends on the time."""
    found = [(await get())["agent"] for _unused in wanted]
    assert all(event.pop("lost", LOST) >= LOST for event in found)
    assert sorted(found, key=str) == sorted(wanted, key=str)


def test_the_agents_report_repairs_peers_and_their_own_state_once(fleet: Fleet, network: Network) -> None:
    network.configure()
    first, second = fleet(2)
    for host in fleet.hosts:
        start(host)
    until(fleet.know_each_other, "routes to the other host")
    one, other = ({"url": url(host), "host": host.address} for host in fleet.hosts)

    async def follow() -> None:
        urls = [url(first), f"{url(second)}/", SILENT]
        async with event_source("agents", urls=urls, interval="0.3", timeout=30, lost_probes=LOST) as get:
            silent = {"url": SILENT, "host": SWITCH, "reason": f"{SILENT}/metrics: Connection refused"}
            await expect(get, {"event": "unreachable", **silent})

            first.ip("route", "delete", second.subnet)
            await expect(get, {"event": "repaired", "kind": "routes", "count": 1, **one})
            first.namespace.command("iptables", "-F")
            repaired = (await get())["agent"]
            assert repaired == {"event": "repaired", "kind": "firewall", "count": repaired["count"], **one}

            second.namespace.command("iptables", "-I", *TUNNEL_PACKETS)
            lost = {"event": "peer_unreachable"}
            await expect(get, {**lost, "peer": second.subnet, **one}, {**lost, "peer": first.subnet, **other})
            second.namespace.command("iptables", "-D", *TUNNEL_PACKETS)
            found = {"event": "peer_reachable"}
            await expect(get, {**found, "peer": second.subnet, **one}, {**found, "peer": first.subnet, **other})

            second.stop(signal.SIGKILL)
            refused = {"event": "unreachable", "reason": f"{url(second)}/metrics: Connection refused"}
            await expect(get, {**refused, **other})
            second.ip("link", "delete", "flannel.1")
            second.ip("link", "add", "flannel.1", "type", "bridge")
            second.namespace.command("iptables", "-F")
            await expect(get, {**lost, "peer": second.subnet, **one})
            start(second)
            await expect(get, {"event": "reachable", **other})
            problem = (await get())["agent"]
            assert problem["event"] == "not_ready" and problem["url"] == url(second) and problem["state"] == "starting"
            assert problem["problems"][0].startswith("kernel: "), problem
            second.ip("link", "delete", "flannel.1")
            await expect(get, {"event": "ready", **other}, {**found, "peer": second.subnet, **one})

            second.stop(signal.SIGKILL)
            second.ip("link", "delete", "flannel.1")
            await expect(get, {**refused, **other}, {**lost, "peer": second.subnet, **one})
            network.delete(network.lease_name(second.subnet))
            await expect(get, {"event": "peer_not_probed", "peer": second.subnet, **one})

    fleet.switch.run(lambda: asyncio.run(follow()))


@contextmanager
def proxy(tls: EtcdTls, user: str) -> Iterator[str]:
    """Serve the pages of an agent with TLS to clients that have a certificate and send this user; yield the URL."""
    status = Status()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers["Authorization"] == f"Basic {b64encode(user.encode()).decode()}"
            body = page(status) if self.path == "/web1/metrics" else '{"state": "starting", "problems": {}}'
            self.send_response(401 if not allowed else 503 if self.path == "/web1/readyz" else 200)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Log no requests."""

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(tls.cert_file, tls.key_file)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}/web1"
        server.shutdown()


def test_a_proxy_with_tls_and_a_password_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = make_tls(tmp_path)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    certificate = {"ca_file": tls.ca_file, "cert_file": tls.client_cert_file, "key_file": tls.client_key_file}

    async def first(**options: Any) -> Event:
        async with event_source("agents", urls=address, interval=0.2, timeout=30, **options) as get:
            event: Event = (await get())["agent"]
            return event

    with proxy(tls, "prometheus:4711") as address:
        found = asyncio.run(first(username="prometheus", password=4711, **certificate))
        common = {"url": address, "host": "127.0.0.1"}
        assert found == {"event": "not_ready", "state": "starting", "problems": [], **common}
        found = asyncio.run(first(username="prometheus", password="wrong", **certificate))
        assert found["event"] == "unreachable" and found["reason"] == f"{address}/metrics: status 401 Unauthorized"
        found = asyncio.run(first(**{**certificate, "ca_file": tls.other_ca_file}))
        assert found["event"] == "unreachable" and "certificate verify failed" in found["reason"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "option urls: missing; give the URLs of the agents, such as http://192.0.2.11:9475"),
        ({"url": "http://192.0.2.11:9475"}, "option url: unknown; the options are urls, interval"),
        ({"urls": 5}, "option urls: 5 is not a list of URLs"),
        ({"urls": ["192.0.2.11:9475"]}, "option urls: '192.0.2.11:9475' is not a URL such as http://192.0.2.11:9475"),
        ({"urls": "http://a:b@web1:9475"}, "option urls: 'http://...@web1:9475' is not a URL such as"),
        ({"urls": "http://web1:94750"}, "option urls: 'http://web1:94750' is not a URL such as"),
        ({"interval": "often"}, "option interval: 'often' is not a number of seconds"),
        ({"interval": 0}, "option interval: 0 is too low; the lowest value is 0.1"),
        ({"timeout": "nan"}, "option timeout: 'nan' is not a number of seconds"),
        ({"lost_probes": 0}, "option lost_probes: 0 is too low; the lowest value is 1"),
        ({"failed_polls": 1.5}, "option failed_polls: 1.5 is not a whole number"),
        ({"ca_file": "/nowhere"}, "option ca_file: file /nowhere cannot be read: No such file or directory"),
        ({"ca_file": __file__}, f"option ca_file: file {__file__} cannot be used: "),
        ({"cert_file": __file__}, f"option cert_file: file {__file__} cannot be used: "),
        ({"key_file": __file__}, "option key_file: set cert_file, too"),
        ({"password": "secret"}, "option password: set username and password, or none of them"),
    ],
)
def test_an_option_with_an_invalid_value_is_one_sentence(options: dict[str, Any], sentence: str) -> None:
    given = options if options.keys() & {"urls", "url"} or not options else {"urls": "http://web1:9475", **options}
    assert option_error("agents", given).startswith(f"agents: {sentence}")
