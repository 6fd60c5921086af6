# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program that has a UDP port of this host."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

_TABLES = ("/proc/thread-self/net/udp", "/proc/thread-self/net/udp6")
_INODE = 9  # column of the tables


def udp_port_problem(port: int, shared: bool = False) -> str | None:
    """Return why this UDP port cannot be used on all addresses, with the name of its program; None if it can.

    ``shared``: a port without a program is that of a vxlan device, which others can use, too.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return f"UDP port {port}: {error.strerror}"
        else:
            return None
    program = _program(port)
    if shared and not program:
        return None
    return f"UDP port {port} is in use by {program or f'another program (ss -ulpn sport = :{port} shows it)'}"


def _program(port: int) -> str:
    """Return name and process ID of the program with a UDP port, "" if it is not found."""
    inodes = {f"socket:[{inode}]" for table in _TABLES for inode in _inodes(Path(table), port)}
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(str(entry.readlink()) in inodes for entry in folder.iterdir()):
                return f"{(folder.parent / 'comm').read_text().strip()} (process {folder.parent.name})"
        except OSError:
            continue  # the process or its file has gone
    return ""


def _inodes(table: Path, port: int) -> list[str]:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    columns = [line.split() for line in lines]
    return [one[_INODE] for one in columns if int(one[1].rpartition(":")[2], 16) == port]
