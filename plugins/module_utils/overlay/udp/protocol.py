# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The protocol of overlayd and the data path process: a request and a response on a Unix socket.

The socket has an abstract name, which belongs to the network namespace like the TUN device. Each side accepts only a
process with CAP_NET_ADMIN, because such a process could also change the routes. Any process can take an abstract name,
so the data path chooses a random name if a process without the capability has the first.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
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
STOPPED = 77  # exit status after the request QUIT
_PEER = struct.Struct("!IBIH")
_CAP_NET_ADMIN = 12  # linux/capability.h
_RANDOM_NAME = re.compile(r"@(overlayd-udp-[0-9a-f]{16})$", re.MULTILINE)  # in /proc/net/unix
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


class SilentError(ControlError):
    """The process runs, but did not answer in time."""


def pack(peers: Iterable[Peer]) -> bytes:
    """Return peers as bytes."""
    return b"".join(_PEER.pack(*peer) for peer in peers)


def unpack(data: bytes) -> list[Peer]:
    """Return the peers in some bytes; raise ValueError for bytes that are none."""
    if len(data) % _PEER.size:
        raise ValueError(f"{len(data)} bytes of peers")
    found = [Peer(*values) for values in _PEER.iter_unpack(data)]
    if any(peer.length > 32 for peer in found):
        raise ValueError("a subnet with a prefix length above 32")
    return found


def settings_from(text: str | bytes) -> Settings:
    """Return settings from JSON; keys of another version are ignored. Raise ValueError."""
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("the settings are not an object")
    found: dict[str, Any] = {key: values.get(key) for key in Settings._fields}
    for key in ("address", "own"):
        if not (isinstance(found[key], str) and _is_address(found[key])):
            raise ValueError(f"{key} {found[key]!r} is not an IPv4 address")
    for key, low in (("port", 1), ("mtu", 68)):
        value = found[key]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= 65535:
            raise ValueError(f"{key} {found[key]!r} is not a number from {low} to 65535")
    if not isinstance(found["device"], str) or not 0 < len(found["device"].encode()) < 16:
        raise ValueError(f"device {found['device']!r} is not the name of an interface")
    return Settings(**found)


def _is_address(text: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return False
    return True


def request(kind: bytes, body: bytes = b"") -> bytes:
    """Send a request to the process in this network namespace; return its answer. Raise ControlError."""
    start = time.monotonic()
    try:
        with PATIENCE.wait(NAME) as seconds, _connected(start + seconds) as out:
            out.settimeout(seconds)
            allow_large(out)
            out.send(kind + body)
            answer = out.recv(LARGEST)
    except (ConnectionResetError, BrokenPipeError):
        answer = b""
    except socket.timeout:
        reason = PATIENCE.no_answer(NAME, start)
        raise SilentError(f"the data path of the udp backend does not answer: {reason}") from None
    except OSError as error:
        raise ControlError(f"the data path of the udp backend does not answer: {error.strerror or error}") from error
    if not answer:
        raise ControlError("the data path of the udp backend closed the connection: CAP_NET_ADMIN is required")
    if answer[:1] == REFUSED:
        raise ControlError(answer[1:].decode(errors="replace"))
    return answer


def _connected(end: float) -> socket.socket:
    """Return a connection to the data path process; raise OSError or ControlError. ``end``: stop the search."""
    impostor = 0
    for name in _names():
        out = socket.socket(socket.AF_UNIX, _SOCKET_KIND)
        try:
            out.setblocking(False)  # another process's socket could make us wait
            out.connect(name)
            if administers_network(out):
                return out
            impostor = _credentials(out)[0]
        except OSError:
            pass
        out.close()
        if time.monotonic() > end:
            break
    if impostor:
        raise ControlError(
            f"the data path of the udp backend does not run; process ID {impostor}, which has no CAP_NET_ADMIN, has "
            f"its socket @{ADDRESS[1:]}"
        )
    raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


def _names() -> Iterator[str]:
    yield ADDRESS
    try:
        text = Path("/proc/thread-self/net/unix").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    yield from (f"\0{name}" for name in set(_RANDOM_NAME.findall(text)))


def control_socket() -> socket.socket:
    """Return the listening socket of the data path process; raise OSError if another one runs."""
    control = socket.socket(socket.AF_UNIX, _SOCKET_KIND)
    try:
        control.bind(ADDRESS)
    except OSError:
        with socket.socket(socket.AF_UNIX, _SOCKET_KIND) as other:
            other.setblocking(False)
            if other.connect_ex(ADDRESS) == 0 and administers_network(other):
                raise
        control.bind(f"{ADDRESS}-{os.urandom(8).hex()}")
    control.listen()
    return control


def administers_network(connection: socket.socket) -> bool:
    """Return whether the process at the other end is root with CAP_NET_ADMIN.

    Root in a container with the host's network has not, and anybody has it in a user namespace of their own.
    """
    pid, uid = _credentials(connection)
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    effective = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return uid in (0, os.geteuid()) and bool(int(effective, 16) >> _CAP_NET_ADMIN & 1)


def _credentials(connection: socket.socket) -> tuple[int, int]:
    """Return process ID and user ID of the other end."""
    pid, uid, _gid = struct.unpack("=iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid


def status() -> dict[str, Any] | None:
    """Return settings, counters, process ID and code of the process; None if none runs or it does not answer."""
    try:
        found = json.loads(request(STATUS))
    except (ControlError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def settings_of() -> Settings | None:
    """Return the settings of the process in this network namespace, None if it runs not or carries no packets."""
    values = (status() or {}).get("settings")
    try:
        return settings_from(json.dumps(values)) if values else None
    except ValueError:
        return None


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
