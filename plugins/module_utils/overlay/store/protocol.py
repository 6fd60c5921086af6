# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The interface to etcd for the rest of the package: items, events, and the operations of both APIs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, Union

from ..named_tuple import NamedTuple
from .connection import EtcdConnection


class Item(NamedTuple):
    """A key with its value, as read.

    ``revision`` is the revision of the key's last change, for compare-and-swap. ``lease`` is the v3 lease id (0 with
    v2, and for a key without one). ``ttl`` is in seconds; v2 sets it, v3 leaves None (see ``Store.ttl_left``).
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
    """A key was deleted or expired."""

    key: str


Event = Union[Put, Deleted]


class Watch(Protocol):
    """The changes below a folder, in batches; see Store.watch."""

    interruptions: int
    """Number of times the connection was lost so far."""

    def __iter__(self) -> Watch:
        """Return the watch itself."""

    def __next__(self) -> list[Event]:
        """Return the next events; after an UnreachableError the next call continues after the last event."""

    def close(self) -> None:
        """Close the connection of the watch."""


class Store(Protocol):
    """etcd, over either API; every operation raises a StoreError that names what failed, without secrets.

    Reads are linearizable. Operations may be called from several threads.
    """

    @property
    def api(self) -> str:
        """The API in use: v2 or v3."""

    @property
    def connection(self) -> EtcdConnection:
        """The connection settings of this store."""

    def root(self, prefix: str) -> str:
        """Return the prefix as in the keys of this API: keys of v2 always begin with a slash."""

    def get(self, key: str) -> Item | None:
        """Return the key's item, or None if the key does not exist."""

    def snapshot(self, folder: str) -> tuple[dict[str, Item], int]:
        """Return all items below folder + "/" by key, at one revision, and that revision to watch from.

        With v2 an empty directory is an item too.
        """

    def watch(self, folder: str, revision: int, timeout: float) -> Watch:
        """Return the changes below folder + "/" after the revision: each change once, in order, as soon as it is made.

        With v2 a watch that is many changes late may yield the difference to the present state instead.
        The watch yields [] if nothing changed for ``timeout`` seconds. It resumes a lost connection at another endpoint
        without an error. It raises UnreachableError if no endpoint can be used, and continues at the next call. It
        raises CompactedError if changes may have been missed: then take a new snapshot.
        """

    def find_endpoint(self, timeout: float) -> bool:
        """Return whether an endpoint accepts connections within ``timeout`` seconds; operations then begin at it."""

    def create(self, key: str, value: str, ttl: int | None) -> Item:
        """Create the key, to expire after ``ttl`` seconds (None: never); raise KeyExistsError if it exists.

        A failure leaves nothing in etcd.
        """

    def replace(self, item: Item, value: str, ttl: int | None) -> Item:
        """Change the key if it is unchanged since it was read, to expire after ``ttl`` seconds (None: never).

        Raise ChangedError if another writer was faster, GoneError if the key no longer exists.
        """

    def keep_alive(self, item: Item, ttl: int) -> Item:
        """Renew the key for another ``ttl`` seconds without an event for its watchers; return it as it is now.

        A reservation is returned unchanged. Raise GoneError if the key no longer exists, ChangedError if another writer
        changed it. With v3 the key keeps the time to live that it was created with.
        """

    def delete(self, item: Item) -> None:
        """Delete the key if it is unchanged since it was read; raise ChangedError or GoneError otherwise."""

    def ttl_left(self, items: Iterable[Item]) -> dict[str, int | None]:
        """Return the seconds until each key expires, None for a reservation; keys that no longer exist are left out.

        With v3 this costs one call for each distinct etcd lease: do not call it in a loop.
        """

    def close(self) -> None:
        """Close all connections; a watch in which another thread waits ends with StoreError."""
