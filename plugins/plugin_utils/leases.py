# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The leases of an overlay network, read by plugins that run on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_options import complete
from ansible_collections.clusternet.overlay.plugins.module_utils._module.subnet_lease import LeaseRequest, show
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.agent_settings import AGENT_FILE
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.api_choice import connect
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.connection import EtcdConnection
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.reachable import reachable_first

OPTIONS = ("endpoints", "api", "prefix", "ca_file", "cert_file", "key_file", "username", "password", "timeout")


def read_leases(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of the module subnet_lease_info for these etcd options; raise OverlayError.

    Without endpoints, the settings of an agent on the controller are used, else the etcd on the controller.
    """
    settings = complete(_with_user({name: options[name] for name in OPTIONS}), AGENT_FILE)
    prefix = settings.pop("prefix")
    store = connect(reachable_first(EtcdConnection(**settings)), prefix)
    try:
        return show(store, store.root(prefix), LeaseRequest(None, None, False, True))
    finally:
        store.close()


def newest_by_host(leases: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the lease of each public IP; of several, the one that was written last. Unusable leases are left out."""
    usable = (lease for lease in leases if lease["public_ip"] and not lease["problem"])
    return {lease["public_ip"]: lease for lease in sorted(usable, key=lambda lease: lease["revision"] or 0)}


def _with_user(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with user and password of a username such as etcdctl's USER:PASSWORD."""
    user, colon, password = (options["username"] or "").partition(":")
    return {**options, "username": user, "password": options["password"] or password} if colon else options
