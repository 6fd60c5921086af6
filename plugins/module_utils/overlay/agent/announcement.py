# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The announcement of this host's WireGuard key before the network config changes to wireguard.

A host can receive packets by WireGuard only from peers whose keys its device has. All peers send by WireGuard as soon
as they read a lease of type wireguard. So before a host writes such a lease,

1. it creates its device, and adds its key to its lease of the former type, whose readers ignore additional fields;
2. it waits until the leases of all peers contain a key, which the main loop programs at once, but not longer than
   PATIENCE: hosts that do not run may have leases;
3. it makes the handshakes (backends/wireguard.py), and waits for them, because only a few packets can do so;
4. the process re-executes itself and writes the new lease.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..host.log import log
from ..kernel.wireguard import control_of
from ..model.addresses import Subnet
from ..model.backends.wireguard import DEVICE
from ..model.errors import KernelError, LeaseError
from ..model.lease import LEASE_TTL, lease_key, parse_lease
from ..store.protocol import Event, Item, Put, Store
from ..store.schema import Keys, StoredNetwork, key_of

PATIENCE = 20.0  # seconds; less than the time for which an unneeded device stays (backends/by_lease.py)
TICK = 0.5  # seconds without an event after which the time is checked
SESSION_PATIENCE, SESSION_PAUSE = 6.0, 0.05  # seconds; WireGuard repeats a lost handshake after 5 seconds
SHOWN = 5  # maximum of leases in the warning


def announce(
    store: Store,
    keys: Keys,
    network: StoredNetwork,
    subnet: Subnet,
    public_ip: int,
    data: Mapping[str, Any],
    pass_on: Callable[[list[Event]], None],
) -> bool:
    """Publish ``data`` (key and port) in the own lease, that of ``subnet`` and ``public_ip``, and wait for the keys of
    all peers.

    ``pass_on`` gets the events meanwhile. Return False if the config or the own lease changed: the network must then be
    read again. Raise LeaseError if the own lease is missing, invalid or another host's, ChangedError or
    GoneError if another program changed it at the same time.
    """
    name = lease_key(subnet)
    item = _own_lease(network, name, public_ip)
    written = _publish(store, item, data)
    missing = {other for other, one in network.leases.items() if other != name and _lacks_key(one)}
    watch = store.watch(keys.folder or "/", network.revision, TICK)
    end = time.monotonic() + PATIENCE
    try:
        while missing and time.monotonic() < end:
            events = next(watch)
            for event in events:
                key = key_of(event)
                if key == keys.config or (key == item.key and not _is_known(event, written)):
                    return False
                _note(missing, keys.lease_name(key), name, event)
            pass_on(events)
    finally:
        watch.close()
    if missing:
        log.warning(
            "no WireGuard key within %.0f s in %d leases (%s): these hosts lose packets until they use the new config",
            PATIENCE,
            len(missing),
            ", ".join(sorted(missing)[:SHOWN]),
        )
    return True


def wait_for_sessions() -> None:
    """Return once this host has made a handshake with each peer, or after SESSION_PATIENCE."""
    end = time.monotonic() + SESSION_PATIENCE
    while time.monotonic() < end:
        try:
            state = control_of(DEVICE).read(DEVICE)
        except KernelError as error:
            log.warning("the WireGuard sessions are unknown: %s", error)
            return
        if all(peer.handshake for peer in state.peers):
            return
        time.sleep(SESSION_PAUSE)


def _own_lease(network: StoredNetwork, name: str, public_ip: int) -> Item:
    item = network.leases.get(name)
    if item is None:
        raise LeaseError(f"lease {name} of this host is missing")
    if parse_lease(name, item.value).public_ip != public_ip:
        raise LeaseError(f"lease {name} of this host is now another host's")
    return item


def _publish(store: Store, item: Item, data: Mapping[str, Any]) -> Item:
    fields = json.loads(item.value)
    former = fields.get("BackendData")
    if isinstance(former, str):  # of the extension backend: readers expect exactly that text
        return item
    fields["BackendData"] = {**(former or {}), **data}
    value = json.dumps(fields, separators=(",", ":"))
    if value == item.value:
        return item
    return store.replace(item, value, None if item.reservation else LEASE_TTL)


def _is_known(event: Event, written: Item) -> bool:
    return isinstance(event, Put) and (event.item.value == written.value or event.item.revision <= written.revision)


def _note(missing: set[str], name: str | None, own: str, event: Event) -> None:
    """Update the names of the leases without a key."""
    if name is None or name == own:
        return
    if isinstance(event, Put) and _lacks_key(event.item):
        missing.add(name)
    else:
        missing.discard(name)


def _lacks_key(item: Item) -> bool:
    """Whether a lease is of a host that runs, as far as the lease shows, and contains no key."""
    try:
        fields = json.loads(item.value)
    except (ValueError, RecursionError):
        return False
    if not isinstance(fields, dict) or not (fields.get("BackendType") or not item.reservation):
        return False
    data = fields.get("BackendData")
    return not (isinstance(data, dict) and data.get("PublicKey"))
