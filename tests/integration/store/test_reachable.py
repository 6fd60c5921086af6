# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The endpoint that accepts connections is found with one handshake to each."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.api_choice import EtcdConnection, connect
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.connection import Endpoint
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.reachable import first_accepting
from support.etcd_server import EtcdServer, free_ports


def local(port: int, host: str = "127.0.0.1") -> Endpoint:
    return Endpoint("http", host, port)


@contextlib.contextmanager
def silent() -> Iterator[Endpoint]:
    """Give an endpoint that does not answer handshakes: its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        endpoint = local(listener.getsockname()[1])
        for _attempt in range(4):
            client = stack.enter_context(socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
            client.connect_ex((endpoint.host, endpoint.port))
        yield endpoint


def test_the_endpoint_that_accepts_is_found_among_others_that_do_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, silent() as mute:
        wanted = local(listener.getsockname()[1])
        others = [local(port) for port in free_ports(2)]
        assert first_accepting([others[0], mute, wanted, others[1]], 5.0) == wanted


def test_endpoints_that_do_not_answer_are_given_up_at_the_timeout() -> None:
    with silent() as mute:
        began = time.monotonic()
        assert first_accepting([mute], 0.3) is None
        assert time.monotonic() - began >= 0.3


def test_a_name_is_tried_at_each_of_its_addresses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wanted = local(listener.getsockname()[1], "localhost")
        assert first_accepting([wanted], 5.0) == wanted


def test_refusals_are_noticed_without_waiting_for_the_timeout() -> None:
    began = time.monotonic()
    assert first_accepting([local(port) for port in free_ports(2)], 30.0) is None
    assert first_accepting([local(1, "name.invalid")], 30.0) is None
    assert time.monotonic() - began < 15


def test_a_store_starts_with_the_endpoint_that_accepted(etcd: EtcdServer, api: str, folder: str) -> None:
    dead = free_ports(1)[0]
    store = connect(EtcdConnection((f"http://127.0.0.1:{dead}", *etcd.endpoints), api=api))
    assert store.find_endpoint(5.0)
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", dead)) as listener:
        listener.settimeout(1.0)

        def accept() -> None:
            try:
                asked.append(str(listener.accept()[1]))
            except socket.timeout:
                return

        thread = threading.Thread(target=accept)
        thread.start()
        assert store.snapshot(folder)[0] == {}
        thread.join()
    assert asked == []
    store.close()
