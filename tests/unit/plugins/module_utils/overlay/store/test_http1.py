# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""HTTP framing, fed in pieces of every size."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.http1 import (
    ProtocolError,
    Response,
    render_request,
)

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'7\r\n{"a":1}\r\n1\r\n\n\r\n9;ext=1\r\n{"b":22}\n\r\n0\r\nGrpc-Trailer-Content-Type: x\r\n\r\n'
)
FIXED = b"HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\nhello"


def fed(data: bytes, size: int) -> Response:
    response = Response()
    for start in range(0, len(data), size):
        response.feed(data[start : start + size])
    return response


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
def test_a_chunked_answer_is_the_same_in_pieces_of_any_size(size: int) -> None:
    response = fed(CHUNKED, size)
    assert (response.status, bytes(response.body)) == (200, b'{"a":1}\n{"b":22}\n')
    assert response.complete
    assert response.reusable


@pytest.mark.parametrize("size", [1, 4, 10_000])
def test_an_answer_of_known_length_ends_with_its_last_byte(size: int) -> None:
    assert not fed(FIXED[:-1], size).complete
    response = fed(FIXED, size)
    assert (response.status, bytes(response.body), response.complete) == (404, b"hello", True)


def test_an_answer_of_length_zero_is_complete_with_its_headers() -> None:
    assert fed(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 5).complete


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    response = fed(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", 10)
    assert not response.complete
    response.feed(b"")
    assert (response.complete, response.reusable) == (True, False)
    assert response.body.startswith(b"Client sent")


def test_lines_are_returned_once_and_only_when_complete() -> None:
    response, seen = Response(), []
    for index in range(len(CHUNKED)):
        response.feed(CHUNKED[index : index + 1])
        seen += response.take_lines()
    assert seen == [b'{"a":1}', b'{"b":22}']


def test_several_lines_in_one_piece_are_returned_together() -> None:
    assert fed(CHUNKED, 10_000).take_lines() == [b'{"a":1}', b'{"b":22}']


def test_a_connection_that_is_to_be_closed_is_not_used_again() -> None:
    response = fed(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 100)
    assert (response.complete, response.reusable) == (True, False)


@pytest.mark.parametrize(
    "data",
    [
        b"\x15\x03\x01\x00\x02\x02",  # a TLS alert
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 what\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 70_000,
    ],
)
def test_data_that_is_not_http_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        fed(data, 1000)


@pytest.mark.parametrize("sent", [b"", CHUNKED[:30], CHUNKED[:-3]])
def test_a_connection_that_ends_too_early_is_refused(sent: bytes) -> None:
    response = fed(sent, 1000)
    with pytest.raises(ProtocolError, match="closed"):
        response.feed(b"")


def test_a_request_leaves_in_one_piece() -> None:
    request = render_request("POST", "/v3/kv/range", "h:2379", {"Authorization": "t"}, b"{}")
    assert request == b"POST /v3/kv/range HTTP/1.1\r\nHost: h:2379\r\nContent-Length: 2\r\nAuthorization: t\r\n\r\n{}"
