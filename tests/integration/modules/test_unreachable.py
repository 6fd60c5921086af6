# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules and endpoints that drop packets, as a host that is off or a firewall does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from support.etcd_server import EtcdServer
from support.module_runner import Runner
from support.netns import Namespace
from support.relay import Relay

SILENT = [f"http://192.0.2.{number}:2379" for number in (11, 12, 13)]
TIMEOUT = 5.0  # seconds
LONGER_THAN_ONE = 2 * TIMEOUT  # what two endpoints after each other would take at least


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A host whose packets to 192.0.2.0/24 get lost."""
    inside = Namespace()
    inside.command("ip", "link", "set", "lo", "up")
    inside.command("ip", "link", "add", "lost", "type", "veth", "peer", "name", "other")
    inside.command("ip", "address", "add", "192.0.2.1/24", "dev", "lost")
    for name in ("lost", "other"):
        inside.command("ip", "link", "set", name, "up")
    for endpoint in SILENT:
        address = urlsplit(endpoint).hostname or ""
        inside.command("ip", "neighbour", "add", address, "lladdr", "02:00:00:00:00:99", "dev", "lost")
    yield inside
    inside.close()


def test_all_silent_endpoints_are_named_after_one_timeout(namespace: Namespace) -> None:
    module = Runner("network_config_info", {"endpoints": SILENT, "timeout": TIMEOUT}, namespace)
    start = time.monotonic()
    failed = module(fails=True)
    assert time.monotonic() - start < LONGER_THAN_ONE
    for endpoint in SILENT:
        assert f"{endpoint}: no answer within" in failed["msg"]


def test_silent_endpoints_do_not_delay_the_one_that_answers(namespace: Namespace, etcd: EtcdServer) -> None:
    target = urlsplit(etcd.endpoint)
    assert target.hostname and target.port
    relay = Relay(namespace, ("127.0.0.1", 2379), (target.hostname, target.port))
    endpoints = [*SILENT, "http://127.0.0.1:2379"]
    module = Runner("network_config_info", {"endpoints": endpoints, "timeout": TIMEOUT}, namespace)
    start = time.monotonic()
    assert module()["exists"] is False
    assert time.monotonic() - start < LONGER_THAN_ONE
    relay.close()
