# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Event source of Event-Driven Ansible: the changes of the leases of an overlay network."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

DOCUMENTATION = r"""
short_description: Changes of the leases of an overlay network
description:
  - Reads the leases from etcd, then watches them, and yields an event for each change.
  - The first events are the present leases, each as V(added) with C(present) true.
  - Each event is C({lease={event, present, subnet, public_ip, backend, reservation, key, ttl}}); C(event) is V(added),
    V(changed), V(removed) or V(expiring). C(ttl) is in seconds, and set for V(expiring) only. A removed lease has
    the values that it had last. A lease whose value is invalid has no C(public_ip), and C(problem) is the reason.
  - If etcd cannot be used, the event is C({etcd={event, reason}}) with C(event) V(unreachable), once. V(reachable)
    follows.
options:
  endpoints:
    description: Client URLs of the etcd cluster.
    type: list
    elements: str
    default: [http://127.0.0.1:2379]
  api:
    description: The etcd API, v2, v3 or auto.
    type: str
    default: auto
  prefix:
    description: The etcd prefix of the network.
    type: str
    default: /coreos.com/network
  ca_file:
    description: CA certificate of etcd.
    type: str
  cert_file:
    description: Client certificate.
    type: str
  key_file:
    description: Key of the client certificate.
    type: str
  username:
    description: The etcd user.
    type: str
  password:
    description: The password of the user.
    type: str
  timeout:
    description: Seconds to wait for an answer of etcd.
    type: float
    default: 5
  expiring:
    description:
      - Yield V(expiring), once, for a lease that expires within so many seconds; 0 disables it.
      - Agents renew a lease one hour before it expires, so the value must be lower than that.
    type: int
    default: 1800
  expiry_interval:
    description: Seconds between two checks of the remaining times.
    type: float
    default: 300
"""

EXAMPLES = r"""
- clusternet.overlay.leases:
    endpoints: [https://192.0.2.11:2379]
    ca_file: /etc/etcd/ca.crt
"""

# ansible-rulebook runs this file by its path, so the other code is found by its place in the collection.
sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "plugins/module_utils"))

if TYPE_CHECKING:
    from ansible_collections.clusternet.overlay.plugins.module_utils._event_source.options import Options
    from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import format_ipv4
    from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import (
        LeaseError,
        OverlayError,
    )
    from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import parse_lease
    from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.api_choice import connect
    from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.connection import EtcdConnection
    from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Item, Put, Store
    from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.schema import (
        Keys,
        lease_events,
        read_network,
    )
else:
    from _event_source.options import Options
    from overlay.model.addresses import format_ipv4
    from overlay.model.errors import LeaseError, OverlayError
    from overlay.model.lease import parse_lease
    from overlay.store.api_choice import connect
    from overlay.store.connection import EtcdConnection
    from overlay.store.protocol import Put
    from overlay.store.schema import Keys, lease_events, read_network

TEXTS = ("api", "ca_file", "cert_file", "key_file", "username", "password")
OPTIONS = ("endpoints", *TEXTS, "prefix", "timeout", "expiring", "expiry_interval")
TICK = 1.0  # seconds after which the thread notices that the rulebook ended
RETRY = 2.0  # seconds between attempts while etcd cannot be used
Emit = Callable[[dict[str, Any]], None]


class Follower:
    """Follows the leases of one network and emits an event for each change, until ``stopped`` is set."""

    def __init__(self, args: Mapping[str, Any], emit: Emit, stopped: threading.Event) -> None:
        """Validate the options; raise OptionError or OverlayError for invalid ones."""
        options = Options("leases", args, OPTIONS)
        endpoints = options.urls("endpoints") or ("http://127.0.0.1:2379",)
        settings: dict[str, Any] = options.texts(*TEXTS)
        self._connection = EtcdConnection(endpoints, **settings, timeout=options.seconds("timeout", 5))
        self._prefix = options.texts("prefix").get("prefix", "/coreos.com/network")
        self._expiring = int(options.seconds("expiring", 1800))
        self._interval = options.seconds("expiry_interval", 300)
        self._emit = emit
        self._stopped = stopped
        self._known: dict[str, Item] = {}
        self._warned: set[str] = set()  # the leases for which expiring was emitted
        self._is_reachable = True

    def run(self) -> None:
        """Follow the leases; report an etcd that cannot be used once, and retry."""
        present = True
        while not self._stopped.is_set():
            try:
                store = connect(self._connection, self._prefix)
                try:
                    self._follow(store, present)
                finally:
                    store.close()
            except OverlayError as error:
                if self._is_reachable:
                    self._emit({"etcd": {"event": "unreachable", "reason": str(error)}})
                self._is_reachable = False
                self._stopped.wait(RETRY)
            present = present and not self._known

    def _follow(self, store: Store, present: bool) -> None:
        """Emit the difference to what is known, then each change; return when the watch ended."""
        keys = Keys(store.root(self._prefix))
        network = read_network(store, keys)
        if not self._is_reachable:
            self._emit({"etcd": {"event": "reachable", "reason": ""}})
        self._is_reachable = True
        for name in self._known.keys() - network.leases.keys():
            self._remove(name)
        for name, item in network.leases.items():
            self._put(name, item, present)
        due = time.monotonic()
        for events in self._batches(store, keys, network.revision):
            for event in lease_events(keys, events):
                if isinstance(event, Put):
                    self._put(event.item.key, event.item, False)
                else:
                    self._remove(event.key)
            if self._expiring and time.monotonic() >= due:
                self._check_expiry(store)
                due = time.monotonic() + self._interval

    def _batches(self, store: Store, keys: Keys, revision: int) -> Iterator[list[Any]]:
        """Yield the events of the watch until the rulebook ended."""
        watch = store.watch(keys.folder, revision, TICK)
        try:
            for events in watch:
                if self._stopped.is_set():
                    return
                yield events
        finally:
            watch.close()

    def _put(self, name: str, item: Item, present: bool) -> None:
        """Emit added or changed, unless the value is the known one."""
        before = self._known.get(name)
        self._known[name] = item
        if before is None:
            self._report("added", name, item, present=present)
        elif before.value != item.value:
            self._report("changed", name, item)

    def _remove(self, name: str) -> None:
        """Emit removed for a known lease."""
        item = self._known.pop(name, None)
        self._warned.discard(name)
        if item is not None:
            self._report("removed", name, item)

    def _check_expiry(self, store: Store) -> None:
        """Emit expiring once for each lease that is not renewed in time."""
        left = store.ttl_left(item._replace(key=self._key(store, name)) for name, item in self._known.items())
        for name, item in self._known.items():
            ttl = left.get(self._key(store, name))
            if ttl is None or ttl > self._expiring:
                self._warned.discard(name)
            elif name not in self._warned:
                self._warned.add(name)
                self._report("expiring", name, item, ttl=ttl)

    def _key(self, store: Store, name: str) -> str:
        """Return the whole key of a lease; events name only its last part."""
        return f"{Keys(store.root(self._prefix)).subnets}/{name}"

    def _report(self, event: str, name: str, item: Item, present: bool = False, ttl: int | None = None) -> None:
        """Emit an event of a lease."""
        fields: dict[str, Any] = {
            "event": event,
            "present": present,
            "subnet": name.replace("-", "/"),
            "key": f"{Keys(self._prefix).subnets}/{name}",
            "reservation": item.reservation,
            "ttl": ttl,
        }
        try:
            lease = parse_lease(name, item.value)
            fields |= {"public_ip": format_ipv4(lease.public_ip), "backend": lease.backend_type}
        except LeaseError as error:
            fields["problem"] = str(error)
        self._emit({"lease": fields})


async def main(queue: asyncio.Queue[dict[str, Any]], args: dict[str, Any]) -> None:
    """Put the events into the queue until the task is cancelled; the blocking work is in a thread."""
    loop = asyncio.get_running_loop()
    stopped = threading.Event()

    def emit(event: dict[str, Any]) -> None:
        asyncio.run_coroutine_threadsafe(queue.put(event), loop)

    follower = Follower(args, emit, stopped)
    try:
        await asyncio.to_thread(follower.run)
    finally:
        stopped.set()
