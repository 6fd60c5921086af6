# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The netlink requests of a step, without a kernel."""

from __future__ import annotations

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.netlink.codec import HEADER
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.step import Step, Wire

INDEXES = {"flannel.1": 3, "eth0": 2}


def requests(step: Step, by_hops: bool = True) -> list[bytes]:
    """Return the requests of a step; the header of each must have its length and its position."""
    messages: list[bytes] = []
    step.encode(Wire(INDEXES.__getitem__, by_hops), messages)
    for position, message in enumerate(messages):
        length, _kind, _flags, sequence, port = HEADER.unpack_from(message)
        assert (length, sequence, port) == (len(message), position, 0)
        assert length % 4 == 0
    return messages


def kind_and_flags(message: bytes) -> tuple[int, int]:
    """Return the type and the flags of a request."""
    return HEADER.unpack_from(message)[1:3]


def body(message: bytes) -> tuple[bytes, int, int]:
    """Return buffer, start and end, as a dump passes them to a parser."""
    return message, HEADER.size, len(message)
