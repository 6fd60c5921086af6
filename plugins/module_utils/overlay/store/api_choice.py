# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Choice of the store by the settings: the v2 or the v3 API, and a hint if the data is in the other one."""

from __future__ import annotations

import json
from binascii import b2a_base64
from typing import TYPE_CHECKING

from ..model.errors import StoreError
from ..named_tuple import NamedTuple
from .connection import Endpoint, EtcdConnection
from .errors import AuthenticationError, UnreachableError
from .failover import Failover
from .protocol import Store
from .schema import Keys
from .wire import HttpWire

if TYPE_CHECKING:
    from .v3 import V3Store

__all__ = ["EtcdConnection", "connect", "other_api_hint", "serves_v2"]


def connect(connection: EtcdConnection, prefix: str | None = None) -> Store:
    """Return a store for the API of the connection.

    With "auto" it is v3 if etcd serves it, unless only the v2 store has <prefix>/config. Only "auto" sends requests
    here. Raise StoreError for certificate files that cannot be used, and with "auto" if no endpoint can be used, or if
    etcd refuses to read the v2 store: its network would be taken for missing, and a second one set up in the v3 store.
    """
    if connection.api == "v2":
        return _v2(connection)
    store = _v3(connection)
    if connection.api == "v3":
        return store
    try:
        if prefix is None:
            store.check()
        elif store.get(Keys(prefix).config) is None:
            peek = _peek_v2(connection, Keys(prefix).config)
            if peek.refusal:
                store.close()
                raise _refused(connection, Keys(prefix).config, peek)
            if peek.found:
                store.close()
                return _v2(connection)
    except UnreachableError:
        store.close()
        if _peek_v2(connection, "/").is_served:
            return _v2(connection)
        raise
    return store


def other_api_hint(connection: EtcdConnection, prefix: str) -> str | None:
    """Return a sentence if the network config is in the store of the API that is not used, else None.

    The v2 and v3 stores of an etcd are disjoint. Using the wrong one is the most common mistake with flannel.
    """
    key = Keys(prefix).config
    used, other = ("v2", "v3") if connection.api == "v2" else ("v3", "v2")
    try:
        if other == "v2":
            found = _peek_v2(connection, key).found
        else:
            store = _v3(connection)
            try:
                found = store.get(key) is not None
            finally:
                store.close()
    except StoreError:
        return None
    if not found:
        return None
    return (
        f"the key {key} exists in etcd's {other} store, but the {used} API is used; set the etcd API to {other} "
        f"(--etcd-api, overlay_etcd_api), or write the config with {used} (etcdctl: ETCDCTL_API={used[1]})"
    )


def serves_v2(connection: EtcdConnection) -> bool:
    """Return whether etcd serves the v2 API; raise UnreachableError."""
    return _peek_v2(connection, "/").is_served


class _V2Peek(NamedTuple):
    """Whether etcd serves the v2 API, whether the key exists there, and etcd's message if it refused to read it."""

    is_served: bool
    found: bool
    refusal: str = ""
    needs_user: bool = False


def _refused(connection: EtcdConnection, key: str, peek: _V2Peek) -> StoreError:
    who = f"as user {connection.username!r}" if connection.username else "without a user"
    start = f"key {key} of etcd's v2 store cannot be read {who}: {peek.refusal}"
    if peek.needs_user:
        return AuthenticationError(
            f"{start}; set username and password of the v2 API, or set the etcd API (--etcd-api, overlay_etcd_api) to "
            f"v3 if the v2 store has no network config"
        )
    return StoreError(f"{start}; run this again, or set the etcd API (--etcd-api, overlay_etcd_api) to v2 or v3")


def _peek_v2(connection: EtcdConnection, key: str) -> _V2Peek:
    """Read a key with the v2 API if etcd serves it; raise UnreachableError."""
    from .v2_client import KEY_NOT_FOUND, UNAUTHORIZED, target  # not needed with --etcd-api=v3

    context = connection.tls_context()
    headers = {}
    if connection.username:
        pair = f"{connection.username}:{connection.password}".encode()
        headers["Authorization"] = "Basic " + b2a_base64(pair, newline=False).decode("ascii")

    def attempt(endpoint: Endpoint) -> _V2Peek:
        wire = HttpWire(endpoint, context, connection.timeout)
        try:
            response = wire.exchange("GET", target(key, {"quorum": "true"}), headers)
        finally:
            wire.close()
        try:
            answer = json.loads(response.body)
        except ValueError:
            return _V2Peek(False, False)
        if not isinstance(answer, dict):
            return _V2Peek(False, False)
        code = answer.get("errorCode")
        if "node" in answer or code in (None, KEY_NOT_FOUND):
            return _V2Peek(True, "node" in answer)
        return _V2Peek(True, False, str(answer.get("message")), code == UNAUTHORIZED)

    return Failover(connection.parsed_endpoints).run(attempt)


def _v2(connection: EtcdConnection) -> Store:
    from .v2 import V2Store  # each agent imports the API that it uses

    return V2Store(connection.with_api("v2"))


def _v3(connection: EtcdConnection) -> V3Store:
    from .v3 import V3Store

    return V3Store(connection.with_api("v3"))
