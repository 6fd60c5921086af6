# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work of the module network_copy: copies the network config and the leases from etcd's v2 store to its v3 store."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ..overlay.diagnosis.lease_table import LeaseRow, rows_of
from ..overlay.model.addresses import format_ipv4
from ..overlay.model.errors import ConfigError
from ..overlay.model.secret import shown_config
from ..overlay.store.api_choice import connect, serves_v2
from ..overlay.store.connection import EtcdConnection
from ..overlay.store.errors import KeyExistsError
from ..overlay.store.protocol import Item, Store
from ..overlay.store.schema import Keys, StoredNetwork, read_network


def copy_network(connection: EtcdConnection, prefix: str, check: bool) -> dict[str, Any]:
    """Copy the network below the prefix if only the v2 store has one; return the module's result.

    The config is written last: if the v3 store has it, an earlier copy is complete. Keys of the v3 store are kept.
    Raise ConfigError or StoreError.
    """
    if connection.api == "v2":
        raise ConfigError("api is v2, but the module copies to the v3 store; set api to v3 or auto")
    target = connect(connection.with_api("v3"))
    try:
        keys = Keys(target.root(prefix))
        if target.get(keys.config) is None and serves_v2(connection):
            source = connect(connection.with_api("v2"))
            try:
                network = read_network(source, Keys(source.root(prefix)))
            finally:
                source.close()
            if network.config is not None:
                return _copy(network, network.config, target, keys, check)
    finally:
        target.close()
    return _result(keys, "", [], [], [])


def _copy(network: StoredNetwork, config: Item, target: Store, keys: Keys, check: bool) -> dict[str, Any]:
    rows = rows_of(network)
    held = {row.name: row for row in rows_of(read_network(target, keys))}
    taken = [(row, held[row.name]) for row in rows if row.lease and _is_taken(row, held.get(row.name))]
    sound = [row for row in rows if row.lease and not _is_taken(row, held.get(row.name))]
    if not check:
        for row in sound:
            with suppress(KeyExistsError):  # of a copy that was interrupted, or of a host that uses the v3 store
                target.create(f"{keys.subnets}/{row.name}", row.item.value, _left(row))
        with suppress(KeyExistsError):
            target.create(keys.config, config.value, None)
    problems = [f"not copied: key {row.name}: {row.problem}" for row in rows if row.problem]
    conflicts = [f"not copied: {row}: the v3 store has the {other}" for row, other in taken]
    return _result(keys, shown_config(config.value), sound, problems, conflicts)


def _is_taken(row: LeaseRow, other: LeaseRow | None) -> bool:
    """Return whether another host than that of the lease has its key in the v3 store."""
    return other is not None and row.lease is not None and not other.is_of(row.lease.public_ip)


def _left(row: LeaseRow) -> int | None:
    """Return the seconds until the lease expires, None for a reservation; etcd refuses less than one second."""
    return None if row.item.reservation else max(1, row.item.ttl or 0)


def _result(keys: Keys, config: str, rows: list[LeaseRow], problems: list[str], conflicts: list[str]) -> dict[str, Any]:
    lines = [f"{row.name} {'reservation' if row.item.reservation else 'lease'} {row.item.value}" for row in rows]
    return {
        "changed": bool(config),
        "path": keys.folder or "/",
        "config": config,
        "leases": [
            {
                "subnet": str(row.subnet),
                "public_ip": format_ipv4(row.lease.public_ip),
                "ttl": _left(row),
                "reservation": row.item.reservation,
            }
            for row in rows
            if row.lease
        ],
        "problems": problems,
        "conflicts": conflicts,
        "diff": {"before": "", "after": "".join(f"{line}\n" for line in [config, *lines] if line)},
    }
