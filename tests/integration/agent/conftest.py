# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fleet of hosts on one switch that share an etcd, each with an overlayd of its own; a prefix for each test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from support.agent_fleet import Fleet
from support.agent_host import Host
from support.agent_network import Network
from support.etcd_server import EtcdServer
from support.netns import can_make_namespaces


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Without the right to make namespaces there are no hosts to test with."""
    if can_make_namespaces():
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="makes network namespaces: it needs root"))


@pytest.fixture(scope="session")
def shared_etcd() -> Iterator[EtcdServer]:
    """One etcd for all tests that do not harm it."""
    with EtcdServer() as server:
        yield server


@pytest.fixture
def own_etcd() -> Iterator[EtcdServer]:
    """An etcd that the test may stop, empty and compact."""
    with EtcdServer() as server:
        yield server


@pytest.fixture
def etcd(request: pytest.FixtureRequest) -> EtcdServer:
    """The etcd of the fleet: one of the test's own where it asks for own_etcd, else the shared one."""
    name = "own_etcd" if "own_etcd" in request.fixturenames else "shared_etcd"
    server: EtcdServer = request.getfixturevalue(name)
    return server


@pytest.fixture
def network(etcd: EtcdServer) -> Iterator[Network]:
    """A prefix of the test's own, with nothing in it."""
    network = Network(etcd.endpoints[0])
    yield network
    network.close()


@pytest.fixture
def fleet(etcd: EtcdServer, network: Network, tmp_path: Path) -> Iterator[Fleet]:
    """Makes hosts; called with how many."""
    made = Fleet(etcd, network, tmp_path)
    yield made
    made.close()


@pytest.fixture
def host(fleet: Fleet) -> Host:
    """One host on which overlayd does not run yet."""
    return fleet(1)[0]
