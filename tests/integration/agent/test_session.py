# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A kernel that does not answer is a problem that is reported and retried; the agent does not end."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.session import Session
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.status import Status
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.reach import reach
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.dataplane import Dataplane
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.firewall.rules import Firewall
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.underlay import choose_underlay
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Item, Put
from support.netns import Lan, Namespace

CONFIG = NetworkConfig.parse('{"Network": "10.50.0.0/16", "Backend": {"Type": "host-gw"}}')
OWN = Subnet.parse("10.50.1.0/24")
PEER = Put(Item("10.50.2.0-24", json.dumps({"PublicIP": "192.0.2.12", "BackendType": "host-gw"}), 1))


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    lan = Lan(1)
    yield lan.hosts[0]
    lan.close()


def test_a_lost_netlink_socket_is_a_problem_and_does_not_end_the_agent(namespace: Namespace) -> None:
    underlay, _unused = namespace.run(lambda: choose_underlay(["eth0"], [], "", ""))
    dataplane, status = namespace.run(Dataplane), Status()
    backend = reach(CONFIG, underlay, OWN, None, dataplane)
    firewall = Firewall(CONFIG.network, OWN, ip_masq=False, forward_rules=False)
    session = Session(CONFIG, OWN, backend, dataplane, firewall, status)
    assert session.reconcile()
    dataplane.close()
    assert not session.follow([PEER])
    assert status.troubles["kernel"] == ("netlink: [Errno 9] Bad file descriptor",)
    assert not session.reconcile()
    assert status.troubles["kernel"] == ("netlink: [Errno 9] Bad file descriptor",)
