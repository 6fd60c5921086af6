# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Invalid data below the prefix is reported once and does no harm; valid leases work at once."""

from __future__ import annotations

import json

import pytest
from support.agent_fleet import Fleet
from support.agent_host import HEALTH, SOON, Host, until
from support.agent_network import Network

PEER, PEER_IP, PEER_MAC = "10.50.201.0/24", "192.0.2.201", "0e:00:00:00:00:c9"


def value(public_ip: object = "192.0.2.66", mac: object = "0e:00:00:00:00:66", **more: object) -> str:
    """Return the value of a lease with further fields."""
    data = {"VNI": 1, "VtepMAC": mac}
    return json.dumps({"PublicIP": public_ip, "PublicIPv6": None, "BackendType": "vxlan", "BackendData": data, **more})


GARBAGE = {
    "10.50.150.0-24": ("not json at all", "lease 10.50.150.0-24: the value is not JSON"),
    "10.50.151.0-24": ("", "lease 10.50.151.0-24: the value is not JSON"),
    "10.50.152.0-24": ("[" * 100_000, "lease 10.50.152.0-24: the value is not JSON"),
    "10.50.153.0-24": ("17", "lease 10.50.153.0-24: the value is not a JSON object"),
    "10.50.154.7-24": (value(), "10.50.154.7-24' has host bits set"),
    "10.99.0.0-24": (value(), "subnet 10.99.0.0/24 is not a part of Network 10.50.0.0/16"),
    "10.50.0.0-16": (value(), "subnet 10.50.0.0/16 is not a part of Network"),
    "0.0.0.0-0": (value(), "subnet 0.0.0.0/0 is not a part of Network"),
    "10.50.155.0-33": (value(), "lease key '10.50.155.0-33'"),
    "10.50.155.0": (value(), "lease key '10.50.155.0' is not a subnet"),
    "somebody\x1b[2J": (value(), r"lease key 'somebody\\x1b\[2J' is not a subnet"),
    f"{PEER.replace('/', '-')}&x": (value(), r"lease key '10.50.201.0-24&x' is not a subnet"),
    f"{PEER.replace('/', '-')}&fd00:12:13::-56": (
        value(),
        "not routed: lease 10.50.201.0-24 has the same subnet; delete",
    ),
    "10.50.156.0-24": (value("10.50.3.3"), "PublicIP 10.50.3.3 lies inside the overlay Network"),
    "10.50.157.0-24": (value("0.0.0.0"), "PublicIP 0.0.0.0 is not the address of a host"),
    "10.50.158.0-24": (value("255.255.255.255"), "PublicIP 255.255.255.255 is not the address of a host"),
    "10.50.159.0-24": (value(None), "lease 10.50.159.0-24: PublicIP None is not an IPv4 address"),
    "10.50.160.0-24": (value("192.0.2.66\ud800"), "lease 10.50.160.0-24: PublicIP"),
    "10.50.161.0-24": (value(mac="66:66"), "lease 10.50.161.0-24: VtepMAC '66:66' is not a MAC"),
    "10.50.162.0-24": (value(mac="ff:ff:ff:ff:ff:ff"), "VtepMAC ff:ff:ff:ff:ff:ff is a group address or zero"),
    "10.50.163.0-24": (value(BackendData={}), "lease 10.50.163.0-24: BackendData has no VtepMAC"),
    "10.50.164.0-24": (value(BackendData=None), "lease 10.50.164.0-24: BackendData has no VtepMAC"),
    "10.50.165.0-24": (value(BackendData=[1]), "lease 10.50.165.0-24: BackendData .* is not a JSON object"),
    "10.50.166.0-24": (value(BackendType=5), "lease 10.50.166.0-24: BackendType 5 is not text"),
    "10.50.167.0-24": (
        value(BackendData={"VNI": [1], "VtepMAC": "0e:00:00:00:00:67"}),
        r"lease 10.50.167.0-24: VNI \[1\] is not a whole number",
    ),
    "10.50.201.128-25": (value(), f"lease 10.50.201.128-25: not routed: it overlaps lease {PEER}; delete one of them"),
    "10.50.200.0-22": (value(), "lease 10.50.200.0-22: not routed: it overlaps lease"),
    "deeper/10.50.168.0-24/x": (value(), "ignored keys: .*/subnets/deeper/"),
}


def test_each_kind_of_invalid_lease_is_reported_once_and_valid_leases_work_at_once(
    host: Host, network: Network
) -> None:
    network.configure()
    network.lease(PEER, PEER_IP, PEER_MAC)
    network.put("subnets/10.50.140.0-24", "garbage before the start")
    host.join(*HEALTH)
    network.delete("subnets/10.50.140.0-24")
    host.wait_said("leases: resolved")
    before = host.dataplane()
    for name, (text, _unused) in GARBAGE.items():
        network.put(f"subnets/{name}", text, 3600)
    network.lease("10.50.202.0/24", "192.0.2.202", "0e:00:00:00:00:ca")
    assert until(lambda: "10.50.202.0/24" in host.routes(), "the good peer") < SOON
    for _unused, complaint in GARBAGE.values():
        host.wait_said(complaint)
    network.delete("subnets/10.50.202.0-24")
    until(
        lambda: host.dataplane() == before, lambda: f"only the good peer:\n{before}\nbut there is\n{host.dataplane()}"
    )
    status, text = host.http("/readyz")
    assert status == 200
    assert text.count("\nleases: ") + text.count("\nkeys: ") == len(GARBAGE)
    for name in GARBAGE:
        network.delete(f"subnets/{name}")
    until(lambda: host.said("leases: resolved") == 2, "the second end of the problem in the log")
    assert host.http("/healthz") == (200, "ok\n")
    assert host.said("ERROR") == len(GARBAGE) + 1
    assert host.dataplane() == before
    assert "\x1b" not in host.log


def test_leases_that_overlap_the_own_subnet_change_nothing(host: Host, network: Network) -> None:
    network.configure(SubnetMin="10.50.100.0", SubnetMax="10.50.100.0")
    host.join()
    assert host.subnet == "10.50.100.0/24"
    before = host.dataplane()
    for name in ("10.50.100.0-25", "10.50.100.64-26", "10.50.96.0-20"):
        network.put(f"subnets/{name}", value(), 3600)
        host.wait_said(f"lease {name}: overlaps this host's own subnet 10.50.100.0/24")
        assert host.dataplane() == before
    network.put("subnets/10.50.200.0-24", value("192.0.2.11", "0e:00:00:00:00:67"), 3600)
    network.put("subnets/10.50.201.0-24", value(mac=host.mac()), 3600)
    host.wait_said(f"VtepMAC {host.mac()} is this host's own")
    assert host.dataplane() == before
    host.stop()
    host.join()
    assert host.subnet == "10.50.100.0/24"
    assert host.dataplane() == before


@pytest.mark.parametrize("public_ip", ["192.0.2.255", "192.0.2.0", "198.51.100.7"])
def test_a_peer_with_an_impossible_gateway_does_not_prevent_readiness(
    host: Host, network: Network, public_ip: str
) -> None:
    network.configure("host-gw")
    network.lease("10.50.150.0/24", public_ip)
    network.lease(PEER, PEER_IP)
    host.join(*HEALTH)
    assert list(host.routes()) == [PEER]
    assert host.http("/readyz")[0] == 200
    assert host.said(f"ERROR lease 10.50.150.0-24: PublicIP {public_ip} ") == 1


def test_a_peer_that_changes_many_times_ends_as_it_was_last_written(fleet: Fleet, network: Network) -> None:
    network.configure()
    (host,) = fleet.joined(1)
    for number in range(60):
        network.lease(PEER, f"192.0.2.{50 + number % 7}", f"0e:00:00:00:00:{number % 5:02x}")
        if number % 3 == 2:
            network.delete("subnets/10.50.201.0-24")
    network.lease(PEER, PEER_IP, PEER_MAC)
    until(lambda: PEER_MAC in host.dataplane() and f"dst {PEER_IP}" in host.dataplane(), "the last word")
    assert host.dataplane().count(" permanent") - host.dataplane().count("PERMANENT") <= 2
    assert "0e:00:00:00:00:0" not in host.dataplane().replace(PEER_MAC, "")


def test_three_hundred_leases_come_and_go_in_a_burst(host: Host, network: Network) -> None:
    network.configure(SubnetLen=26)
    host.join()
    before = host.dataplane()
    names = []
    for number in range(300):
        subnet = f"10.50.{60 + number // 4}.{number % 4 * 64}/26"
        if subnet != host.subnet:
            mac = f"0e:00:00:00:{number // 256:02x}:{number % 256:02x}"
            names.append(network.lease(subnet, f"198.51.{number // 200}.{1 + number % 200}", mac))
    assert (
        until(lambda: len(host.routes()) == len(names), lambda: f"{len(host.routes())} of {len(names)} routes") < SOON
    )
    for name in names:
        network.delete(name)
    assert until(lambda: host.dataplane() == before, "nothing of them") < SOON
    assert host.said("ERROR") == 0
