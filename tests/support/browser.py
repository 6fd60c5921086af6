# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Chromium without a window, driven through its DevTools protocol on a pipe."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LIMIT = 120.0  # seconds for each answer and for the load of a page
PROGRAM = "chromium"
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
_ERRORS = ("error", "warning", "assert")


class Browser:
    """One tab: it opens files, and collects what Chromium reports about them."""

    def __init__(self, commands: int, answers: int) -> None:
        """Attach to a new tab of the Chromium at the other ends of two pipes."""
        self._commands, self._answers = commands, answers
        self._buffer = b""
        self._count = 0
        self._session = ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the result of a method of the protocol."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])

    def open(self, path: Path, width: int, height: int = 900, dark: bool = False) -> None:
        """Open a file in a window of this size, and wait until it is loaded."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        failed = self.call("Page.navigate", url=path.as_uri()).get("errorText")
        assert not failed, f"{path}: {failed}"
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._read()

    def value(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def picture(self, width: int, height: int, scale: float = 1.0) -> bytes:
        """Return the top left part of the page as PNG."""
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": scale}
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", clip=clip)["data"])

    def pdf(self) -> bytes:
        """Return the page as it is printed."""
        return base64.b64decode(self.call("Page.printToPDF")["data"])

    @property
    def complaints(self) -> list[str]:
        """Errors and warnings about the page since it was opened, and requests for anything but files and data."""
        return [text for event in self.events for text in _complaint(event["method"], event["params"])]

    def _read(self) -> dict[str, Any]:
        """Return the next message; keep it if it is an event."""
        end = time.monotonic() + LIMIT
        while b"\0" not in self._buffer:
            ready, _unused, _unused_errors = select.select([self._answers], [], [], max(0.0, end - time.monotonic()))
            data = os.read(self._answers, 1 << 20) if ready else b""
            assert data, f"{PROGRAM} did not answer within {LIMIT:.0f} seconds, or it ended"
            self._buffer += data
        text, _unused_end, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message


def _complaint(method: str, given: dict[str, Any]) -> Iterator[str]:
    if method == "Runtime.exceptionThrown":
        yield str(given["exceptionDetails"]["text"])
    elif method == "Runtime.consoleAPICalled" and given["type"] in _ERRORS:
        yield str(given["args"])
    elif method == "Log.entryAdded" and given["entry"]["level"] in _ERRORS:
        yield str(given["entry"]["text"])
    elif method == "Network.requestWillBeSent" and not given["request"]["url"].startswith(("file:", "data:")):
        yield f"request for {given['request']['url']}"


@contextmanager
def running(folder: Path) -> Iterator[Browser]:
    """Run Chromium, with its files in a folder; fail if it is not installed."""
    program = shutil.which(PROGRAM)
    assert program, f"{PROGRAM} is not installed: run tools/setup {PROGRAM}"
    command_end, commands = os.pipe()
    answers, answer_end = os.pipe()
    line = f'exec "$0" "$@" 3<&{command_end} 4>&{answer_end}'  # the pipe's numbers are part of the protocol
    with (folder / "chromium.log").open("w") as log:
        process = subprocess.Popen(
            ["bash", "-c", line, program, *_FLAGS, "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}"],
            pass_fds=(command_end, answer_end),
            stdout=log,
            stderr=log,
            env={**os.environ, "HOME": str(folder)},
            start_new_session=True,
        )
    os.close(command_end)
    os.close(answer_end)
    try:
        yield Browser(commands, answers)
    finally:
        os.close(commands)
        os.close(answers)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
