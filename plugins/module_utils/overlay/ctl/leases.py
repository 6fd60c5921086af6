# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayctl leases: all leases in etcd, once or as they change."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from typing import Any

from ..diagnosis.lease_table import lease_facts, row_of, rows_of, table_problems
from ..diagnosis.setup import Setup
from ..kernel.netlink.interfaces import addresses
from ..kernel.netlink.rtnetlink import Netlink
from ..model.addresses import parse_ipv4
from ..model.errors import ConfigError
from ..model.network import NetworkConfig
from ..store.api_choice import connect
from ..store.protocol import Put, Store
from ..store.reachable import reachable_first
from ..store.schema import Keys, lease_events, read_network
from ..store.stored_config import parse_config
from . import text

_POLL = 5.0  # seconds; an answer of etcd ends the wait at once


def leases(setup: Setup, as_json: bool, watch: bool) -> int:
    """Print all leases; with ``watch`` also each change until the program is interrupted. Return 1 for problems."""
    store = connect(reachable_first(setup.connection), setup.prefix)
    with closing(store):
        keys = Keys(store.root(setup.prefix))
        network = read_network(store, keys)
        try:
            config: NetworkConfig | None = parse_config(store, keys, network.config)
        except ConfigError:
            config = None
        rows = rows_of(network)
        left = store.ttl_left([row.item for row in rows])
        facts = [lease_facts(row, left.get(row.item.key), config) for row in rows]
        problems = table_problems(rows, config)
        if as_json:
            text.show(json.dumps({"leases": facts, "problems": problems}, indent=None if watch else 2))
        else:
            text.show("\n".join(_lines(facts, problems)))
        if watch:
            with suppress(KeyboardInterrupt):
                _follow(store, keys, network.revision, config, as_json)
    return 1 if problems or any(one["problem"] for one in facts) else 0


def _lines(facts: list[dict[str, Any]], problems: list[str]) -> list[str]:
    if not facts:
        return ["there are no leases"]
    header = ("subnet", "holder", "backend", "expires in", "remark")
    here = _own_addresses()
    return [*text.table(header, [_cells(one, here) for one in facts]), *problems]


def _cells(one: dict[str, Any], here: set[int]) -> tuple[str, ...]:
    holder = one["public_ip"] or "-"
    is_own = one["public_ip"] is not None and parse_ipv4(one["public_ip"]) in here
    expires = "never" if one["reservation"] else "-" if one["ttl"] is None else text.duration(one["ttl"])
    remark = [*(["this host"] if is_own else []), *(["reservation"] if one["reservation"] else [])]
    shown = one["subnet"] or str(one["key"]).rpartition("/")[2]
    return shown, holder, one["backend_type"] or "-", expires, one["problem"] or ", ".join(remark)


def _own_addresses() -> set[int]:
    netlink = Netlink()
    try:
        return {one.address for one in addresses(netlink)}
    finally:
        netlink.close()


def _follow(store: Store, keys: Keys, revision: int, config: NetworkConfig | None, as_json: bool) -> None:
    for events in store.watch(keys.folder or "/", revision, _POLL):
        for event in lease_events(keys, events):
            if isinstance(event, Put):
                name, row = event.item.key, row_of(event.item.key, event.item)
                known = lease_facts(row, event.item.ttl, config)
                holder = known["public_ip"] or "nobody"
                change = {"event": "written", "name": name, **known}
                line = f"written  {name}  {holder}  {known['backend_type'] or '-'}  {known['problem'] or ''}"
            else:
                change, line = {"event": "deleted", "name": event.key}, f"deleted  {event.key}"
            text.show(json.dumps(change) if as_json else line.rstrip())
