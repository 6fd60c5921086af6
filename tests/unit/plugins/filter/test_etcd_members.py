# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The URLs of etcd members, from the variables of their hosts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.filter.etcd_members import etcd_members


@pytest.mark.parametrize(
    ("variables", "client_url", "peer_url"),
    [
        ({}, "http://a:2379", "http://a:2380"),
        ({"ansible_host": "192.0.2.1"}, "http://192.0.2.1:2379", "http://192.0.2.1:2380"),
        ({"ansible_host": "192.0.2.1", "etcd_address": "10.0.0.1"}, "http://10.0.0.1:2379", "http://10.0.0.1:2380"),
        ({"etcd_address": "2001:db8::1"}, "http://[2001:db8::1]:2379", "http://[2001:db8::1]:2380"),
        ({"etcd_client_port": 4001, "etcd_peer_port": "7001"}, "http://a:4001", "http://a:7001"),
    ],
)
def test_the_urls_follow_from_the_variables_of_the_host(
    variables: dict[str, Any], client_url: str, peer_url: str
) -> None:
    (member,) = etcd_members(["a"], {"a": variables})
    assert (member["name"], member["client_url"], member["peer_url"]) == ("a", client_url, peer_url)


def test_scheme_and_ports_are_those_of_the_cluster_where_a_host_sets_none() -> None:
    hostvars = {"a": {}, "b": {"etcd_client_port": 1}}
    found = etcd_members(["b", "a"], hostvars, "https", 2, 3)
    assert [member["client_url"] for member in found] == ["https://b:1", "https://a:2"]
    assert [member["peer_url"] for member in found] == ["https://b:3", "https://a:3"]
