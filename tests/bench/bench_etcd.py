# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the benchmarks write to etcd: many keys at once, and single keys through either API."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

PREFIX = "/coreos.com/network"
TXN_OPERATIONS = 100  # etcd takes 128 in one transaction
QUIET = ("--log-level", "error")  # flags of an etcd that is measured


class EtcdClient:
    """A connection to etcd's JSON gateway and to its v2 API."""

    def __init__(self, endpoint: str) -> None:
        """Connect at the first request."""
        address = urlsplit(endpoint)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)

    def call(self, path: str, body: dict[str, object]) -> None:
        """Send a request to the gateway."""
        self._request("POST", f"/v3/{path}", json.dumps(body))

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
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self._request("PUT", f"/v2/keys{key}", urlencode({"value": value}), headers)

    def clear(self) -> None:
        """Delete everything, in both stores."""
        self.call("kv/deleterange", {"key": _b64("/"), "range_end": _b64("0")})
        self._request("DELETE", f"/v2/keys{PREFIX}?recursive=true")

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def _request(self, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None) -> None:
        self._connection.request(method, path, body, dict(headers or {}))
        self._connection.getresponse().read()


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
