# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The data path process: opens the device and the socket, executes overlayd's requests, and survives its restarts.

It keeps settings and peers in a file, so that it needs nobody when it is restarted after a crash.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import protocol
from .datapath import Datapath, Host, open_socket
from .protocol import Peer, Settings
from .tun import TunError, delete_tun, open_tun, set_mtu

SAVE_PAUSE = 0.5  # seconds between a change and the file
_ALL_DESCRIPTORS = 3  # of the control socket, the TUN device and the UDP socket
_DEVICE_GONE = (errno.EBADFD, errno.EBADF)


class DataPathService:
    """One process: its control socket, and the data path while it is configured."""

    def __init__(self, state: Path, inherited: list[int], any_source: bool) -> None:
        """Read the state file. ``inherited``: descriptors of the control socket, TUN device and UDP socket, if any.

        ``any_source``: packets are accepted from any host, and not from those with a lease only.
        """
        self._state = state
        self._any_source = any_source
        self._version = protocol.code_version(Path(sys.argv[0]))
        self._epoll = select.epoll()
        self._control = socket.socket(fileno=inherited[0]) if inherited else protocol.control_socket()
        self._epoll.register(self._control, select.EPOLLIN)
        self._clients: dict[int, socket.socket] = {}
        self._path: Datapath | None = None
        self._settings: Settings | None = None
        self._peers: dict[tuple[int, int], Peer] = {}
        self._problem = ""
        self._save_due: float | None = None
        self._read_state()
        if self._settings is not None and len(inherited) == _ALL_DESCRIPTORS:
            self._open(self._settings, inherited[1], socket.socket(fileno=inherited[2]))
        elif self._settings is not None:
            with contextlib.suppress(OSError, TunError):  # overlayd configures it again and reports the reason
                self._open(self._settings, *_descriptors(self._settings))

    def run(self) -> None:
        """Carry packets and answer requests for ever."""
        while True:
            wait = -1.0 if self._save_due is None else max(self._save_due - time.monotonic(), 0.0)
            for handle, _events in self._epoll.poll(wait):
                path = self._path
                if path is not None and handle in (path.tun, path.socket.fileno()):
                    self._carry(path, handle)
                elif handle == self._control.fileno():
                    self._accept()
                else:
                    self._serve(handle)
            if self._save_due is not None and time.monotonic() >= self._save_due:
                self._save()

    def _carry(self, path: Datapath, handle: int) -> None:
        try:
            if handle == path.tun:
                path.from_tun()
            else:
                path.from_socket()
        except OSError as error:
            if error.errno in _DEVICE_GONE:
                self._replace_device(path)

    def _replace_device(self, path: Datapath) -> None:
        """Create the TUN device again after another program deleted it; overlayd restores what was on it."""
        self._close(path, keep_socket=True)
        try:
            self._open(path.settings, open_tun(path.settings.device, path.settings.mtu), path.socket)
        except (OSError, TunError) as error:
            self._problem = str(error)
            path.close()

    def _open(self, settings: Settings, tun: int, out: socket.socket) -> None:
        """Begin to carry packets."""
        path = self._path = Datapath(tun, out, settings, self._hosts(), self._sources())
        self._settings, self._problem = settings, ""
        for readable in (path.tun, path.socket.fileno()):
            self._epoll.register(readable, select.EPOLLIN)

    def _close(self, path: Datapath, keep_socket: bool) -> None:
        self._path = None
        for handle in (path.tun, path.socket.fileno()):
            with contextlib.suppress(OSError):
                self._epoll.unregister(handle)
        os.close(path.tun)
        if not keep_socket:
            path.close()

    # requests

    def _accept(self) -> None:
        client, _unused = self._control.accept()
        if not protocol.administers_network(client):
            client.close()
            return
        client.setblocking(False)
        protocol.allow_large(client)
        self._clients[client.fileno()] = client
        self._epoll.register(client, select.EPOLLIN)

    def _serve(self, handle: int) -> None:
        client = self._clients.get(handle)
        if client is None:
            return  # an event of a descriptor that was closed meanwhile
        try:
            message = client.recv(protocol.LARGEST)
        except OSError:
            message = b""
        if message:
            answer, then = self._answer(message[:1], message[1:])
            with contextlib.suppress(OSError):
                client.send(answer or b"\0")
            if then is not None:
                then()
            return
        self._epoll.unregister(handle)
        del self._clients[handle]
        client.close()

    def _answer(self, kind: bytes, body: bytes) -> tuple[bytes, Callable[[], None] | None]:
        """Return the answer to a request, and what to do after it was sent."""
        try:
            if kind == protocol.STATUS:
                return json.dumps(self._status()).encode(), None
            if kind == protocol.PEERS:
                return b"\0" + protocol.pack(self._peers.values()), None
            if kind == protocol.CONFIGURE:
                self._configure(protocol.settings_from(body))
            elif kind in (protocol.ADD, protocol.REMOVE):
                self._change(protocol.unpack(body), kind == protocol.ADD)
            elif kind == protocol.HAND_OVER:
                return b"\0", self._hand_over
            elif kind == protocol.QUIT:
                return b"\0", self._quit
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            self._problem = protocol.PORT_IN_USE if in_use else f"the data path of the udp backend: {error}"
        except (TunError, ValueError, TypeError) as error:
            self._problem = str(error)
        else:
            return b"\0", None
        return protocol.REFUSED + self._problem.encode(), None

    def _status(self) -> dict[str, object]:
        path = self._path
        return {
            "pid": os.getpid(),
            "version": self._version,
            "settings": path.settings._asdict() if path is not None else None,
            "peers": len(self._peers),
            "counters": path.counters.values() if path is not None else {},
            "problem": self._problem,
        }

    def _configure(self, settings: Settings) -> None:
        path = self._path
        if path is None:
            self._open(settings, *_descriptors(settings))
        elif path.settings != settings:
            former = path.settings
            same = (former.address, former.port) == (settings.address, settings.port)
            out = path.socket if same else open_socket(settings.address, settings.port)
            if settings.mtu != former.mtu:
                set_mtu(settings.device, settings.mtu)
            tun = os.dup(path.tun)
            self._close(path, keep_socket=same)
            self._open(settings, tun, out)
        self._save_due = time.monotonic()

    def _change(self, peers: list[Peer], is_added: bool) -> None:
        if self._path is not None:
            self._carry(self._path, self._path.tun)  # what came to the device before this request
        for peer in peers:
            if is_added:
                self._peers[peer.first, peer.length] = peer
            else:
                self._peers.pop((peer.first, peer.length), None)
        if self._path is not None:
            self._path.set_peers(self._hosts(), self._sources())
        self._save_due = self._save_due or time.monotonic() + SAVE_PAUSE

    def _hosts(self) -> dict[tuple[int, int], Host]:
        return {key: (_text(peer.host), peer.port) for key, peer in self._peers.items() if peer.port}

    def _sources(self) -> set[str] | None:
        return None if self._any_source else {_text(peer.host) for peer in self._peers.values()}

    def _hand_over(self) -> None:
        """Become the new version of this program, with the same process ID and the same descriptors.

        What arrives meanwhile waits in the TUN device and in the socket.
        """
        self._save()
        handles = [self._control.fileno()]
        if self._path is not None:
            handles += [self._path.tun, self._path.socket.fileno()]
        for handle in handles:
            os.set_inheritable(handle, True)
        os.execv(sys.executable, [sys.executable, "-I", "-S", sys.argv[0], *map(str, handles)])

    def _quit(self) -> None:
        """Delete the TUN device and end."""
        if self._path is not None:
            delete_tun(self._path.tun)
        self._state.unlink(missing_ok=True)
        # Not by sys.exit: nothing is left to be done, and the device vanishes with this process.
        os._exit(protocol.STOPPED)

    # the state file

    def _save(self) -> None:
        self._save_due = None
        if self._settings is None:
            return
        new = self._state.with_suffix(".new")
        try:
            settings = json.dumps(self._settings._asdict()).encode()
            new.write_bytes(settings + b"\n" + protocol.pack(self._peers.values()))
            new.replace(self._state)
        except OSError as error:
            self._problem = f"cannot write {self._state}: {error.strerror}"

    def _read_state(self) -> None:
        try:
            settings, _unused, peers = self._state.read_bytes().partition(b"\n")
            self._settings = protocol.settings_from(settings)
            self._peers = {(peer.first, peer.length): peer for peer in protocol.unpack(peers)}
        except (OSError, ValueError):
            self._settings, self._peers = None, {}


def _descriptors(settings: Settings) -> tuple[int, socket.socket]:
    """Return the TUN device and the UDP socket; raise OSError or TunError.

    The socket comes first: without it there must be no device, which would look as if packets were carried.
    """
    out = open_socket(settings.address, settings.port)
    try:
        return open_tun(settings.device, settings.mtu), out
    except BaseException:
        out.close()
        raise


def _text(address: int) -> str:
    return socket.inet_ntoa(address.to_bytes(4, "big"))


def main(state: str, any_source: bool) -> None:
    """Run the data path; this process's arguments are inherited descriptors, if it replaces its former version."""
    DataPathService(Path(state), [int(word) for word in sys.argv[1:]], any_source).run()
