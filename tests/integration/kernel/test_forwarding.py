# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IPv4 forwarding of a host."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.forwarding import forwarding_problem
from support.netns import Namespace


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A host that does not forward."""
    namespace = Namespace()
    namespace.setting("net/ipv4/ip_forward", "0")
    yield namespace
    namespace.close()


def test_disabled_forwarding_is_a_problem_with_a_remedy(host: Namespace) -> None:
    problem = host.run(forwarding_problem)
    assert problem is not None
    assert "sysctl -w net.ipv4.ip_forward=1" in problem


def test_a_host_that_forwards_has_no_problem(host: Namespace) -> None:
    host.setting("net/ipv4/ip_forward", "1")
    assert host.run(forwarding_problem) is None
