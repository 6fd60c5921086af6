# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures of the modules' tests: a prefix of each API, and modules that run on a host of a fleet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.agent_host import Host
from support.agent_network import TIMEOUT
from support.etcd_server import EtcdServer
from support.module_runner import ModuleNetwork, Runner


@pytest.fixture
def module_on() -> Callable[..., Runner]:
    """A function that returns a module with the etcd options of a host, to run on that host."""

    def make(host: Host, module: str, **options: Any) -> Runner:
        where = {"endpoints": [host.endpoint], "prefix": host.prefix, "timeout": TIMEOUT}
        return Runner(module, {**where, **options}, host.namespace)

    return make


@pytest.fixture(params=["v3", "v2"])
def overlay(request: pytest.FixtureRequest, etcd: EtcdServer) -> Iterator[ModuleNetwork]:
    """An empty prefix in each API of etcd."""
    overlay = ModuleNetwork(etcd.endpoint, request.param)
    yield overlay
    overlay.close()
