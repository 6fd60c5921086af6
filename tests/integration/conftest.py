# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures of all integration tests: real etcd servers, an empty prefix for each test, and hosts that run overlayd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.agent_fleet import Fleet
from support.agent_host import Host
from support.agent_network import Network
from support.etcd_server import EtcdServer


@pytest.fixture(scope="session")
def shared_etcd() -> Iterator[EtcdServer]:
    """One etcd server for all tests that do not stop or compact it; it serves both APIs."""
    with EtcdServer() as server:
        yield server


@pytest.fixture
def own_etcd() -> Iterator[EtcdServer]:
    """An etcd server that the test may stop, empty and compact."""
    with EtcdServer() as server:
        yield server


@pytest.fixture
def etcd(request: pytest.FixtureRequest) -> EtcdServer:
    """The test's own etcd server if it uses the fixture own_etcd, else the shared one."""
    name = "own_etcd" if "own_etcd" in request.fixturenames else "shared_etcd"
    server: EtcdServer = request.getfixturevalue(name)
    return server


@pytest.fixture
def network(etcd: EtcdServer) -> Iterator[Network]:
    """An empty prefix in etcd, for this test only."""
    network = Network(etcd.endpoint)
    yield network
    network.close()


@pytest.fixture
def fleet(etcd: EtcdServer, network: Network, tmp_path: Path) -> Iterator[Fleet]:
    """A fleet without hosts: fleet(3) adds three, fleet.joined(3) also starts overlayd on them."""
    made = Fleet(etcd, network, tmp_path)
    yield made
    made.close()


@pytest.fixture
def host(fleet: Fleet) -> Host:
    """One host; overlayd does not run yet."""
    return fleet(1)[0]
