# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Messages that other threads post to the main loop."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Union

from ..model.addresses import Subnet
from ..model.network import NetworkConfig
from ..named_tuple import NamedTuple
from ..store.protocol import Event, Item
from .keeper import HeldLease


class Joined(NamedTuple):
    """The result of a full read of etcd: the config, the own lease and all leases by lease name.

    ``trouble`` is why the config in etcd is not used but the last valid one, "" if it is used. ``ignored`` has a
    sentence for each folder of nested keys. ``conflict`` is a sentence about another host that claimed the own lease
    lately, "" if there is none.
    """

    config: NetworkConfig
    config_text: str
    held: HeldLease
    leases: Mapping[str, Item]
    trouble: str = ""
    ignored: tuple[str, ...] = ()
    conflict: str = ""


class DeviceProblem(NamedTuple):
    """Why a device does not exist; ``is_temporary`` if its process was started and is not ready yet."""

    sentence: str
    is_temporary: bool = False


class LeaseChanges(NamedTuple):
    """The etcd thread is about to change the content of this host's lease, and waits until ``done`` is set.

    Other hosts send to the device of the new lease as soon as they read it, so the device must exist before; the main
    loop adds to ``problems`` each reason why it does not. After a temporary problem the process of the device goes on
    to start, for the next message; ``is_last``: none follows, so the process is stopped.
    """

    config: NetworkConfig
    subnet: Subnet
    leases: Mapping[str, Item]
    done: threading.Event
    problems: list[DeviceProblem]
    is_last: bool = True


class BackendComes(NamedTuple):
    """The network config changes to this backend, and the etcd thread waits until ``done`` is set.

    ``leases`` are all leases, by lease name, as read with this config: there were no events for the latest changes.
    The device must exist before a lease names it; ``succeeded`` is set if it does. With ``initiate`` it exists, and
    all peers know this host.
    """

    config: NetworkConfig
    leases: Mapping[str, Item]
    done: threading.Event
    succeeded: threading.Event
    initiate: bool = False


class RestartNeeded(NamedTuple):
    """The process must re-execute itself for the reason, before it leases another subnet."""

    reason: str


class LeasesChanged(NamedTuple):
    """Leases were written or deleted; the events have lease names as keys."""

    events: list[Event]


class KeysIgnored(NamedTuple):
    """Nested keys, which are not leases, were added or removed; one sentence for each folder that has some now."""

    sentences: tuple[str, ...]


class LeaseConflict(NamedTuple):
    """Another host has this host's public IP, and only one of them can have the lease."""

    sentence: str


class LeaseRenewed(NamedTuple):
    """The own lease was renewed."""

    held: HeldLease


class StoreTrouble(NamedTuple):
    """Why etcd cannot be used, "" when it can be used again; the data plane does not change."""

    reason: str


class CommandsReport(NamedTuple):
    """The state of the extension backend's commands.

    ``problems`` has a sentence for each that failed last, ``peers`` is the number of peers that were added. ``settled``
    once PostStartupCommand succeeded and each other command was run.
    """

    problems: tuple[str, ...]
    peers: int
    settled: bool


class KernelChanged(NamedTuple):
    """Another program changed a kernel object of the overlay."""


class Stop(NamedTuple):
    """The process received SIGTERM or SIGINT."""


Message = Union[
    Joined,
    LeaseChanges,
    BackendComes,
    RestartNeeded,
    LeasesChanged,
    KeysIgnored,
    LeaseConflict,
    LeaseRenewed,
    StoreTrouble,
    CommandsReport,
    KernelChanged,
    Stop,
]
