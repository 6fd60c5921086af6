# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The etcd options of a module: how they are declared, where their values come from, and the store they lead to."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible.module_utils.errors import AnsibleFallbackNotFound

from .overlay.model.errors import OverlayError, StoreError
from .overlay.model.network import DEFAULT_PREFIX
from .overlay.store.connect import connect
from .overlay.store.connection import APIS, EtcdConnection
from .overlay.store.errors import ChangedError, GoneError, KeyExistsError
from .overlay.store.protocol import Store
from .overlay.store.reachable import reachable_first
from .overlay.store.schema import normal_prefix

AGENT_FILE = Path("/etc/overlayd/overlayd.env")
DEFAULT_ENDPOINT = "http://127.0.0.1:2379"
ATTEMPTS = 10  # as many as flannel makes when others are faster
# What belongs together is taken from the agent together: a user of one place and a password of another never meet.
AGENT_VARIABLES = (
    {"prefix": "FLANNELD_ETCD_PREFIX"},
    {"ca_file": "FLANNELD_ETCD_CAFILE"},
    {"cert_file": "FLANNELD_ETCD_CERTFILE", "key_file": "FLANNELD_ETCD_KEYFILE"},
    {"username": "FLANNELD_ETCD_USERNAME", "password": "FLANNELD_ETCD_PASSWORD"},
)
T = TypeVar("T")


def argument_spec(**own: Any) -> dict[str, Any]:
    """Return the argument spec of a module: its own options and those of etcd."""
    return {
        "endpoints": {"type": "list", "elements": "str", "fallback": (env_fallback, ["ETCDCTL_ENDPOINTS"])},
        "api": {"type": "str", "choices": list(APIS), "default": "auto"},
        "prefix": {"type": "str"},
        "ca_file": {"type": "path", "fallback": (env_fallback, ["ETCDCTL_CACERT"])},
        "cert_file": {"type": "path", "fallback": (env_fallback, ["ETCDCTL_CERT"])},
        "key_file": {"type": "path", "fallback": (env_fallback, ["ETCDCTL_KEY"])},
        "username": {"type": "str", "fallback": (_user_of_environment,)},
        "password": {"type": "str", "no_log": True, "fallback": (_password_of_environment,)},
        "timeout": {"type": "float", "default": 5.0},
        **own,
    }


def finish(module: AnsibleModule, work: Callable[[Store, str], dict[str, Any]]) -> None:
    """End the module with what the work on the store and prefix of its options returns, or with the error it raises.

    What the work returns as ``warnings`` is shown as such.
    """

    def use_store(connection: EtcdConnection, prefix: str) -> dict[str, Any]:
        store = connect(connection, prefix)
        try:
            return work(store, store.root(prefix))
        finally:
            store.close()

    finish_connection(module, use_store)


def finish_connection(module: AnsibleModule, work: Callable[[EtcdConnection, str], dict[str, Any]]) -> None:
    """End the module as ``finish`` does, with work that is given the connection settings instead of a store."""
    try:
        connection, prefix = connection_of(module)
        result = work(connection, prefix)
    except OverlayError as error:
        module.fail_json(msg=str(error))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)


def open_store(module: AnsibleModule) -> tuple[Store, str]:
    """Return the store and the prefix of the module's options; raise StoreError where etcd cannot be used."""
    connection, prefix = connection_of(module)
    return connect(connection, prefix), prefix


def connection_of(module: AnsibleModule) -> tuple[EtcdConnection, str]:
    """Return how to reach etcd, and the prefix, by the module's options; raise StoreError where they cannot work."""
    settings = complete(module.params, AGENT_FILE)
    module.no_log_values.update({settings["password"]} - {""})
    prefix = settings.pop("prefix")
    return reachable_first(EtcdConnection(**settings)), prefix


def persist(attempt: Callable[[int], T]) -> T:
    """Return what an attempt to read, decide and compare-and-swap gives, made anew when another writer was faster.

    It is told how many attempts were lost before it.
    """
    for lost in range(ATTEMPTS - 1):
        try:
            return attempt(lost)
        except (ChangedError, GoneError, KeyExistsError):
            continue
    return attempt(ATTEMPTS - 1)


def complete(params: dict[str, Any], agent_file: Path) -> dict[str, Any]:
    """Return the etcd options with all values filled in: as given, else the agent's where no endpoint is given."""
    settings = {name: params[name] or "" for group in AGENT_VARIABLES for name in group}
    endpoints, api = _filled(params["endpoints"] or []), params["api"]
    if not endpoints:
        variables = _agent_variables(agent_file)
        endpoints = _filled(variables.get("FLANNELD_ETCD_ENDPOINTS", "").split(",")) or (DEFAULT_ENDPOINT,)
        api = variables.get("FLANNELD_ETCD_API", api) if api == "auto" else api
        for group in AGENT_VARIABLES:
            if not any(settings[name] for name in group):
                settings.update({name: variables.get(variable, "") for name, variable in group.items()})
    settings["prefix"] = normal_prefix(settings["prefix"]) or DEFAULT_PREFIX
    return {**settings, "endpoints": endpoints, "api": api, "timeout": params["timeout"]}


def _filled(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(text.strip() for text in texts if text.strip())


def _agent_variables(path: Path) -> dict[str, str]:
    """Return the variables of the agent's environment file, none where there is no such file."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise StoreError(
            f"no etcd endpoint is given, and the agent's settings in {path} cannot be read ({error.strerror}); "
            f"run this with become, or give endpoints"
        ) from None
    variables: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or not name.startswith("FLANNELD_"):
            continue
        try:
            variables[name] = _unquoted(value.strip())
        except ValueError:
            raise StoreError(f"{path}: the quotes around the value of {name} do not match; mend them") from None
    return variables


def _unquoted(text: str) -> str:
    """Return a value of an environment file as systemd reads it (systemd.exec(5), EnvironmentFile=)."""
    quote = text[:1]
    if quote not in ("'", '"'):
        return re.sub(r"\\(.)", r"\1", text)
    if len(text) < 2 or text[-1] != quote:
        raise ValueError("no closing quote")
    return text[1:-1] if quote == "'" else re.sub(r'\\([\\"$`])', r"\1", text[1:-1])


def _user_of_environment() -> str:
    user = os.environ.get("ETCDCTL_USER", "").partition(":")[0]
    if not user:
        raise AnsibleFallbackNotFound
    return user


def _password_of_environment() -> str:
    password = os.environ.get("ETCDCTL_PASSWORD") or os.environ.get("ETCDCTL_USER", "").partition(":")[2]
    if not password:
        raise AnsibleFallbackNotFound
    return password
