# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""etcd_health_info against real members: running, stopped, without a quorum, with TLS, with keys."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from support.agent_host import until
from support.etcd_server import EtcdServer, free_ports, make_tls
from support.module_runner import Runner


def runner(server: EtcdServer) -> Runner:
    """The module with the endpoints of all members."""
    return Runner("etcd_health_info", {"endpoints": list(server.endpoints), "timeout": 2})


def test_members_are_healthy_only_while_the_cluster_has_a_quorum() -> None:
    with EtcdServer(members=3) as cluster:
        health = runner(cluster)
        assert health(wait=30)["healthy"] == list(cluster.endpoints)
        cluster.kill(2)
        until(lambda: health()["healthy"] == list(cluster.endpoints[:2]), "a leader among the others")
        one_down = health()
        assert one_down["problems"] == [f"{cluster.endpoints[2]}: connection refused"]
        cluster.kill(1)
        without_quorum = health()
        assert without_quorum["healthy"] == []
        assert [member["healthy"] for member in without_quorum["members"]] == [False, False, False]


def test_a_member_with_tls_is_found_healthy(tmp_path: Path) -> None:
    tls = make_tls(tmp_path / "tls")
    with EtcdServer(tmp_path / "etcd", tls=tls) as server:
        found = runner(server)(wait=30, ca_file=tls.ca_file, cert_file=tls.cert_file, key_file=tls.key_file)
        untrusted = runner(server)()
    assert found["problems"] == []
    assert "certificate" in untrusted["members"][0]["problem"]


def test_the_module_waits_for_a_member_that_answers_later() -> None:
    with EtcdServer() as server:
        server.pause(0)
        resume = threading.Timer(1.5, server.heal)
        resume.start()
        found = runner(server)(wait=30)
        resume.join()
    assert found["healthy"] == [server.endpoint]


def test_a_member_that_stays_down_is_returned_with_the_reason() -> None:
    endpoint = f"http://127.0.0.1:{free_ports(1)[0]}"
    found = Runner("etcd_health_info", {"endpoints": [endpoint]})(wait=1)
    assert found["members"] == [{"endpoint": endpoint, "healthy": False, "problem": "connection refused"}]


@pytest.mark.parametrize(("api", "write"), [("3", ["put", "k", "v"]), ("2", ["set", "/k", "v"])])
def test_an_etcd_is_empty_until_a_key_is_written(api: str, write: list[str]) -> None:
    with EtcdServer() as server:
        assert runner(server)(wait=30, contents=True)["members"][0]["empty"] is True
        server.etcdctl(*write, api=api)
        assert runner(server)(contents=True)["members"][0]["empty"] is False
