# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the rest of the package knows of etcd: items, events, and the operations that both APIs offer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol, Union

from .connection import EtcdConnection


class Item(NamedTuple):
    """A key as it was read.

    ``revision`` is that of the key's last change, for compare-and-swap. ``lease`` is the v3 lease id (0 with v2, and
    for a key without one). ``ttl`` is in seconds; v2 fills it in, v3 leaves None (ask ``ttl_left``).
    ``reservation`` is true for a key that never expires. ``directory`` is true for an empty directory of the v2 store.
    """

    key: str
    value: str
    revision: int
    lease: int = 0
    ttl: int | None = None
    reservation: bool = True
    directory: bool = False


class Put(NamedTuple):
    """A key was created or changed."""

    item: Item


class Deleted(NamedTuple):
    """A key was deleted or has expired."""

    key: str


Event = Union[Put, Deleted]


class Watch(Protocol):
    """The changes below a folder, batch by batch; see Store.watch."""

    interruptions: int
    """How often the connection was lost so far."""

    def __iter__(self) -> Watch:
        """Return the watch itself."""

    def __next__(self) -> list[Event]:
        """Return the next events; after an UnreachableError the next call tries again after the last event."""

    def close(self) -> None:
        """Close the connection of the watch."""


class Store(Protocol):
    """etcd, over either API; every operation raises a StoreError that names what failed and never a secret.

    Reads are linearizable. Operations may be called from several threads.
    """

    @property
    def api(self) -> str:
        """The API that is spoken: v2 or v3."""

    @property
    def connection(self) -> EtcdConnection:
        """Where this store was told to connect."""

    def root(self, prefix: str) -> str:
        """Return a prefix as the keys of this API begin with it: those of v2 always begin with a slash."""

    def get(self, key: str) -> Item | None:
        """Return the key's item, or None where there is no such key."""

    def snapshot(self, folder: str) -> tuple[dict[str, Item], int]:
        """Return all items below folder + "/", by key, as of one moment, and the revision to watch from.

        With v2 an empty directory is an item too; one that holds keys shows by them.
        """

    def watch(self, folder: str, revision: int, timeout: float) -> Watch:
        """Return what changes below folder + "/" after the revision: each change once, in order, as soon as it comes.

        The watch gives [] when nothing came for ``timeout`` seconds, so that the caller can stop. A lost connection is
        resumed at another endpoint without the caller noticing. It raises UnreachableError when no endpoint can be
        used, after which it may be asked again, and CompactedError when changes may have been missed: then take a new
        snapshot.
        """

    def find_endpoint(self, timeout: float) -> bool:
        """Return whether an endpoint accepts connections within ``timeout`` seconds; operations then begin at it."""

    def create(self, key: str, value: str, ttl: int | None) -> Item:
        """Create the key, to expire after ``ttl`` seconds (None: never); raise KeyExistsError if it is there.

        When it fails, nothing is left behind in etcd.
        """

    def replace(self, item: Item, value: str, ttl: int | None) -> Item:
        """Change the key if it is still as read, to expire after ``ttl`` seconds (None: never).

        Raise ChangedError when another writer was faster, GoneError when the key is no longer there.
        """

    def keep_alive(self, item: Item, ttl: int) -> Item:
        """Let the key live for another ``ttl`` seconds without an event for its watchers; return it as it is now.

        A reservation is returned untouched. Raise GoneError when the key is no longer there, ChangedError when it is
        another's. With v3 the time is the one the key was created with.
        """

    def delete(self, item: Item) -> None:
        """Delete the key if it is still as read; raise ChangedError or GoneError otherwise."""

    def ttl_left(self, items: Iterable[Item]) -> dict[str, int | None]:
        """Return the seconds each key has left, None for a reservation; keys that are gone are left out.

        With v3 this costs one call for each distinct lease: it is meant for people who ask, not for a loop.
        """

    def close(self) -> None:
        """Close all connections; a watch that another thread waits in ends with StoreError."""
