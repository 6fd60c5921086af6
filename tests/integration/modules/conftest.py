# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A real etcd, a prefix of its own for each test, and the modules run as processes, JSON in and out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from agent_host import Host
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.connect import connect
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.connection import EtcdConnection
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Item, Store
from etcd_server import EtcdServer
from netns import Namespace

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 30.0  # seconds; a busy disk can keep etcd waiting for longer than users should be


class Runner:
    """One module, to be run against one prefix, in this network namespace or in another."""

    def __init__(self, module: str, defaults: dict[str, Any], inside: Namespace | None = None) -> None:
        self._module = module
        self._defaults = defaults
        self._inside = inside

    def __call__(self, fails: bool = False, check: bool = False, **options: Any) -> dict[str, Any]:
        """Return the module's result, which must be a failure or none as foretold."""
        result: dict[str, Any] = json.loads(self.raw(check, **options))
        assert bool(result.get("failed")) is fails, result
        return result

    def raw(self, check: bool = False, **options: Any) -> str:
        """Return all that the module prints."""
        arguments = {**self._defaults, **options, "_ansible_check_mode": check, "_ansible_diff": True}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ETCDCTL_")}
        run = partial(
            subprocess.run,
            [sys.executable, "-m", f"ansible_collections.clusternet.overlay.plugins.modules.{self._module}"],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            env={**clean, "PYTHONPATH": str(ROOT / "collections")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        done = self._inside.run(run) if self._inside else run()
        assert not done.stderr, done.stderr
        return done.stdout


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
