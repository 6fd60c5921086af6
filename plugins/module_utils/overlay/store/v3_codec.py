# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keys, values and items as the v3 gateway writes them: base64 text, 64-bit integers as strings, zeros left out."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping
from typing import Any

from .protocol import Deleted, Event, Item, Put


def encode(text: str) -> str:
    """Return text as the gateway takes bytes."""
    return b2a_base64(text.encode(), newline=False).decode("ascii")


def decode(data: str) -> str:
    """Return the text of bytes from the gateway; what is not UTF-8 shows as \\xNN, for others write there too."""
    return a2b_base64(data).decode("utf-8", "backslashreplace")


def folder_range(folder: str) -> tuple[str, str]:
    """Return key and range_end of all keys below folder + "/"; siblings such as folder + "-old" are not among them."""
    inside = folder.rstrip("/")
    return encode(inside + "/"), encode(inside + "0")  # 0 is the character that follows the slash


def item(pair: Mapping[str, Any]) -> Item:
    """Return the item of a KeyValue object."""
    lease = int(pair.get("lease", 0))
    return Item(decode(pair["key"]), decode(pair.get("value", "")), int(pair["mod_revision"]), lease, None, lease == 0)


def items(reply: Mapping[str, Any]) -> list[Item]:
    """Return the items of a range reply, in order of key."""
    return [item(pair) for pair in reply.get("kvs", ())]


def events(raw: Iterable[Mapping[str, Any]]) -> list[Event]:
    """Return the events of a watch reply, in order."""
    return [
        Deleted(decode(event["kv"]["key"])) if event.get("type") == "DELETE" else Put(item(event["kv"]))
        for event in raw
    ]
