# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The routing netlink socket: batches of requests, dumps filtered by the kernel, an error for each refused request."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable, Sequence
from typing import TypeVar

from ...model.errors import KernelError
from ...named_tuple import NamedTuple
from .codec import HEADER, attributes, message
from .constants import (
    NETLINK_ADD_MEMBERSHIP,
    NETLINK_CAP_ACK,
    NETLINK_EXT_ACK,
    NETLINK_GET_STRICT_CHK,
    NLM_F_ACK,
    NLM_F_ACK_TLVS,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_NOOP,
    NLMSGERR_ATTR_MSG,
    SO_RCVBUFFORCE,
    SOL_NETLINK,
)

Row = TypeVar("Row")

_ERRNO = struct.Struct("=i")
_LONGEST_DUMP_MESSAGE = 65536  # the kernel fills at most 32 KiB at a time, however large the buffer
_FENCE_SEQUENCE = 0xFFFFFFFF
# A request without effect, after each batch: its acknowledgement shows that the kernel has processed the whole batch.
_FENCE = message(_FENCE_SEQUENCE, NLMSG_NOOP, NLM_F_ACK, b"")
_BATCH = 400  # requests in one send: they fit in the send buffer, and their errors in the receive buffer
_RECEIVE_BUFFER = 2 << 20
_DUMP_ATTEMPTS = 10


class NetlinkError(KernelError):
    """The kernel refused a request; ``errno`` is the error number."""

    def __init__(self, text: str, number: int) -> None:
        super().__init__(text)
        self.errno = number


class KernelRefusal(NamedTuple):
    """The kernel's error for one request."""

    errno: int
    message: str


class Netlink:
    """A socket to the kernel's routing tables, in the network namespace of the thread that creates it."""

    def __init__(self, receive_buffer: int = _RECEIVE_BUFFER, protocol: int = socket.NETLINK_ROUTE) -> None:
        """Open the socket; raise KernelError if that fails."""
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
            self._socket.bind((0, 0))
        except OSError as error:
            raise KernelError(f"cannot open a netlink socket: {error}") from error
        # Kernels before 4.20 lack the last option: their dumps are not filtered.
        for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK):
            self._try_option(SOL_NETLINK, option, 1)
        if not self._try_option(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer):
            self._try_option(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)

    @property
    def port(self) -> int:
        """The netlink port of the socket; the kernel's notifications of changes made through it carry that number."""
        port: int = self._socket.getsockname()[0]
        return port

    @property
    def socket(self) -> socket.socket:
        """The socket itself, for select and poll."""
        return self._socket

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def join(self, groups: Sequence[int]) -> None:
        """Subscribe to the notifications of these groups; groups that the kernel does not know are skipped."""
        for group in groups:
            self._try_option(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)

    def execute(self, messages: Sequence[bytes]) -> dict[int, KernelRefusal]:
        """Send requests; return the refused ones by sequence number. Message ``i`` must have sequence number ``i``.

        The kernel continues after a refused request. Raise KernelError if the socket itself fails.
        """
        refusals: dict[int, KernelRefusal] = {}
        for start in range(0, len(messages), _BATCH):
            try:
                self._socket.send(b"".join(messages[start : start + _BATCH]) + _FENCE)
                while not self._take_answers(self._socket.recv(_LONGEST_DUMP_MESSAGE), refusals):
                    pass
            except OSError as error:
                raise self._broken(error) from error
        return refusals

    def ask(self, kind: int, body: bytes, parse: Callable[[bytes, int, int], Row]) -> Row:
        """Return the one answer to a request, parsed as in ``dump``; raise NetlinkError if the kernel refuses."""
        rows, refused = self._converse(kind, 0, body, parse)
        if refused is not None:
            raise NetlinkError(refused.message, refused.errno)
        return rows[0]

    def dump(self, kind: int, body: bytes, parse: Callable[[bytes, int, int], Row | None]) -> list[Row]:
        """Return the rows of a table. ``parse`` gets the buffer and the start and end of a message's body.

        Rows for which it returns None are left out. A dump is repeated if the table changed meanwhile. Raise
        NetlinkError if the kernel refuses the request.
        """
        for _attempt in range(_DUMP_ATTEMPTS):
            rows, refused = self._converse(kind, NLM_F_DUMP, body, parse)
            if refused is None:
                return [row for row in rows if row is not None]
            if refused.errno != errno.EINTR:
                raise NetlinkError(refused.message, refused.errno)
        raise NetlinkError(f"netlink: the table changed in all {_DUMP_ATTEMPTS} attempts to read it", errno.EINTR)

    def _converse(
        self, kind: int, flags: int, body: bytes, parse: Callable[[bytes, int, int], Row]
    ) -> tuple[list[Row], KernelRefusal | None]:
        """Send one request; return the parsed answers, and the refusal if there was one (EINTR: an incomplete dump)."""
        rows: list[Row] = []
        interrupted = 0
        try:
            self._socket.send(message(0, kind, flags, body))
            while True:
                buffer = self._socket.recv(_LONGEST_DUMP_MESSAGE)
                position, end = 0, len(buffer)
                while position < end:
                    length, answer, given, _unused, _unused = HEADER.unpack_from(buffer, position)
                    interrupted |= given & NLM_F_DUMP_INTR
                    body_start = position + HEADER.size
                    if answer in (NLMSG_ERROR, NLMSG_DONE):
                        number = -_ERRNO.unpack_from(buffer, body_start)[0] or (interrupted and errno.EINTR)
                        return rows, _refusal(buffer, position, length, given, number) if number else None
                    rows.append(parse(buffer, body_start, position + length))
                    position += (length + 3) & ~3
                if not flags:
                    return rows, None
        except OSError as error:
            raise self._broken(error) from error

    def _broken(self, error: OSError) -> KernelError:
        """Return the exception to raise; discard unread answers, so that the next request does not get them."""
        with contextlib.suppress(OSError):
            while self._socket.recv(_LONGEST_DUMP_MESSAGE, socket.MSG_DONTWAIT):
                pass
        return KernelError(f"netlink: {error}")

    def _take_answers(self, buffer: bytes, refusals: dict[int, KernelRefusal]) -> bool:
        """Add the refusals in a buffer to ``refusals``; return whether the fence was among the answers."""
        position = 0
        while position < len(buffer):
            length, kind, flags, sequence, _unused = HEADER.unpack_from(buffer, position)
            if kind == NLMSG_ERROR:
                if sequence == _FENCE_SEQUENCE:
                    return True
                number = -_ERRNO.unpack_from(buffer, position + HEADER.size)[0]
                refusals[sequence] = _refusal(buffer, position, length, flags, number)
            position += (length + 3) & ~3
        return False

    def _try_option(self, level: int, option: int, value: int) -> bool:
        try:
            self._socket.setsockopt(level, option, value)
        except OSError:
            return False
        return True


def _refusal(buffer: bytes, position: int, length: int, flags: int, number: int) -> KernelRefusal:
    """Return the refusal in an error message, with the kernel's own explanation if it sent one."""
    text = os.strerror(number)
    if flags & NLM_F_ACK_TLVS:
        # After the number comes the header of the refused request, without its body because of NETLINK_CAP_ACK.
        skip = _ERRNO.size + (HEADER.size if HEADER.unpack_from(buffer, position)[1] == NLMSG_ERROR else 0)
        words = attributes(buffer, position + HEADER.size + skip, position + length).get(NLMSGERR_ATTR_MSG)
        if words:
            text = f"{text} ({words.rstrip(bytes(1)).decode(errors='replace')})"
    return KernelRefusal(number, text)
