# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""HTTP server of overlayd for monitoring: /healthz, /readyz and /metrics."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ..model.errors import OverlayError
from ..named_tuple import NamedTuple
from .metrics import page
from .status import Status

CLIENT_TIMEOUT = 10.0  # seconds a client may be silent
LONGEST_BODY = 1 << 18  # bytes that are read of a request, as in Go
TEXT = "text/plain; version=0.0.4; charset=utf-8"
STUCK = "the main loop is stuck"


class Answer(NamedTuple):
    """The answer to a request: status code, body and content type."""

    code: int
    text: str
    content_type: str = TEXT


def serve(address: str, port: int, status: Status) -> int:
    """Start the server in its own threads and return its port; raise OverlayError if the port cannot be used.

    /healthz returns 200 while the main loop runs, /readyz returns 200 while the kernel is in sync with the leases, and
    503 otherwise. Both list the problems: as JSON if the client accepts application/json, else as text. /metrics has
    Prometheus' text format.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = CLIENT_TIMEOUT

        def __getattr__(self, name: str) -> Callable[[], None]:
            """Return the handler of an HTTP method: all methods have the same answer, as in flanneld."""
            if name.startswith("do_"):
                return self._answer
            raise AttributeError(name)

        def _answer(self) -> None:
            answers = {"/healthz": _healthz, "/readyz": _readyz, "/metrics": _metrics}
            answer = answers.get(self.path.partition("?")[0])
            as_json = "application/json" in self.headers.get("Accept", "")
            given = answer(status, as_json) if answer else Answer(404, "try /healthz, /readyz or /metrics\n")
            self._skip_body()
            body = given.text.encode()
            self.send_response(given.code)
            self.send_header("Content-Type", given.content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _skip_body(self) -> None:
            """Read the request's body: unread data would reset the connection before the client has the answer."""
            length = self.headers.get("Content-Length", "")
            self.rfile.read(min(int(length), LONGEST_BODY) if length.isdigit() else 0)

        def log_message(self, format: str, *args: object) -> None:
            """Log no requests."""

    try:
        server = ThreadingHTTPServer((address, port), Handler)
    except OSError as error:
        raise OverlayError(
            f"--healthz-port {port} on {address} cannot be used: {error.strerror}; "
            f"choose another port, or stop the process that uses it"
        ) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return int(server.server_address[1])


def _healthz(status: Status, as_json: bool) -> Answer:
    return _judged(status, status.alive, "ok" if status.alive else STUCK, as_json)


def _readyz(status: Status, as_json: bool) -> Answer:
    if not status.alive:
        return _judged(status, False, STUCK, as_json)
    state = "ready" if status.works else "not in sync with the kernel" if status.ready else "starting"
    return _judged(status, status.works, state, as_json)


def _judged(status: Status, good: bool, state: str, as_json: bool) -> Answer:
    """Return the state and all problems, as text or as JSON."""
    code = 200 if good else 503
    troubles = {part: sentences for part, sentences in sorted(status.troubles.items()) if sentences}
    if as_json:
        found = {"state": state, "subnet": status.subnet or None, "peers": status.peers, "problems": troubles}
        return Answer(code, json.dumps(found) + "\n", "application/json")
    detail = f": subnet {status.subnet}, {status.peers} peers" if state == "ready" else ""
    wrong = (f"{part}: {sentence}\n" for part, sentences in troubles.items() for sentence in sentences)
    return Answer(code, f"{state}{detail}\n{''.join(wrong)}")


def _metrics(status: Status, _as_json: bool) -> Answer:
    return Answer(200, page(status))
