# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lease keeper with a real etcd over both APIs: renewals without events, races, and swapped addresses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.keeper import (
    HeldLease,
    LeaseKeeper,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.claim import Claim, own_leases
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import PoolExhaustedError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.api_choice import EtcdConnection, connect
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.errors import ChangedError, GoneError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Store
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.schema import (
    Keys,
    StoredNetwork,
    read_network,
)
from support.agent_host import until
from support.agent_network import Network
from support.etcd_server import EtcdServer

HOSTS = 50


@pytest.fixture(params=["v3", "v2"])
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def network(etcd: EtcdServer, api: str) -> Iterator[Network]:
    network = Network(etcd.endpoints[0], api)
    yield network
    network.close()


@pytest.fixture
def open_store(etcd: EtcdServer, api: str) -> Iterator[Callable[[], Store]]:
    """Return a function that opens another connection to etcd."""
    opened: list[Store] = []

    def open_one() -> Store:
        opened.append(connect(EtcdConnection(etcd.endpoints, api=api, timeout=30)))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


def config(**keys: object) -> NetworkConfig:
    """Return a network config with these keys."""
    return NetworkConfig.parse(json.dumps({"Network": "10.50.0.0/16", "Backend": {"Type": "host-gw"}, **keys}))


def claim(number: int, previous: str = "", previous_ip: str = "") -> Claim:
    """Return the claim of host ``number``."""
    subnet = Subnet.parse(previous) if previous else None
    return Claim(parse_ipv4(f"192.0.2.{number}"), "host-gw", None, subnet, parse_ipv4(previous_ip or "192.0.2.250"))


def stored(network: Network) -> StoredNetwork:
    """Return the network as it is in etcd."""
    return read_network(network.store, Keys(network.prefix))


def join(store: Store, network: Network, number: int, **keys: object) -> HeldLease:
    """Lease a subnet as a host without former state."""
    found = read_network(store, Keys(network.prefix))
    return LeaseKeeper(store, Keys(network.prefix), 60).acquire(config(**keys), claim(number), found)


def test_renewals_extend_a_lease_without_an_event_for_watchers(network: Network) -> None:
    keeper = LeaseKeeper(network.store, Keys(network.prefix), margin=2, ttl=3)
    held = keeper.acquire(config(), claim(1), stored(network))
    _unused, revision = network.store.snapshot(network.prefix)
    start, renewals = time.monotonic(), 0
    for events in network.store.watch(network.prefix, revision, 0.2):
        assert events == []
        if time.monotonic() > start + 4:
            break
        if held.renew_at is not None and time.monotonic() >= held.renew_at:
            held, renewals = keeper.renew(held), renewals + 1
    assert renewals >= 2
    assert list(network.leases()) == [str(held.lease.subnet)]
    until(lambda: network.leases() == {}, "the lease to end without renewals", 6)
    with pytest.raises(GoneError):
        keeper.renew(held)


def test_the_renewal_of_a_lease_that_another_host_took_is_refused(network: Network) -> None:
    keeper = LeaseKeeper(network.store, Keys(network.prefix), 60)
    held = keeper.acquire(config(), claim(1), stored(network))
    network.lease(str(held.lease.subnet), "192.0.2.99")
    with pytest.raises((ChangedError, GoneError)):
        keeper.renew(held)
    assert [lease["PublicIP"] for lease in network.leases().values()] == ["192.0.2.99"]


@pytest.mark.parametrize("last", ["10.50.255.0", "10.50.50.0"], ids=["room for all", "just enough"])
def test_fifty_hosts_that_start_at_once_all_get_a_subnet_of_their_own(
    network: Network, open_store: Callable[[], Store], last: str
) -> None:
    stores = [open_store() for _attempt in range(HOSTS)]
    with ThreadPoolExecutor(HOSTS) as pool:
        joined = [pool.submit(join, store, network, number, SubnetMax=last) for number, store in enumerate(stores, 1)]
        held = [future.result(timeout=60) for future in joined]
    assert len({one.lease.subnet for one in held}) == HOSTS
    leases = network.leases()
    assert {str(one.lease.subnet) for one in held} == set(leases)
    assert {lease["PublicIP"] for lease in leases.values()} == {f"192.0.2.{number}" for number in range(1, HOSTS + 1)}


def test_a_host_for_which_no_subnet_is_free_gets_an_error(network: Network) -> None:
    for number in (1, 2, 3):
        join(network.store, network, number, SubnetMax="10.50.3.0")
    with pytest.raises(PoolExhaustedError, match="out of subnets: all 3"):
        join(network.store, network, 4, SubnetMax="10.50.3.0")
    assert len(network.leases()) == 3


def test_a_garbage_key_holds_its_subnet(network: Network) -> None:
    network.put("subnets/10.50.1.0-24", "garbage")
    held = join(network.store, network, 1, SubnetMax="10.50.2.0")
    assert str(held.lease.subnet) == "10.50.2.0/24"


def test_two_hosts_that_swapped_their_addresses_keep_their_subnets(network: Network) -> None:
    network.lease("10.50.1.0/24", "192.0.2.1")
    network.lease("10.50.2.0/24", "192.0.2.2")
    for _attempt in range(2):
        for number, subnet, old in ((1, "10.50.2.0/24", "192.0.2.2"), (2, "10.50.1.0/24", "192.0.2.1")):
            items = stored(network)
            keeper = LeaseKeeper(network.store, Keys(network.prefix), 60)
            held = keeper.acquire(config(), claim(number, subnet, old), items)
            assert str(held.lease.subnet) == subnet
    assert {subnet: lease["PublicIP"] for subnet, lease in network.leases().items()} == {
        "10.50.1.0/24": "192.0.2.2",
        "10.50.2.0/24": "192.0.2.1",
    }


def test_a_former_subnet_is_not_taken_from_the_host_that_holds_it_now(network: Network) -> None:
    network.lease("10.50.9.0/24", "192.0.2.99")
    items = stored(network)
    keeper = LeaseKeeper(network.store, Keys(network.prefix), 60)
    held = keeper.acquire(config(), claim(1, "10.50.9.0/24"), items)
    assert str(held.lease.subnet) != "10.50.9.0/24"
    assert network.leases()["10.50.9.0/24"]["PublicIP"] == "192.0.2.99"


def test_a_reservation_is_neither_renewed_nor_released(network: Network) -> None:
    network.lease("10.50.9.0/24", "192.0.2.1", ttl=None)
    items = stored(network)
    keeper = LeaseKeeper(network.store, Keys(network.prefix), 60)
    held = keeper.acquire(config(), claim(1), items)
    assert held.renew_at is None
    assert keeper.renew(held) == held
    assert not keeper.release(held.item)
    assert network.lease_item("10.50.9.0/24").reservation
    assert [lease.key for lease, _unused in own_leases(claim(1), items.leases)] == ["10.50.9.0-24"]
