# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One real etcd that serves both APIs, a store for each of them, and a folder of its own for each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.connect import EtcdConnection, connect
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Store
from support.etcd_server import EtcdServer


@pytest.fixture(scope="session")
def etcd() -> Iterator[EtcdServer]:
    with EtcdServer() as server:
        yield server


@pytest.fixture(params=["v2", "v3"])
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(api: str, etcd: EtcdServer) -> Iterator[Store]:
    opened = connect(EtcdConnection(etcd.endpoints, api=api))
    yield opened
    opened.close()


@pytest.fixture
def folder() -> str:
    return f"/test/{uuid.uuid4().hex}"
