# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""network_config and network_config_info on a real etcd, over both APIs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.agent_network import Network
from support.module_runner import ModuleNetwork
from support.wireguard import random_key

VXLAN: dict[str, Any] = {"network": "10.5.0.0/16", "backend": {"Type": "vxlan"}}
TEXT = '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}'
VTEP = '"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0e:00:00:00:00:01"}'
LEASE = f'{{"PublicIP":"192.0.2.7","PublicIPv6":null,{VTEP}}}'


def test_a_config_is_created_once_and_removed_once(overlay: ModuleNetwork) -> None:
    run = overlay.runner("network_config")
    predicted = run(check=True, **VXLAN)
    assert predicted["changed"] and overlay.value("config") is None
    created = run(**VXLAN)
    assert created["changed"] and overlay.value("config") == TEXT
    assert created["diff"] == predicted["diff"]
    assert created["diff"]["before"] == "" and json.loads(created["diff"]["after"]) == json.loads(TEXT)
    assert created["path"] == overlay.key("config") and created["api"] == overlay.api
    assert created["revision"] == overlay.item("config").revision
    assert created["config"] == {
        "network": "10.5.0.0/16",
        "subnet_len": 24,
        "subnet_min": "10.5.1.0",
        "subnet_max": "10.5.255.0",
        "capacity": 255,
        "backend": {
            "type": "vxlan",
            "vni": 1,
            "port": 8472,
            "mtu": None,
            "gbp": False,
            "learning": False,
            "direct_routing": False,
        },
    }
    for check in (False, True):
        again = run(check=check, **VXLAN)
        assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"]
        assert again["revision"] == created["revision"]
    assert not run(**{**VXLAN, "network": "10.5.0.1/16"})["changed"]
    gone = run(check=True, state="absent")
    assert gone["changed"] and gone["diff"]["after"] == "" and overlay.value("config") == TEXT
    assert run(state="absent")["changed"] and overlay.value("config") is None
    assert not run(state="absent")["changed"] and not run(check=True, state="absent")["changed"]


def test_the_diff_lists_losses_before_the_change(overlay: ModuleNetwork) -> None:
    run = overlay.runner("network_config")
    run(network="10.5.0.0/16", backend={"Type": "host-gw"})
    overlay.lease("10.5.7.0/24", "192.0.2.7")
    predicted = run(check=True, force=True, **VXLAN)
    assert "# the MTU of containers becomes 50 bytes smaller (1500 -> 1450" in predicted["diff"]["after"]
    assert predicted["change"]["losses"][0] in predicted["diff"]["after"]
    assert "#" not in run(force=True, **{**VXLAN, "backend": {"Type": "alloc"}})["diff"]["after"]


def test_a_config_is_changed_in_place_as_check_mode_announced(overlay: ModuleNetwork) -> None:
    run = overlay.runner("network_config")
    run(**VXLAN)
    wanted = {**VXLAN, "subnet_len": 26, "subnet_min": "10.5.7.64", "subnet_max": "10.5.9.0"}
    predicted = run(check=True, **wanted)
    assert predicted["changed"] and overlay.value("config") == TEXT
    changed = run(**wanted)
    assert changed["diff"] == predicted["diff"] and changed["config"] == predicted["config"]
    assert json.loads(changed["diff"]["before"]) == json.loads(TEXT)
    assert overlay.value("config") == (
        '{"Network": "10.5.0.0/16", "SubnetLen": 26, "SubnetMin": "10.5.7.64", "SubnetMax": "10.5.9.0", '
        '"Backend": {"Type": "vxlan"}}'
    )
    assert not run(**wanted)["changed"]
    assert run(**VXLAN)["changed"] and overlay.value("config") == TEXT


def test_an_equivalent_config_is_left_unchanged_byte_for_byte(overlay: ModuleNetwork) -> None:
    text = '{ "NetWork":"10.5.0.0/16","subnetlen":24, "SubnetMin":"10.5.1.0","Backend":{"type":"VXLAN","Port":8472}}'
    overlay.put("config", text)
    assert not overlay.runner("network_config")(**VXLAN)["changed"]
    assert overlay.value("config") == text


@pytest.mark.parametrize("stored", ['{"Network": "10.5.0.0/16"}', '{"Network": "10.5.0.0/16", "Backend": null}'])
def test_a_config_without_backend_is_udp_and_can_be_replaced(overlay: ModuleNetwork, stored: str) -> None:
    run = overlay.runner("network_config")
    overlay.put("config", stored)
    assert not run(network="10.5.0.0/16", backend={"Type": "udp"})["changed"]
    assert overlay.value("config") == stored
    assert run(**VXLAN)["changed"] and overlay.value("config") == TEXT


def test_keys_without_an_option_are_kept(overlay: ModuleNetwork) -> None:
    overlay.put("config", '{"EnableNFTables": true, "network": "10.6.0.0/16", "Backend": {"Type": "host-gw"}}')
    assert overlay.runner("network_config")(**VXLAN)["changed"]
    assert json.loads(overlay.item("config").value) == {**json.loads(TEXT), "EnableNFTables": True}


@pytest.mark.parametrize("text", ["not JSON", "null", "[]", "{}", '{"Network": "10.5.0.0/99"}'])
def test_an_invalid_config_is_reported_and_replaced(overlay: ModuleNetwork, text: str) -> None:
    overlay.put("config", text)
    info = overlay.runner("network_config_info")()
    assert info["exists"] and info["raw"] == text and info["config"] == {} and len(info["problems"]) == 1
    assert overlay.runner("network_config")(**VXLAN)["changed"]
    assert overlay.value("config") == TEXT
    assert overlay.runner("network_config_info")()["problems"] == []


def test_a_dual_stack_config_is_not_turned_into_something_unusable(overlay: ModuleNetwork) -> None:
    text = '{"Network": "10.5.0.0/16", "EnableIPv6": true, "IPv6Network": "fd00::/48", "Backend": {"Type": "vxlan"}}'
    overlay.put("config", text)
    failed = overlay.runner("network_config")(fails=True, **VXLAN)
    assert "also has EnableIPv6, IPv6Network: " in failed["msg"]
    assert "remove the config with state=absent first" in failed["msg"]
    assert overlay.value("config") == text


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"network": "10.6.0.0/16"}, "subnet 10.5.7.0/24 is not a part of Network 10.6.0.0/16"),
        ({"subnet_len": 25}, "lease 10.5.7.0-24 of 192.0.2.7: it is not a /25"),
        ({"subnet_min": "10.5.8.0"}, "lease 10.5.7.0-24 of 192.0.2.7: it is not a /24 from subnet_min 10.5.8.0/24"),
        ({"backend": {"Type": "host-gw"}}, "lease 10.5.7.0-24 of 192.0.2.7: its backend is vxlan"),
        (
            {"backend": {"Type": "udp"}},
            "not udp; overlayd uses the new config at once, but flanneld has no route to hosts with",
        ),
        ({"backend": {"Type": "vxlan", "VNI": 9}}, "lease 10.5.7.0-24 of 192.0.2.7: its host uses VNI 1"),
        (
            {"backend": {"Type": "vxlan", "Port": 4789}},
            "instead of VNI 1 and Port 4789; overlayd uses the new config at once, flanneld only after its restart",
        ),
    ],
)
def test_a_change_that_breaks_a_lease_in_use_requires_force(
    overlay: ModuleNetwork, options: dict[str, Any], reason: str
) -> None:
    run = overlay.runner("network_config")
    overlay.put("config", TEXT)
    overlay.put("subnets/10.5.7.0-24", LEASE, ttl=600)
    for check in (True, False):
        failed = run(fails=True, check=check, **{**VXLAN, **options})
        assert reason in failed["msg"] and "force=true" in failed["msg"]
        assert overlay.value("config") == TEXT
    assert run(force=True, **{**VXLAN, **options})["changed"]
    assert overlay.value("config") != TEXT
    assert not run(**{**VXLAN, **options})["changed"]


def test_a_change_that_breaks_no_lease_needs_no_force(overlay: ModuleNetwork) -> None:
    overlay.put("config", TEXT)
    overlay.put("subnets/10.5.7.0-24", LEASE, ttl=600)
    overlay.put("subnets/garbage", "garbage")
    backend = {"Type": "vxlan", "DirectRouting": True, "MTU": 1400}
    assert overlay.runner("network_config")(network="10.0.0.0/8", subnet_len=24, backend=backend)["changed"]


def test_the_effects_of_a_change_on_the_hosts_with_leases_are_returned(overlay: ModuleNetwork) -> None:
    run = overlay.runner("network_config")
    overlay.put("config", TEXT)
    overlay.put("subnets/10.5.7.0-24", LEASE, ttl=600)
    assert run(**VXLAN)["change"] == {}
    assert run(check=True, force=True, **{**VXLAN, "network": "10.6.0.0/16"})["change"] == {
        "settings": [["network", "10.5.0.0/16", "10.6.0.0/16"]],
        "hosts": ["192.0.2.7"],
        "moved": ["192.0.2.7"],
        "new_mtu": [],
        "disrupts": True,
        "losses": [],
    }


def test_removal_while_leases_exist_requires_force(overlay: ModuleNetwork) -> None:
    run = overlay.runner("network_config")
    overlay.put("config", TEXT)
    overlay.put("subnets/10.5.7.0-24", LEASE, ttl=600)
    overlay.put("subnets/10.5.8.0-24", LEASE.replace("192.0.2.7", "192.0.2.8"))
    for check in (True, False):
        failed = run(fails=True, check=check, state="absent")
        assert "live lease 10.5.7.0-24 of 192.0.2.7; reservation 10.5.8.0-24 of 192.0.2.8" in failed["msg"]
        assert overlay.value("config") == TEXT
    assert run(state="absent", force=True)["changed"] and overlay.value("config") is None
    assert overlay.value("subnets/10.5.7.0-24") == LEASE


def test_a_missing_config_is_an_empty_result(overlay: ModuleNetwork) -> None:
    info = overlay.runner("network_config_info")()
    assert not info["changed"] and not info["exists"]
    assert (info["config"], info["raw"], info["revision"], info["problems"]) == ({}, "", None, [])
    assert info["path"] == overlay.key("config")


def test_a_config_is_read_with_its_defaults(overlay: ModuleNetwork) -> None:
    text = '{"network": "10.5.0.0/22", "backend": {"type": "host-gw"}}'
    item = overlay.put("config", text)
    info = overlay.runner("network_config_info")(check=True)
    assert info["exists"] and info["raw"] == text and info["revision"] == item.revision and info["api"] == overlay.api
    assert info["config"] == {
        "network": "10.5.0.0/22",
        "subnet_len": 24,
        "subnet_min": "10.5.1.0",
        "subnet_max": "10.5.3.0",
        "capacity": 3,
        "backend": {"type": "host-gw"},
    }


def test_a_config_in_the_store_of_the_other_api_is_a_warning(overlay: ModuleNetwork) -> None:
    other = "v2" if overlay.api == "v3" else "v3"
    beside = Network(overlay.endpoint, other, overlay.prefix)
    beside.put("config", TEXT)
    beside.close()
    sentence = f"the key {overlay.key('config')} exists in etcd's {other} store, but the {overlay.api} API is used"
    (problem,) = overlay.runner("network_config_info")()["problems"]
    assert problem.startswith(sentence)
    (warning,) = overlay.runner("network_config")(**VXLAN)["warnings"]
    assert sentence in json.dumps(warning)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"network": "10.5.0.0/16"}, "state is present but all of the following are missing: backend"),
        ({**VXLAN, "backend": {"Type": "ipsec"}}, "backend.Type 'ipsec' is a backend of flannel that is not supported"),
        ({**VXLAN, "backend": {"Type": "vxlan", "Vnid": 1}}, "backend.Vnid is not a known key"),
        ({**VXLAN, "network": "10.5.0.0/29"}, "network is too small"),
        (
            {**VXLAN, "subnet_min": "10.5.9.0", "subnet_max": "10.5.8.0"},
            "subnet_min 10.5.9.0 is above subnet_max 10.5.8.0",
        ),
        ({**VXLAN, "endpoints": ["127.0.0.1"]}, "etcd endpoint '127.0.0.1' is not of the form"),
        ({**VXLAN, "endpoints": ["http://127.0.0.1:1"]}, "no etcd endpoint can be used: http://127.0.0.1:1"),
        ({**VXLAN, "ca_file": "/nonexistent/ca.pem", "endpoints": ["https://127.0.0.1:1"]}, "/nonexistent/ca.pem"),
    ],
)
def test_bad_input_is_one_clear_error_and_writes_nothing(
    overlay: ModuleNetwork, options: dict[str, Any], message: str
) -> None:
    assert message in overlay.runner("network_config")(fails=True, **options)["msg"]
    assert overlay.value("config") is None


def test_a_password_is_never_shown(overlay: ModuleNetwork) -> None:
    output = overlay.runner("network_config_info").raw(username="root", password="hunter2-secret")
    assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in output and "hunter2" not in output


def test_a_pre_shared_key_is_written_and_never_shown(overlay: ModuleNetwork) -> None:
    run, look = overlay.runner("network_config"), overlay.runner("network_config_info")
    keys = [random_key() for _attempt in range(3)]
    encrypted: dict[str, Any] = {"network": "10.5.0.0/16", "backend": {"Type": "WireGuard", "ListenPort": "4000"}}
    shown = [run.raw(psk=keys[0], **encrypted)]
    assert json.loads(overlay.item("config").value)["Backend"] == {
        "Type": "WireGuard",
        "ListenPort": 4000,
        "PSK": keys[0],
    }
    shown.append(run.raw(psk=keys[0], **encrypted))
    assert not json.loads(shown[-1])["changed"]
    overlay.lease("10.5.7.0/24", "192.0.2.7", BackendType="wireguard")
    shown.append(run.raw(psk=keys[1], force=True, **encrypted))
    changed = json.loads(shown[-1])
    assert changed["changed"]
    assert ["backend.PSK", "(hidden)", "another (hidden)"] in changed["change"]["settings"]
    shown.append(look.raw())
    assert json.loads(shown[-1])["config"]["backend"]["psk"] == "(hidden)"
    overlay.put("config", overlay.item("config").value[:-1])
    shown.append(look.raw())
    shown.append(run.raw(state="absent", force=True))
    backend = {"Type": "wireguard", "psk": keys[2]}
    refused = run(fails=True, network="10.5.0.0/16", backend=backend)
    assert refused["msg"] == "backend must not contain PSK, because logs show it; set psk instead"
    assert keys[2] not in json.dumps(refused)
    wrong = run.raw(psk=keys[2][:-2], **encrypted)
    assert "psk (not shown) is not a WireGuard key: it has 42 characters instead of 44" in wrong
    assert keys[2][:-2] not in wrong.partition('"invocation"')[0]
    for key in keys[:2]:
        assert not any(key in text for text in shown)


@pytest.mark.parametrize(
    "config",
    [
        {"PSK": "KEY", "Backend": {"Type": "wireguard"}},
        {"backend": {"Type": "vxlan"}, "Backend": {"Type": "wireguard", "PSK": "KEY"}},
        {"Backend": {"Type": "wireguard", "x": {"PSK": "KEY"}}},
        {"Backend": {"Type": {"PSK": "KEY"}}},
        {"Backend": {"Type": "wireguard", "PreSharedKey": "KEY"}},
        {"Backend": ["wireguard", "KEY"]},
    ],
)
def test_a_pre_shared_key_in_a_wrong_place_is_not_shown(overlay: ModuleNetwork, config: dict[str, Any]) -> None:
    key = random_key()
    overlay.put("config", json.dumps({"Network": "10.5.0.0/16", **config}).replace("KEY", key))
    assert key not in overlay.runner("network_config_info").raw()
    assert key not in overlay.runner("network_config").raw(check=True, force=True, **VXLAN)


def test_a_psk_is_ignored_for_another_backend(overlay: ModuleNetwork) -> None:
    overlay.runner("network_config")(psk=random_key(), **VXLAN)
    assert overlay.value("config") == TEXT
