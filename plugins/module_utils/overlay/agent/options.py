# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd's command line: flannel's flags and FLANNELD_ variables, and the few of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..host.identity import HostSettings
from ..host.memory import memory_file
from ..model.network import DEFAULT_PREFIX
from ..model.subnet_env import DEFAULT_SUBNET_FILE
from ..store.schema import normal_prefix
from .flags import TRUTHS, Flag, FlagError, read_flags, truth, whole

VERSION = "1.0.0"
DEFAULT_ENDPOINTS = "http://127.0.0.1:4001,http://127.0.0.1:2379"
DEFAULT_STATE_DIR = "/var/lib/overlayd"


class Secret:
    """Text that no representation, log line or traceback shows."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself, for the one place that sends it."""
        return self._value


class Options:
    """What the operator asked for; names follow the flags, see the table in docs/overlayd.md for each."""

    etcd_endpoints: str
    etcd_prefix: str
    etcd_api: str
    etcd_cafile: str
    etcd_certfile: str
    etcd_keyfile: str
    etcd_username: str
    etcd_password: Secret
    iface: list[str]
    iface_regex: list[str]
    iface_can_reach: str
    public_ip: str
    subnet_file: str
    subnet_lease_renew_margin: int
    ip_masq: bool
    ip_masq_fully_random_disable: bool
    ip_blackhole_route: bool
    iptables_resync: int
    iptables_forward_rules: bool
    healthz_ip: str
    healthz_port: int
    state_dir: str
    v: int
    dry_run: bool
    remove: bool
    release: bool
    version: bool
    kube_subnet_mgr: bool
    ignored: list[str]

    def __init__(self, values: Mapping[str, Any]) -> None:
        vars(self).update(values)

    @property
    def memory_file(self) -> Path:
        """Where the state of this network is kept on the host."""
        return memory_file(self.state_dir, self.etcd_prefix)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The client URLs of etcd."""
        return tuple(part.strip() for part in self.etcd_endpoints.split(",") if part.strip())

    def host_settings(self) -> HostSettings:
        """Return what of the options concerns this host alone."""
        return HostSettings(
            self.iface,
            self.iface_regex,
            self.iface_can_reach,
            self.public_ip,
            Path(self.subnet_file),
            self.memory_file,
            self.endpoints,
        )


def _kubernetes(text: str) -> bool:
    return TRUTHS.get(text.lower(), bool(text))


def _switch(name: str, default: str, text: str) -> Flag:
    return Flag(name, default, text, truth, switch=True)


_FLAGS = (
    Flag("etcd-endpoints", DEFAULT_ENDPOINTS, "comma separated list of etcd endpoints"),
    Flag("etcd-prefix", DEFAULT_PREFIX, "etcd prefix of the network config and the leases"),
    Flag("etcd-cafile", "", "CA that signed etcd's certificate; enough on its own for TLS"),
    Flag("etcd-certfile", "", "client certificate for etcd"),
    Flag("etcd-keyfile", "", "key of the client certificate"),
    Flag("etcd-username", "", "user for etcd's authentication"),
    Flag("etcd-password", "", "password of that user; better given as FLANNELD_ETCD_PASSWORD", Secret),
    Flag("etcd-api", "auto", "auto, v2 or v3"),
    Flag("iface", "", "interface (name or address) to reach other hosts by, the first match wins", repeatable=True),
    Flag("iface-regex", "", "regular expression for the interface, tried on addresses, then on names", repeatable=True),
    Flag("iface-can-reach", "", "take the interface by which this address is reached"),
    Flag("public-ip", "", "address other hosts reach this one by (default the interface's)"),
    Flag("subnet-file", DEFAULT_SUBNET_FILE, "where to write the subnet, the MTU and the masquerading"),
    Flag("subnet-lease-renew-margin", "60", "minutes before its end at which the lease is renewed", whole),
    _switch("ip-masq", "false", "masquerade traffic that leaves the overlay network"),
    _switch("ip-masq-fully-random-disable", "false", "masquerade without random source ports"),
    _switch("ip-blackhole-route", "false", "make subnets of Network that nobody leases unreachable"),
    Flag("iptables-resync", "5", "seconds between two checks of the firewall rules; 0 counts as 1", whole),
    _switch("iptables-forward-rules", "true", "accept forwarded traffic of the overlay network"),
    Flag("healthz-ip", "0.0.0.0", "address for /healthz, /readyz and /metrics"),
    Flag("healthz-port", "0", "port for /healthz, /readyz and /metrics; 0 is off", whole),
    Flag("state-dir", DEFAULT_STATE_DIR, "where the last known state is kept"),
    Flag("v", "0", "log verbosity; 1 also logs each change to the kernel", whole),
    _switch("dry-run", "false", "print what would be changed in the kernel, and change nothing"),
    _switch("remove", "false", "remove all that overlayd made on this host, and exit"),
    _switch("release", "false", "with --remove: give the lease back too"),
    _switch("version", "false", "print the version and exit"),
    Flag(
        "kube-subnet-mgr", "false", "accepted when false: overlayd keeps its leases in etcd", _kubernetes, switch=True
    ),
)
# What units written for flanneld may also hold: logging flags of glog and klog, IPv6, and what Kubernetes alone needs.
_IGNORED_SWITCHES = (
    "logtostderr", "alsologtostderr", "add_dir_header", "one_output", "skip_headers", "skip_log_headers",
    "set-node-network-unavailable",
)  # fmt: skip
_IGNORED_VALUES = (
    "vmodule", "log_backtrace_at", "stderrthreshold", "log_dir", "log_file", "log_file_max_size",
    "public-ipv6", "kube-api-url", "kubeconfig-file", "kube-annotation-prefix", "net-config-path",
)  # fmt: skip
_HELP = ("h", "help")


def parse_options(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Return the options; print one line and exit with status 1 where a flag or a value is wrong.

    A flag on the command line wins over its variable, which wins over the default. Help and version exit with 0.
    """
    if any(word.lstrip("-") in _HELP for word in arguments if word.startswith("-")):
        _leave(0, _help())
    try:
        options = _options(arguments, environment)
        if options.version:
            _leave(0, f"overlayd {VERSION}\n")
        _check(options)
    except FlagError as error:
        _leave(1, f"overlayd: {error}; see overlayd --help\n")
    return options


def _options(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    others = [Flag(name, "", "", switch=name in _IGNORED_SWITCHES) for name in (*_IGNORED_SWITCHES, *_IGNORED_VALUES)]
    values = read_flags([*_FLAGS, *others], arguments, environment)
    values["ignored"] = [flag.name for flag in others if values.pop(flag.attribute)]
    for name in ("iface", "iface_regex"):
        values[name] = [text for text in values[name] if text]  # a unit's template may leave one empty
    values["iptables_resync"] = values["iptables_resync"] or 1
    values["etcd_prefix"] = normal_prefix(values["etcd_prefix"])
    return Options(values)


def _check(options: Options) -> None:
    """Raise FlagError for values that cannot work."""
    if options.kube_subnet_mgr:
        raise FlagError(
            "--kube-subnet-mgr or FLANNELD_KUBE_SUBNET_MGR is for Kubernetes, but overlayd keeps its leases in etcd; "
            "remove it"
        )
    margin, resync = options.subnet_lease_renew_margin, options.iptables_resync
    if not 1 <= margin <= 1439:
        raise FlagError(f"--subnet-lease-renew-margin {margin} is out of range; it is in minutes, from 1 to 1439")
    if resync < 1:
        raise FlagError(f"--iptables-resync {resync} must not be negative (seconds)")
    if options.etcd_api not in ("auto", "v2", "v3"):
        raise FlagError(f"--etcd-api {options.etcd_api!r} is not known; use auto, v2 or v3")
    if not 0 <= options.healthz_port <= 65535:
        raise FlagError(f"--healthz-port {options.healthz_port} is not a TCP port (0 turns it off)")
    if bool(options.etcd_certfile) != bool(options.etcd_keyfile):
        raise FlagError("--etcd-certfile and --etcd-keyfile go together; give both, or a CA alone")
    if options.release and not options.remove:
        raise FlagError("--release goes with --remove")


def _help() -> str:
    ignored = ", ".join((*_IGNORED_SWITCHES, *_IGNORED_VALUES))
    return (
        "usage: overlayd [--FLAG[=VALUE]]...\n\n"
        "Leases a subnet for this host in etcd and keeps the kernel routing to the subnets of all other hosts.\n\n"
        "Each flag may have one dash or two, and = or a space before its value. Each is also a variable: FLANNELD_\n"
        "and its name in upper case, dashes as underscores; a repeatable one holds a comma separated list.\n\n"
        + "".join(flag.help() for flag in _FLAGS)
        + f"  --help\n        print this text and exit\n\nAccepted from flanneld's units and ignored: {ignored}.\n"
    )


def _leave(status: int, text: str) -> NoReturn:
    (sys.stderr if status else sys.stdout).write(text)
    raise SystemExit(status)
