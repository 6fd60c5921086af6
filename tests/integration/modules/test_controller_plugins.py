# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventory plugin, lookup and event source on a real etcd, run by the programs that their users run."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.api_choice import EtcdConnection, connect
from support.agent_network import Network
from support.etcd_server import EtcdServer
from support.event_source import Get, event_source, option_error
from support.module_runner import ModuleNetwork

ROOT = Path(__file__).resolve().parents[3]
MAC = "0e:00:00:00:00:07"


def run(*words: str, fails: bool = False, **variables: str) -> str:
    """Run a command of Ansible; return what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ETCDCTL_", "ANSIBLE_"))}
    done = subprocess.run(
        [Path(sys.executable).parent / words[0], *words[1:]],
        cwd=ROOT,
        env={**clean, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert bool(done.returncode) is fails, done.stdout + done.stderr
    return done.stdout + done.stderr if fails or "-vvv" in words else done.stdout


@pytest.fixture
def sources(overlay: ModuleNetwork, tmp_path: Path) -> Path:
    """A folder with a static inventory of host web1 at 192.0.2.7 and the source file of the plugin."""
    overlay.configure()
    overlay.lease("10.50.7.0/24", "192.0.2.7", MAC)
    overlay.lease("10.50.9.0/24", "192.0.2.9", ttl=None)
    overlay.put("subnets/10.50.11.0-24", "garbage", 3600)
    (tmp_path / "hosts.ini").write_text("web1 ansible_host=192.0.2.7\n")
    source = {
        "plugin": "clusternet.overlay.leases",
        "endpoints": [overlay.endpoint],
        "api": overlay.api,
        "prefix": overlay.prefix,
        "timeout": 30,
        "keyed_groups": [{"key": "lease_subnet.split('.')[2]", "prefix": "third"}],
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(tmp_path / "cache"),
    }
    (tmp_path / "overlay_leases.yml").write_text(json.dumps(source))
    return tmp_path


def listed(folder: Path, *words: str) -> dict[str, Any]:
    """Return the inventory, read with or without options of ansible-inventory; its text from etcd is marked unsafe."""

    def plain(value: dict[str, Any]) -> Any:
        return value.get("__ansible_unsafe", value)

    printed = run("ansible-inventory", "-i", str(folder), "--list", *words)
    found: dict[str, Any] = json.loads(printed, object_hook=plain)
    return found


def test_hosts_with_a_lease_are_hosts_of_the_inventory(sources: Path, overlay: ModuleNetwork) -> None:
    found = listed(sources)
    assert sorted(found["leases"]["hosts"]) == ["192.0.2.9", "web1"]
    assert found["backend_vxlan"]["hosts"] == found["third_7"]["hosts"] == ["web1"]
    assert found["backend_host_gw"]["hosts"] == found["third_9"]["hosts"] == ["192.0.2.9"]
    variables = found["_meta"]["hostvars"]
    assert variables["web1"]["ansible_host"] == variables["web1"]["lease_public_ip"] == "192.0.2.7"
    assert variables["web1"]["lease_backend_data"] == {"VNI": 1, "VtepMAC": MAC}
    assert 0 < variables["web1"]["lease_ttl"] <= 3600 and not variables["web1"]["lease_reservation"]
    assert variables["192.0.2.9"]["lease_reservation"] and variables["192.0.2.9"]["lease_ttl"] is None


def test_the_inventory_is_cached_until_it_is_flushed(sources: Path, overlay: ModuleNetwork) -> None:
    listed(sources)
    overlay.lease("10.50.12.0/24", "192.0.2.12", ttl=3600)
    assert "192.0.2.12" not in listed(sources)["leases"]["hosts"]
    assert "192.0.2.12" in listed(sources, "--flush-cache")["leases"]["hosts"]


def test_an_inventory_without_etcd_is_one_error_with_the_endpoint(sources: Path) -> None:
    source = sources / "overlay_leases.yml"
    source.write_text(json.dumps({"plugin": "clusternet.overlay.leases", "endpoints": ["http://127.0.0.1:9"]}))
    printed = run(
        "ansible-inventory", "-i", str(source), "--list", fails=True, ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="1"
    )
    assert "the leases cannot be read" in printed and "127.0.0.1:9" in printed


def looked_up(overlay: ModuleNetwork, *terms: str, fails: bool = False, **options: Any) -> str:
    """Return what the debug module printed for a lookup of these terms."""
    where = {"endpoints": [overlay.endpoint], "api": overlay.api, "prefix": overlay.prefix, "timeout": 30, **options}
    call = f"query('clusternet.overlay.subnet', *{list(terms)!r}, **{where!r})"
    words = ("ansible", "localhost", "-m", "ansible.builtin.debug", "-a", json.dumps({"msg": f"{{{{ {call} }}}}"}))
    return run(*words, fails=fails)


def test_the_lookup_returns_the_subnet_of_each_host(overlay: ModuleNetwork) -> None:
    overlay.configure()
    overlay.lease("10.50.7.0/24", "192.0.2.7", MAC)
    overlay.lease("10.50.9.0/24", "192.0.2.9")
    printed = looked_up(overlay, "192.0.2.9", "192.0.2.7", "192.0.2.1", default="none")
    assert printed.index("10.50.9.0/24") < printed.index("10.50.7.0/24") < printed.index("none")
    assert "host 192.0.2.1 has no usable lease" in looked_up(overlay, "192.0.2.1", fails=True)


def rulebook(network: Network, **options: Any) -> AbstractAsyncContextManager[Get]:
    """Run the event source of the leases; return what returns the next event."""
    where = {"endpoints": [network.endpoint], "api": network.api, "prefix": network.prefix, "timeout": 30}
    return event_source("leases", **{**where, **options})


def test_the_event_source_yields_each_change_of_a_lease_once(overlay: ModuleNetwork) -> None:
    overlay.configure()
    overlay.lease("10.50.7.0/24", "192.0.2.7", MAC)

    async def follow() -> None:
        async with rulebook(overlay) as get:
            first = (await get())["lease"]
            assert first["event"] == "added" and first["present"] and first["public_ip"] == "192.0.2.7"
            assert first["subnet"] == "10.50.7.0/24" and first["backend"] == "vxlan" and first["ttl"] is None
            overlay.lease("10.50.9.0/24", "192.0.2.9", ttl=None)
            joined = (await get())["lease"]
            assert joined["event"] == "added" and not joined["present"] and joined["reservation"]
            overlay.lease("10.50.9.0/24", "192.0.2.10", ttl=None)
            assert (await get())["lease"] == {**joined, "event": "changed", "public_ip": "192.0.2.10"}
            overlay.put("subnets/10.50.9.0-24", "garbage")
            broken = (await get())["lease"]
            assert broken["event"] == "changed" and "public_ip" not in broken and "JSON" in broken["problem"]
            overlay.delete("subnets/10.50.7.0-24")
            gone = (await get())["lease"]
            assert gone["event"] == "removed" and gone["public_ip"] == "192.0.2.7"

    asyncio.run(follow())


def test_the_event_source_warns_once_of_a_lease_that_expires(overlay: ModuleNetwork) -> None:
    overlay.configure()
    overlay.lease("10.50.7.0/24", "192.0.2.7", MAC, ttl=300)
    overlay.lease("10.50.9.0/24", "192.0.2.9", ttl=None)

    async def follow() -> None:
        async with rulebook(overlay, expiring=600, expiry_interval=0.2) as get:
            assert [(await get())["lease"]["event"] for _unused in range(2)] == ["added", "added"]
            warning = (await get())["lease"]
            assert warning["event"] == "expiring" and warning["public_ip"] == "192.0.2.7" and 0 < warning["ttl"] <= 300
            overlay.lease("10.50.12.0/24", "192.0.2.12", ttl=None)
            assert (await get())["lease"]["event"] == "added"

    asyncio.run(follow())


@pytest.mark.usefixtures("own_etcd")
def test_the_event_source_reports_an_outage_once_and_then_the_missed_changes(
    etcd: EtcdServer, network: Network
) -> None:
    network.configure()
    network.lease("10.50.7.0/24", "192.0.2.7", MAC)

    async def follow() -> None:
        async with rulebook(network, timeout=2) as get:
            assert (await get())["lease"]["event"] == "added"
            etcd.kill()
            outage = (await get())["etcd"]
            assert outage["event"] == "unreachable" and network.endpoint in outage["reason"]
            etcd.heal()
            assert (await get())["etcd"]["event"] == "reachable"
            network.lease("10.50.9.0/24", "192.0.2.9")
            assert (await get())["lease"]["public_ip"] == "192.0.2.9"

    asyncio.run(follow())


@pytest.mark.usefixtures("own_etcd")
def test_the_event_source_uses_a_password_that_a_template_made_a_number(etcd: EtcdServer, network: Network) -> None:
    network.configure()
    etcd.enable_auth("4711")

    async def follow() -> None:
        async with rulebook(network, username="root", password=4711) as get:
            network.store = connect(EtcdConnection((etcd.endpoint,), api=network.api, username="root", password="4711"))
            network.lease("10.50.7.0/24", "192.0.2.7", MAC)
            assert (await get())["lease"]["public_ip"] == "192.0.2.7"

    asyncio.run(follow())


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("endpoints", 5, "leases: option endpoints: 5 is not a list of URLs"),
        ("timeout", "soon", "leases: option timeout: 'soon' is not a number of seconds"),
        ("expiring", "soon", "leases: option expiring: 'soon' is not a number of seconds"),
        ("endpoint", "http://127.0.0.1:9", "leases: option endpoint: unknown; the options are endpoints, api"),
    ],
)
def test_the_event_source_names_an_option_with_an_invalid_value(option: str, value: object, sentence: str) -> None:
    assert sentence in option_error("leases", {option: value})
