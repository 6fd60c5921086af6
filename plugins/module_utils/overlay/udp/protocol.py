# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How overlayd and the data path process speak: one message each way on a Unix socket in the network namespace.

The socket has an abstract name, which belongs to the network namespace like the TUN device. A process must have
CAP_NET_ADMIN in order to be answered: whoever has it could also change the routes.
"""

from __future__ import annotations

import json
import socket
import struct
import time
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..named_tuple import NamedTuple
from ..patience import PATIENCE

ADDRESS = "\0overlayd-udp"
LARGEST = 4 << 20  # bytes of a message
NAME = "udp"  # of the process
STATUS, PEERS, CONFIGURE, ADD, REMOVE, HAND_OVER, QUIT = b"S", b"P", b"C", b"A", b"R", b"H", b"Q"  # first byte
REFUSED = b"!"  # first byte of an answer with a sentence instead of a result
PORT_IN_USE = "Address already in use"  # in the answer to CONFIGURE
STOPPED = 77  # exit status of a process that was asked to quit
_PEER = struct.Struct("!IBIH")
_SOCKET_KIND = socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC


class Settings(NamedTuple):
    """What overlayd sets: address and port of the socket, the device with its MTU and address."""

    address: str
    port: int
    device: str
    mtu: int
    own: str


class Peer(NamedTuple):
    """A subnet of a peer and the host that has it, as integers; port 0 for one that may send, but is not sent to."""

    first: int
    length: int
    host: int
    port: int


class ControlError(Exception):
    """The process does not run, does not answer, or refused a request; the message is for users."""


def pack(peers: Iterable[Peer]) -> bytes:
    """Return peers as bytes."""
    return b"".join(_PEER.pack(*peer) for peer in peers)


def unpack(data: bytes) -> list[Peer]:
    """Return the peers in some bytes; raise ValueError for bytes that are none."""
    if len(data) % _PEER.size:
        raise ValueError(f"{len(data)} bytes of peers")
    return [Peer(*values) for values in _PEER.iter_unpack(data)]


def settings_from(text: str | bytes) -> Settings:
    """Return settings from JSON; keys of another version are ignored. Raise ValueError or TypeError."""
    values: Mapping[str, Any] = json.loads(text)
    return Settings(**{key: value for key, value in values.items() if key in Settings._fields})


def request(kind: bytes, body: bytes = b"") -> bytes:
    """Send a request to the process in this network namespace; return its answer. Raise ControlError."""
    start = time.monotonic()
    try:
        with PATIENCE.wait(NAME) as seconds, socket.socket(socket.AF_UNIX, _SOCKET_KIND) as out:
            out.settimeout(seconds)
            allow_large(out)
            out.connect(ADDRESS)
            out.send(kind + body)
            answer = out.recv(LARGEST)
    except (ConnectionResetError, BrokenPipeError):
        answer = b""
    except socket.timeout:
        reason = PATIENCE.no_answer(NAME, start)
        raise ControlError(f"the data path of the udp backend does not answer: {reason}") from None
    except OSError as error:
        raise ControlError(f"the data path of the udp backend does not answer: {error.strerror or error}") from error
    if not answer:
        raise ControlError("the data path of the udp backend closed the connection: CAP_NET_ADMIN is required")
    if answer[:1] == REFUSED:
        raise ControlError(answer[1:].decode())
    return answer


def status() -> dict[str, Any] | None:
    """Return settings, counters, process ID and code of the process; None if none runs or it does not answer."""
    try:
        found: dict[str, Any] = json.loads(request(STATUS))
    except (ControlError, ValueError):
        return None
    return found


def settings_of() -> Settings | None:
    """Return the settings of the process in this network namespace, None if it runs not or carries no packets."""
    values = (status() or {}).get("settings")
    return settings_from(json.dumps(values)) if values else None


def peers() -> list[Peer]:
    """Return the peers of the process; none if it does not run."""
    try:
        return unpack(request(PEERS)[1:])
    except (ControlError, ValueError):
        return []


def allow_large(out: socket.socket) -> None:
    """Let a socket send a large message; without the capability the system's limit stays."""
    try:
        out.setsockopt(socket.SOL_SOCKET, 32, LARGEST)  # SO_SNDBUFFORCE
    except OSError:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)


def code_version(program: Path) -> int:
    """Return a number that changes with the code of this package, and with the program that starts it."""
    version = zlib.crc32(program.read_bytes()) if program.exists() else 0
    for path in sorted(Path(__file__).parent.glob("*.py")):
        version = zlib.crc32(path.read_bytes(), version)
    return version
