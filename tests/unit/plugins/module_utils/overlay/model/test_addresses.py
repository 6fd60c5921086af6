# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Addresses and subnets: exact parsing, and the arithmetic of CIDR blocks."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import (
    Subnet,
    format_ipv4,
    format_mac,
    parse_ipv4,
    parse_mac,
)


@pytest.mark.parametrize("text, number", [("0.0.0.0", 0), ("10.5.7.1", 0x0A050701), ("255.255.255.255", 0xFFFFFFFF)])
def test_an_address_and_its_text_are_each_others_inverse(text: str, number: int) -> None:
    assert parse_ipv4(text) == number
    assert format_ipv4(number) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.5.7",
        "10.5.7.256",
        "010.5.7.1",
        "10.5.7.1 ",
        "10.5.7.1\0",
        "::1",
        "a.b.c.d",
        "\ud800",
        "\u06610.5.7.1",
        None,
        7,
    ],
)
def test_anything_but_a_dotted_quad_is_refused_by_its_value(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IPv4 address") as error:
        parse_ipv4(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize("text", ["0e:1c:9a:04:7f:22", "0E:1C:9A:04:7F:22"])
def test_a_mac_is_read_in_either_case_and_shown_in_lower_case(text: str) -> None:
    assert format_mac(parse_mac(text)) == "0e:1c:9a:04:7f:22"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0e:1c:9a:04:7f",
        "0e:1c:9a:04:7f:22:33",
        "0e-1c-9a-04-7f-22",
        "+e:1c:9a:04:7f:22",
        " e:1c:9a:04:7f:22",
        "\u0661\u0661:1c:9a:04:7f:22",
        "0e:1c:9a:04:7f:2g",
        "0e:1c:9a:04:7f:22\n",
        None,
        [1],
    ],
)
def test_anything_but_six_pairs_of_hex_digits_is_refused_as_a_mac(text: str) -> None:
    with pytest.raises(ValueError, match="is not a MAC address"):
        parse_mac(text)


def test_a_subnet_parses_back_to_itself() -> None:
    for text in ("0.0.0.0/0", "10.5.0.0/16", "10.5.7.0/24", "10.5.7.4/30", "192.0.2.7/32"):
        assert str(Subnet.parse(text)) == text


def test_host_bits_are_refused_and_the_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"'10\.5\.7\.1/24' has host bits set; the network is 10\.5\.7\.0/24"):
        Subnet.parse("10.5.7.1/24")


def test_an_interface_address_gives_its_network_and_itself() -> None:
    assert Subnet.parse_interface("10.5.7.1/24") == (Subnet.parse("10.5.7.0/24"), parse_ipv4("10.5.7.1"))


@pytest.mark.parametrize(
    "text", ["10.5.0.0", "10.5.0.0/", "10.5.0.0/33", "10.5.0.0/-1", "/16", "10.5.0.0/1\u00b2", "", None]
)
def test_anything_but_address_and_length_is_refused_as_a_network(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IPv4"):
        Subnet.parse(text)


def test_the_first_and_last_address_belong_to_the_subnet_and_their_neighbours_do_not() -> None:
    subnet = Subnet.parse("10.5.7.0/24")
    assert subnet.size == 256
    assert (format_ipv4(subnet.first), format_ipv4(subnet.last)) == ("10.5.7.0", "10.5.7.255")
    assert subnet.has(subnet.first) and subnet.has(subnet.last)
    assert not subnet.has(subnet.first - 1) and not subnet.has(subnet.last + 1)


@pytest.mark.parametrize(
    "one, two, covers, overlaps",
    [
        ("10.5.0.0/16", "10.5.7.0/24", True, True),
        ("10.5.7.0/24", "10.5.0.0/16", False, True),
        ("10.5.7.0/24", "10.5.7.0/24", True, True),
        ("10.5.7.0/24", "10.5.8.0/24", False, False),
        ("0.0.0.0/0", "10.5.8.0/24", True, True),
    ],
)
def test_a_subnet_covers_subnets_inside_it_and_overlaps_those_that_share_an_address(
    one: str, two: str, covers: bool, overlaps: bool
) -> None:
    assert Subnet.parse(one).covers(Subnet.parse(two)) is covers
    assert Subnet.parse(one).overlaps(Subnet.parse(two)) is overlaps


def test_a_host_is_counted_from_the_first_address() -> None:
    assert Subnet.parse("10.5.7.0/24").host(1) == "10.5.7.1"
