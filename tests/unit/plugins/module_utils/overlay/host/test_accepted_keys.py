# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Leases of other types that contain a WireGuard key, on a host with the wireguard backend."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends import backend_for
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends.by_lease import ByLease
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.peer_table import PeerTable
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.plan import plan
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.state import (
    DesiredState,
    ObservedState,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.wireguard_device import (
    WireguardEnd,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.wireguard_peer import (
    WireguardPeer,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tunnels import Tunnels
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.underlay import Underlay
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.wireguard_keys import format_key
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Deleted, Item, Put

CONFIG = NetworkConfig.parse('{"Network": "10.50.0.0/16", "Backend": {"Type": "wireguard"}}')
UNDERLAY = Underlay("eth0", 2, parse_ipv4("192.0.2.1"), 1500, (Subnet.parse("192.0.2.0/24"),))
OWN = Subnet.parse("10.50.1.0/24")
KEY, OTHER = format_key(bytes([7] * 32)), format_key(bytes([8] * 32))
A, B, C = "10.50.7.0-24", "10.50.8.0-24", "10.50.9.0-24"
PORT = 51820


@pytest.fixture
def table() -> PeerTable:
    own = backend_for(CONFIG, UNDERLAY, OWN, WireguardEnd(bytes([1] * 32), "key"))
    return PeerTable(CONFIG, OWN, ByLease(own, CONFIG.backend, UNDERLAY, OWN, Tunnels()))


def put(name: str, host: int, kind: str, revision: int, key: str = KEY, port: int = PORT) -> Put:
    value: dict[str, Any] = {"PublicIP": f"192.0.2.{host}", "BackendType": kind}
    value["BackendData"] = {"PublicKey": key, "Port": port}
    return Put(Item(name, json.dumps(value), revision))


def peers(table: PeerTable) -> dict[str, tuple[str, str]]:
    """Return key and end point of each peer, by subnet."""
    rows = DesiredState.of((), table.rows.values()).rows(WireguardPeer).values()
    return {str(row.subnet): (format_key(row.public_key), row.host) for row in rows}


def routed(table: PeerTable) -> list[str]:
    return sorted(map(str, table.rows))


WIREGUARD, STRANGER = put(A, 7, "wireguard", 10), put(B, 9, "host-gw", 20)


@pytest.mark.parametrize("events", [(WIREGUARD, STRANGER), (STRANGER, WIREGUARD)])
def test_a_lease_of_another_type_does_not_take_the_key_of_a_wireguard_lease(
    table: PeerTable, events: tuple[Put, Put]
) -> None:
    for event in events:
        table.change([event])
    assert peers(table) == {"10.50.7.0/24": (KEY, f"192.0.2.7:{PORT}")}
    assert routed(table) == ["10.50.7.0/24", "10.50.8.0/24"]
    (problem,) = table.problems
    assert f"lease {B} of 192.0.2.9: its packets are not accepted on the wireguard device: PublicKey {KEY}" in problem
    assert f"192.0.2.7, whose lease {A} is of type wireguard; " in problem


def test_the_key_goes_to_the_other_lease_when_the_wireguard_lease_goes(table: PeerTable) -> None:
    table.change([WIREGUARD, STRANGER])
    table.change([Deleted(A)])
    assert peers(table) == {"10.50.8.0/24": (KEY, f"192.0.2.9:{PORT}")}
    assert table.problems == []
    table.change([WIREGUARD._replace(item=WIREGUARD.item._replace(revision=30))])
    assert peers(table) == {"10.50.7.0/24": (KEY, f"192.0.2.7:{PORT}")}
    table.change([Deleted(B)])
    assert table.problems == []


def test_of_two_leases_of_other_types_the_newer_text_has_the_key(table: PeerTable) -> None:
    older, newer = put(A, 7, "host-gw", 10), put(B, 9, "ipip", 20)
    table.change([older, newer])
    for revision in range(30, 34):
        table.change([put(A, 7, "host-gw", revision)])
        assert peers(table) == {"10.50.8.0/24": (KEY, f"192.0.2.9:{PORT}")}
        assert f"lease {A} of 192.0.2.7" in table.problems[0]
        assert f"192.0.2.9, whose lease {B} is newer; " in table.problems[0]


def test_leases_of_one_host_share_its_key_and_the_settings_of_its_wireguard_lease(table: PeerTable) -> None:
    table.change([put(A, 7, "wireguard", 10, port=4000), put(B, 7, "host-gw", 20), put(C, 7, "host-gw", 30)])
    assert peers(table) == {f"10.50.{n}.0/24": (KEY, "192.0.2.7:4000") for n in (7, 8, 9)}
    assert table.problems == []


@pytest.mark.parametrize("kind", ["wireguard", "host-gw"])
@pytest.mark.parametrize("event", [Deleted(A), put(A, 7, "wireguard", 40, OTHER), put(A, 7, "host-gw", 40, OTHER)])
def test_a_changed_lease_leaves_the_other_subnets_of_its_host(table: PeerTable, kind: str, event: Any) -> None:
    table.change([put(A, 7, kind, 10), put(B, 7, "host-gw", 20), put(C, 7, "host-gw", 30)])
    changes = table.change([event])
    held = DesiredState.of((), [one.before for one in changes if one.before])
    wanted = DesiredState.of((), [one.after for one in changes if one.after])
    steps = plan(wanted, ObservedState.of(held)).steps
    (one,) = [str(step) for step in steps if KEY in str(step)]
    assert one.endswith("allowed-ips 10.50.8.0/24,10.50.9.0/24")


def test_a_lease_that_changes_its_type_keeps_the_key(table: PeerTable) -> None:
    for revision, kind in enumerate(("wireguard", "host-gw", "ipip", "wireguard")):
        table.change([put(A, 7, kind, revision)])
        assert peers(table) == {"10.50.7.0/24": (KEY, f"192.0.2.7:{PORT}")}
    assert table.problems == []
