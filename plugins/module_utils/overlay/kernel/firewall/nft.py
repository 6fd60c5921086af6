# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The nftables tables of flanneld (since 0.25, with EnableNFTables): whether they exist, and their removal.

This uses netlink (linux/netfilter/nfnetlink.h, nf_tables.h), because a host that ran flanneld in a container may not
have the program nft.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable

from ...model.errors import KernelError
from ...named_tuple import NamedTuple
from ..netlink.codec import HEADER, attribute
from ..netlink.constants import (
    NETLINK_NETFILTER,
    NFNL_MSG_BATCH_BEGIN,
    NFNL_MSG_BATCH_END,
    NFNL_SUBSYS_NFTABLES,
    NFT_MSG_DELTABLE,
    NFT_MSG_GETTABLE,
    NFTA_TABLE_NAME,
    NLM_F_ACK,
    NLM_F_REQUEST,
    NLMSG_ERROR,
)

_TITLE = struct.Struct("!BBH")  # struct nfgenmsg: family, version, resource
_ERRNO = struct.Struct("=i")
_GET_TABLE, _DELETE_TABLE = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE
_ABSENT = {errno.ENOENT, errno.EINVAL, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT}


class NftTable(NamedTuple):
    """An nftables table; ``str`` is the command that removes it."""

    family: int
    name: str

    def __str__(self) -> str:
        return f"nft delete table {'ip' if self.family == socket.AF_INET else 'ip6'} {self.name}"


_TABLES = (NftTable(socket.AF_INET, "flannel-ipv4"), NftTable(socket.AF_INET6, "flannel-ipv6"))


def flannel_tables() -> list[NftTable]:
    """Return the tables of flanneld that exist; raise KernelError if the kernel cannot be read."""
    return [table for table in _TABLES if not _ask(table, [_message(_GET_TABLE, 0, table)])]


def remove_tables(tables: Iterable[NftTable]) -> None:
    """Remove tables with all their chains and rules; raise KernelError for a table that the kernel keeps."""
    for table in tables:
        batch = [_edge(NFNL_MSG_BATCH_BEGIN), _message(_DELETE_TABLE, NLM_F_ACK, table), _edge(NFNL_MSG_BATCH_END)]
        number = _ask(table, batch)
        if number not in (0, errno.ENOENT):
            raise KernelError(
                f"{table}: {os.strerror(number)}; run that command, and look for a program that uses the table"
            )


def _ask(table: NftTable, messages: list[bytes]) -> int:
    """Return the kernel's first answer as an error number, 0 for success."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER) as kernel:
            kernel.bind((0, 0))
            kernel.send(b"".join(messages))
            answer = kernel.recv(65536)
    except OSError as error:
        if error.errno in _ABSENT:
            return error.errno or errno.ENOENT
        raise KernelError(f"nftables table {table.name}: netlink: {error}") from error
    _length, kind, *_unused = HEADER.unpack_from(answer)
    number = -_ERRNO.unpack_from(answer, HEADER.size)[0] if kind == NLMSG_ERROR else 0
    if number in _ABSENT:
        return errno.ENOENT
    if number in (errno.EPERM, errno.EACCES):
        raise KernelError(f"nftables table {table.name}: {os.strerror(number)}; run overlayd as root")
    return number


def _message(kind: int, flags: int, table: NftTable) -> bytes:
    body = _TITLE.pack(table.family, 0, 0) + attribute(NFTA_TABLE_NAME, table.name.encode() + bytes(1))
    return HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | flags, 1, 0) + body


def _edge(kind: int) -> bytes:
    body = _TITLE.pack(socket.AF_UNSPEC, 0, NFNL_SUBSYS_NFTABLES)
    return HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST, 0, 0) + body
