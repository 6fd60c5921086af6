# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Users, roles and permissions of etcd's v3 API."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..overlay.store.errors import AuthenticationDisabledError, AuthenticationError
from .auth import ROOT, Account, AuthStep

Call = Callable[[str, dict[str, Any]], dict[str, Any]]


class AuthState(NamedTuple):
    """The cluster's present state: users with their roles, and roles with their permissions.

    ``enabled`` is whether authentication is enabled, ``user_password_valid`` whether etcd accepts the user's password.
    """

    enabled: bool
    users: Mapping[str, list[str]]
    roles: Mapping[str, list[dict[str, str]]]
    user_password_valid: bool


def read(call: Call, anonymous: Call, account: Account) -> AuthState:
    """Return the cluster's present state; ``call`` acts as root, ``anonymous`` without a user. Raise StoreError."""
    users = call("/auth/user/list", {}).get("users", [])
    roles = call("/auth/role/list", {}).get("roles", [])
    valid = password_valid(anonymous, account.name, account.password)
    return AuthState(
        enabled=valid is not None,
        users={name: call("/auth/user/get", {"name": name}).get("roles", []) for name in users if _ours(name, account)},
        roles={name: call("/auth/role/get", {"role": name}).get("perm", []) for name in roles if _ours(name, account)},
        user_password_valid=bool(valid),
    )


def password_valid(anonymous: Call, name: str, password: str) -> bool | None:
    """Return whether etcd accepts a user with a password, None if authentication is disabled."""
    try:
        anonymous("/auth/authenticate", {"name": name, "password": password})
    except AuthenticationDisabledError:
        return None
    except AuthenticationError:
        return False
    return True


def steps(found: AuthState, account: Account, root_password: str) -> list[AuthStep]:
    """Return the steps to the wanted state; the last one enables authentication, so an interrupted run blocks no one.

    Passwords cannot be checked while authentication is disabled, so those of existing users are set again.
    """
    passwords = {ROOT: root_password, account.name: account.password}
    todo: list[AuthStep] = []
    for name, password in passwords.items():
        if name not in found.roles:
            todo.append(AuthStep(f"etcdctl role add {name}", "/auth/role/add", {"name": name}))
        if name not in found.users:
            todo.append(AuthStep(f"etcdctl user add {name}", "/auth/user/add", {"name": name, "password": password}))
        elif not found.enabled or (name == account.name and not found.user_password_valid):
            todo.append(
                AuthStep(f"etcdctl user passwd {name}", "/auth/user/changepw", {"name": name, "password": password})
            )
        if name not in found.users.get(name, []):
            todo.append(
                AuthStep(f"etcdctl user grant-role {name} {name}", "/auth/user/grant", {"user": name, "role": name})
            )
    permission = _permission(account.prefix)
    if permission not in found.roles.get(account.name, []):
        text = f"etcdctl role grant-permission {account.name} readwrite --prefix=true {account.prefix}/"
        todo.append(AuthStep(text, "/auth/role/grant", {"name": account.name, "perm": permission}))
    if not found.enabled:
        todo.append(AuthStep("etcdctl auth enable", "/auth/enable", {}))
    return todo


def _ours(name: str, account: Account) -> bool:
    return name in (ROOT, account.name)


def _permission(prefix: str) -> dict[str, str]:
    """Return the permission to read and write all keys that begin with the prefix and a slash ("0" follows "/")."""
    first, end = (b64encode(text.encode()).decode("ascii") for text in (f"{prefix}/", f"{prefix}0"))
    return {"permType": "READWRITE", "key": first, "range_end": end}
