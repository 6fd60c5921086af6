# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runner of modules that use etcd: connects by the options, does the work, and returns its result or its error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..overlay.diagnosis.agent_settings import AGENT_FILE
from ..overlay.model.errors import OverlayError
from ..overlay.store.api_choice import connect
from ..overlay.store.connection import EtcdConnection
from ..overlay.store.protocol import Store
from ..overlay.store.reachable import reachable_first
from .etcd_options import complete


def finish(module: AnsibleModule, work: Callable[[Store, str], dict[str, Any]]) -> None:
    """End the module with the result of ``work``, called with store and prefix, or with the OverlayError it raises.

    The list ``warnings`` of the result is shown as warnings of the module.
    """

    def use_store(connection: EtcdConnection, prefix: str) -> dict[str, Any]:
        store = connect(connection, prefix)
        try:
            return work(store, store.root(prefix))
        finally:
            store.close()

    finish_connection(module, use_store)


def finish_connection(
    module: AnsibleModule, work: Callable[[EtcdConnection, str], dict[str, Any]], needs_etcd: bool = True
) -> None:
    """End the module like ``finish``, with work that is called with connection settings and prefix.

    With ``needs_etcd`` false the work is also called if no endpoint accepts connections.
    """
    try:
        connection, prefix = connection_of(module)
        result = work(reachable_first(connection) if needs_etcd else connection, prefix)
    except OverlayError as error:
        module.fail_json(msg=str(error))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)


def open_store(module: AnsibleModule) -> tuple[Store, str]:
    """Return the store and the prefix of the module's options; raise StoreError if etcd cannot be used."""
    connection, prefix = connection_of(module)
    return connect(reachable_first(connection), prefix), prefix


def connection_of(module: AnsibleModule) -> tuple[EtcdConnection, str]:
    """Return the connection settings and the prefix of the module's options; raise StoreError for invalid ones."""
    settings = complete(module.params, AGENT_FILE)
    module.no_log_values.update({settings["password"]} - {""})
    prefix = settings.pop("prefix")
    return EtcdConnection(**settings), prefix
