# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role agent: the settings that it writes, and the imports of the agent's package."""

from __future__ import annotations

import ast

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.options import parse_options
from support.agent_role import ROLE, settings_file


def test_an_empty_setting_is_omitted_and_a_zero_is_written() -> None:
    lines = settings_file(agent_public_ip="", agent_verbosity=0, agent_ip_masq=False).splitlines()
    assert lines[0] == "# Ansible managed"
    assert [line for line in lines if "PUBLIC_IP" in line] == []
    assert 'FLANNELD_V="0"' in lines
    assert 'FLANNELD_IP_MASQ="false"' in lines


def test_the_agent_reads_its_settings_as_the_role_wrote_them() -> None:
    text = settings_file(
        agent_etcd_endpoints=["http://192.0.2.10:2379", "http://192.0.2.11:2379"],
        agent_etcd_prefix="/atomic.io/network",
        agent_etcd_api="v2",
        agent_iface=["eth1", "eth0"],
        agent_healthz_port=8080,
        agent_probe_interval=60,
        agent_ip_masq_fully_random=False,
        agent_ip_blackhole_route=True,
        agent_udp_any_source=True,
    )
    settings = dict(line.split("=", 1) for line in text.splitlines()[1:])
    options = parse_options([], {name: value.strip('"') for name, value in settings.items()})
    assert options.endpoints == ("http://192.0.2.10:2379", "http://192.0.2.11:2379")
    assert (options.etcd_prefix, options.etcd_api) == ("/atomic.io/network", "v2")
    assert options.iface == ["eth1", "eth0"]
    assert (options.healthz_ip, options.healthz_port) == ("127.0.0.1", 8080)
    assert (options.probe_interval, options.probe_peers) == (60, 10)
    assert options.udp_any_source
    assert (options.ip_masq, options.ip_masq_fully_random_disable, options.ip_blackhole_route) == (True, True, True)


def test_the_agent_imports_nothing_from_outside_its_package() -> None:
    package = ROLE.parents[1] / "plugins/module_utils/overlay"
    for path in package.rglob("*.py"):
        depth = len(path.relative_to(package).parts)  # so many dots lead out of the package
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= depth, f"{path}:{node.lineno} imports from outside of {package.name}"
                assert node.level or not (node.module or "").startswith("ansible"), f"{path}:{node.lineno}"
