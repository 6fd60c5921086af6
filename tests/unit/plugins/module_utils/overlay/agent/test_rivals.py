# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Conflicts of two hosts with one public IP: which lease is certain, and the fields of a challenge and its answer."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.rivals import (
    Rivals,
    answer_value,
    claimant_of,
    is_certain,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.claim import Claim
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import SubnetLease, parse_lease
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Item

SUBNET, ADDRESS = Subnet.parse("10.50.7.0/24"), parse_ipv4("192.0.2.7")
CLAIM = Claim(ADDRESS, "vxlan", {"VtepMAC": "0e:00:00:00:00:07"}, macs=frozenset(["0e:00:00:00:00:07"]))


def lease(mac: str = "", public_ip: int = ADDRESS) -> SubnetLease:
    """A lease with this MAC, or of a backend without one."""
    return SubnetLease(SUBNET, public_ip, "vxlan" if mac else "host-gw", {"VtepMAC": mac} if mac else None)


def item(reservation: bool = False) -> Item:
    """The key of a lease."""
    return Item("key", "", 1, reservation=reservation)


@pytest.mark.parametrize(
    ("mac", "certain"), [("0e:00:00:00:00:07", True), ("0E:00:00:00:00:07", True), ("0e:1", False)]
)
def test_a_lease_with_a_mac_is_certain_only_with_a_mac_of_this_host(mac: str, certain: bool) -> None:
    assert is_certain(CLAIM, lease(mac), item()) is certain


def test_a_reservation_with_the_mac_of_another_host_is_doubtful() -> None:
    assert not is_certain(CLAIM, lease("0e:00:00:00:00:66"), item(reservation=True))


def test_a_lease_without_a_mac_is_certain_if_reserved_or_of_the_previous_subnet() -> None:
    assert not is_certain(CLAIM, lease(), item())
    assert is_certain(CLAIM, lease(), item(reservation=True))
    assert is_certain(CLAIM._replace(previous_subnet=SUBNET), lease(), item())
    assert not is_certain(CLAIM._replace(previous_subnet=Subnet.parse("10.50.8.0/24")), lease(), item())


def test_the_own_lease_with_an_invalid_value_is_certain() -> None:
    assert is_certain(CLAIM, lease(public_ip=0), item())


@pytest.mark.parametrize(
    ("value", "claimant"),
    [
        ('{"PublicIP": "192.0.2.7", "Claimant": {"Host": "h2"}}', {"Host": "h2"}),
        ('{"PublicIP": "192.0.2.7", "Holder": {"Host": "h2"}}', None),
        ('{"PublicIP": "192.0.2.7", "Claimant": "h2"}', None),
        ("[]", None),
        ("garbage", None),
        ("[" * 100_000, None),
    ],
)
def test_only_an_object_in_the_field_claimant_is_a_challenge(value: str, claimant: dict[str, Any] | None) -> None:
    assert claimant_of(value) == claimant


def test_an_answer_is_the_same_lease_with_the_holder_and_no_challenge() -> None:
    own = lease("0e:00:00:00:00:07")
    value = answer_value(own)
    assert parse_lease(own.key, value) == own
    assert json.loads(value)["Holder"]["VtepMAC"] == "0e:00:00:00:00:07"
    assert claimant_of(value) is None


def test_the_report_of_a_claim_ends_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    rivals = Rivals()
    sentence = rivals.challenged(lease("0e:00:00:00:00:07"), {"VtepMAC": "0e:00:00:00:00:08"}, 600.0)
    now[0] += 599.0
    assert rivals.report() == sentence
    now[0] += 2.0
    assert rivals.report() == ""
