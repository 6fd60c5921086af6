# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gateway's JSON shapes: zeros left out, integers as text, bytes as base64."""

from __future__ import annotations

from binascii import b2a_base64

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Deleted, Item, Put
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.v3_codec import (
    decode,
    encode,
    events,
    folder_range,
    items,
)


def test_a_folder_holds_only_the_keys_after_its_slash() -> None:
    first, end = (decode(text) for text in folder_range("/n/subnets"))
    assert first <= "/n/subnets/a" < end
    assert first <= "/n/subnets/~" < end
    assert not first <= "/n/subnets-old/a" < end
    assert not first <= "/n/subnets0" < end
    assert folder_range("/n/subnets/") == folder_range("/n/subnets")


def test_fields_that_are_zero_may_be_absent() -> None:
    assert items({"header": {"revision": "7"}}) == []
    assert items({"kvs": [{"key": encode("/a"), "mod_revision": "9007199254740993"}]}) == [
        Item("/a", "", 9007199254740993, 0, None, True)
    ]


def test_an_item_with_an_etcd_lease_is_no_reservation() -> None:
    pair = {"key": encode("/a"), "value": encode("é"), "mod_revision": "3", "lease": "7587863351481533976"}
    assert items({"kvs": [pair]}) == [Item("/a", "é", 3, 7587863351481533976, None, False)]


def test_a_value_that_is_not_text_is_escaped() -> None:
    value = b2a_base64(b"\xff\xfe{", newline=False).decode("ascii")
    [item] = items({"kvs": [{"key": encode("/a"), "value": value, "mod_revision": "3"}]})
    assert item.value == "\\xff\\xfe{"


def test_an_event_without_a_type_is_a_put() -> None:
    pair = {"key": encode("/a"), "value": encode("1"), "mod_revision": "3"}
    gone = {"key": encode("/b"), "mod_revision": "4"}
    assert events([{"kv": pair}, {"type": "PUT", "kv": pair}, {"type": "DELETE", "kv": gone}]) == [
        Put(Item("/a", "1", 3)),
        Put(Item("/a", "1", 3)),
        Deleted("/b"),
    ]
