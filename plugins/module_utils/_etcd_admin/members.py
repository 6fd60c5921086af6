# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The members of an etcd cluster, identified by their peer URLs: list, add, remove."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ..overlay.model.errors import StoreError

Call = Callable[..., dict[str, Any]]
RETRY_PAUSE = 1.0  # seconds between two attempts to add a member


class Member(NamedTuple):
    """One member; ``name`` and ``client_urls`` are empty until it has started for the first time."""

    identifier: int
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Member:
        """Return the member of a JSON object of the gateway, which has 64-bit numbers as text."""
        urls = (tuple(raw.get(key, ())) for key in ("peerURLs", "clientURLs"))
        return cls(int(raw["ID"]), str(raw.get("name", "")), *urls)

    @property
    def hexadecimal(self) -> str:
        """The identifier in etcdctl's notation."""
        return f"{self.identifier:x}"

    def facts(self) -> dict[str, Any]:
        """Return the member for a module's result."""
        return {
            "id": self.hexadecimal,
            "name": self.name,
            "peer_urls": list(self.peer_urls),
            "client_urls": list(self.client_urls),
        }


def list_members(call: Call) -> list[Member]:
    """Return the cluster's members; raise StoreError."""
    return [Member.of(raw) for raw in call("/cluster/member/list", {}).get("members", [])]


def holder(members: Iterable[Member], peer_url: str) -> Member | None:
    """Return the member with this peer URL, None if no member has it."""
    return next((member for member in members if peer_url in member.peer_urls), None)


def initial_cluster(members: Iterable[Member], name: str, peer_url: str) -> str:
    """Return etcd's setting initial-cluster for a new member of this name: name=peer URL of each, with commas."""
    return ",".join(
        f"{name if peer_url in member.peer_urls else member.name}={url}"
        for member in members
        for url in member.peer_urls
    )


def add(call: Call, peer_url: str, patience: float) -> None:
    """Add a member; retry for ``patience`` seconds, then raise the last StoreError.

    etcd refuses a new member until the previous one has been connected for some seconds (strict-reconfig-check).
    """
    end = time.monotonic() + patience
    while True:
        try:
            call("/cluster/member/add", {"peerURLs": [peer_url]}, False)
            return
        except StoreError as error:
            if holder(list_members(call), peer_url):
                return  # etcd made the change, but its answer was lost
            if time.monotonic() >= end:
                raise StoreError(f"etcdctl member add --peer-urls={peer_url} failed: {error}") from None
        time.sleep(RETRY_PAUSE)


def remove(call: Call, member: Member) -> None:
    """Remove a member; raise StoreError."""
    try:
        call("/cluster/member/remove", {"ID": str(member.identifier)}, False)
    except StoreError as error:
        raise StoreError(f"etcdctl member remove {member.hexadecimal} failed: {error}") from None
