# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""etcd_member and etcd_member_info against a real cluster of three members."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.etcd_server import EtcdServer
from support.module_runner import Runner

NEW = "http://127.0.0.1:9"  # where no member listens


@pytest.fixture
def cluster() -> Iterator[EtcdServer]:
    with EtcdServer(members=3) as server:
        yield server


def runner(module: str, cluster: EtcdServer) -> Runner:
    """A module that reaches all members."""
    return Runner(module, {"endpoints": list(cluster.endpoints)})


def test_the_members_are_listed_as_etcdctl_shows_them(cluster: EtcdServer) -> None:
    found = runner("etcd_member_info", cluster)()
    lines = [line.split(", ") for line in cluster.etcdctl("member", "list").splitlines()]
    shown = sorted((identifier, name, peer, client) for identifier, _state, name, peer, client, _learner in lines)
    assert sorted((m["id"], m["name"], m["peer_urls"][0], m["client_urls"][0]) for m in found["members"]) == shown
    assert found["reachable"] is True


def test_a_cluster_that_does_not_answer_is_a_fact_with_a_reason(cluster: EtcdServer) -> None:
    for number in range(3):
        cluster.kill(number)
    found = runner("etcd_member_info", cluster)(timeout=1)
    assert found["reachable"] is False
    assert "connection refused" in found["problem"]


def test_a_member_is_added_once_and_removed_once(cluster: EtcdServer) -> None:
    member = runner("etcd_member", cluster)
    options: dict[str, Any] = {"name": "m3", "peer_url": NEW}
    assert member(check=True, **options)["changed"] is True
    added = member(**options)
    assert added["changed"] is True
    assert f"m3={NEW}" in added["initial_cluster"].split(",")
    assert len(added["initial_cluster"].split(",")) == 4
    again = member(**options)
    assert (again["changed"], again["initial_cluster"]) == (False, added["initial_cluster"])
    assert member(state="absent", peer_url=NEW, check=True)["changed"] is True
    assert member(state="absent", peer_url=NEW)["changed"] is True
    assert member(state="absent", peer_url=NEW)["changed"] is False
    assert len(runner("etcd_member_info", cluster)()["members"]) == 3


def test_a_member_that_etcd_refuses_is_an_error_that_names_the_command(cluster: EtcdServer) -> None:
    cluster.kill(2)
    member = runner("etcd_member", cluster)
    failed = member(fails=True, name="m3", peer_url=NEW, wait=1)
    assert f"etcdctl member add --peer-urls={NEW} failed: " in failed["msg"]
    cluster.heal()
    assert member(name="m3", peer_url=NEW)["changed"] is True
