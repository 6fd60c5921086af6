# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work of the modules etcd_member and etcd_member_info: lists, adds and removes members of an etcd cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._etcd_admin.members import Member, add, holder, initial_cluster, list_members, remove
from ..overlay.model.errors import StoreError
from ..overlay.store.connection import EtcdConnection
from ..overlay.store.errors import UnreachableError
from ..overlay.store.gateway import Gateway
from ..overlay.store.reachable import reachable_first


def show(connection: EtcdConnection) -> dict[str, Any]:
    """Return the result of etcd_member_info; a cluster that cannot be reached is a result, not an error."""
    try:
        gateway = Gateway(reachable_first(connection))
        try:
            members = list_members(gateway.call)
        finally:
            gateway.close()
    except UnreachableError as error:
        return {"changed": False, "reachable": False, "problem": str(error), "members": []}
    return {"changed": False, "reachable": True, "problem": None, "members": [member.facts() for member in members]}


def change(connection: EtcdConnection, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the result of etcd_member after adding or removing the member; raise StoreError."""
    if params["state"] == "present" and not params["name"]:
        raise StoreError("name is missing with state=present; set name to the name of the new member")
    gateway = Gateway(connection)
    try:
        before = list_members(gateway.call)
        after = _changed(gateway, before, params, check_mode)
    finally:
        gateway.close()
    result: dict[str, Any] = {"changed": before != after, "members": [member.facts() for member in after]}
    if params["state"] == "present":
        result["initial_cluster"] = initial_cluster(after, params["name"], params["peer_url"])
    return {**result, "diff": {"before": _lines(before), "after": _lines(after)}}


def _changed(gateway: Gateway, before: list[Member], params: Mapping[str, Any], check_mode: bool) -> list[Member]:
    """Make the change, except in check mode; return the members after it."""
    peer_url = params["peer_url"]
    found = holder(before, peer_url)
    if (found is not None) == (params["state"] == "present"):
        return before
    if check_mode:
        kept = [member for member in before if member != found]
        return kept if found else [*kept, Member(0, params["name"], (peer_url,), ())]
    if found is None:
        add(gateway.call, peer_url, params["wait"])
    else:
        remove(gateway.call, found)
    return list_members(gateway.call)


def _lines(members: list[Member]) -> str:
    return "".join(f"{member.name or 'not started'} {','.join(member.peer_urls)}\n" for member in members)
