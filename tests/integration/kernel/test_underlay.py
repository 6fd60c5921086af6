# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The choice of the underlay interface on a host with several interfaces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.underlay import choose_underlay
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, format_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import KernelError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.underlay import Underlay
from support.netns import Namespace

NOT_FOUND = "^Failed to find interface to use that matches the interfaces and/or regexes provided"


@pytest.fixture
def host() -> Iterator[Namespace]:
    """eth0 with two addresses and the default route, eth1 with MTU 9000, eth2 without an address, eth3 down."""
    namespace = Namespace()
    for name, state in (("eth0", "up"), ("eth1", "up"), ("eth2", "up"), ("eth3", "down")):
        namespace.command("ip", "link", "add", name, "type", "bridge")
        namespace.command("ip", "link", "set", name, state)
    namespace.command("ip", "link", "set", "eth1", "mtu", "9000")
    for address, device in (
        ("192.0.2.10/24", "eth0"),
        ("203.0.113.10/28", "eth0"),
        ("198.51.100.10/25", "eth1"),
        ("10.9.0.1/24", "eth3"),
    ):
        namespace.command("ip", "address", "add", address, "dev", device)
    namespace.command("ip", "route", "add", "default", "via", "192.0.2.1")
    yield namespace
    namespace.close()


def choose(
    host: Namespace, iface: str = "", regex: str = "", reach: str = "", public: str = ""
) -> tuple[Underlay, str]:
    """The choice for space separated names and expressions, the public address as text."""
    underlay, address = host.run(choose_underlay, iface.split(), regex.split(), reach, public)
    return underlay, format_ipv4(address)


def chosen(host: Namespace, **asked: str) -> tuple[str, str]:
    """The name of the chosen interface and the public address."""
    underlay, address = choose(host, **asked)
    return underlay.name, address


def test_without_options_the_underlay_is_the_interface_of_the_default_route(host: Namespace) -> None:
    underlay, address = choose(host)
    assert (underlay.name, underlay.mtu, format_ipv4(underlay.address), address) == (
        "eth0",
        1500,
        "192.0.2.10",
        "192.0.2.10",
    )
    assert underlay.networks == (Subnet.parse("192.0.2.0/24"), Subnet.parse("203.0.113.0/28"))


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"iface": "eth1"}, ("eth1", "198.51.100.10")),
        ({"iface": "198.51.100.10"}, ("eth1", "198.51.100.10")),
        ({"iface": "203.0.113.10"}, ("eth0", "203.0.113.10")),
        ({"iface": "wlan0 eth1 eth0"}, ("eth1", "198.51.100.10")),
        ({"iface": "eth2 eth3 eth1"}, ("eth1", "198.51.100.10")),
        ({"regex": r"^198\.51\."}, ("eth1", "198.51.100.10")),
        ({"regex": r"^203\.0\."}, ("eth0", "203.0.113.10")),
        ({"regex": "eth1"}, ("eth1", "198.51.100.10")),
        ({"regex": "wlan eth1"}, ("eth1", "198.51.100.10")),
        ({"iface": "eth0", "regex": "eth1"}, ("eth0", "192.0.2.10")),
        ({"iface": "wlan0", "regex": "eth1"}, ("eth1", "198.51.100.10")),
        ({"reach": "198.51.100.99"}, ("eth1", "198.51.100.10")),
        ({"reach": "203.0.113.14"}, ("eth0", "203.0.113.10")),
        ({"reach": "8.8.8.8"}, ("eth0", "192.0.2.10")),
        ({"reach": "198.51.100.10"}, ("eth1", "198.51.100.10")),
        ({"public": "198.51.100.10"}, ("eth1", "198.51.100.10")),
        ({"public": "100.64.7.7"}, ("eth0", "100.64.7.7")),
        ({"iface": "eth1", "public": "100.64.7.7"}, ("eth1", "100.64.7.7")),
    ],
    ids=str,
)
def test_the_underlay_is_the_requested_interface(
    host: Namespace, asked: dict[str, str], answer: tuple[str, str]
) -> None:
    assert chosen(host, **asked) == answer


def test_an_expression_is_tried_on_every_address_before_any_name(host: Namespace) -> None:
    host.command("ip", "link", "add", "if198", "type", "bridge")
    host.command("ip", "address", "add", "10.1.1.1/24", "dev", "if198")
    assert chosen(host, regex="198") == ("eth1", "198.51.100.10")


def test_an_expression_ignores_loopback_and_the_overlays_own_device(host: Namespace) -> None:
    host.command("ip", "address", "add", "10.50.0.1/32", "dev", "lo")
    host.command("ip", "link", "add", "flannel.1", "type", "vxlan", "id", "1", "dstport", "8472")
    host.command("ip", "address", "add", "10.50.7.0/32", "dev", "flannel.1")
    host.command("ip", "link", "set", "flannel.1", "up")
    with pytest.raises(KernelError, match=NOT_FOUND):
        choose(host, regex=r"^10\.50\. ^lo$ ^flannel")


@pytest.mark.parametrize(
    "asked",
    [{"iface": "flannel.1"}, {"iface": "10.50.7.0"}, {"reach": "10.50.9.1"}, {"public": "10.50.7.0"}],
    ids=str,
)
def test_a_tunnel_device_of_the_overlay_is_never_its_underlay(host: Namespace, asked: dict[str, str]) -> None:
    host.command("ip", "link", "add", "flannel.1", "up", "type", "vxlan", "id", "1", "dstport", "8472", "dev", "eth0")
    host.command("ip", "address", "add", "10.50.7.0/32", "dev", "flannel.1")
    host.command("ip", "route", "add", "10.50.9.0/24", "dev", "flannel.1")
    with pytest.raises(KernelError, match=r"interface flannel\.1 is a tunnel device of the overlay, .*set --iface to"):
        choose(host, **asked)
    assert chosen(host, iface="flannel.1 eth1") == ("eth1", "198.51.100.10")


def test_a_global_address_is_chosen_before_a_link_local_one(host: Namespace) -> None:
    host.command("ip", "address", "add", "169.254.7.7/16", "dev", "eth2", "scope", "link")
    assert chosen(host, iface="eth2") == ("eth2", "169.254.7.7")
    host.command("ip", "address", "add", "10.2.2.2/24", "dev", "eth2")
    assert chosen(host, iface="eth2") == ("eth2", "10.2.2.2")


def test_a_permanent_address_is_chosen_before_a_dynamic_one(host: Namespace) -> None:
    host.command("ip", "address", "add", "10.2.2.2/24", "dev", "eth2", "valid_lft", "600", "preferred_lft", "600")
    assert chosen(host, iface="eth2") == ("eth2", "10.2.2.2")
    host.command("ip", "address", "add", "10.2.3.2/24", "dev", "eth2")
    assert chosen(host, iface="eth2") == ("eth2", "10.2.3.2")


def test_a_deprecated_address_is_never_chosen(host: Namespace) -> None:
    host.command("ip", "address", "add", "10.2.2.2/24", "dev", "eth2", "valid_lft", "600", "preferred_lft", "0")
    with pytest.raises(KernelError, match="interface eth2 has no usable IPv4 address"):
        choose(host, iface="eth2")


def test_the_preferred_one_of_two_default_routes_is_followed(host: Namespace) -> None:
    host.command("ip", "route", "add", "default", "via", "198.51.100.1", "metric", "50")
    host.command("ip", "route", "replace", "default", "via", "192.0.2.1", "metric", "100")
    host.command("ip", "route", "delete", "default", "via", "192.0.2.1", "metric", "0")
    assert chosen(host) == ("eth1", "198.51.100.10")


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        (
            {"iface": "wlan0 10.7.7.7"},
            NOT_FOUND + r": --iface=wlan0 --iface=10\.7\.7\.7; usable interfaces: eth0 \(192\.0\.2\.10/24, ",
        ),
        (
            {"regex": "^wlan"},
            NOT_FOUND + r": --iface-regex=\^wlan; usable interfaces: eth0 \([^)]+\), eth1 \([^)]+\)$",
        ),
        ({"regex": "eth["}, r"--iface-regex=eth\[ is not a regular expression"),
        ({"iface": "eth2"}, "interface eth2 has no usable IPv4 address; add an address .*, or set --iface to another"),
        ({"iface": "eth3"}, "interface eth3 is down; bring it up"),
        ({"reach": "10.x"}, "--iface-can-reach: '10.x' is not an IPv4 address"),
        ({"public": "300.1.1.1"}, "--public-ip: '300.1.1.1' is not an IPv4 address"),
    ],
    ids=str,
)
def test_an_unusable_interface_is_refused_with_a_remedy(host: Namespace, asked: dict[str, str], complaint: str) -> None:
    with pytest.raises(KernelError, match=complaint):
        choose(host, **asked)


def test_the_bridges_of_docker_and_their_ports_are_no_usable_interfaces(host: Namespace) -> None:
    host.command("ip", "link", "add", "docker0", "up", "type", "bridge")
    host.command("ip", "address", "add", "172.17.0.1/16", "dev", "docker0")
    host.command("ip", "link", "add", "veth1", "up", "master", "docker0", "type", "veth", "peer", "name", "end1")
    host.command("ip", "link", "add", "flannel.1", "up", "type", "vxlan", "id", "1", "dstport", "8472", "dev", "eth0")
    host.command("ip", "address", "add", "10.5.1.0/32", "dev", "flannel.1")
    with pytest.raises(KernelError, match=r"--iface=eth9; usable interfaces: eth0 \([^)]+\), eth1 \([^)]+\)$"):
        choose(host, iface="eth9")


@pytest.mark.parametrize("asked", [{}, {"reach": "8.8.8.8"}], ids=["default route", "can reach"])
def test_without_a_route_the_error_lists_the_interfaces(host: Namespace, asked: dict[str, str]) -> None:
    host.command("ip", "route", "delete", "default")
    with pytest.raises(KernelError, match=NOT_FOUND + r".*; usable interfaces: eth0 \("):
        choose(host, **asked)
