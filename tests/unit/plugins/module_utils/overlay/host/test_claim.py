# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""own_leases: which leases in etcd belong to this host, and which of them it takes first."""

from __future__ import annotations

import json

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.claim import Claim, own_leases
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Item

OWN, OTHER, FORMER = "192.0.2.1", "192.0.2.2", "192.0.2.9"
CLAIM = Claim(parse_ipv4(OWN), "host-gw", None)


def item(public_ip: str, reservation: bool = False) -> Item:
    """The lease of a host with this public IP."""
    value = json.dumps({"PublicIP": public_ip, "BackendType": "host-gw"})
    return Item("", value, 1, ttl=None if reservation else 600, reservation=reservation)


def names(claim: Claim, leases: dict[str, Item]) -> list[str]:
    """The subnets of the host's leases, best first."""
    return [str(lease.subnet) for lease, _item in own_leases(claim, leases)]


def remembering(subnet: str, public_ip: str | None = None) -> Claim:
    """The claim of a host that remembers its last subnet, and its last public IP."""
    return CLAIM._replace(
        previous_subnet=Subnet.parse(subnet), previous_public_ip=parse_ipv4(public_ip) if public_ip else None
    )


def test_a_claim_makes_the_lease_of_a_subnet() -> None:
    claim = Claim(parse_ipv4(OWN), "vxlan", {"VNI": 1})
    assert json.loads(claim.lease(Subnet.parse("10.50.7.0/24")).value()) == {
        "PublicIP": OWN,
        "PublicIPv6": None,
        "BackendType": "vxlan",
        "BackendData": {"VNI": 1},
    }


def test_only_leases_with_the_own_public_ip_are_own() -> None:
    assert names(CLAIM, {"10.50.7.0-24": item(OTHER), "10.50.8.0-24": item(OWN)}) == ["10.50.8.0/24"]


def test_a_public_ip_that_begins_with_the_own_one_is_another_hosts() -> None:
    assert names(CLAIM, {"10.50.7.0-24": item(f"{OWN}1")}) == []


def test_a_reservation_comes_before_the_previous_subnet_and_that_before_others() -> None:
    leases = {
        "10.50.7.0-24": item(OWN),
        "10.50.8.0-24": item(OWN),
        "10.50.9.0-24": item(OWN, reservation=True),
    }
    assert names(remembering("10.50.8.0/24"), leases) == ["10.50.9.0/24", "10.50.8.0/24", "10.50.7.0/24"]


@pytest.mark.parametrize(("former", "own"), [(FORMER, ["10.50.7.0/24"]), (None, []), (OTHER, [])])
def test_the_previous_subnet_is_own_with_the_previous_public_ip_only(former: str | None, own: list[str]) -> None:
    assert names(remembering("10.50.7.0/24", former), {"10.50.7.0-24": item(FORMER)}) == own


def test_the_previous_public_ip_on_another_subnet_is_another_host() -> None:
    assert names(remembering("10.50.7.0/24", FORMER), {"10.50.8.0-24": item(FORMER)}) == []


def test_the_previous_subnet_stays_own_when_its_value_is_garbage() -> None:
    ((lease, found),) = own_leases(remembering("10.50.7.0/24"), {"10.50.7.0-24": Item("", "garbage", 4)})
    assert (str(lease.subnet), lease.public_ip, found.revision) == ("10.50.7.0/24", 0, 4)


@pytest.mark.parametrize("name", ["garbage", "10.50.7.1-24", "10.50.7.0-33"])
def test_a_key_that_is_no_subnet_is_never_own(name: str) -> None:
    assert names(CLAIM, {name: item(OWN)}) == []


def test_a_value_that_names_the_own_address_elsewhere_is_not_own() -> None:
    value = json.dumps({"PublicIP": OTHER, "Comment": OWN})
    assert names(CLAIM, {"10.50.7.0-24": Item("", value, 1), "10.50.8.0-24": Item("", f"not JSON {OWN}", 1)}) == []


def test_the_dual_stack_key_of_the_previous_subnet_is_own() -> None:
    assert names(remembering("10.50.7.0/24", FORMER), {"10.50.7.0-24&fd00::-64": item(FORMER)}) == ["10.50.7.0/24"]
