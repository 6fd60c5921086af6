# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Source addresses in firewall rules: which texts are none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Network
from typing import Any


def overlay_source_problems(sources: Iterable[Any]) -> list[str]:
    """Return those texts that are not an IPv4 address, nor a prefix without host bits whose length is at least 1."""
    return [str(source) for source in sources if not _is_source(str(source))]


def _is_source(text: str) -> bool:
    address, slash, length = text.partition("/")
    if slash and not (length.isascii() and length.isdigit() and int(length) > 0):  # a netmask is none of ours
        return False
    try:
        return str(IPv4Network(text)) == f"{address}/{length or 32}"
    except ValueError:
        return False


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"overlay_source_problems": overlay_source_problems}
