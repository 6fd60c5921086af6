# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From settings to a store: which API is spoken, and what to say when the data is in the other one."""

from __future__ import annotations

import json
from binascii import b2a_base64
from typing import NamedTuple

from ..model.errors import StoreError
from .connection import Endpoint, EtcdConnection
from .errors import UnreachableError
from .failover import Failover
from .protocol import Store
from .schema import Keys
from .v3 import V3Store
from .wire import Wire

__all__ = ["EtcdConnection", "connect", "other_api_hint"]


def connect(connection: EtcdConnection, prefix: str | None = None) -> Store:
    """Return a store that speaks the API asked for.

    With "auto" it is v3 wherever it answers, except where only the v2 store holds <prefix>/config. Nothing is sent
    before the first operation unless the API is to be found out. Raise StoreError for files that cannot be used, and
    with "auto" when no endpoint can be used.
    """
    if connection.api == "v2":
        return _v2(connection)
    store = V3Store(connection.with_api("v3"))
    if connection.api == "v3":
        return store
    try:
        if prefix is None:
            store.check()
        elif store.get(Keys(prefix).config) is None and _peek_v2(connection, Keys(prefix).config).found:
            store.close()
            return _v2(connection)
    except UnreachableError:
        store.close()
        if _peek_v2(connection, "/").answers:
            return _v2(connection)
        raise
    return store


def other_api_hint(connection: EtcdConnection, prefix: str) -> str | None:
    """Return a sentence when the network config is in the store of the API that is not spoken, or None.

    The two stores of an etcd are disjoint, and looking into the wrong one is the commonest mistake with flannel.
    """
    key = Keys(prefix).config
    spoken, other = ("v2", "v3") if connection.api == "v2" else ("v3", "v2")
    try:
        if other == "v2":
            found = _peek_v2(connection, key).found
        else:
            store = V3Store(connection.with_api("v3"))
            try:
                found = store.get(key) is not None
            finally:
                store.close()
    except StoreError:
        return None
    if not found:
        return None
    return (
        f"the key {key} exists in etcd's {other} store, but {spoken} is spoken; "
        f"speak {other}, or write the config with {spoken} (etcdctl: ETCDCTL_API={spoken[1]})"
    )


class _V2Glance(NamedTuple):
    """Whether the v2 API is served at all, and whether the key is there."""

    answers: bool
    found: bool


def _peek_v2(connection: EtcdConnection, key: str) -> _V2Glance:
    """Look for a key with the v2 API, which may not be served; raise UnreachableError."""
    from .v2_client import target  # a fleet with --etcd-api=v3 need not pay for it

    context = connection.tls_context()
    headers = {}
    if connection.username:
        pair = f"{connection.username}:{connection.password}".encode()
        headers["Authorization"] = "Basic " + b2a_base64(pair, newline=False).decode("ascii")

    def attempt(endpoint: Endpoint) -> _V2Glance:
        wire = Wire(endpoint, context, connection.timeout)
        try:
            response = wire.exchange("GET", target(key, {"quorum": "true"}), headers)
        finally:
            wire.close()
        try:
            answer = json.loads(response.body)
        except ValueError:
            return _V2Glance(False, False)
        return _V2Glance(isinstance(answer, dict), isinstance(answer, dict) and "node" in answer)

    return Failover(connection.parsed_endpoints).run(attempt)


def _v2(connection: EtcdConnection) -> Store:
    from .v2 import V2Store  # most fleets speak v3

    return V2Store(connection.with_api("v2"))
