# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The etcd options of the modules: their argument spec and their defaults."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import env_fallback
from ansible.module_utils.errors import AnsibleFallbackNotFound

from ..overlay.diagnosis.agent_settings import read_settings
from ..overlay.model.network import DEFAULT_PREFIX
from ..overlay.store.connection import APIS
from ..overlay.store.schema import normal_prefix

DEFAULT_ENDPOINT = "http://127.0.0.1:2379"
# Groups that are taken from the agent together: user and password always come from the same place.
AGENT_VARIABLES = (
    {"prefix": "FLANNELD_ETCD_PREFIX"},
    {"ca_file": "FLANNELD_ETCD_CAFILE"},
    {"cert_file": "FLANNELD_ETCD_CERTFILE", "key_file": "FLANNELD_ETCD_KEYFILE"},
    {"username": "FLANNELD_ETCD_USERNAME", "password": "FLANNELD_ETCD_PASSWORD"},
)


def argument_spec(**own: Any) -> dict[str, Any]:
    """Return the argument spec of a module: its own options and the etcd options."""
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


def complete(params: dict[str, Any], agent_file: Path) -> dict[str, Any]:
    """Return the etcd options with defaults; without endpoints, missing values are the agent's settings."""
    settings = {name: params[name] or "" for group in AGENT_VARIABLES for name in group}
    endpoints, api = _filled(params["endpoints"] or []), params["api"]
    if not endpoints:
        variables = read_settings(agent_file)
        endpoints = _filled(variables.get("FLANNELD_ETCD_ENDPOINTS", "").split(",")) or (DEFAULT_ENDPOINT,)
        api = variables.get("FLANNELD_ETCD_API", api) if api == "auto" else api
        for group in AGENT_VARIABLES:
            if not any(settings[name] for name in group):
                settings.update({name: variables.get(variable, "") for name, variable in group.items()})
    settings["prefix"] = normal_prefix(settings["prefix"]) or DEFAULT_PREFIX
    return {**settings, "endpoints": endpoints, "api": api, "timeout": params["timeout"]}


def _filled(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(text.strip() for text in texts if text.strip())


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
