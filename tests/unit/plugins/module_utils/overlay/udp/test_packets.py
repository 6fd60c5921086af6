# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IPv4 packets: lengths, checksums, the TTL, and which packets get an ICMP error."""

from __future__ import annotations

import random

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.udp.packets import (
    NET_UNREACHABLE,
    TIME_EXCEEDED,
    carry_around,
    checksum,
    icmp_error,
    ones_sum,
    packet_length,
)

# An example of RFC 1071, section 3: the sum of these bytes is ddf2.
EXAMPLE = bytes.fromhex("0001f203f4f5f6f7")
OWN = bytes([10, 50, 1, 0])


def packet(protocol: int = 17, payload: bytes = bytes(8), *, ttl: int = 64, fragment: int = 0) -> bytes:
    """Return an IPv4 packet with a correct header."""
    head = bytearray(bytes.fromhex("450000000001000000000000") + bytes([10, 50, 1, 2, 10, 50, 2, 2]))
    head[2:4] = (20 + len(payload)).to_bytes(2, "big")
    head[6:8] = fragment.to_bytes(2, "big")
    head[8:10] = bytes([ttl, protocol])
    head[10:12] = checksum(head).to_bytes(2, "big")
    return bytes(head) + payload


def test_the_sum_is_that_of_the_rfc_and_an_odd_byte_is_an_upper_half() -> None:
    assert ones_sum(EXAMPLE) == 0xDDF2
    assert checksum(EXAMPLE) == 0xFFFF - 0xDDF2
    assert ones_sum(EXAMPLE + b"\x01") == 0xDEF2


@pytest.mark.parametrize("size", [4094, 4095, 4096, 4097, 4098, 4099, 8192, 65535])
def test_the_sum_of_long_data_is_that_of_its_words(size: int) -> None:
    data = random.Random(size).randbytes(size)
    padded = data + bytes(size % 2)
    words = [int.from_bytes(padded[at : at + 2], "big") for at in range(0, len(padded), 2)]
    assert ones_sum(data) == ones_sum(memoryview(data)) == sum(words) % 65535


def test_a_correct_header_sums_up_to_zero() -> None:
    assert ones_sum(packet()[:20]) == 0


@pytest.mark.parametrize("upper", [0xFF00, 0xFF7F, 0xFFFE, 0xFFFF])
def test_a_carry_of_the_checksum_goes_around(upper: int) -> None:
    data = bytearray(20)
    data[10:12] = upper.to_bytes(2, "big")
    carry_around(data, 0)
    assert int.from_bytes(data[10:12], "big") % 0xFFFF == (upper + 0x100) % 0xFFFF


def test_only_a_whole_ipv4_packet_has_a_length() -> None:
    good = packet()
    assert packet_length(memoryview(good)) == len(good)
    assert packet_length(memoryview(good + b"more")) == len(good)
    assert packet_length(memoryview(good[:-1])) == 0
    assert packet_length(memoryview(b"")) == 0
    assert packet_length(memoryview(b"\x60" + good[1:])) == 0
    assert packet_length(memoryview(b"\x44" + good[1:])) == 0
    assert packet_length(memoryview(b"\x4f" + good[1:])) == 0


def test_any_bytes_have_a_length_within_them() -> None:
    chance = random.Random(1)
    for _unused in range(20000):
        data = chance.randbytes(chance.randrange(80))
        assert 0 <= packet_length(memoryview(data)) <= len(data)


@pytest.mark.parametrize("kind", [NET_UNREACHABLE, TIME_EXCEEDED])
def test_an_icmp_error_has_correct_checksums_and_the_start_of_the_packet(kind: tuple[int, int]) -> None:
    offender = packet(payload=bytes(range(100)))
    answer = icmp_error(kind, OWN, offender)
    assert answer is not None
    assert ones_sum(answer[:20]) == ones_sum(answer[20:]) == 0
    assert packet_length(memoryview(answer)) == len(answer)
    assert answer[12:20] == OWN + bytes([10, 50, 1, 2])
    assert tuple(answer[20:22]) == kind
    assert answer[28:] == offender[:28]


@pytest.mark.parametrize(
    "offender",
    [
        packet(1, bytes([3, 0, 0, 0, 0, 0, 0, 0])),
        packet(1, b""),
        packet(fragment=0x0001),
        packet()[:16] + bytes([224, 0, 0, 1]) + bytes(8),
        packet()[:12] + bytes([255, 255, 255, 255]) + packet()[16:],
        packet()[:12] + bytes(4) + packet()[16:],
    ],
    ids=["ICMP error", "empty ICMP", "later fragment", "to many", "from a broadcast", "from nobody"],
)
def test_some_packets_get_no_icmp_error(offender: bytes) -> None:
    assert icmp_error(NET_UNREACHABLE, OWN, offender) is None


def test_an_icmp_request_gets_an_icmp_error() -> None:
    assert icmp_error(NET_UNREACHABLE, OWN, packet(1, bytes([8, 0, 0, 0, 0, 0, 0, 0]))) is not None
