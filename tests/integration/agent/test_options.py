# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd as a process: what it refuses with one line and status 1, and where its settings may come from."""

from __future__ import annotations

import re

import pytest
from agent_host import Host
from agent_network import Network

REFUSED = {
    "an unknown flag": (["--frobnicate=1"], {}, "unrecognized arguments: --frobnicate=1"),
    "a margin of 0": (["--subnet-lease-renew-margin=0"], {}, "margin 0 is out of range; .* from 1 to 1439"),
    "a margin of a day": (["-subnet-lease-renew-margin", "1440"], {}, "margin 1440 is out of range"),
    "a margin in words": (["--subnet-lease-renew-margin=soon"], {}, "subnet-lease-renew-margin.*'soon'"),
    "a margin in the environment": ([], {"FLANNELD_SUBNET_LEASE_RENEW_MARGIN": "0"}, "margin 0 is out of range"),
    "a port too large": (["--healthz-port=65536"], {}, "--healthz-port 65536 is not a TCP port"),
    "a bad switch": (["--ip-masq=perhaps"], {}, "ip-masq.*'perhaps' is neither true nor false"),
    "a certificate alone": (["--etcd-certfile=/x"], {}, "--etcd-certfile and --etcd-keyfile go together"),
    "an API nobody speaks": (["--etcd-api=v4"], {}, "--etcd-api 'v4' is not known; use auto, v2 or v3"),
    "an endpoint that is none": (["--etcd-endpoints=nowhere"], {}, "etcd endpoint 'nowhere' is not of the form"),
    "no endpoint": (["--etcd-endpoints="], {}, "no etcd endpoint is given"),
    "a password without a user": ([], {"FLANNELD_ETCD_PASSWORD": "x"}, "etcd password is given without a username"),
    "release without remove": (["--release"], {}, "--release goes with --remove"),
    "Kubernetes": ([], {"FLANNELD_KUBE_SUBNET_MGR": "true"}, "FLANNELD_KUBE_SUBNET_MGR is for Kubernetes"),
    "half Kubernetes": ([], {"FLANNELD_KUBE_SUBNET_MGR": "perhaps"}, "FLANNELD_KUBE_SUBNET_MGR is for Kubernetes"),
    "an interface that is not there": (
        ["--iface=eth7"],
        {},
        "Failed to find interface to use that matches the interfaces and/or regexes provided: --iface=eth7; "
        r"there are: eth0 \(192.0.2.11/24\)",
    ),
    "a public IP that is none": (["--iface=eth0", "--public-ip=here"], {}, "--public-ip: 'here' is not an IPv4"),
    "a state folder that cannot be": (
        ["--iface=eth0", "--state-dir=/dev/null/x"],
        {},
        "--state-dir /dev/null/x cannot",
    ),
    "a port in use": (
        ["--iface=eth0", "--healthz-ip=192.0.2.250", "--healthz-port=80"],
        {},
        "--healthz-port 80 on 192.0.2.250 cannot be used",
    ),
}


@pytest.mark.parametrize(("flags", "environment", "complaint"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_work_is_one_line_and_status_1(
    host: Host, flags: list[str], environment: dict[str, str], complaint: str
) -> None:
    defaults = [] if any("state-dir" in flag for flag in flags) else [f"--state-dir={host.state}"]
    done = host.run_raw(*defaults, *flags, environment=environment)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert re.search(complaint, done.stderr), done.stderr


def test_the_version_is_told_and_nothing_else_is_done(host: Host) -> None:
    for flag in ("--version", "-version"):
        done = host.run_raw(flag)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("overlayd ")


def test_variables_serve_as_flags_and_the_command_line_wins(host: Host, network: Network) -> None:
    network.configure()
    other = host.folder / "other.env"
    environment = {
        "FLANNELD_ETCD_ENDPOINTS": host.endpoint,
        "FLANNELD_ETCD_PREFIX": network.prefix,
        "FLANNELD_IFACE": "eth9,eth0",
        "FLANNELD_IP_MASQ": "true",
        "FLANNELD_SUBNET_FILE": str(other),
        "FLANNELD_HEALTHZ_PORT": "",
        "FLANNELD_PUBLIC_IP": "",
    }
    words = ["-subnet-file", str(host.subnet_file), f"-state-dir={host.state}", "--iptables-forward-rules=false"]
    host.start_raw(*words, environment=environment)
    host.wait_ready()
    assert host.subnet_env["FLANNEL_IPMASQ"] == "true"
    assert not other.exists()
    assert "FLANNEL-POSTRTG" in host.rules()
    assert "FLANNEL-FWD" not in host.rules()


def test_a_second_agent_for_the_same_network_is_refused(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    done = host.run()
    assert done.returncode == 1
    assert "another overlayd already runs on this host" in done.stderr
