# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A TCP relay: hosts in namespaces reach the etcd of the tests, which listens on the machine's loopback."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading

from support.netns import Namespace

SIZE = 1 << 16


class Relay:
    """Listens in a namespace and connects outside of it."""

    def __init__(self, inside: Namespace, address: tuple[str, int], target: tuple[str, int]) -> None:
        """Pass connections to ``address`` in the namespace on to ``target`` outside, until closed."""
        self._target = target
        self._listener = inside.run(lambda: socket.create_server(address))
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._peers: dict[socket.socket, socket.socket] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End all connections."""
        self._wake.close()
        self._thread.join()

    def _run(self) -> None:
        while True:
            for key, _unused in self._selector.select():
                if key.fileobj is self._woken:
                    self._end()
                    return
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._pass_on(key.fileobj)

    def _accept(self) -> None:
        near, _unused = self._listener.accept()
        try:
            far = socket.create_connection(self._target)
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        other = self._peers.get(source)
        if other is None:
            return  # its other half has ended it in this very round
        data = b""
        with contextlib.suppress(OSError):
            data = source.recv(SIZE)
            if data:
                other.sendall(data)
                return
        for one in (source, other):
            self._selector.unregister(one)
            del self._peers[one]
            one.close()

    def _end(self) -> None:
        self._selector.close()
        for one in (*self._peers, self._listener, self._woken):
            one.close()
