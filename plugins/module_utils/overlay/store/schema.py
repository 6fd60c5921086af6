# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""flannel's keys below an etcd prefix, and one read of all of them.

::

    <prefix>/config                     the network config
    <prefix>/subnets/10.5.7.0-24        a lease: every direct child of subnets
    <prefix>/subnets/backup/10.5.7.0-24 a nested key: not a lease; reported and ignored
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..model.addresses import Subnet
from ..model.lease import lease_key
from ..named_tuple import NamedTuple
from .protocol import Deleted, Event, Item, Put, Store

REPORTED = 10  # maximum of nested folders in reports: a copy of a whole tree must not fill the log


def normal_prefix(text: str) -> str:
    """Return a prefix without trailing or double slashes, as flannel does; "" is etcd's root.

    With v3, "my/net" and "/my/net" are different prefixes; see Store.root for v2.
    """
    joined = "/".join(part for part in text.split("/") if part)
    return f"/{joined}" if joined and text.startswith("/") else joined


class Keys(NamedTuple):
    """The keys of one overlay network; a trailing slash of ``prefix`` is ignored."""

    prefix: str

    @property
    def folder(self) -> str:
        """The prefix without a trailing slash."""
        return self.prefix.rstrip("/")

    @property
    def config(self) -> str:
        """The key of the network config."""
        return self.folder + "/config"

    @property
    def subnets(self) -> str:
        """The folder whose direct children are the leases."""
        return self.folder + "/subnets"

    def lease(self, subnet: Subnet) -> str:
        """Return the key of a subnet's lease."""
        return f"{self.subnets}/{lease_key(subnet)}"

    def lease_name(self, key: str) -> str | None:
        """Return the last part of a direct child of subnets, such as 10.5.7.0-24; None for any other key."""
        name = self._below_subnets(key)
        return None if name is None or "/" in name else name

    def nested_folder(self, key: str, directory: bool = False) -> str | None:
        """Return the name of the folder below subnets that contains a nested key, or is a v2 directory; else None."""
        name = self._below_subnets(key)
        return None if name is None or not ("/" in name or directory) else name.partition("/")[0]

    def _below_subnets(self, key: str) -> str | None:
        start = self.subnets + "/"
        return key[len(start) :] if key.startswith(start) else None


class StoredNetwork(NamedTuple):
    """All keys of one overlay network at ``revision``.

    ``leases`` has the direct children of subnets by lease name; their values may be invalid. ``nested`` has the keys
    below other folders, and the empty directories. ``directories`` are the lease names that the v2 API cannot create,
    because a directory has that name.
    """

    config: Item | None
    leases: Mapping[str, Item]
    nested: tuple[Item, ...]
    directories: frozenset[str]
    revision: int

    def values(self) -> Iterator[tuple[str, str]]:
        """Yield lease name and value of every lease."""
        return ((name, item.value) for name, item in self.leases.items())


def read_network(store: Store, keys: Keys) -> StoredNetwork:
    """Return config, leases and nested keys at one revision; raise StoreError if etcd cannot be read."""
    items, revision = store.snapshot(keys.folder or "/")
    leases: dict[str, Item] = {}
    nested: list[Item] = []
    start = keys.subnets + "/"
    for key, item in items.items():
        if not key.startswith(start):
            continue
        name = key[len(start) :]
        if item.directory or "/" in name:
            nested.append(item)
        else:
            leases[name] = item
    folders = {keys.nested_folder(item.key, item.directory) or "" for item in nested} if store.api == "v2" else ()
    config = items.get(keys.config)
    if config is not None and config.directory:
        config = None
    return StoredNetwork(config, leases, tuple(nested), frozenset(folders), revision)


def lease_events(keys: Keys, events: Iterable[Event]) -> list[Event]:
    """Return the events of leases, with the lease name in place of the key."""
    found: list[Event] = []
    for event in events:
        name = None if is_directory(event) else keys.lease_name(key_of(event))
        if name is not None:
            found.append(Put(event.item._replace(key=name)) if isinstance(event, Put) else Deleted(name))
    return found


def key_of(event: Event) -> str:
    """Return the key of an event."""
    return event.item.key if isinstance(event, Put) else event.key


def is_directory(event: Event) -> bool:
    """Whether an event is the creation of a v2 directory."""
    return isinstance(event, Put) and event.item.directory


class NestedKeys:
    """The nested keys below subnets, which are not leases; updated by events."""

    def __init__(self, keys: Keys, nested: Iterable[Item]) -> None:
        self._keys = keys
        self._held: dict[str, set[str]] = {}
        for item in nested:
            self._note(Put(item))

    def follow(self, events: Iterable[Event]) -> bool:
        """Apply events; return whether the set of folders to report changed."""
        before = self._held.keys() - set[str]()
        for event in events:
            self._note(event)
        return self._held.keys() != before

    def sentences(self) -> tuple[str, ...]:
        """Return a sentence for each folder, at most REPORTED of them; it does not change with the keys inside."""
        subnets, folders = self._keys.subnets, sorted(self._held)
        more = (f"ignored keys: {subnets}: it has more folders; only the first {REPORTED} are listed",)
        return tuple(
            f"ignored keys: {f'{subnets}/{folder}/'!r}: only direct children of {subnets} are leases; "
            f"move this directory out of {subnets}, or delete it"
            for folder in folders[:REPORTED]
        ) + (more if len(folders) > REPORTED else ())

    def _note(self, event: Event) -> None:
        key = key_of(event)
        folder = self._keys.nested_folder(key, is_directory(event))
        if folder is None:
            return
        if isinstance(event, Put):
            self._held.setdefault(folder, set()).add(key)
        elif folder in self._held:
            self._held[folder].discard(key)
            if not self._held[folder]:
                del self._held[folder]
