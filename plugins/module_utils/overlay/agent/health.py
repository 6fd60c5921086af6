# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""HTTP server of overlayd for monitoring: /healthz, /readyz and /metrics."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ..model.errors import OverlayError
from .metrics import page
from .status import Status

CLIENT_TIMEOUT = 10.0  # seconds a client may be silent
LONGEST_BODY = 1 << 18  # bytes that are read of a request, as in Go


def serve(address: str, port: int, status: Status) -> int:
    """Start the server in its own threads and return its port; raise OverlayError if the port cannot be used.

    /healthz returns 200 while the main loop runs, /readyz returns 200 while the kernel is in sync with the leases, and
    503 otherwise. Both list the problems as text. /metrics has Prometheus' text format.
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
            code, text = answer(status) if answer else (404, "try /healthz, /readyz or /metrics\n")
            self._skip_body()
            body = text.encode()
            self.send_response(code)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
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


def _healthz(status: Status) -> tuple[int, str]:
    if status.alive:
        return 200, "ok\n" + _wrong(status)
    return 503, "the main loop is stuck\n" + _wrong(status)


def _readyz(status: Status) -> tuple[int, str]:
    if status.alive and status.in_sync:
        return 200, f"ready: subnet {status.subnet}, {status.peers} peers\n" + _wrong(status)
    return 503, ("not in sync with the kernel\n" if status.ready else "starting\n") + _wrong(status)


def _wrong(status: Status) -> str:
    return "".join(
        f"{part}: {sentence}\n" for part, sentences in sorted(status.troubles.items()) for sentence in sentences
    )


def _metrics(status: Status) -> tuple[int, str]:
    return 200, page(status)
