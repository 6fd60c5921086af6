# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work of the modules network_config and network_config_info: writes, removes and reads the network config."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.module_utils.common.validation import check_type_bool, check_type_int

from ..overlay.diagnosis.lease_table import rows_of
from ..overlay.model.addresses import format_ipv4
from ..overlay.model.backends import TYPES, BackendOptions
from ..overlay.model.backends.vxlan import VxlanOptions
from ..overlay.model.errors import ConfigError
from ..overlay.model.lease import SubnetLease, lease_problem
from ..overlay.model.network import NetworkConfig
from ..overlay.model.secret import Secret, shown_config
from ..overlay.model.setting_names import SettingNames, option_names
from ..overlay.store.api_choice import other_api_hint
from ..overlay.store.protocol import Item, Store
from ..overlay.store.retry import persist
from ..overlay.store.schema import Keys, read_network
from .config_change import config_change

OPTIONS = {"network": "Network", "subnet_len": "SubnetLen", "subnet_min": "SubnetMin", "subnet_max": "SubnetMax"}
STATED_KEYS = frozenset(name.lower() for name in (*OPTIONS.values(), "Backend"))
CONVERTERS: dict[type, Callable[[str], Any]] = {int: check_type_int, bool: check_type_bool, str: str}
# The keys of Backend of all types, in lower case: flannel's spelling, and how text of a template becomes their type.
BACKEND_KEYS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "type": ("Type", str),
    **{key.lower(): (key, CONVERTERS[kind]) for options in TYPES.values() for key, kind in options().keys().items()},
}
FOLLOWS = "overlayd uses the new config at once, flanneld only after its restart"
FOLLOWS_TYPE = (
    "overlayd uses the new config at once, but flanneld has no route to hosts with another backend until its restart"
)
NAMED = 5  # maximum of leases that an error lists


def wanted_config(options: Mapping[str, Any], names: SettingNames | None = None) -> dict[str, Any]:
    """Return the config of the options, with flannel's keys in flannel's order, and the Network without host bits.

    Raise ConfigError if it is invalid; ``names`` are the names of the settings in the message, by default the options.
    """
    names = names or option_names()
    wanted = {name: options[option] for option, name in OPTIONS.items() if options[option]}
    backend = options["backend"]
    if backend is None:  # flannel's default is not ours
        raise ConfigError(f"{names.backend} is missing; write {names.backend_examples}")
    if isinstance(backend, Mapping):
        _refuse_twice(backend, names)
        known = _known_keys(backend)
        backend = dict(_backend_item(key, value, known, names) for key, value in backend.items())
        if str(backend.get("Type")).lower() == "wireguard":
            _add_psk(backend, options.get("psk"), names)
    wanted["Backend"] = backend
    if "SubnetLen" in wanted:
        wanted["SubnetLen"] = _converted(wanted["SubnetLen"], check_type_int)
    wanted["Network"] = str(NetworkConfig.from_mapping(wanted, names).network)
    return wanted


def put_config(store: Store, prefix: str, options: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Write the config of the options if it differs; return the module's result."""
    wanted = wanted_config(options)
    return persist(lambda _unused: _put_once(store, prefix, wanted, options["force"], check))


def remove_config(store: Store, prefix: str, force: bool, check: bool) -> dict[str, Any]:
    """Remove the config; return the module's result."""
    return persist(lambda _unused: _remove_once(store, prefix, force, check))


def show_config(store: Store, prefix: str) -> dict[str, Any]:
    """Return the result of network_config_info."""
    item = store.get(Keys(prefix).config)
    problems = []
    if item is None:
        problems += _hints(store, prefix)
    else:
        try:
            NetworkConfig.parse(item.value)
        except ConfigError as error:
            problems.append(str(error))
    return {"changed": False, "exists": item is not None, "problems": problems, **_facts(store, prefix, item)}


def parsed(item: Item | None) -> NetworkConfig | None:
    """Return the config in a key, None if the key does not exist or its config is invalid."""
    try:
        return NetworkConfig.parse(item.value) if item else None
    except ConfigError:
        return None


def broken_leases(leases: Iterable[SubnetLease], old: NetworkConfig | None, new: NetworkConfig) -> list[str]:
    """Return a sentence for each lease that the new config breaks and the old config did not."""
    sentences = []
    for lease in leases:
        before = _harms(lease, old) if old else {}
        harms = [sentence for kind, sentence in _harms(lease, new).items() if kind not in before]
        sentences += harms[:1] or _tunnel_harm(lease, (old or new).backend, new.backend)
    return sentences


def _put_once(store: Store, prefix: str, wanted: dict[str, Any], force: bool, check: bool) -> dict[str, Any]:
    keys = Keys(prefix)
    network = read_network(store, keys)
    item = old = network.config
    kept = {name: value for name, value in _object(old).items() if name.lower() not in STATED_KEYS}
    stated = {**wanted, **kept}
    try:
        config = NetworkConfig.from_mapping(stated)
    except ConfigError as error:
        raise ConfigError(
            f"{keys.config} in etcd also has {', '.join(kept)}: {error}; remove the config with state=absent first"
        ) from None
    changed = old is None or _meaning(_object(old)) != _meaning(stated)
    effects: dict[str, Any] = {}
    notes: list[str] = []
    if changed:
        leases = [row.lease for row in rows_of(network) if row.lease]
        broken = broken_leases(leases, parsed(old), config)
        if not force:
            _refuse("this network config does not agree with", broken)
        effects = config_change(parsed(old), config, leases, bool(broken))._asdict()
        notes = _notes(effects)
    value = json.dumps(stated)
    if changed and not check:
        item = store.replace(old, value, None) if old else store.create(keys.config, value, None)
    elif changed:
        item = old._replace(value=value) if old else Item(keys.config, value, 0)
    result = _result(store, prefix, old, item, _hints(store, prefix) if old is None else [])
    result["diff"]["after"] += "".join(f"# {note}\n" for note in notes)
    return {**result, "change": effects}


def _notes(effects: Mapping[str, Any]) -> list[str]:
    """Return what a change cannot do without loss, as lines for the diff."""
    moved = ", ".join(effects["moved"])
    cut_off = f"{moved} lease another subnet, and their running containers have no connectivity until Docker restarts"
    return [*effects["losses"], *([cut_off] if moved else [])]


def _remove_once(store: Store, prefix: str, force: bool, check: bool) -> dict[str, Any]:
    network = read_network(store, Keys(prefix))
    old = network.config
    if old is None:
        return _result(store, prefix, None, None, _hints(store, prefix))
    if not force:
        _refuse("the removal of the network config would break", [str(row) for row in rows_of(network)])
    if not check:
        store.delete(old)
    return _result(store, prefix, old, None, [])


def _refuse(what: str, hurt: list[str]) -> None:
    if hurt:
        more = f"; and {len(hurt) - NAMED} more" if len(hurt) > NAMED else ""
        raise ConfigError(
            f"{what} leases in use ({len(hurt)}): {'; '.join(hurt[:NAMED])}{more}; release them first, "
            f"or set force=true"
        )


def _harms(lease: SubnetLease, config: NetworkConfig) -> dict[str, str]:
    """Return the problems of a lease under a config, one sentence for each kind."""
    harms: dict[str, str] = {}
    name = f"lease {lease.key} of {format_ipv4(lease.public_ip)}"
    unsound = lease_problem(lease, config)
    if unsound:
        harms["range"] = unsound
    elif not config.fits(lease.subnet):
        harms["fit"] = (
            f"{name}: it is not a /{config.subnet_len} from subnet_min {config.subnet_min} to subnet_max "
            f"{config.subnet_max}, so its host would lease another subnet"
        )
    kind = config.backend.type
    if lease.backend_type and lease.backend_type != kind:
        harms["type"] = f"{name}: its backend is {lease.backend_type}, not {kind}; {FOLLOWS_TYPE}"
    return harms


def _tunnel_harm(lease: SubnetLease, old: BackendOptions, new: BackendOptions) -> list[str]:
    """Return a sentence if the lease's host uses the VNI and port of the old config, and the new config has others."""
    if lease.backend_type != "vxlan" or not isinstance(old, VxlanOptions) or not isinstance(new, VxlanOptions):
        return []
    vni = lease.data.get("VNI", old.vni)  # flannel before 0.14 did not write it
    was_out = old is not new and vni != old.vni
    if was_out or (vni, old.port) == (new.vni, new.port):
        return []
    return [
        f"lease {lease.key} of {format_ipv4(lease.public_ip)}: its host uses VNI {vni} and Port {old.port} "
        f"instead of VNI {new.vni} and Port {new.port}; {FOLLOWS}"
    ]


def _add_psk(backend: dict[str, Any], psk: str | None, names: SettingNames) -> None:
    if "PSK" in backend:
        option = names.backend_key("PSK")
        raise ConfigError(f"{names.backend} must not contain PSK, because logs show it; set {option} instead")
    if psk:
        backend["PSK"] = psk


def _refuse_twice(backend: Mapping[str, Any], names: SettingNames) -> None:
    """Raise ConfigError if two keys of Backend differ in their case only."""
    spellings: dict[str, str] = {}
    for key in map(str, backend):
        other = spellings.setdefault(key.lower(), key)
        if other != key:
            raise ConfigError(f"{names.backend} has {other} and {key}, which are the same key; remove one of them")


def _known_keys(backend: Mapping[str, Any]) -> Mapping[str, tuple[str, Callable[[str], Any]]]:
    """Return the keys of Backend that its type has; all keys for an unknown type."""
    kind = next((str(value).lower() for key, value in backend.items() if str(key).lower() == "type"), "")
    if kind not in TYPES:
        return BACKEND_KEYS
    own = {"type", *map(str.lower, TYPES[kind]().keys())}
    if kind == "host-gw":  # release 1.0.0 accepts and ignores the keys of vxlan
        own.update(map(str.lower, TYPES["vxlan"]().keys()))
    return {key: value for key, value in BACKEND_KEYS.items() if key in own}


def _backend_item(
    key: str, value: Any, known: Mapping[str, tuple[str, Callable[[str], Any]]], names: SettingNames
) -> tuple[str, Any]:
    """Return a key of Backend in flannel's spelling, and its value with its JSON type."""
    if str(key).lower() not in known:
        keys = ", ".join(spelling for spelling, _unused in known.values() if spelling != "PSK")
        raise ConfigError(f"{names.backend_key(key)} is not a known key; use {keys}")
    name, convert = known[str(key).lower()]
    return name, _converted(value, convert)


def _converted(value: Any, convert: Callable[[str], Any]) -> Any:
    """Return a value with its own type if a template made it text; the model rejects text of another type."""
    try:
        return convert(value) if isinstance(value, str) else value
    except TypeError:
        return value


def _object(item: Item | None) -> dict[str, Any]:
    """Return the JSON object in a key, {} if the key does not exist or has no object."""
    try:
        value = json.loads(item.value) if item else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _meaning(raw: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return the content of a config independent of its notation, None if it is invalid."""
    given = {key.lower(): value for key, value in raw.items()}
    try:
        config = NetworkConfig.from_mapping(raw)
    except ConfigError:
        return None
    backend = {key.lower(): value for key, value in (given.get("backend") or {}).items()}
    return (
        config,
        {key: value for key, value in given.items() if key not in STATED_KEYS},
        {key: value for key, value in backend.items() if key not in BACKEND_KEYS},
    )


def _hints(store: Store, prefix: str) -> list[str]:
    hint = other_api_hint(store.connection, prefix)
    return [hint] if hint else []


def _facts(store: Store, prefix: str, item: Item | None) -> dict[str, Any]:
    config = parsed(item)
    return {
        "path": Keys(prefix).config,
        "api": store.api,
        "revision": item.revision or None if item else None,
        "raw": shown_config(item.value) if item else "",
        "config": _config_facts(config) if config else {},
    }


def _fact(value: Any) -> Any:
    return str(value) if isinstance(value, Secret) else value


def _config_facts(config: NetworkConfig) -> dict[str, Any]:
    options = config.backend._asdict()
    return {
        "network": str(config.network),
        "subnet_len": config.subnet_len,
        "subnet_min": format_ipv4(config.subnet_min.first),
        "subnet_max": format_ipv4(config.subnet_max.first),
        "capacity": config.capacity,
        "backend": {"type": config.backend.type, **{key: _fact(value) for key, value in options.items()}},
    }


def _result(store: Store, prefix: str, old: Item | None, new: Item | None, warnings: list[str]) -> dict[str, Any]:
    header = Keys(prefix).config
    diff = {"before_header": header, "after_header": header, "before": _pretty(old), "after": _pretty(new)}
    changed = (old.value if old else None) != (new.value if new else None)
    return {"changed": changed, "diff": diff, "warnings": warnings, **_facts(store, prefix, new)}


def _pretty(item: Item | None) -> str:
    if item is None:
        return ""
    item = item._replace(value=shown_config(item.value))
    raw = _object(item)
    return (json.dumps(raw, indent=2) if raw else item.value) + "\n"
