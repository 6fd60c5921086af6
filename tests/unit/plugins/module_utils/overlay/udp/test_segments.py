# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""TCP segments are joined only if they continue each other and their checksums are correct."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.udp.packets import checksum, ones_sum
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.udp.segments import join, joinable

SOURCE, DESTINATION = bytes([10, 50, 1, 2]), bytes([10, 50, 2, 2])
OPTIONS = bytes.fromhex("0101080a0000000100000002")
PAYLOAD = bytes(random.Random(2).randbytes(100))
SIZE = 20 + 32 + len(PAYLOAD)


def segment(
    sequence: int, payload: bytes = PAYLOAD, *, flags: int = 0x10, port: int = 7000, options: bytes = OPTIONS
) -> bytes:
    """Return an IPv4 packet with a TCP segment, both with correct checksums."""
    tcp = bytearray(
        struct.pack("!HHIIBBHHH", 40000, port, sequence % 2**32, 77, (20 + len(options)) << 2, flags, 500, 0, 0)
    )
    tcp += options + payload
    pseudo = SOURCE + DESTINATION + struct.pack("!BBH", 0, 6, len(tcp))
    tcp[16:18] = checksum(pseudo + tcp).to_bytes(2, "big")
    head = bytearray(struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0) + SOURCE + DESTINATION)
    head[10:12] = checksum(head).to_bytes(2, "big")
    return bytes(head + tcp)


def stream(count: int, start: int = 1000, last: bytes = PAYLOAD, last_flags: int = 0x10) -> bytes:
    """Return segments that continue each other."""
    size = len(PAYLOAD)
    most = [segment(start + number * size) for number in range(count - 1)]
    return b"".join([*most, segment(start + (count - 1) * size, last, flags=last_flags)])


def joined(data: bytes) -> tuple[int, bytes] | None:
    """Return the number of joined packets and the large packet; None if they are not joined."""
    view = memoryview(data)
    run = joinable(view, 0, len(data), SIZE)
    parts = join(view, 0, SIZE, run) if run else None
    return (run.number, b"".join(parts)) if run and parts else None


@pytest.mark.parametrize("last", [PAYLOAD, PAYLOAD[:51], PAYLOAD[:50]], ids=["full", "odd", "short"])
@pytest.mark.parametrize("flags", [0x10, 0x18], ids=["ACK", "PSH"])
def test_a_stream_becomes_one_packet_with_a_partial_checksum(last: bytes, flags: int) -> None:
    number, data = joined(stream(5, last=last, last_flags=flags)) or (0, b"")
    assert number == 5
    assert struct.unpack_from("=BBHHHH", data) == (1, 1, 52, 100, 20, 16)
    packet = data[10:]
    assert int.from_bytes(packet[2:4], "big") == len(packet) == 52 + 4 * 100 + len(last)
    assert ones_sum(packet[:20]) == 0
    assert packet[33] == flags
    assert packet[52:] == PAYLOAD * 4 + last
    pseudo = SOURCE + DESTINATION + struct.pack("!BBH", 0, 6, len(packet) - 20)
    assert int.from_bytes(packet[36:38], "big") == ones_sum(pseudo)


def test_sequence_numbers_wrap_around() -> None:
    found = joined(stream(4, 2**32 - 150))
    assert found is not None
    assert found[0] == 4


BREAKS: dict[str, Callable[[], bytes]] = {
    "another port": lambda: segment(1300, port=7001),
    "a gap": lambda: segment(1301),
    "a repetition": lambda: segment(1200),
    "FIN": lambda: segment(1300, flags=0x11),
    "other options": lambda: segment(1300, options=OPTIONS[:-1] + b"\x09"),
    "a larger packet": lambda: segment(1300, PAYLOAD + PAYLOAD),
}


@pytest.mark.parametrize("different", BREAKS.values(), ids=BREAKS.keys())
def test_a_run_ends_before_a_segment_that_does_not_continue_it(different: Callable[[], bytes]) -> None:
    found = joined(stream(3) + different())
    assert found is not None
    assert found[0] == 3


def test_a_run_ends_with_a_segment_that_pushes_or_is_short() -> None:
    for end in (segment(1100, flags=0x18), segment(1100, PAYLOAD[:50]) + bytes(50)):
        found = joined(segment(1000) + end + segment(1200))
        assert found is not None
        assert found[0] == 2


@pytest.mark.parametrize(
    "first",
    [
        segment(900, flags=0x02),
        segment(900)[:9] + b"\x11" + segment(900)[10:],
        segment(900)[:6] + b"\x20\x00" + segment(900)[8:],
        b"\x46" + segment(900)[1:],
        b"\x60" + segment(900)[1:],
    ],
    ids=["SYN", "not TCP", "fragment", "IP options", "IPv6"],
)
def test_other_packets_are_not_joined(first: bytes) -> None:
    assert joined(first + stream(3)) is None


def test_one_packet_is_not_joined() -> None:
    assert joined(segment(1000)) is None


@pytest.mark.parametrize("place", [0, 8, 15, 21, 25, 40, 60, SIZE + 30, SIZE + 80, 3 * SIZE - 1])
def test_segments_with_a_wrong_checksum_are_not_joined(place: int) -> None:
    data = bytearray(stream(3))
    data[place] ^= 0x04
    assert joined(bytes(data)) is None


def test_any_corruption_leaves_joined_packets_that_add_up_or_none() -> None:
    chance = random.Random(3)
    good = stream(4, last=PAYLOAD[:40])
    for _unused in range(20000):
        data = bytearray(good)
        for _again in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        cut = bytes(data[: chance.randrange(len(data) + 1)])
        found = joined(cut)
        if found is not None:
            assert 2 <= found[0] <= 4
            assert int.from_bytes(found[1][12:14], "big") == len(found[1]) - 10
            assert ones_sum(found[1][10:30]) == 0
