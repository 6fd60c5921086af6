# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A lease in etcd: its key, each historic form of its value, and what makes it unusable."""

from __future__ import annotations

import json

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import LeaseError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import (
    SubnetLease,
    lease_key,
    lease_problem,
    overlapping,
    parse_lease,
    parse_lease_key,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig

CONFIG = NetworkConfig.parse('{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}')


def lease_of(subnet: str, address: str = "192.0.2.7") -> SubnetLease:
    return SubnetLease(Subnet.parse(subnet), parse_ipv4(address))


def test_a_key_and_its_subnet_are_each_others_inverse() -> None:
    subnet = Subnet.parse("10.5.7.0/24")
    assert lease_key(subnet) == "10.5.7.0-24"
    assert parse_lease_key("10.5.7.0-24") == subnet
    assert lease_of("10.5.7.0/24").key == "10.5.7.0-24"


def test_the_ipv4_part_of_a_dual_stack_key_is_read() -> None:
    assert parse_lease_key("10.5.7.0-24&fd00:12:13::-56") == Subnet.parse("10.5.7.0/24")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "10.5.7.0",
        "10.5.7.0/24",
        "10.5.7.0-33",
        "10.5.7.1-24",
        "10.5.300.0-24",
        "x-24",
        "10.5.7.0-24 ",
        "\u06610.5.7.0-24",
    ],
)
def test_a_key_that_is_no_subnet_is_refused_by_name(key: str) -> None:
    with pytest.raises(LeaseError) as error:
        parse_lease_key(key)
    assert repr(key) in str(error.value)


@pytest.mark.parametrize(
    "value, kind, data",
    [
        (
            '{"PublicIP":"192.0.2.7","PublicIPv6":null,"BackendType":"vxlan",'
            '"BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}',
            "vxlan",
            {"VNI": 1, "VtepMAC": "c6:d2:32:6f:8f:44"},
        ),
        (
            '{"PublicIP":"192.0.2.7","BackendType":"vxlan","BackendData":{"VtepMAC":"82:4b:b6:2f:54:4e"}}',
            "vxlan",
            {"VtepMAC": "82:4b:b6:2f:54:4e"},
        ),
        ('{"PublicIP":"192.0.2.7","PublicIPv6":null,"BackendType":"host-gw"}', "host-gw", None),
        ('{"PublicIP":"192.0.2.7"}', "", None),
        ('{"PublicIP":"192.0.2.7","BackendType":null,"BackendData":null}', "", None),
    ],
)
def test_every_historic_shape_of_a_value_is_read(value: str, kind: str, data: dict[str, object] | None) -> None:
    expected = SubnetLease(Subnet.parse("10.5.7.0/24"), parse_ipv4("192.0.2.7"), kind, data)
    assert parse_lease("10.5.7.0-24", value) == expected


@pytest.mark.parametrize(
    "value, message",
    [
        ("", "lease 10.5.7.0-24: the value is not JSON"),
        ("{broken", "lease 10.5.7.0-24: the value is not JSON"),
        ("[" * 100_000, "lease 10.5.7.0-24: the value is not JSON"),
        ("[]", r"the value is not a JSON object: '\[\]'"),
        ("null", "the value is not a JSON object: 'null'"),
        ("{}", "PublicIP '' is not an IPv4 address"),
        ('{"PublicIP":7}', "PublicIP 7 is not an IPv4 address"),
        ('{"PublicIP":"fd00::1"}', "PublicIP 'fd00::1' is not an IPv4 address"),
        ('{"PublicIP":"192.0.2.7","BackendType":7}', "BackendType 7 is not text"),
        ('{"PublicIP":"192.0.2.7","BackendData":"x"}', "BackendData 'x' is not a JSON object"),
    ],
)
def test_a_bad_value_is_refused_with_its_key_and_the_reason(value: str, message: str) -> None:
    with pytest.raises(LeaseError, match=message):
        parse_lease("10.5.7.0-24", value)


def test_a_huge_bad_value_does_not_flood_the_message() -> None:
    with pytest.raises(LeaseError) as error:
        parse_lease("10.5.7.0-24", json.dumps("x" * 1_000_000))
    assert len(str(error.value)) < 200


def test_a_value_is_written_as_the_newest_flannel_writes_it() -> None:
    lease = lease_of("10.5.7.0/24")._replace(
        backend_type="vxlan", backend_data={"VNI": 1, "VtepMAC": "c6:d2:32:6f:8f:44"}
    )
    assert lease.value() == (
        '{"PublicIP":"192.0.2.7","PublicIPv6":null,"BackendType":"vxlan",'
        '"BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}'
    )
    assert lease_of("10.5.7.0/24").value() == '{"PublicIP":"192.0.2.7","PublicIPv6":null}'
    assert parse_lease(lease.key, lease.value()) == lease


@pytest.mark.parametrize("subnet", ["10.5.7.0/24", "10.5.0.0/24", "10.5.7.0/26", "10.5.0.0/17"])
def test_a_lease_of_another_length_or_range_inside_network_is_sound(subnet: str) -> None:
    assert lease_problem(lease_of(subnet), CONFIG) is None


@pytest.mark.parametrize("subnet", ["0.0.0.0/0", "10.5.0.0/16", "10.4.0.0/15", "10.6.7.0/24"])
def test_a_lease_that_is_not_a_part_of_network_is_a_problem(subnet: str) -> None:
    lease = lease_of(subnet)
    assert lease_problem(lease, CONFIG) == f"lease {lease.key}: subnet {subnet} is not a part of Network 10.5.0.0/16"


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"])
def test_a_public_ip_that_no_host_can_have_is_a_problem(address: str) -> None:
    problem = lease_problem(lease_of("10.5.7.0/24", address), CONFIG)
    assert problem == f"lease 10.5.7.0-24: PublicIP {address} is not the address of a host"


def test_a_public_ip_inside_the_overlay_is_a_problem() -> None:
    problem = lease_problem(lease_of("10.5.7.0/24", "10.5.9.1"), CONFIG)
    assert problem == "lease 10.5.7.0-24: PublicIP 10.5.9.1 lies inside the overlay Network 10.5.0.0/16"


def test_each_lease_inside_a_wider_one_is_paired_with_it() -> None:
    wide, low, high, apart = (lease_of(text) for text in ("10.5.0.0/20", "10.5.0.0/24", "10.5.9.0/24", "10.5.16.0/24"))
    assert overlapping([apart, high, wide, low]) == [(wide, low), (wide, high)]
    assert overlapping([low, high, apart]) == []
