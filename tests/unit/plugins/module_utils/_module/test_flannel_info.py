# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The settings of flanneld from its unit and its environment files."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._module.flannel_info import (
    command,
    expanded,
    file_variables,
    properties,
    settings,
    variables,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError

SHOWN = """LoadState=loaded
Environment=FLANNELD_IP_MASQ=true "FLANNELD_IFACE=eth1,eth2"
EnvironmentFiles=/nowhere/flanneld (ignore_errors=yes)
ExecStart={ path=/usr/bin/flanneld ; argv[]=/usr/bin/flanneld -etcd-prefix=${PREFIX} $OPTIONS ; pid=0 }
"""


def test_flags_variables_and_their_expansion_are_read() -> None:
    shown = properties(SHOWN)
    environment = {
        **dict(variables(shown)),
        "PREFIX": "/a b",
        "OPTIONS": "-etcd-endpoints=http://h:2379 --subnet-file /run/f/s",
    }
    words = expanded(command(shown), environment)
    assert words == ["-etcd-prefix=/a b", "-etcd-endpoints=http://h:2379", "--subnet-file", "/run/f/s"]
    found = settings(words, environment, "flanneld.service")
    assert (found["etcd_endpoints"], found["etcd_prefix"], found["subnet_file"]) == (
        ["http://h:2379"],
        "/a b",
        "/run/f/s",
    )
    assert (found["ip_masq"], found["iface"], found["has_password"]) == (True, ["eth1", "eth2"], False)


def test_the_variables_of_red_hats_package_are_understood() -> None:
    text = (
        '# Flanneld configuration options\nFLANNEL_ETCD_ENDPOINTS="http://h1:2379,http://h2:2379"\n'
        'FLANNEL_ETCD_PREFIX="/atomic.io/network"\n#FLANNEL_OPTIONS=""\n'
    )
    found = settings([], dict(file_variables(text)), "flanneld.service")
    assert found["etcd_endpoints"] == ["http://h1:2379", "http://h2:2379"]
    assert found["etcd_prefix"] == "/atomic.io/network"


def test_a_password_is_not_returned() -> None:
    environment = {"FLANNELD_ETCD_USERNAME": "flannel", "FLANNELD_ETCD_PASSWORD": "secret"}
    found = settings([], environment, "flanneld.service")
    assert found["has_password"] is True
    assert "secret" not in repr(found)


def test_flanneld_for_kubernetes_is_refused() -> None:
    with pytest.raises(OverlayError, match=r"flanneld.service: --kube-subnet-mgr .* is set: .*; correct the unit"):
        settings(["--kube-subnet-mgr"], {}, "flanneld.service")
