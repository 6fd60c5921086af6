# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""daemon.json: the overlay's keys in it, and nothing else touched or shown."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._docker.daemon_json import (
    foreign_keys,
    managed_part,
    parse_daemon_json,
    render_daemon_json,
    with_options,
    without_options,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError

OPTIONS = {"bip": "10.50.7.1/24", "ip-masq": "false", "mtu": "1450"}
TYPED = {"bip": "10.50.7.1/24", "ip-masq": False, "mtu": 1450}


DIVIDED = {
    **OPTIONS,
    "bip": "10.50.7.1/26",
    "default-address-pool": "base=10.50.7.64/26,size=28 base=10.50.7.128/25,size=28",
    "default-network-opt": "bridge=com.docker.network.driver.mtu=1450",
}
POOLS = [{"base": "10.50.7.64/26", "size": 28}, {"base": "10.50.7.128/25", "size": 28}]
NETWORK_OPTIONS = {"bridge": {"com.docker.network.driver.mtu": "1450"}}


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_a_missing_or_empty_file_has_no_options(text: str | None) -> None:
    assert parse_daemon_json(text, "/etc/docker/daemon.json") == {}


@pytest.mark.parametrize(("text", "reason"), [('{"a": 1,}', "line 1"), ("[1]", "not a JSON object but a list")])
def test_a_file_that_dockerd_would_not_take_is_refused_by_its_path(text: str, reason: str) -> None:
    with pytest.raises(OverlayError, match=rf"/etc/docker/daemon\.json.*{reason}"):
        parse_daemon_json(text, "/etc/docker/daemon.json")


def test_options_have_dockerds_types_and_other_keys_are_not_changed() -> None:
    content = with_options({"mtu": 1500, "debug": True}, OPTIONS)
    assert list(content.items()) == [("mtu", 1450), ("debug", True), ("bip", "10.50.7.1/24"), ("ip-masq", False)]


def test_removing_the_options_keeps_all_other_keys() -> None:
    assert without_options({"debug": True, **TYPED, "allow-direct-routing": True}) == {"debug": True}


def test_a_file_without_keys_is_removed() -> None:
    assert render_daemon_json({}) is None
    assert render_daemon_json({"dns": ["é"]}) == '{\n  "dns": [\n    "é"\n  ]\n}\n'


def test_only_own_keys_are_shown() -> None:
    assert managed_part({"http-proxy": "http://user:secret@192.0.2.1", **TYPED}) == TYPED


def test_a_division_of_the_subnet_is_added_and_removed_again() -> None:
    divided = with_options({"debug": True}, DIVIDED)
    assert divided == {
        "debug": True,
        **TYPED,
        "bip": "10.50.7.1/26",
        "default-address-pools": POOLS,
        "default-network-opts": NETWORK_OPTIONS,
    }
    assert with_options(divided, DIVIDED) == divided
    assert with_options(divided, OPTIONS) == {"debug": True, **TYPED}
    assert without_options(divided) == {"debug": True}


def test_pools_and_network_options_of_others_are_kept() -> None:
    others = {
        "default-address-pools": [{"base": "172.30.0.0/16", "size": 24}],
        "default-network-opts": {"overlay": {"com.docker.network.driver.mtu": "1400"}},
    }
    assert foreign_keys({**TYPED, **others}) == ["default-address-pool", "default-network-opt"]
    assert without_options({**TYPED, **others}) == others
    assert with_options(others, OPTIONS) == {**others, **TYPED}
    mixed = {**with_options({}, DIVIDED), "default-network-opts": others["default-network-opts"]}
    assert without_options(mixed) == {"default-network-opts": others["default-network-opts"]}
