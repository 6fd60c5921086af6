# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An HTTP/1.1 response as it arrives in pieces, be it a reply or an endless stream: framing, no I/O (RFC 9112)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

MAXIMUM_HEAD = 65536  # bytes of status line and headers; etcd sends a few hundred


class ProtocolError(ValueError):
    """The other side does not speak HTTP, or broke off in the middle."""


def render_request(method: str, path: str, host: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the bytes of a request, body included, so that it leaves in one segment."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Response:
    """One response; feed it what was received, then look at ``status``, ``body`` and ``complete``.

    ``status`` is 0 until the headers are there. ``body`` is what has arrived, without the framing. ``reusable`` tells
    whether the connection may carry another request once the response is complete.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}  # names and values in lower case
        self.body = bytearray()
        self.complete = False
        self.reusable = True
        self._raw = bytearray()
        self._left = 0  # bytes of the body, or of its chunk, still to come
        self._step: Callable[[], bool] = self._head

    def feed(self, data: bytes) -> None:
        """Take bytes as received, b"" for the end of the connection; raise ProtocolError for what is not HTTP."""
        if not data:
            self._end_of_connection()
            return
        self._raw += data
        while not self.complete and self._step():
            pass

    def take_lines(self) -> list[bytes]:
        """Remove and return the complete lines of the body so far; an unfinished one stays until its rest arrives."""
        end = self.body.rfind(b"\n")
        if end < 0:
            return []
        lines = bytes(self.body[:end]).split(b"\n")
        del self.body[: end + 1]
        return [line for line in lines if line]

    def _end_of_connection(self) -> None:
        self.reusable = False
        if self._step == self._until_close:
            self.complete = True
        elif not self.complete:
            raise ProtocolError(
                "the connection was closed in the middle of an answer"
                if self._raw or self.status
                else "the connection was closed without an answer"
            )

    def _line(self) -> bytes | None:
        end = self._raw.find(b"\r\n")
        if end < 0:
            if len(self._raw) > MAXIMUM_HEAD:
                raise ProtocolError("the answer is not HTTP")
            return None
        line = bytes(self._raw[:end])
        del self._raw[: end + 2]
        return line

    def _head(self) -> bool:
        end = self._raw.find(b"\r\n\r\n")
        if not self._raw.startswith(b"HTTP/1."[: len(self._raw)]) or (end < 0 and len(self._raw) > MAXIMUM_HEAD):
            raise ProtocolError("the answer is not HTTP")
        if end < 0:
            return False
        status_line, *lines = bytes(self._raw[:end]).decode("latin-1").split("\r\n")
        del self._raw[: end + 4]
        words = status_line.split(" ", 2)
        if len(words) < 2 or not words[1].isdigit():
            raise ProtocolError("the answer is not HTTP")
        self.status = int(words[1])
        pairs = (line.partition(":") for line in lines)
        self.headers = {name.strip().lower(): value.strip().lower() for name, _unused, value in pairs}
        self.reusable = words[0] != "HTTP/1.0" and self.headers.get("connection") != "close"
        self._choose_framing(self.headers)
        return True

    def _choose_framing(self, headers: Mapping[str, str]) -> None:
        length = headers.get("content-length")
        if headers.get("transfer-encoding") == "chunked":
            self._step = self._chunk_size
        elif length is None:
            self._step = self._until_close
        elif length.isdigit():
            self._left, self._step = int(length), self._fixed
        else:
            raise ProtocolError("the answer has a bad Content-Length")

    def _take(self) -> bool:
        """Move bytes of the body over; return whether all that were expected are there."""
        count = min(self._left, len(self._raw))
        self.body += self._raw[:count]
        del self._raw[:count]
        self._left -= count
        return self._left == 0

    def _fixed(self) -> bool:
        self.complete = self._take()
        return False

    def _until_close(self) -> bool:
        self._left = len(self._raw)
        self._take()
        return False

    def _chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        try:
            self._left = int(line.split(b";", maxsplit=1)[0], 16)
        except ValueError:
            raise ProtocolError("the answer has a bad chunk size") from None
        self._step = self._chunk if self._left else self._trailer
        return True

    def _chunk(self) -> bool:
        if self._take():
            self._step = self._chunk_end
            return True
        return False

    def _chunk_end(self) -> bool:
        if self._line() is None:
            return False
        self._step = self._chunk_size
        return True

    def _trailer(self) -> bool:
        line = self._line()
        self.complete = line == b""
        return line is not None
