# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IPv4 forwarding, read and switched on in a namespace of its own."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.forwarding import (
    enable_forwarding,
    forwarding_problem,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import KernelError
from netns import Namespace, can_make_namespaces

pytestmark = pytest.mark.skipif(not can_make_namespaces(), reason="network namespaces need root")


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A host that does not forward."""
    namespace = Namespace()
    namespace.setting("net/ipv4/ip_forward", "0")
    yield namespace
    namespace.close()


def test_a_host_that_does_not_forward_is_told_how_to(host: Namespace) -> None:
    problem = host.run(forwarding_problem)
    assert problem is not None
    assert "sysctl -w net.ipv4.ip_forward=1" in problem


def test_switching_it_on_solves_the_problem_once(host: Namespace) -> None:
    assert host.run(enable_forwarding) is True
    assert host.run(forwarding_problem) is None
    assert host.run(enable_forwarding) is False


def test_where_settings_are_read_only_the_error_names_the_way_out(host: Namespace) -> None:
    host.run(_mount_settings_read_only)
    with pytest.raises(KernelError, match=r"sysctl -w net\.ipv4\.ip_forward=1.*Read-only file system"):
        host.run(enable_forwarding)


def _mount_settings_read_only() -> None:
    """Give the thread of the namespace its own mounts, and remount /proc/sys read-only in those, as containers have."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_mounts, files = 0x00020000, 0x00000200
    bind, private_recursive, remount_read_only = 4096, 0x44000, 4096 | 32 | 1
    for done in (
        libc.unshare(files | new_mounts),
        libc.mount(b"none", b"/", None, private_recursive, None),
        libc.mount(b"/proc/sys", b"/proc/sys", None, bind, None),
        libc.mount(b"none", b"/proc/sys", None, remount_read_only, None),
    ):
        if done:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
