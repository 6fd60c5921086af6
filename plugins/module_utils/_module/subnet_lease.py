# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work of the modules subnet_lease and subnet_lease_info: reserves, releases and lists subnets."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from ..overlay.diagnosis.lease_table import LeaseRow, lease_facts, row_of, row_problem, rows_of, table_problems
from ..overlay.model.addresses import Subnet, format_ipv4, parse_ipv4
from ..overlay.model.allocation import candidates, taken_subnets
from ..overlay.model.errors import ConfigError, LeaseError
from ..overlay.model.lease import SubnetLease, lease_key, lease_problem
from ..overlay.model.network import NetworkConfig
from ..overlay.store.errors import GoneError
from ..overlay.store.protocol import Item, Store
from ..overlay.store.retry import persist
from ..overlay.store.schema import Keys, NestedKeys, StoredNetwork, read_network
from ..overlay.store.stored_config import parse_config

T = TypeVar("T")


class LeaseRequest(NamedTuple):
    """The module's options, parsed; ``public_ip`` is an integer."""

    public_ip: int | None
    subnet: Subnet | None
    force: bool
    check: bool


class LeasePlan(NamedTuple):
    """The reservation to write, the row that it replaces (None: a new key), the rows to delete, and the final row."""

    write: Item | None
    old: LeaseRow | None
    drop: list[LeaseRow]
    final: LeaseRow | None


def request_of(options: Mapping[str, Any], check: bool) -> LeaseRequest:
    """Return the parsed options; raise ConfigError for an invalid address or subnet."""
    return LeaseRequest(
        _parsed("public_ip", options["public_ip"], parse_ipv4),
        _parsed("subnet", options["subnet"], Subnet.parse),
        options.get("force", False),
        check,
    )


def reserve(store: Store, prefix: str, request: LeaseRequest) -> dict[str, Any]:
    """Reserve a subnet for the host; return the module's result."""
    if request.public_ip is None:
        raise ConfigError("public_ip is empty; set it to the public IP of the host")
    public_ip, keys = request.public_ip, Keys(prefix)
    return persist(
        lambda lost: _carry_out(store, keys, request, _plan_reservation(store, keys, request, public_ip, lost))
    )


def release(store: Store, prefix: str, request: LeaseRequest) -> dict[str, Any]:
    """Delete the matching leases and reservations; return the module's result."""
    if request.public_ip is None and request.subnet is None:
        raise ConfigError("public_ip and subnet are empty; set at least one of them")
    keys = Keys(prefix)
    return persist(lambda _unused: _carry_out(store, keys, request, _plan_release(store, keys, request)))


def show(store: Store, prefix: str, request: LeaseRequest) -> dict[str, Any]:
    """Return the result of subnet_lease_info: the matching leases, and the problems of all leases."""
    config: NetworkConfig | None = None
    problems: list[str] = []
    keys = Keys(prefix)
    network = read_network(store, keys)
    try:
        config = parse_config(store, keys, network.config)
    except ConfigError as error:
        problems.append(str(error))
    problems += NestedKeys(keys, network.nested).sentences()
    rows = rows_of(network)
    left = store.ttl_left([row.item for row in rows if _is_asked_for(row, request)])
    # A key that expired after the first read is left out.
    leases = [lease_facts(row, left[row.item.key], config) for row in rows if row.item.key in left]
    problems += [problem for problem in (row_problem(row, config) for row in rows) if problem]
    problems += table_problems(rows, config)
    return {"changed": False, "api": store.api, "path": keys.subnets, "leases": leases, "problems": problems}


def _plan_reservation(store: Store, keys: Keys, request: LeaseRequest, public_ip: int, lost: int) -> LeasePlan:
    """Return the changes that reserve the subnet; ``lost`` is the number of attempts that lost a race."""
    network = read_network(store, keys)
    config = parse_config(store, keys, network.config)
    rows = rows_of(network)
    mine = [row for row in rows if row.is_of(public_ip)]
    subnet = request.subnet or _own_subnet(mine, config) or _free_subnet(network, config, lost)
    wanted = SubnetLease(subnet, public_ip)
    _check_wanted(wanted, config)
    holding = next((row for row in mine if row.subnet == subnet), None)
    _refuse_directory(network, keys, subnet)
    rivals = [row for row in rows if row not in mine and row.takes(subnet, config)]
    others = [row for row in mine if row is not holding]
    if not request.force:
        _refuse_rivals(store, subnet, rivals)
        if others and holding is None:
            raise LeaseError(
                f"host {format_ipv4(public_ip)} already has the {others[0]}; set subnet to that subnet, "
                f"release it first (state=absent), or move the host to {subnet} with force=true"
            )
    drop = rivals + others if request.force else []
    if holding and holding.item.reservation:
        return LeasePlan(None, None, drop, holding)
    old = holding or next((row for row in rivals if row.subnet == subnet), None)
    key = old.item.key if old else keys.lease(subnet)
    item = Item(key, holding.item.value if holding else wanted.value(), 0)
    return LeasePlan(item, old, [row for row in drop if row is not old], row_of(old.name if old else wanted.key, item))


def _plan_release(store: Store, keys: Keys, request: LeaseRequest) -> LeasePlan:
    rows = rows_of(read_network(store, keys))
    by_subnet = request.subnet is not None
    drop = [row for row in rows if (row.subnet == request.subnet if by_subnet else row.is_of(request.public_ip))]
    for row in drop:
        if request.force or row.is_of(request.public_ip):
            continue
        if request.public_ip is not None:
            raise LeaseError(
                f"the {row} does not belong to {format_ipv4(request.public_ip)}; set force=true to delete it"
            )
        if row.lease is None or not row.item.reservation:
            raise LeaseError(
                f"the {row} may be in use; also set public_ip to the public IP of its host, or set force=true "
                f"(flanneld ends when its lease is deleted)"
            )
    return LeasePlan(None, None, drop, None)


def _carry_out(store: Store, keys: Keys, request: LeaseRequest, plan: LeasePlan) -> dict[str, Any]:
    final = plan.final
    if not request.check:
        if plan.write and plan.old:
            final = row_of(plan.old.name, store.replace(plan.old.item, plan.write.value, None))
        elif plan.write and final:
            final = row_of(final.name, store.create(plan.write.key, plan.write.value, None))
        for row in plan.drop:
            with suppress(GoneError):  # an agent deletes its old lease as soon as it sees its reservation
                store.delete(row.item)
    before = [row for row in (plan.old, *plan.drop) if row]
    after = [final] if plan.write and final else []
    return {
        "changed": bool(plan.write or plan.drop),
        "api": store.api,
        "path": keys.subnets,
        "lease": lease_facts(final, None, None) if final else {},
        "diff": {"before": _lines(before), "after": _lines(after)},
    }


def _own_subnet(mine: list[LeaseRow], config: NetworkConfig) -> Subnet | None:
    """Return the host's subnet that fits the config, that of a reservation first; None if it has none."""
    fitting = [row for row in mine if row.subnet and config.fits(row.subnet)]
    return min(fitting, key=lambda row: not row.item.reservation).subnet if fitting else None


def _free_subnet(network: StoredNetwork, config: NetworkConfig, lost: int) -> Subnet:
    """Return the lowest free subnet, or after a lost race a random one of the lowest."""
    free = candidates(config, taken_subnets(config, network.values(), network.directories))
    return random.choice(free) if lost else free[0]


def _check_wanted(wanted: SubnetLease, config: NetworkConfig) -> None:
    if not config.fits(wanted.subnet):
        raise ConfigError(
            f"subnet {wanted.subnet} cannot be leased: it is not a /{config.subnet_len} from SubnetMin "
            f"{config.subnet_min} to SubnetMax {config.subnet_max}; choose a subnet in this range"
        )
    problem = lease_problem(wanted, config)
    if problem:
        raise ConfigError(problem)


def _refuse_rivals(store: Store, subnet: Subnet, rivals: list[LeaseRow]) -> None:
    if not rivals:
        return
    left = store.ttl_left([rivals[0].item]).get(rivals[0].item.key)
    expiry = f", which expires in {left} s unless it is renewed" if left else ""
    raise LeaseError(
        f"subnet {subnet} is taken by the {rivals[0]}{expiry}; choose another subnet, release that one first, "
        f"or take it with force=true (flanneld ends when its lease is deleted)"
    )


def _refuse_directory(network: StoredNetwork, keys: Keys, subnet: Subnet) -> None:
    if lease_key(subnet) in network.directories:
        raise LeaseError(
            f"subnet {subnet} cannot be leased: {keys.lease(subnet)} is a directory of etcd's v2 store; "
            f"delete the directory, or choose another subnet"
        )


def _is_asked_for(row: LeaseRow, request: LeaseRequest) -> bool:
    by_subnet = request.subnet is None or row.subnet == request.subnet
    return by_subnet and (request.public_ip is None or row.is_of(request.public_ip))


def _lines(rows: list[LeaseRow]) -> str:
    return "".join(
        f"{row.name} {'reservation' if row.item.reservation else 'lease'} {row.item.value}\n" for row in rows
    )


def _parsed(name: str, text: str | None, parse: Callable[[str], T]) -> T | None:
    try:
        return parse(text) if text else None
    except ValueError as error:
        raise ConfigError(f"{name} {error}") from None
