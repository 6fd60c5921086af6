# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inventory that a fleet of flanneld hosts needs, and what speaks against its migration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

# The variables by the names of flanneld's flags.
FLEET = {
    "overlay_etcd_endpoints": "etcd_endpoints",
    "overlay_etcd_prefix": "etcd_prefix",
    "overlay_etcd_ca_file": "etcd_cafile",
    "overlay_etcd_cert_file": "etcd_certfile",
    "overlay_etcd_key_file": "etcd_keyfile",
    "overlay_etcd_username": "etcd_username",
    "overlay_ip_masq": "ip_masq",
}
HOST = {
    "overlay_iface": "iface",
    "overlay_iface_regex": "iface_regex",
    "overlay_iface_can_reach": "iface_can_reach",
    "agent_public_ip": "public_ip",
    "agent_subnet_file": "subnet_file",
    "agent_forward_rules": "iptables_forward_rules",
}
DEFAULTS: dict[str, Any] = {"agent_subnet_file": "/run/flannel/subnet.env", "agent_forward_rules": True}
_BACKEND_KEYS = {
    "type": "Type", "vni": "VNI", "port": "Port", "direct_routing": "DirectRouting", "listen_port": "ListenPort",
}  # fmt: skip


def flannel_migration(hosts: Sequence[Mapping[str, Any]], network: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables that the inventory needs, and the problems of a migration as sentences.

    Each of ``hosts`` has its name, ``flannel`` (result of flannel_info), ``agent`` (whether overlayd runs) and
    ``given`` (the variables of the inventory). ``network`` is the result of network_config_info through the settings of
    flanneld.
    """
    found = [host for host in hosts if host["flannel"].get("installed")]
    problems = [
        f"{host['name']}: neither flanneld.service nor overlayd is installed; set it up with the playbook site, or "
        "leave it out with --limit"
        for host in hosts
        if not host["flannel"].get("installed") and not host["agent"]
    ]
    fleet, differing = _fleet(found)
    config = network.get("config") or {}
    if found and not config:
        problems.append(_without_config(network))
    variables = {**fleet, **_of_network(network, config)} if found else {}
    lines = {host["name"]: _own(host) for host in found}
    return {
        "variables": variables,
        "host_variables": {name: own for name, own in lines.items() if own},
        "problems": problems + differing + _disagreements(found, variables, lines),
        "hosts": [host["name"] for host in found],
    }


def _fleet(found: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """Return the variables that must be the same on all hosts, and a problem for each that is not."""
    variables: dict[str, Any] = {}
    problems = []
    for variable, name in FLEET.items():
        values = {host["name"]: host["flannel"]["settings"][name] for host in found}
        shown = {str(_comparable(value)): value for value in values.values()}
        if len(shown) > 1:
            text = ", ".join(f"{value} on {host}" for host, value in values.items())
            problems.append(f"flanneld's {name.replace('_', '-')} differs: {text}; set the same value on all hosts")
        variables[variable] = next(iter(values.values()), "")
    kept = {name: value for name, value in variables.items() if value not in ("", None) and value != []}
    return kept, problems


def _of_network(network: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    if not config:
        return {}
    backend = {_BACKEND_KEYS[key]: value for key, value in config["backend"].items() if key in _BACKEND_KEYS and value}
    return {
        "overlay_etcd_api": network.get("api", "auto"),
        "overlay_network": config["network"],
        "overlay_subnet_len": config["subnet_len"],
        "overlay_subnet_min": config["subnet_min"],
        "overlay_subnet_max": config["subnet_max"],
        "overlay_backend": backend,
    }


def _own(host: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of one host that differ from the defaults."""
    settings = host["flannel"]["settings"]
    values = {variable: settings[name] for variable, name in HOST.items()}
    return {
        variable: value
        for variable, value in values.items()
        if value not in ("", None) and value != [] and value != DEFAULTS.get(variable)
    }


def _without_config(network: Mapping[str, Any]) -> str:
    cause = "; ".join(network.get("problems") or []) or network.get("msg") or "the key does not exist"
    return (
        f"the network config of flanneld cannot be read from etcd: {cause}; correct flanneld's settings or the config"
    )


def _disagreements(
    found: Sequence[Mapping[str, Any]], variables: Mapping[str, Any], own: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Return a sentence for each host whose inventory differs from what flanneld uses."""
    problems = []
    for host in found:
        wanted = {**variables, **own[host["name"]]}
        wanted.pop("overlay_backend", None)  # the role network compares the whole config by its meaning
        for name in ("overlay_subnet_len", "overlay_subnet_min", "overlay_subnet_max", "overlay_etcd_api"):
            wanted.pop(name, None)
        wrong = [
            f"{name} is {host['given'].get(name) or 'not set'}, and flanneld uses {value}"
            for name, value in wanted.items()
            if _comparable(host["given"].get(name)) != _comparable(value)
        ]
        if host["flannel"]["settings"]["has_password"] and not host["given"].get("overlay_etcd_password"):
            wrong.append("overlay_etcd_password is not set, and flanneld uses a password")
        if wrong:
            problems.append(f"{host['name']}: the inventory differs: {'; '.join(wrong)}")
    return problems


def _comparable(value: Any) -> Any:
    """Return the value in one form: lists without their order, an empty value as none."""
    if isinstance(value, (list, tuple)):
        return sorted(str(each).rstrip("/") for each in value) or None
    if isinstance(value, bool) or value in (None, ""):
        return value if isinstance(value, bool) else None
    return {"true": True, "false": False}.get(str(value).lower(), str(value))


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"flannel_migration": flannel_migration}
