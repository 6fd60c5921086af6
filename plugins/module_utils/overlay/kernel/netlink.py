# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The routing netlink socket: many requests in one send, dumps that the kernel filters, errors told by request.

Numbers and layouts are those of linux/netlink.h and linux/rtnetlink.h; headers are in the machine's byte order,
addresses in the network's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from ..model.errors import KernelError

Row = TypeVar("Row")

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800
NLM_F_DUMP_INTR, NLM_F_ACK_TLVS = 0x10, 0x200
_NOOP, _ERROR, _DONE = 1, 2, 3
_SOL_NETLINK, _ADD_MEMBERSHIP, _CAP_ACK, _EXT_ACK, _STRICT = 270, 1, 10, 11, 12
_SO_RCVBUFFORCE = 33
_NLMSGERR_ATTR_MSG = 1

HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
ATTRIBUTE = struct.Struct("=HH")  # length with this header, type
ATTRIBUTE_TYPE = 0x3FFF  # the two high bits of a type say "nested" and "network order"
_ERRNO = struct.Struct("=i")
_LONGEST_DUMP_MESSAGE = 65536  # the kernel fills at most 32 KiB at a time, however large the buffer
_FENCE_SEQUENCE = 0xFFFFFFFF
# A request that does nothing but be acknowledged: behind a batch it tells that all before it were worked off.
_FENCE = HEADER.pack(HEADER.size, _NOOP, NLM_F_REQUEST | NLM_F_ACK, _FENCE_SEQUENCE, 0)
_BATCH = 400  # requests in one send: small beside the send buffer, and their errors fit in the receive buffer
_RECEIVE_BUFFER = 2 << 20
_DUMP_ATTEMPTS = 10


class NetlinkError(KernelError):
    """The kernel refused a request; ``errno`` says why as a number."""

    def __init__(self, text: str, number: int) -> None:
        super().__init__(text)
        self.errno = number


class Refusal(NamedTuple):
    """The kernel's answer to a request it did not carry out."""

    errno: int
    message: str


class Netlink:
    """A socket to the kernel's routing tables in the network namespace of the thread that makes it."""

    def __init__(self, receive_buffer: int = _RECEIVE_BUFFER) -> None:
        """Open the socket; raise KernelError when that cannot be."""
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
            self._socket.bind((0, 0))
        except OSError as error:
            raise KernelError(f"cannot open a netlink socket: {error}") from error
        for option in (_CAP_ACK, _EXT_ACK, _STRICT):
            self._try_option(_SOL_NETLINK, option, 1)  # kernels before 4.20 lack the last: dumps are longer there
        if not self._try_option(socket.SOL_SOCKET, _SO_RCVBUFFORCE, receive_buffer):
            self._try_option(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)

    @property
    def port(self) -> int:
        """The socket's netlink port, which notifications of changes made through it carry."""
        port: int = self._socket.getsockname()[0]
        return port

    @property
    def socket(self) -> socket.socket:
        """The socket itself, for what waits on it."""
        return self._socket

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def join(self, groups: Sequence[int]) -> None:
        """Have notifications of these groups sent to the socket, as far as the kernel knows them."""
        for group in groups:
            self._try_option(_SOL_NETLINK, _ADD_MEMBERSHIP, group)

    def execute(self, messages: Sequence[bytes]) -> dict[int, Refusal]:
        """Send requests, message ``i`` with sequence number ``i``; return the refusals by number, {} when all is done.

        The kernel works on past a refused request. Raise KernelError when the socket itself fails.
        """
        refusals: dict[int, Refusal] = {}
        for start in range(0, len(messages), _BATCH):
            try:
                self._socket.send(b"".join(messages[start : start + _BATCH]) + _FENCE)
                while not self._take_answers(self._socket.recv(_LONGEST_DUMP_MESSAGE), refusals):
                    pass
            except OSError as error:
                raise self._broken(error) from error
        return refusals

    def ask(self, kind: int, body: bytes, parse: Callable[[bytes, int, int], Row]) -> Row:
        """Return the one answer to a question, parsed as in ``dump``; raise NetlinkError when it is refused."""
        rows, refused = self._converse(kind, 0, body, parse)
        if refused is not None:
            raise NetlinkError(refused.message, refused.errno)
        return rows[0]

    def dump(self, kind: int, body: bytes, parse: Callable[[bytes, int, int], Row | None]) -> list[Row]:
        """Return the rows of a table: what ``parse`` makes of each message's buffer, body start and end, less None.

        A dump during which the table changed is taken again. Raise NetlinkError when the kernel refuses.
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
    ) -> tuple[list[Row], Refusal | None]:
        """Send one request; return the parsed answers and why the kernel refused or broke off (EINTR), if it did."""
        rows: list[Row] = []
        interrupted = 0
        try:
            self._socket.send(HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | flags, 0, 0) + body)
            while True:
                buffer = self._socket.recv(_LONGEST_DUMP_MESSAGE)
                position, end = 0, len(buffer)
                while position < end:
                    length, answer, given, _unused, _unused = HEADER.unpack_from(buffer, position)
                    interrupted |= given & NLM_F_DUMP_INTR
                    body_start = position + HEADER.size
                    if answer in (_ERROR, _DONE):
                        number = -_ERRNO.unpack_from(buffer, body_start)[0] or (interrupted and errno.EINTR)
                        return rows, _refusal(buffer, position, length, given, number) if number else None
                    rows.append(parse(buffer, body_start, position + length))
                    position += (length + 3) & ~3
                if not flags:
                    return rows, None
        except OSError as error:
            raise self._broken(error) from error

    def _broken(self, error: OSError) -> KernelError:
        """Return what to raise; what is still to be read must not be taken for the answers to the next request."""
        with contextlib.suppress(OSError):
            while self._socket.recv(_LONGEST_DUMP_MESSAGE, socket.MSG_DONTWAIT):
                pass
        return KernelError(f"netlink: {error}")

    def _take_answers(self, buffer: bytes, refusals: dict[int, Refusal]) -> bool:
        """Note the refusals in a buffer; return whether the fence was among the answers."""
        position = 0
        while position < len(buffer):
            length, kind, flags, sequence, _unused = HEADER.unpack_from(buffer, position)
            if kind == _ERROR:
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


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded to four bytes."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) & 3)


def attributes(buffer: bytes, start: int, end: int) -> dict[int, bytes]:
    """Return the attributes between two places of a buffer, by type."""
    found: dict[int, bytes] = {}
    while start + ATTRIBUTE.size <= end:
        length, kind = ATTRIBUTE.unpack_from(buffer, start)
        if length < ATTRIBUTE.size:
            break
        found[kind & ATTRIBUTE_TYPE] = buffer[start + ATTRIBUTE.size : start + length]
        start += (length + 3) & ~3
    return found


def _refusal(buffer: bytes, position: int, length: int, flags: int, number: int) -> Refusal:
    """Return an error message's number and its words: the kernel's own where it gave some, else those of the number."""
    text = os.strerror(number)
    if flags & NLM_F_ACK_TLVS:
        # Behind the number comes the header of the refused request, its body cut off by NETLINK_CAP_ACK.
        skip = _ERRNO.size + (HEADER.size if HEADER.unpack_from(buffer, position)[1] == _ERROR else 0)
        words = attributes(buffer, position + HEADER.size + skip, position + length).get(_NLMSGERR_ATTR_MSG)
        if words:
            text = f"{text} ({words.rstrip(bytes(1)).decode(errors='replace')})"
    return Refusal(number, text)
