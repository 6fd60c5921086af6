# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The JSON encoding of the v3 gateway: base64 for keys and values, strings for 64-bit integers, zeros omitted."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping
from typing import Any

from .protocol import Deleted, Event, Item, Put


def encode(text: str) -> str:
    """Return text in the gateway's encoding of bytes."""
    return b2a_base64(text.encode(), newline=False).decode("ascii")


def decode(data: str) -> str:
    """Return the text of bytes from the gateway; bytes that are not UTF-8, from other programs, become \\xNN."""
    return a2b_base64(data).decode("utf-8", "backslashreplace")


def folder_range(folder: str) -> tuple[str, str]:
    """Return key and range_end for all keys below folder + "/", without siblings such as folder + "-old"."""
    inside = folder.rstrip("/")
    return encode(inside + "/"), encode(inside + "0")  # 0 is the character after the slash


def item(pair: Mapping[str, Any]) -> Item:
    """Return the item of a KeyValue object."""
    lease = int(pair.get("lease", 0))
    return Item(decode(pair["key"]), decode(pair.get("value", "")), int(pair["mod_revision"]), lease, None, lease == 0)


def items(reply: Mapping[str, Any]) -> list[Item]:
    """Return the items of a range reply, sorted by key."""
    return [item(pair) for pair in reply.get("kvs", ())]


def events(raw: Iterable[Mapping[str, Any]]) -> list[Event]:
    """Return the events of a watch reply, in order."""
    return [
        Deleted(decode(event["kv"]["key"])) if event.get("type") == "DELETE" else Put(item(event["kv"]))
        for event in raw
    ]
