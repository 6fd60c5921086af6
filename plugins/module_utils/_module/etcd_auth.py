# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work of the module etcd_auth: enables authentication in etcd, with a user limited to the keys of one network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._etcd_admin import auth_v2, auth_v3
from .._etcd_admin.auth import ROOT, Account, AuthStep
from ..overlay.model.errors import StoreError
from ..overlay.store.connection import EtcdConnection
from ..overlay.store.gateway import Gateway


def set_up(connection: EtcdConnection, prefix: str, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Create or change users, roles and permissions; return the module's result. Raise StoreError."""
    account = _account(connection, prefix, params)
    done = _set_up_v3(connection, account, check_mode)
    if params["v2"]:
        done += _set_up_v2(connection, account, check_mode)
    commands = [step.text for step in done]
    after = "".join(f"{command}\n" for command in commands)
    return {"changed": bool(done), "commands": commands, "diff": {"before": "", "after": after}}


def _account(connection: EtcdConnection, prefix: str, params: Mapping[str, Any]) -> Account:
    """Return the overlay's user; raise StoreError for invalid names or passwords."""
    if connection.username != ROOT or not connection.password:
        raise StoreError(
            f"username {connection.username!r} cannot set up authentication: etcd requires the user root; "
            f"set username to root, and password to root's present or new password"
        )
    if params["user"] in ("", ROOT):
        raise StoreError(
            f"user {params['user']!r} cannot be the user of one network; use another name, such as overlay"
        )
    if not params["user_password"]:
        raise StoreError(f"user {params['user']} has no password; set user_password")
    return Account(params["user"], params["user_password"], prefix)


def _set_up_v3(connection: EtcdConnection, account: Account, check_mode: bool) -> list[AuthStep]:
    as_root = Gateway(connection)
    anonymous = Gateway(connection.without_user())
    try:
        todo = auth_v3.steps(auth_v3.read(as_root.call, anonymous.call, account), account, connection.password)
        for step in todo if not check_mode else ():
            try:
                as_root.call(step.path, dict(step.body), repeatable=False)
            except StoreError as error:
                raise StoreError(f"{step.text} failed: {error}") from None
        return todo
    finally:
        as_root.close()
        anonymous.close()


def _set_up_v2(connection: EtcdConnection, account: Account, check_mode: bool) -> list[AuthStep]:
    auth = auth_v2.V2Auth(connection)
    if check_mode and not auth.is_served():
        return auth_v2.steps(auth_v2.NOTHING, account, connection.password)
    found = auth_v2.read(auth, account, connection.password)
    todo = auth_v2.steps(found, account, connection.password)
    if not check_mode:
        auth_v2.apply(auth, todo, found.enabled, connection.password)
    return todo
