# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The control socket of a wireguard-go process (https://www.wireguard.com/xplatform/, "cross-platform interface")."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

from ...model.addresses import Subnet, format_ipv4, parse_ipv4
from ...model.errors import KernelError
from ...model.wireguard_keys import NO_KEY, public_key
from ...patience import PATIENCE
from . import NoAnswerError, PeerSetting, PeerState, WireguardState

FOLDER = "/var/run/wireguard"  # compiled into wireguard-go
_PAUSE = 0.01
_CHUNK = 65536


class Uapi:
    """Requests and answers are lines ``key=value``; an empty line ends each."""

    def read(self, device: str) -> WireguardState:
        """Return a device."""
        private, port = NO_KEY, 0
        peers: list[PeerState] = []
        for is_peer, lines in _blocks(_exchange(device, "get=1\n\n")):
            if is_peer:
                peers.append(_peer(lines))
            else:
                values = dict(lines)
                private, port = bytes.fromhex(values.get("private_key", "")) or NO_KEY, int(values["listen_port"])
        return WireguardState(_public(private), port, tuple(peers))

    def private_key(self, device: str) -> bytes:
        """Return the private key of a device, zero for none."""
        return bytes.fromhex(dict(_exchange(device, "get=1\n\n")).get("private_key", "")) or NO_KEY

    def set_device(self, device: str, private_key: bytes, port: int) -> None:
        """Set the private key and the UDP port of a device."""
        _exchange(device, f"set=1\nprivate_key={private_key.hex()}\nlisten_port={port}\n\n")

    def set_peer(self, device: str, peer: PeerSetting) -> None:
        """Change a peer of a device."""
        lines = ["set=1", f"public_key={peer.public_key.hex()}"]
        if peer.remove:
            lines.append("remove=true")
        else:
            address, port = peer.endpoint
            lines += [
                f"preshared_key={peer.psk.hex()}",
                f"endpoint={format_ipv4(address)}:{port}",
                f"persistent_keepalive_interval={peer.keepalive}",
                *(["replace_allowed_ips=true"] if peer.replace else []),
                *(f"allowed_ip={subnet}" for subnet in peer.allowed),
            ]
        _exchange(device, "\n".join((*lines, "", "")))


Lines = list[tuple[str, str]]


def _exchange(device: str, request: str) -> Lines:
    """Send a request; return the answer without its errno. Raise KernelError, without the request, which has keys."""
    start = time.monotonic()
    try:
        with PATIENCE.wait(device) as seconds, _connected(device, seconds) as connection:
            connection.sendall(request.encode())
            answer = b""
            while not answer.endswith(b"\n\n"):
                chunk = connection.recv(_CHUNK)
                if not chunk:
                    raise KernelError(f"device {device}: wireguard-go ended during a request")
                answer += chunk
    except socket.timeout:
        reason = PATIENCE.no_answer(device, start)
        raise NoAnswerError(f"device {device}: wireguard-go does not answer: {reason}") from None
    except OSError as error:
        raise KernelError(
            f"device {device}: the control socket of wireguard-go, {FOLDER}/{device}.sock, cannot be used: {error}"
        ) from None
    lines = [(key, value) for key, _unused, value in (line.partition("=") for line in answer.decode().split("\n"))]
    lines = [line for line in lines if line[0]]
    number = -int(dict(lines).get("errno", "0"))
    if number:
        raise KernelError(f"device {device}: wireguard-go refused a change: {os.strerror(number)}")
    return [line for line in lines if line[0] != "errno"]


def _connected(device: str, seconds: float) -> socket.socket:
    """Return a connection; wait for a process that has created its device and not yet its socket."""
    end = time.monotonic() + seconds
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(seconds)
        try:
            connection.connect(f"{FOLDER}/{device}.sock")
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if time.monotonic() > end:
                raise
            time.sleep(_PAUSE)


def _blocks(lines: Lines) -> Iterator[tuple[bool, Lines]]:
    """Yield the lines of the device, then those of each peer: whether they are a peer's, and the lines."""
    number = 0

    def block(line: tuple[str, str]) -> int:
        nonlocal number
        number += line[0] == "public_key"
        return number

    for count, group in groupby(lines, block):
        yield count > 0, list(group)


def _peer(lines: Lines) -> PeerState:
    values = dict(lines)
    texts = [value for key, value in lines if key == "allowed_ip"]
    return PeerState(
        public_key=bytes.fromhex(values["public_key"]),
        psk=bytes.fromhex(values.get("preshared_key", "")) or NO_KEY,
        endpoint=_endpoint(values.get("endpoint", "")),
        keepalive=int(values.get("persistent_keepalive_interval", "0")),
        handshake=int(values.get("last_handshake_time_sec", "0")),
        allowed=tuple(Subnet.parse(text) for text in texts if ":" not in text),
        others=any(":" in text for text in texts),
    )


def _endpoint(text: str) -> tuple[int, int] | None:
    host, _unused, port = text.rpartition(":")
    return (parse_ipv4(host), int(port)) if host and ":" not in host else None


@lru_cache(maxsize=2)
def _public(private: bytes) -> bytes:
    return b"" if private == NO_KEY else public_key(private)
