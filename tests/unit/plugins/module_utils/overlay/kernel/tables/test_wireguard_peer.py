# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans for WireGuard peers: each has exactly the subnets of its leases, and secrets are not shown."""

from __future__ import annotations

from typing import Any

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.plan import plan
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.state import (
    DesiredState,
    Found,
    ObservedState,
    PeerRows,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.route import Route
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.wireguard_peer import (
    RemovePeer,
    SetPeer,
    WireguardPeer,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.secret import Secret

ONE, TWO = bytes([1] * 32), bytes([2] * 32)
ONE_TEXT = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
A, B = Subnet.parse("10.5.1.0/24"), Subnet.parse("10.5.2.0/24")
HOST = parse_ipv4("192.0.2.12")


def row(key: bytes, subnet: Subnet, **changes: Any) -> WireguardPeer:
    return WireguardPeer("flannel-wg", key, subnet, HOST, 51820)._replace(**changes)


def steps(wanted: list[WireguardPeer], held: list[WireguardPeer]) -> list[object]:
    desired = DesiredState.of(wanted, ())
    return list(plan(desired, ObservedState.of(DesiredState.of(held, ()))).steps)


def test_a_peer_is_set_before_its_route_and_removed_after_it() -> None:
    rows = PeerRows(Route(A, 0, "flannel-wg", onlink=False), others=(row(ONE, A),))
    full = DesiredState.of((), [rows])
    added = plan(full, ObservedState()).steps
    assert [type(step).__name__ for step in added] == ["SetPeer", "AddRoute"]
    removed = plan(DesiredState(), ObservedState.of(full)).steps
    assert [type(step).__name__ for step in removed] == ["RemoveRoute", "RemovePeer"]


def test_a_new_key_gets_the_subnet_before_the_old_key_is_removed() -> None:
    assert steps([row(TWO, A)], [row(ONE, A)]) == [
        SetPeer((row(TWO, A),), replace=False),
        RemovePeer("flannel-wg", ONE, A),
    ]


def test_a_second_subnet_of_a_key_is_added_without_the_first() -> None:
    assert steps([row(ONE, A), row(ONE, B)], [row(ONE, A)]) == [SetPeer((row(ONE, B),), replace=False)]


def test_a_lost_subnet_of_a_key_is_removed_and_the_other_stays() -> None:
    assert steps([row(ONE, B)], [row(ONE, A), row(ONE, B)]) == [SetPeer((row(ONE, B),), replace=True)]


def test_each_changed_setting_of_a_peer_is_set() -> None:
    settings: list[dict[str, Any]] = [{"endpoint": HOST + 1}, {"port": 4000}, {"keepalive": 5}, {"psk": Secret("x")}]
    for changes in settings:
        wanted = row(ONE, A, **changes)
        assert steps([wanted], [row(ONE, A)]) == [SetPeer((wanted,), replace=False)]
    assert steps([row(ONE, A)], [row(ONE, A)]) == []


def test_a_peer_without_subnets_is_removed() -> None:
    found = ObservedState({WireguardPeer: Found({}, (RemovePeer("flannel-wg", TWO),))})
    assert list(plan(DesiredState(), found).steps) == [RemovePeer("flannel-wg", TWO)]


def test_a_step_reads_like_the_command_and_hides_the_psk() -> None:
    both = SetPeer((row(ONE, A, keepalive=25, psk=Secret("secret")), row(ONE, B)), replace=True)
    assert str(both) == (
        f"wg set flannel-wg peer {ONE_TEXT} preshared-key (hidden) endpoint 192.0.2.12:51820 "
        "persistent-keepalive 25 allowed-ips 10.5.1.0/24,10.5.2.0/24"
    )
    assert "secret" not in repr(both)
    assert str(SetPeer((row(ONE, A),), replace=False)).endswith("endpoint 192.0.2.12:51820 allowed-ips +10.5.1.0/24")
    assert str(RemovePeer("flannel-wg", ONE)) == f"wg set flannel-wg peer {ONE_TEXT} remove"
