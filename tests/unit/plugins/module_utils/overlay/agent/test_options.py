# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd's command line follows flannel's: dashes, values, variables and their precedence."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.options import parse_options


@pytest.mark.parametrize(
    "arguments",
    [
        ["--subnet-file=/a", "--iptables-resync=7", "--ip-masq"],
        ["-subnet-file=/a", "-iptables-resync=7", "-ip-masq=true"],
        ["--subnet-file", "/a", "--iptables-resync", "7", "--ip-masq=1"],
        ["-subnet-file", "/a", "-iptables-resync", "7", "-ip-masq=T"],
    ],
)
def test_one_dash_or_two_and_a_space_or_an_equals_sign_mean_the_same(arguments: Sequence[str]) -> None:
    options = parse_options(arguments, {})
    assert (options.subnet_file, options.iptables_resync, options.ip_masq) == ("/a", 7, True)


def test_the_defaults_are_flannels() -> None:
    options = parse_options([], {})
    assert options.etcd_endpoints == "http://127.0.0.1:4001,http://127.0.0.1:2379"
    assert options.etcd_prefix == "/coreos.com/network"
    assert options.subnet_file == "/run/flannel/subnet.env"
    assert (options.subnet_lease_renew_margin, options.iptables_resync, options.healthz_port) == (60, 5, 0)
    assert (options.ip_masq, options.iptables_forward_rules, options.ip_masq_fully_random_disable) == (
        False,
        True,
        False,
    )
    assert (options.iface, options.iface_regex) == ([], [])


def test_every_flag_has_a_variable_and_the_command_line_wins() -> None:
    environment = {"FLANNELD_ETCD_PREFIX": "/from/variable", "FLANNELD_IFACE": "eth1,eth2", "FLANNELD_IP_MASQ": "true"}
    options = parse_options([], environment)
    assert (options.etcd_prefix, options.iface, options.ip_masq) == ("/from/variable", ["eth1", "eth2"], True)
    options = parse_options(["--etcd-prefix=/from/flag", "--iface=eth3", "--ip-masq=false"], environment)
    assert (options.etcd_prefix, options.iface, options.ip_masq) == ("/from/flag", ["eth3"], False)


def test_an_empty_variable_counts_as_not_set() -> None:
    names = ("HEALTHZ_PORT", "IP_MASQ", "IFACE", "ETCD_PREFIX", "KUBE_SUBNET_MGR")
    given = vars(parse_options([], {f"FLANNELD_{name}": "" for name in names}))
    default = vars(parse_options([], {}))
    assert {**given, "etcd_password": ""} == {**default, "etcd_password": ""}


def test_repeatable_flags_keep_their_order() -> None:
    options = parse_options(["--iface=eth1", "-iface", "192.0.2.7", "--iface-regex=^eth", "--iface-regex=bond"], {})
    assert options.iface == ["eth1", "192.0.2.7"]
    assert options.iface_regex == ["^eth", "bond"]


@pytest.mark.parametrize(
    ("given", "prefix"),
    [("/a/b", "/a/b"), ("/a/b/", "/a/b"), ("//a//b", "/a/b"), ("a/b", "a/b"), ("a/b/", "a/b"), ("/", "")],
)
def test_a_prefix_is_read_as_flannel_reads_it(given: str, prefix: str) -> None:
    assert parse_options([f"--etcd-prefix={given}"], {}).etcd_prefix == prefix


def test_an_empty_interface_of_a_templated_unit_counts_as_none() -> None:
    options = parse_options(["-iface=", "-iface-regex="], {"FLANNELD_IFACE": "eth1"})
    assert (options.iface, options.iface_regex) == ([], [])
    assert parse_options(["-iface=", "-iface=eth2"], {}).iface == ["eth2"]


def test_flags_of_flanneld_without_use_here_are_accepted_and_named() -> None:
    words = ["-logtostderr", "-vmodule", "x=2", "-public-ipv6=", "-kube-subnet-mgr=false", "-alsologtostderr=true"]
    options = parse_options([*words, "-ip-masq"], {"FLANNELD_STDERRTHRESHOLD": "INFO"})
    assert options.ignored == ["logtostderr", "alsologtostderr", "vmodule", "stderrthreshold"]
    assert options.ip_masq
    assert parse_options([], {}).ignored == []


def test_a_resync_of_0_counts_as_1() -> None:
    assert parse_options(["-iptables-resync=0"], {}).iptables_resync == 1


@pytest.mark.parametrize("word", ["-help", "--help", "-h"])
def test_help_names_every_flag_and_exits_with_status_0(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse_options(["--etcd-api=v2", word], {"FLANNELD_HEALTHZ_PORT": "wrong"})
    assert left.value.code == 0
    shown = capsys.readouterr().out
    for name in vars(parse_options([], {})).keys() - {"ignored"}:
        assert f"--{name.replace('_', '-')}" in shown


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("--extension-commands=sh", "--extension-commands 'sh' is unknown; use none, direct or shell"),
        ("--extension-timeout=0", "--extension-timeout 0 is out of range; use 1 to 600 seconds"),
        ("--extension-timeout=601", "--extension-timeout 601 is out of range"),
        ("--probe-interval=3601", "--probe-interval 3601 is out of range; use 0 (off) to 3600 seconds"),
        ("--probe-interval=60", "--probe-interval is set without --healthz-port"),
        ("--probe-peers=0", "--probe-peers 0 is out of range; use 1 to 100"),
    ],
)
def test_a_wrong_setting_is_refused(word: str, error: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options([word], {})
    assert error in capsys.readouterr().err


def test_commands_of_the_network_config_are_off_by_default() -> None:
    assert parse_options([], {}).extension_commands == "none"


@pytest.mark.parametrize("words", [["-iface"], ["stray"], ["--ip-masq", "--", "x"], ["-"], ["--kube-subnet-mgr"]])
def test_an_incomplete_command_line_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse_options(words, {})
    assert left.value.code == 1


def test_no_representation_shows_the_password() -> None:
    options = parse_options([], {"FLANNELD_ETCD_PASSWORD": "secret-word"})
    assert options.etcd_password.reveal() == "secret-word"
    assert "secret-word" not in f"{options!r} {options.etcd_password!r} {options.etcd_password}"


def test_a_refusal_is_one_line_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse_options(["--frobnicate"], {})
    assert left.value.code == 1
    assert capsys.readouterr().err == ("overlayd: unknown argument: --frobnicate; see overlayd --help\n")
