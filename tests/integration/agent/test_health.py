# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Readiness and health of the agent, to the service manager and over HTTP, without any secret."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import threading

import pytest
from support.agent_fleet import Fleet
from support.agent_host import HEALTH, HEALTH_PORT, Host, until
from support.agent_network import Network
from support.etcd_server import EtcdServer

PASSWORD = "a-word-that-nobody-may-see"


def test_ready_comes_only_after_every_row_and_the_subnet_file(host: Host, network: Network) -> None:
    network.configure(SubnetLen=26)
    for number in range(400):
        mac = f"0e:00:00:00:{number // 256:02x}:{number % 256:02x}"
        network.lease(
            f"10.50.{100 + number // 4}.{number % 4 * 64}/26", f"198.51.{number // 200}.{1 + number % 200}", mac
        )
    frozen = threading.Event()

    def freeze(line: str) -> None:
        if line == "READY=1":
            host.send(signal.SIGSTOP)
            frozen.set()

    host.on_notification = freeze
    host.start()
    assert frozen.wait(30), host.log
    assert len(host.routes()) == 400
    assert host.namespace.command("bridge", "fdb", "show", "dev", "flannel.1").count(" dst ") == 400
    assert host.subnet_env["FLANNEL_MTU"] == "1450"


def test_health_changes_from_starting_to_ready_and_lists_problems(host: Host, network: Network) -> None:
    host.start(*HEALTH)
    until(lambda: "etcd: there is no network config" in host.http("/readyz")[1], "the reason")
    status, text = host.http("/readyz", accept="application/json")
    assert (status, json.loads(text)["state"], json.loads(text)["subnet"]) == (503, "starting", None)
    assert host.http("/readyz")[0] == 503
    assert host.http("/healthz")[0] == 200
    network.configure()
    host.wait_ready()
    until(lambda: host.http("/readyz") == (200, f"ready: subnet {host.subnet}, 0 peers\n"), "ready")
    network.lease("10.50.201.0/24", "192.0.2.201", "0e:00:00:00:00:c9")
    until(lambda: "1 peers" in host.http("/readyz")[1], "the peer")
    network.put("subnets/10.50.202.0-24", "garbage")
    until(lambda: "leases: lease 10.50.202.0-24" in host.http("/healthz")[1], "the garbage")
    status, text = host.http("/readyz", accept="application/json")
    found = json.loads(text)
    assert (status, found["state"], found["subnet"], found["peers"]) == (200, "ready", host.subnet, 1)
    assert list(found["problems"]) == ["leases"] and "10.50.202.0-24" in found["problems"]["leases"][0]
    metrics = host.http("/metrics")[1]
    assert "\noverlay_ready 1\n" in metrics
    assert "\noverlay_peers 1\n" in metrics
    assert 'overlay_problems{part="leases"} 1\n' in metrics
    assert 80_000 < float(metrics.partition("\noverlay_lease_renewal_seconds ")[2].split()[0]) < 86_400
    assert host.http("/elsewhere")[0] == 404


def test_the_watchdog_is_fed_without_a_config_and_between_rare_checks_of_the_rules(
    host: Host, network: Network
) -> None:
    host.start("--iptables-resync=3600", environment={"WATCHDOG_USEC": "1000000"})
    until(lambda: host.notified.count("WATCHDOG=1") >= 2, "the watchdog to be fed while there is no config")
    network.configure()
    host.wait_ready()
    fed = host.notified.count("WATCHDOG=1")
    until(lambda: host.notified.count("WATCHDOG=1") >= fed + 3, "the watchdog to be fed", 6)


def test_disabled_ip_forwarding_is_reported_until_it_is_enabled(host: Host, network: Network) -> None:
    network.configure()
    host.namespace.setting("net/ipv4/ip_forward", "0")
    host.join("--iptables-resync=1", *HEALTH)
    assert "forwarding: net.ipv4.ip_forward is 0" in host.http("/healthz")[1]
    host.namespace.setting("net/ipv4/ip_forward", "1")
    until(lambda: host.http("/healthz") == (200, "ok\n"), "no problem in /healthz")
    host.namespace.setting("net/ipv4/ip_forward", "0")
    until(lambda: "ip_forward is 0" in host.http("/healthz")[1], "the problem in /healthz again")


def test_the_password_is_in_no_log_status_or_process_list(fleet: Fleet, network: Network, own_etcd: EtcdServer) -> None:
    network.configure()
    own_etcd.enable_auth(PASSWORD)
    (host,) = fleet(1)
    secret = {"FLANNELD_ETCD_USERNAME": "root", "FLANNELD_ETCD_PASSWORD": PASSWORD}
    host.join("-v=1", *HEALTH, environment=secret)
    host.ip("link", "set", "eth0", "mtu", "1400")
    host.wait_started_again()
    own_etcd.kill()
    host.wait_said("no etcd endpoint can be used")
    own_etcd.restart()
    own_etcd.etcdctl("user", "passwd", "root", "--interactive=false", user=f"root:{PASSWORD}", feed="another\n")
    shown = "".join(host.http(path)[1] for path in ("/metrics", "/healthz", "/readyz"))
    shown += host.log + "".join(host.notified) + host.process_list()
    for path in host.state.iterdir():
        shown += path.read_text()
    host.stop()
    done = host.run("-v=1", environment={**secret, "FLANNELD_ETCD_CAFILE": "/nowhere", "FLANNELD_HEALTHZ_PORT": "x"})
    assert done.returncode == 1
    assert PASSWORD not in shown + done.stderr


def test_a_wrong_password_is_one_clear_error(fleet: Fleet, network: Network, own_etcd: EtcdServer) -> None:
    network.configure()
    own_etcd.enable_auth(PASSWORD)
    (host,) = fleet(1)
    host.start(environment={"FLANNELD_ETCD_USERNAME": "root", "FLANNELD_ETCD_PASSWORD": "guessed"})
    host.wait_said("ERROR etcd at http://192.0.2.1:2379 refused user 'root': wrong username or password")
    assert "guessed" not in host.log
    assert not host.subnet_file.exists()


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CHECK"])
def test_every_method_is_answered_as_flanneld_does(host: Host, network: Network, method: str) -> None:
    network.configure()
    host.join(*HEALTH)
    until(lambda: host.http("/readyz")[0] == 200, "ready")

    def ask(path: str) -> tuple[int, int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", HEALTH_PORT, timeout=5)
        connection.request(method, path, body=b"x" * 100_000 if method in ("POST", "PUT") else None)
        answer = connection.getresponse()
        return answer.status, int(answer.headers["Content-Length"]), answer.read()

    assert host.namespace.run(lambda: ask("/healthz")) == (200, 3, b"" if method == "HEAD" else b"ok\n")
    status, length, body = host.namespace.run(lambda: ask("/readyz"))
    assert (status, length > 10, bool(body)) == (200, True, method != "HEAD")
    assert host.namespace.run(lambda: ask("/elsewhere"))[0] == 404


def test_a_silent_client_does_not_block_other_clients(host: Host, network: Network) -> None:
    network.configure()
    host.join(*HEALTH)
    silent = [host.namespace.run(lambda: socket.create_connection(("127.0.0.1", 8099))) for _attempt in range(20)]
    assert host.http("/healthz")[0] == 200
    for one in silent:
        one.close()
