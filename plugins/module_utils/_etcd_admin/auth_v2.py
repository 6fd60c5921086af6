# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Users, roles and permissions of etcd's v2 API, which are separate from those of v3."""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from ..overlay.model.errors import StoreError
from ..overlay.store.connection import Endpoint, EtcdConnection
from ..overlay.store.errors import AuthenticationError
from ..overlay.store.failover import Failover
from ..overlay.store.wire import HttpWire
from .auth import ROOT, Account, AuthStep

_EVERYTHING = {"read": ["/*"], "write": ["/*"]}  # the default permissions of guests


class Answer(NamedTuple):
    """An HTTP status and the decoded body, {} if it is not a JSON object."""

    status: int
    body: Mapping[str, Any]


class V2Auth:
    """Requests to /v2/auth with or without a user, with fail-over."""

    def __init__(self, connection: EtcdConnection) -> None:
        self._connection = connection
        self._context = connection.tls_context()
        self._failover = Failover(connection.parsed_endpoints)

    def request(
        self, method: str, path: str, user: tuple[str, str] | None, body: Mapping[str, Any] | None = None
    ) -> Answer:
        """Return the answer to a request as this user and password; raise UnreachableError."""
        headers = {"Content-Type": "application/json"}
        if user:
            headers["Authorization"] = "Basic " + b2a_base64(":".join(user).encode(), newline=False).decode("ascii")
        data = json.dumps(body).encode() if body is not None else b""

        def attempt(endpoint: Endpoint) -> Answer:
            wire = HttpWire(endpoint, self._context, self._connection.timeout)
            try:
                response = wire.exchange(method, path, headers, data)
            finally:
                wire.close()
            try:
                answer = json.loads(response.body)
            except ValueError:
                answer = {}
            return Answer(response.status, answer if isinstance(answer, dict) else {})

        return self._failover.run(attempt)

    def is_served(self) -> bool:
        """Whether etcd serves the v2 API."""
        return "enabled" in self.request("GET", "/v2/auth/enable", None).body


class AuthState(NamedTuple):
    """The cluster's present state: whether authentication is enabled, users, roles, and permissions of guests."""

    enabled: bool
    root: bool
    user: bool
    role: bool
    guest: Mapping[str, list[str]]
    user_password_valid: bool


NOTHING = AuthState(enabled=False, root=False, user=False, role=False, guest=_EVERYTHING, user_password_valid=False)


def read(auth: V2Auth, account: Account, root_password: str) -> AuthState:
    """Return the cluster's present state; raise StoreError if v2 is not served or root is refused."""
    status = auth.request("GET", "/v2/auth/enable", None)
    if "enabled" not in status.body:
        raise StoreError(
            f"etcd does not serve the v2 API (HTTP {status.status}); start it with --enable-v2, or set v2 to false"
        )
    enabled = bool(status.body["enabled"])
    root = (ROOT, root_password) if enabled else None

    def get(path: str) -> Answer:
        answer = auth.request("GET", f"/v2/auth/{path}", root)
        if answer.status in (401, 403):
            raise AuthenticationError("etcd's v2 API refused user 'root': wrong password; set root's present password")
        return answer

    name = quote(account.name, safe="")
    guest = get("roles/guest")
    key = auth.request("GET", f"/v2/keys{quote(account.prefix)}/config", (account.name, account.password))
    return AuthState(
        enabled=enabled,
        root=get("users/root").status == 200,
        user=get(f"users/{name}").status == 200,
        role=get(f"roles/{name}").status == 200,
        guest=guest.body.get("permissions", {}).get("kv", {}) if guest.status == 200 else _EVERYTHING,
        user_password_valid=enabled and key.status not in (401, 403),
    )


def steps(found: AuthState, account: Account, root_password: str) -> list[AuthStep]:
    """Return the steps to the wanted state; the last ones enable authentication and revoke the guest's permissions."""
    name, rights = account.name, [account.prefix, f"{account.prefix}/*"]
    user_path, role_path = (f"/v2/auth/{kind}/{quote(name, safe='')}" for kind in ("users", "roles"))
    secret = {"user": name, "password": account.password}
    todo: list[AuthStep] = []
    if not found.root:
        body = {"user": ROOT, "password": root_password}
        todo.append(AuthStep("ETCDCTL_API=2 etcdctl user add root", "/v2/auth/users/root", body))
    if not found.role:
        permissions = {"kv": {"read": rights, "write": rights}}
        todo.append(
            AuthStep(f"ETCDCTL_API=2 etcdctl role add {name}", role_path, {"role": name, "permissions": permissions})
        )
    if not found.user:
        todo.append(AuthStep(f"ETCDCTL_API=2 etcdctl user add {name}", user_path, {**secret, "roles": [name]}))
    elif not found.user_password_valid:
        todo.append(AuthStep(f"ETCDCTL_API=2 etcdctl user passwd {name}", user_path, secret))
    if not found.enabled:
        todo.append(AuthStep("ETCDCTL_API=2 etcdctl auth enable", "/v2/auth/enable", {}))
    if found.guest.get("read") or found.guest.get("write"):
        text = "ETCDCTL_API=2 etcdctl role revoke guest --path '/*' --readwrite"
        guest: dict[str, Any] = {"role": "guest", "revoke": {"kv": found.guest}}
        todo.append(AuthStep(text, "/v2/auth/roles/guest", guest))
    return todo


def apply(auth: V2Auth, todo: list[AuthStep], enabled: bool, root_password: str) -> None:
    """Make the changes; raise StoreError naming the step that etcd refused."""
    for step in todo:
        answer = auth.request("PUT", step.path, (ROOT, root_password) if enabled else None, step.body)
        if answer.status not in (200, 201):
            raise StoreError(
                f"{step.text} failed: etcd answered HTTP {answer.status}: {answer.body.get('message', '')}"
            )
        enabled = enabled or step.path == "/v2/auth/enable"
