# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd's command line: flannel's flags and FLANNELD_ variables, and the few of its own."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ..model.network import DEFAULT_PREFIX
from ..model.subnet_env import DEFAULT_SUBNET_FILE

VERSION = "1.0.0"
DEFAULT_ENDPOINTS = "http://127.0.0.1:4001,http://127.0.0.1:2379"
DEFAULT_STATE_DIR = "/var/lib/overlayd"
_TRUTHS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}


class Secret:
    """Text that no representation, log line or traceback shows."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself, for the one place that sends it."""
        return self._value


class Options(argparse.Namespace):
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
    iptables_resync: int
    iptables_forward_rules: bool
    healthz_ip: str
    healthz_port: int
    state_dir: str
    v: int
    dry_run: bool
    remove: bool
    release: bool


class _Parser(argparse.ArgumentParser):
    """Adds flags the way Go's flag package reads them: one or two dashes, and a FLANNELD_ variable as default."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(
            prog="overlayd",
            description="Leases a subnet for this host in etcd and keeps the kernel routing to all others.",
            allow_abbrev=False,
        )
        self._environment = environment

    def flag(self, name: str, default: str, text: str, kind: Any = str) -> None:
        """Add a flag with one value."""
        value = self.variable(name) or default
        shown = f" (default {default})" if default else ""
        self.add_argument(f"-{name}", f"--{name}", default=value, type=kind, help=text + shown, metavar="VALUE")

    def switch(self, name: str, default: str, text: str) -> None:
        """Add a flag that is true when it stands alone."""
        value = self.variable(name) or default
        self.add_argument(
            f"-{name}", f"--{name}", nargs="?", const=True, default=value, type=truth, help=text, metavar="true|false"
        )

    def repeatable(self, name: str, text: str) -> None:
        """Add a flag that may be given several times; its variable holds a comma separated list."""
        self.add_argument(f"-{name}", f"--{name}", action="append", help=text, metavar="VALUE")

    def from_environment(self, name: str) -> list[str]:
        """Return the values of a repeatable flag's variable."""
        return [part for part in self.variable(name).split(",") if part]

    def variable(self, name: str) -> str:
        """Return a flag's variable, "" where it is not set; an empty one counts as not set, as in flannel."""
        return self._environment.get("FLANNELD_" + name.upper().replace("-", "_"), "")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line and leave with status 1, as flannel does for a bad value."""
        self.exit(1, f"overlayd: {message}; see overlayd --help\n")


def truth(text: str) -> bool:
    """Return the boolean that Go's flag package reads from text."""
    try:
        return _TRUTHS[text.lower()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false") from None


def parse_options(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Return the options; print one line and exit with status 1 where a flag or a value is wrong.

    A flag on the command line wins over its variable, which wins over the default.
    """
    parser = _Parser(environment)
    _add_flannel_flags(parser)
    _add_own_flags(parser)
    options = parser.parse_args(arguments, namespace=Options())
    problem = _problem(options, parser.variable("kube-subnet-mgr"))
    if problem:
        parser.error(problem)
    options.iface = options.iface or parser.from_environment("iface")
    options.iface_regex = options.iface_regex or parser.from_environment("iface-regex")
    options.etcd_prefix = "/" + options.etcd_prefix.strip("/")
    return options


def _add_flannel_flags(parser: _Parser) -> None:
    parser.flag("etcd-endpoints", DEFAULT_ENDPOINTS, "comma separated list of etcd endpoints")
    parser.flag("etcd-prefix", DEFAULT_PREFIX, "where in etcd the network config and the leases stand")
    parser.flag("etcd-cafile", "", "CA that signed etcd's certificate; enough on its own for TLS")
    parser.flag("etcd-certfile", "", "client certificate for etcd")
    parser.flag("etcd-keyfile", "", "key of the client certificate")
    parser.flag("etcd-username", "", "user for etcd's authentication")
    parser.flag("etcd-password", "", "password of that user; better given as FLANNELD_ETCD_PASSWORD", Secret)
    parser.repeatable("iface", "interface (name or address) to reach other hosts by; may be repeated, first match wins")
    parser.repeatable("iface-regex", "regular expression for the interface, tried on addresses, then on names")
    parser.flag("iface-can-reach", "", "take the interface by which this address is reached")
    parser.flag("public-ip", "", "address other hosts reach this one by (default the interface's)")
    parser.flag("subnet-file", DEFAULT_SUBNET_FILE, "where to write the subnet, the MTU and the masquerading")
    parser.flag("subnet-lease-renew-margin", "60", "minutes before its end at which the lease is renewed", int)
    parser.switch("ip-masq", "false", "masquerade traffic that leaves the overlay network")
    parser.switch("ip-masq-fully-random-disable", "false", "masquerade without random source ports")
    parser.flag("iptables-resync", "5", "seconds between two checks of the firewall rules", int)
    parser.switch("iptables-forward-rules", "true", "accept forwarded traffic of the overlay network")
    parser.flag("healthz-ip", "0.0.0.0", "address for /healthz, /readyz and /metrics")
    parser.flag("healthz-port", "0", "port for /healthz, /readyz and /metrics; 0 is off", int)
    parser.add_argument("-version", "--version", action="version", version=f"overlayd {VERSION}")
    parser.flag("v", "0", "log verbosity; 1 also logs each change to the kernel", int)


def _add_own_flags(parser: _Parser) -> None:
    parser.flag("etcd-api", "auto", "auto, v2 or v3")
    parser.flag("state-dir", DEFAULT_STATE_DIR, "where the last known state is kept")
    parser.switch("dry-run", "false", "print what would be changed in the kernel, and change nothing")
    parser.switch("remove", "false", "remove all that overlayd made on this host, and exit")
    parser.switch("release", "false", "with --remove: give the lease back too")


def _problem(options: Options, kube_subnet_mgr: str) -> str | None:
    if _TRUTHS.get(kube_subnet_mgr.lower(), bool(kube_subnet_mgr)):
        return "FLANNELD_KUBE_SUBNET_MGR is for Kubernetes; overlayd keeps its leases in etcd: remove it"
    margin, resync = options.subnet_lease_renew_margin, options.iptables_resync
    if not 1 <= margin <= 1439:
        return f"--subnet-lease-renew-margin {margin} is out of range; it is in minutes, from 1 to 1439"
    if resync < 1:
        return f"--iptables-resync {resync} must be at least 1 (seconds)"
    if options.etcd_api not in ("auto", "v2", "v3"):
        return f"--etcd-api {options.etcd_api!r} is not known; use auto, v2 or v3"
    if not 0 <= options.healthz_port <= 65535:
        return f"--healthz-port {options.healthz_port} is not a TCP port (0 turns it off)"
    if bool(options.etcd_certfile) != bool(options.etcd_keyfile):
        return "--etcd-certfile and --etcd-keyfile go together; give both, or a CA alone"
    if options.release and not options.remove:
        return "--release goes with --remove"
    return None
