# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures of the store's tests: each API of etcd in turn, its store, and an empty folder for each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.api_choice import EtcdConnection, connect
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Store
from support.etcd_server import EtcdServer


@pytest.fixture(params=["v2", "v3"])
def api(request: pytest.FixtureRequest) -> str:
    """Each API of etcd."""
    return str(request.param)


@pytest.fixture
def store(api: str, etcd: EtcdServer) -> Iterator[Store]:
    """A store of this API."""
    opened = connect(EtcdConnection(etcd.endpoints, api=api))
    yield opened
    opened.close()


@pytest.fixture
def folder() -> str:
    """A folder without keys."""
    return f"/test/{uuid.uuid4().hex}"
