# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""network_copy on a real etcd with both stores, and the agents that move from one store to the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.agent_fleet import Fleet
from support.agent_host import lost
from support.agent_network import Network
from support.etcd_server import EtcdServer
from support.module_runner import ModuleNetwork

CONFIG = '{"Network": "10.50.0.0/16", "Backend": {"Type": "vxlan"}}'
MAC = "0e:00:00:00:00:01"


@pytest.fixture
def old(etcd: EtcdServer) -> Iterator[ModuleNetwork]:
    """A prefix in the v2 store."""
    old = ModuleNetwork(etcd.endpoint, "v2")
    yield old
    old.close()


@pytest.fixture
def new(etcd: EtcdServer, old: ModuleNetwork) -> Iterator[ModuleNetwork]:
    """The same prefix in the v3 store."""
    new = ModuleNetwork(etcd.endpoint, "v3", old.prefix)
    yield new
    new.close()


def test_config_leases_and_reservations_are_copied_once(old: ModuleNetwork, new: ModuleNetwork) -> None:
    old.put("config", CONFIG)
    old.lease("10.50.7.0/24", "192.0.2.7", MAC, ttl=5000)
    old.lease("10.50.8.0/24", "192.0.2.8", ttl=None)
    run = new.runner("network_copy")
    predicted = run(check=True)
    assert predicted["changed"] and new.get("config") is None and new.keys("subnets") == []
    made = run()
    assert made["changed"] and made["config"] == CONFIG and made["problems"] == []
    assert made["diff"] == predicted["diff"] and "10.50.8.0-24 reservation" in made["diff"]["after"]
    assert [(lease["subnet"], lease["public_ip"], lease["reservation"]) for lease in made["leases"]] == [
        ("10.50.7.0/24", "192.0.2.7", False),
        ("10.50.8.0/24", "192.0.2.8", True),
    ]
    assert new.value("config") == CONFIG and new.leases() == old.leases()
    live, reserved = new.item("subnets/10.50.7.0-24"), new.item("subnets/10.50.8.0-24")
    assert not live.reservation and reserved.reservation
    assert 4000 < (new.store.ttl_left([live])[live.key] or 0) <= 5000
    for check in (True, False):
        again = run(check=check)
        assert not again["changed"] and again["leases"] == [] and again["diff"] == {"before": "", "after": ""}


def test_a_copy_that_was_interrupted_is_completed(old: ModuleNetwork, new: ModuleNetwork) -> None:
    old.put("config", CONFIG)
    old.lease("10.50.7.0/24", "192.0.2.7", MAC)
    old.lease("10.50.8.0/24", "192.0.2.8", MAC)
    new.lease("10.50.7.0/24", "192.0.2.9", MAC)  # of a host that uses the v3 store already: it is kept
    made = new.runner("network_copy")()
    assert made["changed"] and [lease["subnet"] for lease in made["leases"]] == ["10.50.8.0/24"]
    assert made["conflicts"] == [
        "not copied: live lease 10.50.7.0-24 of 192.0.2.7: the v3 store has the live lease 10.50.7.0-24 of 192.0.2.9"
    ]
    assert new.leases()["10.50.7.0/24"]["PublicIP"] == "192.0.2.9"
    assert new.leases()["10.50.8.0/24"]["PublicIP"] == "192.0.2.8" and new.value("config") == CONFIG


def test_a_network_in_the_v3_store_is_kept(old: ModuleNetwork, new: ModuleNetwork) -> None:
    old.put("config", CONFIG)
    old.lease("10.50.7.0/24", "192.0.2.7", MAC)
    new.put("config", '{"Network": "10.60.0.0/16"}')
    assert not new.runner("network_copy")()["changed"]
    assert new.keys("subnets") == [] and new.value("config") == '{"Network": "10.60.0.0/16"}'


def test_without_a_network_nothing_is_copied(new: ModuleNetwork) -> None:
    assert not new.runner("network_copy")()["changed"]


def test_without_the_v2_api_nothing_is_copied() -> None:
    with EtcdServer(v2=False) as server:
        network = ModuleNetwork(server.endpoint)
        try:
            assert not network.runner("network_copy")()["changed"]
        finally:
            network.close()


def test_a_key_that_is_no_lease_is_reported_and_not_copied(old: ModuleNetwork, new: ModuleNetwork) -> None:
    old.put("config", CONFIG)
    old.put("subnets/10.50.7.0-24", "garbage")
    old.lease("10.50.8.0/24", "192.0.2.8", MAC)
    made = new.runner("network_copy")()
    assert new.keys("subnets") == ["10.50.8.0-24"]
    assert len(made["problems"]) == 1 and made["problems"][0].startswith("not copied: key 10.50.7.0-24: ")


def test_a_psk_is_copied_and_not_shown(old: ModuleNetwork, new: ModuleNetwork) -> None:
    psk = "Wm9vbS1pbi1vbi10aGUtcmVkLWxpbmUtMzItYnl0ZXM="
    old.configure("wireguard", PSK=psk)
    assert psk not in new.runner("network_copy").raw()
    assert psk in (new.value("config") or "")


def test_api_v2_is_refused(old: ModuleNetwork) -> None:
    assert old.runner("network_copy")(fails=True)["msg"] == (
        "api is v2, but the module copies to the v3 store; set api to v3 or auto"
    )


def test_agents_move_to_the_v3_store_without_a_lost_packet(etcd: EtcdServer, fleet: Fleet, network: Network) -> None:
    old = ModuleNetwork(etcd.endpoint, "v2", network.prefix)
    new = ModuleNetwork(etcd.endpoint, "v3", network.prefix)
    try:
        old.configure("vxlan")
        hosts = fleet.joined(3, "--etcd-api=v2")
        containers = fleet.containers()
        subnets = [host.subnet for host in hosts]
        streams = [containers[one].stream(containers[two]) for one, two in ((0, 1), (1, 2), (2, 0))]
        assert new.runner("network_copy")()["changed"]
        for host in hosts:
            assert host.stop() == 0
            host.join("--etcd-api=v3")
            assert fleet.know_each_other()
        assert [host.subnet for host in hosts] == subnets
        assert set(new.leases()) == set(subnets)
        for stream in streams:
            sent, missing = lost(stream)
            assert sent and not missing, f"{missing} of {sent} lost"
    finally:
        old.close()
        new.close()
