# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Members of an etcd cluster as values: read from JSON, found by peer URL, and written into initial-cluster."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._etcd_admin.members import (
    Member,
    add,
    holder,
    initial_cluster,
    list_members,
    remove,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import StoreError

ONE = Member(0xA1, "h1", ("https://192.0.2.1:2380",), ("https://192.0.2.1:2379",))
TWO = Member(0xB2, "h2", ("https://192.0.2.2:2380", "https://198.51.100.2:2380"), ())
NEW = Member(0xC3, "", ("https://192.0.2.3:2380",), ())


def refuse(_path: str, _body: dict[str, Any], _repeat: bool = True) -> dict[str, Any]:
    """An etcd that refuses every call."""
    raise StoreError("etcdserver: unhealthy cluster")


def test_a_member_is_read_from_json_with_its_number_as_text() -> None:
    raw = {"ID": "161", "name": "h1", "peerURLs": ["https://192.0.2.1:2380"], "clientURLs": ["https://192.0.2.1:2379"]}
    assert list_members(lambda *_words: {"members": [raw]}) == [ONE]


def test_a_member_that_has_never_started_has_neither_name_nor_client_urls() -> None:
    assert Member.of({"ID": "195", "peerURLs": ["https://192.0.2.3:2380"]}) == NEW


def test_a_cluster_without_members_is_an_empty_list() -> None:
    assert list_members(lambda *_words: {}) == []


def test_facts_show_the_identifier_as_etcdctl_does() -> None:
    assert ONE.facts() == {
        "id": "a1",
        "name": "h1",
        "peer_urls": ["https://192.0.2.1:2380"],
        "client_urls": ["https://192.0.2.1:2379"],
    }


def test_a_member_is_found_by_each_of_its_peer_urls() -> None:
    assert holder([ONE, TWO], "https://198.51.100.2:2380") == TWO
    assert holder([ONE, TWO], "https://192.0.2.9:2380") is None


def test_the_initial_cluster_names_the_new_member_and_each_peer_url() -> None:
    assert initial_cluster([ONE, TWO, NEW], "h3", "https://192.0.2.3:2380") == (
        "h1=https://192.0.2.1:2380,h2=https://192.0.2.2:2380,h2=https://198.51.100.2:2380,h3=https://192.0.2.3:2380"
    )


def test_a_refused_removal_names_the_command() -> None:
    with pytest.raises(StoreError, match=r"etcdctl member remove b2 failed: etcdserver: unhealthy cluster"):
        remove(refuse, TWO)


def test_a_member_is_added_although_the_answer_was_lost() -> None:
    def call(path: str, _body: dict[str, Any], _repeat: bool = True) -> dict[str, Any]:
        if path.endswith("/add"):
            raise StoreError("no answer")
        return {"members": [{"ID": "195", "peerURLs": list(NEW.peer_urls)}]}

    add(call, NEW.peer_urls[0], 0.0)


def test_an_addition_that_is_refused_until_the_end_names_the_command() -> None:
    def call(path: str, _body: dict[str, Any], _repeat: bool = True) -> dict[str, Any]:
        if path.endswith("/add"):
            raise StoreError("etcdserver: unhealthy cluster")
        return {}

    with pytest.raises(
        StoreError, match=r"etcdctl member add --peer-urls=https://192\.0\.2\.3:2380 failed: etcdserver"
    ):
        add(call, NEW.peer_urls[0], 0.0)
