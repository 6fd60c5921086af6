# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd's command line: the flags and FLANNELD_ variables of flannel, and overlayd's own flags."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..host.identity import HostSettings
from ..host.memory import DEFAULT_STATE_DIR, memory_file
from ..model.network import DEFAULT_PREFIX
from ..model.secret import Secret
from ..model.subnet_env import DEFAULT_SUBNET_FILE
from ..store.connection import EtcdConnection
from ..store.schema import normal_prefix
from .flags import TRUTHS, Flag, FlagError, read_flags, truth, whole

VERSION = "1.0.0"
DEFAULT_ENDPOINTS = "http://127.0.0.1:4001,http://127.0.0.1:2379"


class Options:
    """Values of the flags, under the flags' names; docs/overlayd.md describes each flag."""

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
    udp_any_source: bool
    iptables_resync: int
    iptables_forward_rules: bool
    healthz_ip: str
    healthz_port: int
    probe_interval: int
    probe_peers: int
    state_dir: str
    extension_commands: str
    extension_timeout: int
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
        """Path of the memory file of this network."""
        return memory_file(self.state_dir, self.etcd_prefix)

    @property
    def extension_file(self) -> Path:
        """Path of the file of what the extension backend's commands did."""
        return self.memory_file.with_suffix(".extension")

    @property
    def has_commands(self) -> bool:
        """Whether commands of the network config are permitted, or some were run before."""
        return self.extension_commands != "none" or self.extension_file.exists()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The client URLs of etcd."""
        return tuple(part.strip() for part in self.etcd_endpoints.split(",") if part.strip())

    def host_settings(self) -> HostSettings:
        """Return the options that concern only this host."""
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
    Flag("etcd-endpoints", DEFAULT_ENDPOINTS, "URLs of etcd, separated by commas, tried in this order"),
    Flag("etcd-prefix", DEFAULT_PREFIX, "etcd prefix of the network config and the leases"),
    Flag("etcd-cafile", "", "CA of etcd's certificate; without one, the CAs of the system"),
    Flag("etcd-certfile", "", "client certificate for etcd; requires --etcd-keyfile"),
    Flag("etcd-keyfile", "", "key of the client certificate"),
    Flag("etcd-username", "", "user of etcd, if authentication is enabled"),
    Flag("etcd-password", "", "password of the user; set FLANNELD_ETCD_PASSWORD to hide it from ps", Secret),
    Flag("etcd-api", "auto", "API of etcd: v2, v3 or auto; auto uses v3 unless only v2 has a network config"),
    Flag("iface", "", "name or address of the underlay interface; the first match is used", repeatable=True),
    Flag(
        "iface-regex",
        "",
        "regular expression for the underlay interface, matched with addresses, then with names",
        repeatable=True,
    ),
    Flag("iface-can-reach", "", "use the interface of the route to this address"),
    Flag("public-ip", "", "address by which other hosts reach this host; by default the interface's address"),
    Flag("subnet-file", DEFAULT_SUBNET_FILE, "path of the file with subnet and MTU that Docker reads when it starts"),
    Flag("subnet-lease-renew-margin", "60", "minutes before its expiry at which the lease is renewed", whole),
    _switch("ip-masq", "false", "masquerade packets that leave the overlay network"),
    _switch("ip-masq-fully-random-disable", "false", "masquerade without random source ports"),
    _switch("ip-blackhole-route", "false", "make the unleased subnets of Network unreachable"),
    _switch("udp-any-source", "false", "udp backend: accept packets from hosts that have no lease, as flannel does"),
    Flag("iptables-resync", "5", "seconds between two checks of the firewall rules; 0 counts as 1", whole),
    _switch("iptables-forward-rules", "true", "accept forwarded packets of the overlay network"),
    Flag("healthz-ip", "0.0.0.0", "address of /healthz, /readyz and /metrics"),
    Flag("healthz-port", "0", "port of /healthz, /readyz and /metrics; 0 disables them", whole),
    Flag("probe-interval", "0", "seconds between two packets to a peer, for /metrics; 0 disables them", whole),
    Flag("probe-peers", "10", "how many peers are sent such packets at most", whole),
    Flag("state-dir", DEFAULT_STATE_DIR, "folder of the last known state"),
    Flag(
        "extension-commands",
        "none",
        "how commands of the network config are run, as root: none (refuse the backend extension), direct or shell",
    ),
    Flag("extension-timeout", "30", "seconds after which such a command is stopped", whole),
    Flag("v", "0", "log verbosity; 1 also logs each change to the kernel", whole),
    _switch("dry-run", "false", "print the changes that a start would make, as commands; change nothing"),
    _switch("remove", "false", "remove everything that overlayd created on this host, then exit"),
    _switch("release", "false", "with --remove: also delete the lease"),
    _switch("version", "false", "print the version and exit"),
    Flag("kube-subnet-mgr", "false", "must be false: overlayd keeps its leases in etcd only", _kubernetes, switch=True),
)
# Other flags in units of flanneld: logging flags of glog and klog, IPv6, and flags for Kubernetes.
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
    """Return the options; print one line and exit with status 1 if a flag or a value is wrong.

    The command line overrides the variables, which override the defaults. Help and version exit with status 0.
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


def checked_options(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Return the options like ``parse_options``, for another program; raise FlagError if one is wrong."""
    options = _options(arguments, environment)
    _check(options)
    return options


def connection_of(options: Options) -> EtcdConnection:
    """Return the etcd connection of the options; raise StoreError for options that cannot work."""
    return EtcdConnection(
        endpoints=options.endpoints,
        api=options.etcd_api,
        ca_file=options.etcd_cafile,
        cert_file=options.etcd_certfile,
        key_file=options.etcd_keyfile,
        username=options.etcd_username,
        password=options.etcd_password.reveal(),
    )


def _options(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    others = [Flag(name, "", "", switch=name in _IGNORED_SWITCHES) for name in (*_IGNORED_SWITCHES, *_IGNORED_VALUES)]
    values = read_flags([*_FLAGS, *others], arguments, environment)
    values["ignored"] = [flag.name for flag in others if values.pop(flag.attribute)]
    for name in ("iface", "iface_regex"):
        values[name] = [text for text in values[name] if text]  # the template of a unit may leave a value empty
    values["iptables_resync"] = values["iptables_resync"] or 1
    values["etcd_prefix"] = normal_prefix(values["etcd_prefix"])
    return Options(values)


def _check(options: Options) -> None:
    """Raise FlagError for values that cannot work."""
    if options.kube_subnet_mgr:
        raise FlagError(
            "--kube-subnet-mgr (or FLANNELD_KUBE_SUBNET_MGR) is set: overlayd keeps its leases in etcd only; remove it"
        )
    margin, resync = options.subnet_lease_renew_margin, options.iptables_resync
    if not 1 <= margin <= 1439:
        raise FlagError(f"--subnet-lease-renew-margin {margin} is out of range; use 1 to 1439 minutes")
    if resync < 1:
        raise FlagError(f"--iptables-resync {resync} is negative; use a number of seconds, 1 or more")
    if options.etcd_api not in ("auto", "v2", "v3"):
        raise FlagError(f"--etcd-api {options.etcd_api!r} is unknown; use auto, v2 or v3")
    if not 0 <= options.healthz_port <= 65535:
        raise FlagError(f"--healthz-port {options.healthz_port} is not a TCP port; use 1 to 65535, or 0 to disable it")
    if not 0 <= options.probe_interval <= 3600:
        raise FlagError(f"--probe-interval {options.probe_interval} is out of range; use 0 (off) to 3600 seconds")
    if options.probe_interval and not options.healthz_port:
        raise FlagError("--probe-interval is set without --healthz-port, which shows the results; set both or neither")
    if not 1 <= options.probe_peers <= 100:
        raise FlagError(f"--probe-peers {options.probe_peers} is out of range; use 1 to 100")
    if bool(options.etcd_certfile) != bool(options.etcd_keyfile):
        raise FlagError("only one of --etcd-certfile and --etcd-keyfile is set; set both or neither")
    if options.extension_commands not in ("none", "direct", "shell"):
        raise FlagError(f"--extension-commands {options.extension_commands!r} is unknown; use none, direct or shell")
    if not 1 <= options.extension_timeout <= 600:
        raise FlagError(f"--extension-timeout {options.extension_timeout} is out of range; use 1 to 600 seconds")
    if options.release and not options.remove:
        raise FlagError("--release requires --remove")


def _help() -> str:
    ignored = ", ".join((*_IGNORED_SWITCHES, *_IGNORED_VALUES))
    return (
        "usage: overlayd [--FLAG[=VALUE]]...\n\n"
        "Leases a subnet in etcd for this host, and keeps the kernel's routes to the subnets of all other hosts.\n\n"
        "A flag starts with one or two dashes; = or a space separates it from its value. Each flag can also be set by\n"
        "an environment variable: FLANNELD_ and the name of the flag in upper case, with underscores for dashes. The\n"
        "variable of a repeatable flag is a list separated by commas. The command line overrides the variables.\n\n"
        + "".join(flag.help() for flag in _FLAGS)
        + f"  --help\n        print this text and exit\n\nFlags of flanneld that are accepted and ignored: {ignored}.\n"
    )


def _leave(status: int, text: str) -> NoReturn:
    (sys.stderr if status else sys.stdout).write(text)
    raise SystemExit(status)
