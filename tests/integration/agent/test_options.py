# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of overlayd: flags and environment variables, and invalid ones as one line with exit code 1."""

from __future__ import annotations

import re
import signal

import pytest
from support.agent_fleet import Fleet
from support.agent_host import Host, until
from support.agent_network import Network
from support.etcd_server import EtcdServer

REFUSED = {
    "an unknown flag": (["--frobnicate=1"], {}, "unknown argument: --frobnicate=1"),
    "a margin of 0": (["--subnet-lease-renew-margin=0"], {}, "margin 0 is out of range; use 1 to 1439 minutes"),
    "a margin of a day": (["-subnet-lease-renew-margin", "1440"], {}, "margin 1440 is out of range"),
    "a margin in words": (["--subnet-lease-renew-margin=soon"], {}, "subnet-lease-renew-margin.*'soon'"),
    "a margin in the environment": ([], {"FLANNELD_SUBNET_LEASE_RENEW_MARGIN": "0"}, "margin 0 is out of range"),
    "a port too large": (["--healthz-port=65536"], {}, "--healthz-port 65536 is not a TCP port"),
    "a bad switch": (["--ip-masq=perhaps"], {}, "ip-masq.*'perhaps' is neither true nor false"),
    "a certificate alone": (["--etcd-certfile=/x"], {}, "only one of --etcd-certfile and --etcd-keyfile is set"),
    "an API nobody speaks": (["--etcd-api=v4"], {}, "--etcd-api 'v4' is unknown; use auto, v2 or v3"),
    "an endpoint that is none": (["--etcd-endpoints=nowhere"], {}, "etcd endpoint 'nowhere' is not of the form"),
    "no endpoint": (["--etcd-endpoints="], {}, "no etcd endpoint is set"),
    "a password without a user": ([], {"FLANNELD_ETCD_PASSWORD": "x"}, "etcd password is set without a username"),
    "release without remove": (["--release"], {}, "--release requires --remove"),
    "Kubernetes": (
        [],
        {"FLANNELD_KUBE_SUBNET_MGR": "true"},
        "FLANNELD_KUBE_SUBNET_MGR. is set: ",
    ),
    "half Kubernetes": (
        [],
        {"FLANNELD_KUBE_SUBNET_MGR": "perhaps"},
        "FLANNELD_KUBE_SUBNET_MGR. is set: ",
    ),
    "an interface that is not there": (
        ["--iface=eth7"],
        {},
        "Failed to find interface to use that matches the interfaces and/or regexes provided: --iface=eth7; "
        r"usable interfaces: eth0 \(192.0.2.11/24\)",
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
def test_options_that_cannot_work_are_one_line_and_exit_code_1(
    host: Host, flags: list[str], environment: dict[str, str], complaint: str
) -> None:
    defaults = [] if any("state-dir" in flag for flag in flags) else [f"--state-dir={host.state}"]
    done = host.run_raw(*defaults, *flags, environment=environment)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert re.search(complaint, done.stderr), done.stderr


def test_version_prints_the_version_and_does_nothing_else(host: Host) -> None:
    for flag in ("--version", "-version"):
        done = host.run_raw(flag)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("overlayd ")


def test_environment_variables_set_flags_and_the_command_line_has_precedence(host: Host, network: Network) -> None:
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


@pytest.mark.parametrize("api", ["v2", "v3"])
def test_a_prefix_without_a_slash_is_the_key_that_flanneld_reads(
    fleet: Fleet, shared_etcd: EtcdServer, api: str
) -> None:
    network = Network(shared_etcd.endpoint, api)
    given = network.prefix.lstrip("/")
    if api == "v3":
        network.prefix = given
    network.configure()
    (host,) = fleet(1)
    host.prefix = given
    host.join(f"--etcd-api={api}")
    assert list(network.leases()) == [host.subnet]
    network.lease("10.50.201.0/24", "192.0.2.201", "0e:00:00:00:00:c9")
    until(lambda: "10.50.201.0/24" in host.routes(), "the peer")
    assert host.run("--dry-run", f"--etcd-api={api}").stdout.startswith("# holds lease")
    host.stop()
    assert host.run("--remove", "--release", f"--etcd-api={api}").returncode == 0
    assert list(network.leases()) == ["10.50.201.0/24"]
    network.close()


def test_a_prefix_without_its_slash_is_named_in_the_error(host: Host, network: Network) -> None:
    network.configure()
    host.prefix = network.prefix.lstrip("/")
    host.start("--etcd-api=v3")
    host.wait_said(f"no network config at {host.prefix}/config, but one exists at {network.prefix}/config; set ")


def test_a_unit_of_flanneld_starts_with_all_its_flags(host: Host, network: Network) -> None:
    network.configure()
    words = ["-iface=", "-iface=eth0", "-public-ipv6=", "-kube-subnet-mgr=false", "-logtostderr", "-vmodule=x=2"]
    host.start_raw(*(word for word in host.flags(*words, "-iptables-resync=0") if word != "--iface=eth0"))
    host.wait_ready()
    assert host.said("ignored flags of flanneld.*: logtostderr, vmodule\n") == 1


def test_user_signals_do_not_end_the_daemon(host: Host, network: Network) -> None:
    network.configure()
    host.join()
    host.send(signal.SIGUSR1)
    host.send(signal.SIGUSR2)
    network.lease("10.50.201.0/24", "192.0.2.201", "0e:00:00:00:00:c9")
    until(lambda: "10.50.201.0/24" in host.routes(), "the peer")
    assert host.stop() == 0


def test_help_is_printed_with_exit_code_0(host: Host) -> None:
    done = host.run_raw("-help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--ip-blackhole-route" in done.stdout
