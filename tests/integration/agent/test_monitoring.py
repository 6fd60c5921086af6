# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page /metrics, the alert rules and the dashboard, checked with a real Prometheus and its promtool."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.agent_fleet import Fleet
from support.agent_host import HEALTH, HEALTH_PORT, Host, until
from support.agent_network import Network
from support.etcd_server import EtcdServer

ROOT = Path(__file__).resolve().parents[3]
MONITORING = ROOT / "docs/monitoring"
RULES = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
PORT = 9090  # of Prometheus, in the network namespace of the host
METRIC = re.compile(r"overlay_[a-z_]+")
FIRED = {  # the series that makes each alert fire, by promtool's notation, and the minute at which it fires
    "OverlaydDown": ({'up{job="overlayd", instance="a:1"}': "0x10"}, 3),
    "OverlayNotReady": ({'overlay_ready{instance="a:1"}': "0x10"}, 3),
    "OverlayEtcdUnreachable": ({'overlay_etcd_up{instance="a:1"}': "0x10"}, 6),
    "OverlayLeaseExpiresSoon": ({'overlay_lease_remaining_seconds{instance="a:1"}': "1799-60x10"}, 3),
    "OverlayPeersDiffer": ({'overlay_peers{instance="a:1"}': "2x20", 'overlay_peers{instance="b:1"}': "1x20"}, 12),
    "OverlayProblem": ({'overlay_problems{instance="a:1", part="leases"}': "1x20"}, 12),
    "OverlayRepairsOften": ({'overlay_repairs_total{instance="a:1", kind="routes"}': "0+2x30"}, 20),
    "OverlayKernelRefuses": ({'overlay_kernel_failures_total{instance="a:1"}': "0+1x20"}, 12),
    "OverlayPathLoses": (
        {
            'overlay_probe_packets_total{instance="a:1", peer="p"}': "0+2x30",
            'overlay_probe_lost_total{instance="a:1", peer="p"}': "0+1x30",
        },
        20,
    ),
    "OverlaydRestartsOften": ({'overlay_start_time_seconds{instance="a:1"}': "100+60x10"}, 6),
    "OverlaydVersionsDiffer": (
        {'overlay_build_info{version="1.0.0"}': "1x90", 'overlay_build_info{version="1.1.0"}': "1x90"},
        70,
    ),
}


def promtool(*words: str, given: str = "") -> str:
    """Run promtool, which must succeed; return what it printed."""
    done = subprocess.run(["promtool", *words], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_prometheus_accepts_the_rules_and_the_configuration() -> None:
    promtool("check", "config", str(MONITORING / "prometheus.yml"))
    assert f"{len(RULES)} rules found" in promtool("check", "rules", str(MONITORING / "alerts.yml"))


def test_each_alert_fires_once_and_is_quiet_on_a_healthy_fleet(tmp_path: Path) -> None:
    assert sorted(FIRED) == sorted(rule["alert"] for rule in RULES)
    healthy = {
        'up{job="overlayd", instance="a:1"}': "1x90",
        'overlay_ready{instance="a:1"}': "1x90",
        'overlay_etcd_up{instance="a:1"}': "1x90",
        'overlay_lease_remaining_seconds{instance="a:1"}': "86400-60x90",
        'overlay_peers{instance="a:1"}': "2x90",
        'overlay_problems{instance="a:1", part="leases"}': "0x90",
        'overlay_repairs_total{instance="a:1", kind="routes"}': "3x90",
        'overlay_kernel_failures_total{instance="a:1"}': "0x90",
        'overlay_probe_packets_total{instance="a:1", peer="p"}': "0+2x90",
        'overlay_probe_lost_total{instance="a:1", peer="p"}': "0x90",
        'overlay_start_time_seconds{instance="a:1"}': "100x90",
        'overlay_build_info{version="1.0.0"}': "1x90",
    }
    tests = [_case(alert, series, minute, fires=True) for alert, (series, minute) in FIRED.items()]
    tests += [_case(alert, healthy, 80, fires=False) for alert in FIRED]
    file = tmp_path / "tests.yml"
    file.write_text(json.dumps({"rule_files": [str(MONITORING / "alerts.yml")], "tests": tests}))
    promtool("test", "rules", str(file))


def _case(alert: str, series: dict[str, str], minute: int, fires: bool) -> dict[str, Any]:
    """Return a test of promtool: whether the number of series of a firing alert is one, or the alert is absent."""
    expression = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": expression,
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
            }
        ],
    }


@contextmanager
def prometheus(host: Host, folder: Path) -> Iterator[None]:
    """Run Prometheus on a host, with the alert rules; it scrapes the agent each second."""
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{HEALTH_PORT}"]}]
    config["rule_files"] = [str(MONITORING / "alerts.yml")]
    (folder / "prometheus.yml").write_text(json.dumps(config))
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{PORT}",
    ]
    with (folder / "log").open("w") as log:
        process = host.namespace.run(lambda: subprocess.Popen(command, stdout=log, stderr=log))
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def query(host: Host, expression: str) -> list[float]:
    """Return the values of an expression in Prometheus; none while it does not answer."""
    url = f"http://127.0.0.1:{PORT}/api/v1/query?query={urllib.parse.quote(expression)}"

    def fetch() -> Any:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)

    try:
        answer = host.namespace.run(fetch)
    except OSError:
        return []
    return [float(result["value"][1]) for result in answer["data"]["result"]]


def names_in_documents() -> set[str]:
    """Return the metrics that the rules, the dashboard and the table of metrics name."""
    table = [line for line in (MONITORING / "README.md").read_text().splitlines() if line.startswith("|")]
    found = METRIC.findall(
        "\n".join([*table, *((MONITORING / name).read_text() for name in ("alerts.yml", "dashboard.json"))])
    )
    return {name.replace("_bucket", "") for name in found}


@pytest.mark.usefixtures("own_etcd")
def test_prometheus_scrapes_every_documented_metric(
    host: Host, network: Network, etcd: EtcdServer, tmp_path: Path
) -> None:
    network.configure()
    host.join(*HEALTH, "--probe-interval=1", "--probe-peers=1")
    network.lease("10.50.201.0/24", "192.0.2.201", "0e:00:00:00:00:c9")
    until(lambda: "10.50.201.0/24" in host.routes(), "the route to a peer")
    host.ip("route", "delete", "10.50.201.0/24")
    host.wait_said("repaired: route 10.50.201.0/24")
    promtool("check", "metrics", given=host.http("/metrics")[1])
    with prometheus(host, tmp_path):
        until(lambda: query(host, "overlay_peers") == [1.0], "a scrape of the agent")
        assert query(host, 'overlay_repairs_total{kind="routes"}') == [1.0]
        assert query(host, 'overlay_peer_changes_total{kind="added"}') == [1.0]
        assert query(host, 'overlay_kernel_steps_total{kind="routes"}') == [2.0]
        assert query(host, "overlay_leases_rejected") == [0.0]
        network.lease("10.50.202.0/24", "no address")
        until(lambda: query(host, "overlay_leases_rejected") == [1.0], "the count of rejected leases")
        until(lambda: query(host, 'overlay_probe_lost_total{peer="10.50.201.0/24"}') > [1.0], "lost packets")
        assert query(host, "overlay_event_duration_seconds_count")[0] >= 1
        assert query(host, "overlay_etcd_request_duration_seconds_count")[0] >= 3  # config, leases and the own lease
        assert query(host, "overlay_etcd_request_errors_total") == [0.0]
        assert 3600 <= query(host, "overlay_lease_remaining_seconds - overlay_lease_renewal_seconds")[0] <= 3601
        pages = {name.removesuffix("_count") for name in METRIC.findall(host.http("/metrics")[1])}
        pages = {re.sub(r"_(bucket|sum)$", "", name) for name in pages}
        assert names_in_documents() == pages
        assert query(host, "overlay_etcd_up") == [1.0]
        etcd.kill()
        until(lambda: query(host, "overlay_etcd_up") == [0.0], "the outage of etcd")
        until(lambda: query(host, "overlay_etcd_interruptions_total") == [1.0], "the count of outages")
        until(lambda: query(host, "overlay_etcd_request_errors_total") > [0.0], "the count of failed requests")
        until(lambda: query(host, 'ALERTS{alertname="OverlayEtcdUnreachable"}') == [1.0], "the pending alert")


def test_probes_count_packets_and_delay_of_the_next_peers_only(fleet: Fleet, network: Network) -> None:
    network.configure()
    first, *others = fleet.joined(3, *HEALTH, "--probe-interval=1", "--probe-peers=1")

    def sample(name: str, host: Host = first) -> dict[str, float]:
        found = re.findall(rf'^overlay_probe_{name}{{peer="(.*)"}} (.*)$', host.http("/metrics")[1], re.MULTILINE)
        return {peer: float(value) for peer, value in found}

    subnets = sorted((host.subnet for host in fleet.hosts), key=lambda text: int(text.split(".")[2]))
    following = subnets[(subnets.index(first.subnet) + 1) % 3]
    until(lambda: sample("delay_seconds"), lambda: f"a delay:\n{first.http('/metrics')[1]}")
    assert list(sample("packets_total")) == [following]
    assert 0 < sample("delay_seconds")[following] < 1
    (peer,) = (host for host in others if host.subnet == following)
    peer.ip("link", "set", "eth0", "down")
    lost = sample("lost_total")[following]
    until(lambda: sample("lost_total")[following] > lost, "a lost packet")
    assert sample("delay_seconds") == {}
    network.delete(network.lease_name(following))
    until(lambda: following not in sample("packets_total"), "no values of a former peer")
