# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the threads around the main loop tell it; the loop alone acts on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Union

from ..model.network import NetworkConfig
from ..store.protocol import Event, Item
from .keeper import HeldLease


class Joined(NamedTuple):
    """A whole comparison with etcd was made: the config, the own lease and all leases by lease name.

    ``trouble`` says why the config is not the one in etcd but the last good one, "" where it is; ``ignored`` has a
    sentence for each folder of nested keys, ``conflict`` one about another host that claimed the own lease lately.
    """

    config: NetworkConfig
    config_text: str
    held: HeldLease
    leases: Mapping[str, Item]
    trouble: str = ""
    ignored: tuple[str, ...] = ()
    conflict: str = ""


class ConfigChanged(NamedTuple):
    """The network config is not the one that was joined with; the lease was not changed yet."""


class LeasesChanged(NamedTuple):
    """Leases were put or deleted since; the events have lease names as keys."""

    events: list[Event]


class KeysIgnored(NamedTuple):
    """Nested keys, which are no leases, came or went; a sentence for each folder of those that there are now."""

    sentences: tuple[str, ...]


class LeaseConflict(NamedTuple):
    """Another host has this host's public IP, and only one of them can have the lease."""

    sentence: str


class LeaseRenewed(NamedTuple):
    """The own lease was extended."""

    held: HeldLease


class StoreTrouble(NamedTuple):
    """Why etcd cannot be used right now, "" where it can again; the data plane stays as it is."""

    reason: str


class KernelChanged(NamedTuple):
    """Somebody else changed a kernel object of ours."""


class Stop(NamedTuple):
    """The process was asked to end."""


Message = Union[
    Joined, ConfigChanged, LeasesChanged, KeysIgnored, LeaseConflict, LeaseRenewed, StoreTrouble, KernelChanged, Stop
]
