# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The members of an etcd cluster: listed, added and removed by their peer URLs."""

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
        """Return the member of a gateway's JSON object, whose 64-bit numbers are text."""
        urls = (tuple(raw.get(key, ())) for key in ("peerURLs", "clientURLs"))
        return cls(int(raw["ID"]), str(raw.get("name", "")), *urls)

    @property
    def hexadecimal(self) -> str:
        """The identifier as etcdctl shows and takes it."""
        return f"{self.identifier:x}"

    def facts(self) -> dict[str, Any]:
        """Return what the modules show of a member."""
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
    """Return the member with this peer URL, None where there is none."""
    return next((member for member in members if peer_url in member.peer_urls), None)


def initial_cluster(members: Iterable[Member], name: str, peer_url: str) -> str:
    """Return etcd's setting initial-cluster for a new member of this name: each name=peer URL, a comma between."""
    return ",".join(
        f"{name if peer_url in member.peer_urls else member.name}={url}"
        for member in members
        for url in member.peer_urls
    )


def add(call: Call, peer_url: str, patience: float) -> None:
    """Add a member; raise the last StoreError after ``patience`` seconds.

    etcd refuses a new member until the one before has been connected for some seconds (strict-reconfig-check).
    """
    end = time.monotonic() + patience
    while True:
        try:
            call("/cluster/member/add", {"peerURLs": [peer_url]}, False)
            return
        except StoreError as error:
            if holder(list_members(call), peer_url):
                return  # the answer was lost, the change was not
            if time.monotonic() >= end:
                raise StoreError(f"etcdctl member add --peer-urls={peer_url} failed: {error}") from None
        time.sleep(RETRY_PAUSE)


def remove(call: Call, member: Member) -> None:
    """Remove a member; raise StoreError."""
    try:
        call("/cluster/member/remove", {"ID": str(member.identifier)}, False)
    except StoreError as error:
        raise StoreError(f"etcdctl member remove {member.hexadecimal} failed: {error}") from None
