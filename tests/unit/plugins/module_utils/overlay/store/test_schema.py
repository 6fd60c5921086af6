# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keys below a prefix: which of them is a lease, and which are nested keys."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Deleted, Event, Item, Put
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.schema import (
    REPORTED,
    Keys,
    NestedKeys,
    lease_events,
)

KEYS = Keys("/a/net/")


def item(name: str, directory: bool = False) -> Item:
    return Item(f"/a/net/{name}", "", 1, directory=directory)


def test_a_slash_at_the_end_of_the_prefix_makes_no_difference() -> None:
    for keys in (KEYS, Keys("/a/net")):
        assert (keys.config, keys.subnets) == ("/a/net/config", "/a/net/subnets")
        assert keys.lease(Subnet.parse("10.5.7.0/24")) == "/a/net/subnets/10.5.7.0-24"
    assert Keys("/").config == "/config"


@pytest.mark.parametrize(
    "key, name",
    [
        ("/a/net/subnets/10.5.7.0-24", "10.5.7.0-24"),
        ("/a/net/subnets/whatever", "whatever"),
        ("/a/net/subnets/", ""),
        ("/a/net/subnets/backup/10.5.7.0-24", None),
        ("/a/net/subnets/10.5.7.0-24/10.5.7.0-24", None),
        ("/a/net/subnets-old/10.5.7.0-24", None),
        ("/a/net/10.5.7.0-24", None),
        ("/a/net/config", None),
        ("/b/a/net/subnets/10.5.7.0-24", None),
    ],
)
def test_only_a_direct_child_of_subnets_has_a_lease_name(key: str, name: str | None) -> None:
    assert KEYS.lease_name(key) == name


def test_events_of_leases_have_lease_names_and_others_are_left_out() -> None:
    lease = item("subnets/10.5.7.0-24")
    events: list[Event] = [
        Put(lease),
        Put(item("subnets/backup/10.5.7.0-24")),
        Deleted("/a/net/subnets/backup/10.5.7.0-24"),
        Put(item("subnets/10.5.8.0-24", directory=True)),
        Put(item("config")),
        Deleted("/a/net/subnets/10.5.7.0-24"),
    ]
    assert lease_events(KEYS, events) == [Put(lease._replace(key="10.5.7.0-24")), Deleted("10.5.7.0-24")]


def test_a_folder_of_nested_keys_is_reported_from_its_first_key_to_its_last() -> None:
    nested = NestedKeys(KEYS, [item("subnets/backup/a"), item("subnets/empty", directory=True)])
    before = nested.sentences()
    assert [sentence.split("'")[1] for sentence in before] == ["/a/net/subnets/backup/", "/a/net/subnets/empty/"]
    assert not nested.follow([Put(item("subnets/backup/b")), Deleted("/a/net/subnets/backup/a")])
    assert nested.sentences() == before
    assert nested.follow([Deleted("/a/net/subnets/backup/b")])
    assert len(nested.sentences()) == 1
    assert not nested.follow([Put(item("subnets/10.5.7.0-24")), Put(item("config")), Deleted("/a/net/subnets/x/y")])


def test_the_report_of_nested_keys_is_bounded() -> None:
    nested = NestedKeys(KEYS, [item(f"subnets/d{number}/x") for number in range(1000)])
    assert len(nested.sentences()) == REPORTED + 1
    assert f"only the first {REPORTED} are listed" in nested.sentences()[-1]
