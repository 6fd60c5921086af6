# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A real etcd, a prefix of its own for each test, and the modules run as processes, JSON in and out."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.connect import connect
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.connection import EtcdConnection
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Item, Store
from support.agent_fleet import Fleet
from support.agent_host import Host
from support.agent_network import Network
from support.etcd_server import EtcdServer
from support.module_runner import Runner

PATIENCE = 30.0  # seconds; a busy disk can keep etcd waiting for longer than users should be


class Overlay:
    """A prefix in etcd, as the test sees it beside the modules."""

    def __init__(self, endpoint: str, api: str) -> None:
        self.endpoint = endpoint
        self.api = api
        self.prefix = f"/test/{uuid.uuid4().hex}"
        self._stores = {name: connect(EtcdConnection((endpoint,), api=name, timeout=PATIENCE)) for name in ("v2", "v3")}
        self._store = self._stores[api]

    def runner(self, module: str) -> Runner:
        """Return the module with the etcd options of this prefix."""
        where = {"endpoints": [self.endpoint], "api": self.api, "prefix": self.prefix}
        return Runner(module, {**where, "timeout": PATIENCE})

    def key(self, name: str) -> str:
        """Return a full key."""
        return f"{self.prefix}/{name}"

    def put(self, name: str, value: str, ttl: int | None = None) -> Item:
        """Create a key as another host would."""
        return self._store.create(self.key(name), value, ttl)

    def item(self, name: str) -> Item | None:
        """Return a key as it is."""
        return self._store.get(self.key(name))

    def value(self, name: str) -> str | None:
        """Return the text of a key, None where there is none."""
        item = self.item(name)
        return item.value if item else None

    def keys(self, folder: str) -> list[str]:
        """Return the last parts of the keys in a folder, sorted."""
        return sorted(key.rpartition("/")[2] for key in self._store.snapshot(self.key(folder))[0])

    def other_store(self) -> Store:
        """Return the store of the API that is not spoken here."""
        return self._stores["v2" if self.api == "v3" else "v3"]

    def close(self) -> None:
        """Close all connections."""
        for store in self._stores.values():
            store.close()


@pytest.fixture(scope="session")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    with EtcdServer(tmp_path_factory.mktemp("etcd")) as server:
        yield server


@pytest.fixture
def network(etcd: EtcdServer) -> Iterator[Network]:
    """A prefix of the test's own, with nothing in it."""
    network = Network(etcd.endpoint)
    yield network
    network.close()


@pytest.fixture
def fleet(etcd: EtcdServer, network: Network, tmp_path: Path) -> Iterator[Fleet]:
    """Makes hosts; called with how many."""
    made = Fleet(etcd, network, tmp_path)
    yield made
    made.close()


@pytest.fixture
def module_on() -> Callable[..., Runner]:
    """Return a function that gives a module as it runs on a host of a fleet, with these options unless told others."""

    def make(host: Host, module: str, **options: Any) -> Runner:
        where = {"endpoints": [host.endpoint], "prefix": host.prefix, "timeout": PATIENCE}
        return Runner(module, {**where, **options}, host.namespace)

    return make


@pytest.fixture(params=["v3", "v2"])
def overlay(request: pytest.FixtureRequest, etcd: EtcdServer) -> Iterator[Overlay]:
    overlay = Overlay(etcd.endpoint, request.param)
    yield overlay
    overlay.close()
