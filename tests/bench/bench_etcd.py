# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A real etcd for measurements: filled in large steps, killed and started again, with both APIs."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import subprocess
import time
from pathlib import Path
from urllib.parse import urlencode

PREFIX = "/coreos.com/network"
TXN_OPERATIONS = 100  # etcd takes 128 in one transaction


class Etcd:
    """A fresh etcd on the namespace's loopback, spoken to over its JSON gateway."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        """Start it, for clients at this address, and wait until it answers."""
        client, peer = f"http://{host}:2379", "http://127.0.0.1:2380"
        command = ["etcd", "--data-dir", str(folder), "--listen-client-urls", client, "--advertise-client-urls", client]
        command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--log-level", "error"]
        command += ["--initial-cluster", f"default={peer}", "--enable-v2", "--auto-compaction-retention", "0"]
        self._command = command
        self._connection = http.client.HTTPConnection(host, 2379, timeout=60)
        self.start()

    def start(self) -> None:
        """Start it, with the data it had, and return once it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.call("kv/range", {"key": _b64("x")})
                return
            time.sleep(0.01)
        raise SystemExit("etcd does not answer; is etcd-server installed?")

    def kill(self) -> None:
        """End it at once; its data stays."""
        self._process.kill()
        self._process.wait()
        self._connection.close()

    def call(self, path: str, body: dict[str, object]) -> dict[str, object]:
        """Return the gateway's answer."""
        try:
            self._connection.request("POST", f"/v3/{path}", json.dumps(body))
            answer = self._connection.getresponse()
            return dict(json.loads(answer.read()))
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def put(self, key: str, value: str) -> None:
        """Write one key."""
        self.call("kv/put", {"key": _b64(key), "value": _b64(value)})

    def put_many(self, pairs: list[tuple[str, str]]) -> None:
        """Write many keys, a hundred in a transaction."""
        for start in range(0, len(pairs), TXN_OPERATIONS):
            part = pairs[start : start + TXN_OPERATIONS]
            self.call(
                "kv/txn",
                {"success": [{"requestPut": {"key": _b64(key), "value": _b64(value)}} for key, value in part]},
            )

    def put_v2(self, key: str, value: str) -> None:
        """Write one key with the v2 API."""
        self._connection.request(
            "PUT", f"/v2/keys{key}", urlencode({"value": value}), {"Content-Type": "application/x-www-form-urlencoded"}
        )
        self._connection.getresponse().read()

    def clear(self) -> None:
        """Delete everything, in both stores."""
        self.call("kv/deleterange", {"key": _b64("/"), "range_end": _b64("0")})
        self._connection.request("DELETE", f"/v2/keys{PREFIX}?recursive=true")
        self._connection.getresponse().read()

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(20)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
