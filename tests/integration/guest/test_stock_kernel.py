# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Debian's stock kernel loads the device kinds of the backends by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.kernel_module import without_module
from support.module_runner import Runner
from support.netns import Namespace


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """An empty network namespace."""
    made = Namespace()
    yield made
    made.close()


@pytest.mark.parametrize(
    "kind", ["vxlan id 1 dstport 8472", "ipip local 192.0.2.11", "wireguard"], ids=lambda words: words.split()[0]
)
def test_the_kernel_creates_the_device_of_a_backend(namespace: Namespace, kind: str) -> None:
    namespace.command("ip", "link", "add", "tunnel", "type", *kind.split())
    assert kind.split()[0] in namespace.command("ip", "-details", "link", "show", "dev", "tunnel")


def test_the_module_overlayd_info_finds_ipip_in_the_kernel_and_notices_its_absence(namespace: Namespace) -> None:
    overlayd_info = Runner("overlayd_info", {}, namespace)
    assert overlayd_info(backend="ipip")["backend_error"] == ""
    with without_module("ipip"):
        assert "Unknown device type" in overlayd_info(backend="ipip")["backend_error"]
