# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""dockerd's options: their file, what counts as given, and what counts as in effect."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._docker.options import (
    check_inherited,
    render_options,
    wants_direct_routing,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.dockerd import (
    Bridge,
    bridge_differences,
    docker_version,
    flag_differences,
    options_of,
    read_flags,
    running_division,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.user_networks import UserNetworks
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.subnet_env import parse_subnet_env

ENV = "FLANNEL_NETWORK=10.50.0.0/16\nFLANNEL_SUBNET=10.50.7.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
OPTIONS = {"bip": "10.50.7.1/24", "ip-masq": "false", "mtu": "1450"}
INDIVIDUAL = 'DOCKER_OPT_BIP="--bip=10.50.7.1/24"\nDOCKER_OPT_IPMASQ="--ip-masq=false"\nDOCKER_OPT_MTU="--mtu=1450"\n'
COMBINED = 'DOCKER_OPTS=" --bip=10.50.7.1/24 --ip-masq=false --mtu=1450"\n'


def test_docker_masquerades_only_where_the_agent_does_not() -> None:
    assert options_of(parse_subnet_env(ENV)) == OPTIONS
    assert options_of(parse_subnet_env(ENV.replace("true", "false")))["ip-masq"] == "true"


def test_a_divided_subnet_has_a_pool_and_new_networks_the_settings_of_docker0() -> None:
    divided = options_of(parse_subnet_env(ENV), networks=UserNetworks(25, 28), network_options=True)
    assert divided == {
        **OPTIONS,
        "bip": "10.50.7.1/25",
        "default-address-pool": "base=10.50.7.128/25,size=28",
        "default-network-opt": "bridge=com.docker.network.driver.mtu=1450",
    }
    words = render_options(divided, "combined", "K").split('"')[1].split()
    assert len(words) == 5
    assert read_flags(words) == divided
    assert (
        flag_differences(divided, OPTIONS)[1]
        == "dockerd runs without --default-address-pool=base=10.50.7.128/25,size=28"
    )
    assert flag_differences(OPTIONS, divided)[1].startswith("dockerd still runs with --default-address-pool=base=10.50")


def test_the_division_of_a_running_dockerd_is_known_by_its_options() -> None:
    env = parse_subnet_env(ENV)
    pools = {"bip": "10.50.7.1/25", "default-address-pool": "base=10.50.7.128/25,size=28"}
    assert running_division(env, pools, {}) == UserNetworks(25, 28)
    assert running_division(env, {}, {"bip": "10.50.7.1/26"}) == UserNetworks(26, 26)
    for flags in ({"bip": "10.50.7.1/24"}, {"bip": "10.50.7.1/25"}, {**pools, "bip": "10.50.9.1/25"}, {}):
        assert running_division(env, flags, {}) is None


def test_masquerading_can_be_left_to_others() -> None:
    assert options_of(parse_subnet_env(ENV), ip_masq=False) == {"bip": "10.50.7.1/24", "mtu": "1450"}


@pytest.mark.parametrize(
    ("mode", "text"), [("individual", INDIVIDUAL), ("combined", COMBINED), ("both", INDIVIDUAL + COMBINED)]
)
def test_the_options_file_has_the_lines_of_mk_docker_opts_in_alphabetical_order(mode: str, text: str) -> None:
    assert render_options(OPTIONS, mode, "DOCKER_OPTS") == text


def test_inherited_options_come_first_under_the_requested_key() -> None:
    text = render_options({"mtu": "1450"}, "combined", "DOCKER_NETWORK_OPTIONS", "--debug")
    assert text == 'DOCKER_NETWORK_OPTIONS="--debug --mtu=1450"\n'


def test_no_subnet_file_means_no_options() -> None:
    assert render_options({}, "both", "DOCKER_OPTS") == 'DOCKER_OPTS=""\n'


def test_inherited_options_that_a_file_cannot_carry_are_refused_with_their_variable() -> None:
    assert check_inherited("  --debug   --dns 192.0.2.1 ", "DOCKER_OPTS") == "--debug --dns 192.0.2.1"
    with pytest.raises(OverlayError, match=r"DOCKER_OPTS.*daemon\.json"):
        check_inherited('--log-opt "tag=a b"', "DOCKER_OPTS")


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (["dockerd", "-H", "fd://", "--bip=10.1.2.1/24", "--mtu", "1400"], {"bip": "10.1.2.1/24", "mtu": "1400"}),
        (["dockerd", "--ip-masq"], {"ip-masq": "true"}),
        (["dockerd", "--ip-masq=F", "--allow-direct-routing=1"], {"ip-masq": "false", "allow-direct-routing": "true"}),
        (["dockerd", "-b", "none"], {"bridge": "none"}),
        (["dockerd", "--bridge=br0", "--mtux=1", ""], {"bridge": "br0"}),
    ],
)
def test_flags_are_read_in_every_way_that_dockerd_takes_them(words: list[str], flags: dict[str, str]) -> None:
    assert read_flags(words) == flags


def test_the_version_is_found_in_the_output_of_dockerd() -> None:
    assert docker_version("Docker version 20.10.24+dfsg1, build 5d6db84") == (20, 10)
    with pytest.raises(OverlayError, match="no version"):
        docker_version("dockerd")


def test_direct_routing_is_allowed_from_docker_28_2_unless_it_is_set_already() -> None:
    assert wants_direct_routing("auto", (28, 2), [])
    assert wants_direct_routing("auto", (29, 0), [])
    assert not wants_direct_routing("auto", (28, 1), [])
    assert not wants_direct_routing("auto", (28, 2), ["allow-direct-routing"])
    assert not wants_direct_routing("never", (29, 0), [])
    with pytest.raises(OverlayError, match=r"Docker 28\.1 has no flag"):
        wants_direct_routing("always", (28, 1), [])


def test_each_missing_different_or_unwanted_flag_of_dockerd_is_reported() -> None:
    running = {"bip": "172.17.0.1/16", "ip-masq": "false"}
    assert flag_differences({"bip": "10.50.7.1/24", "mtu": "1450"}, running) == [
        "dockerd runs with --bip=172.17.0.1/16, not --bip=10.50.7.1/24",
        "dockerd still runs with --ip-masq=false",
        "dockerd runs without --mtu=1450",
    ]
    assert flag_differences(OPTIONS, OPTIONS) == []


def test_a_bridge_that_kept_its_old_address_is_reported() -> None:
    assert bridge_differences(OPTIONS, Bridge("172.17.0.1/16", 1450, False)) == [
        "docker0 has the address 172.17.0.1/16, not 10.50.7.1/24"
    ]
    assert bridge_differences(OPTIONS, Bridge("10.50.7.1/24", 1500, True)) == [
        "docker0 has ip-masq true, not false",
        "docker0 has the MTU 1500, not 1450, so packets of its containers of more than 1450 bytes to other hosts are "
        "lost unless path MTU discovery works",
    ]


def test_an_unknown_bridge_requires_no_restart() -> None:
    assert bridge_differences(OPTIONS, Bridge(None, None, None)) == []
