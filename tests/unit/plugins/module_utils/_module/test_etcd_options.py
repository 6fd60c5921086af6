# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The etcd settings of a module, from its options, the environment and the agent's file, in this order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_options import argument_spec, complete
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import StoreError

AGENT = """\
# written by a role
FLANNELD_ETCD_ENDPOINTS=http://192.0.2.11:2379,http://192.0.2.12:2379
FLANNELD_ETCD_PREFIX="/atomic.io/network"
FLANNELD_ETCD_API=v2
FLANNELD_ETCD_CAFILE=/etc/ca.pem
FLANNELD_ETCD_USERNAME='overlay'
FLANNELD_ETCD_PASSWORD="a b\\"c"
FLANNELD_IFACE=eth1
PATH=/bin
"""


@pytest.fixture
def agent_file(tmp_path: Path) -> Path:
    path = tmp_path / "overlayd.env"
    path.write_text(AGENT)
    return path


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENDPOINTS", "CACERT", "CERT", "KEY", "USER", "PASSWORD"):
        monkeypatch.delenv(f"ETCDCTL_{name}", raising=False)


def settings_of(agent_file: Path, **options: Any) -> dict[str, Any]:
    """Return the settings for options as a playbook gives them, fallbacks of the argument spec included."""
    checked = ArgumentSpecValidator(argument_spec()).validate(options)
    assert not checked.error_messages
    return complete(checked.validated_parameters, agent_file)


def test_without_options_the_etcd_is_that_of_the_host_itself(tmp_path: Path) -> None:
    assert settings_of(tmp_path / "none") == {
        "endpoints": ("http://127.0.0.1:2379",),
        "api": "auto",
        "prefix": "/coreos.com/network",
        "ca_file": "",
        "cert_file": "",
        "key_file": "",
        "username": "",
        "password": "",
        "timeout": 5.0,
    }


def test_without_endpoints_the_agents_settings_are_used(agent_file: Path) -> None:
    assert settings_of(agent_file) == {
        "endpoints": ("http://192.0.2.11:2379", "http://192.0.2.12:2379"),
        "api": "v2",
        "prefix": "/atomic.io/network",
        "ca_file": "/etc/ca.pem",
        "cert_file": "",
        "key_file": "",
        "username": "overlay",
        "password": 'a b"c',
        "timeout": 5.0,
    }


def test_with_endpoints_no_credentials_of_the_agent_are_sent(agent_file: Path) -> None:
    settings = settings_of(agent_file, endpoints=["http://198.51.100.1:2379"])
    assert settings["endpoints"] == ("http://198.51.100.1:2379",)
    assert settings["prefix"] == "/coreos.com/network"
    assert (settings["ca_file"], settings["username"], settings["password"]) == ("", "", "")


def test_an_option_overrides_the_agents_setting(agent_file: Path) -> None:
    settings = settings_of(agent_file, prefix="/mine/", ca_file="/my/ca.pem", api="v3")
    assert (settings["prefix"], settings["ca_file"], settings["api"]) == ("/mine", "/my/ca.pem", "v3")


def test_a_user_option_is_never_combined_with_the_agents_password(agent_file: Path) -> None:
    settings = settings_of(agent_file, username="root")
    assert (settings["username"], settings["password"]) == ("root", "")


def test_the_environment_of_etcdctl_overrides_the_agents_settings(
    agent_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETCDCTL_ENDPOINTS", "http://a:1, b:2")
    monkeypatch.setenv("ETCDCTL_CACERT", "/e/ca")
    monkeypatch.setenv("ETCDCTL_CERT", "/e/cert")
    monkeypatch.setenv("ETCDCTL_KEY", "/e/key")
    monkeypatch.setenv("ETCDCTL_USER", "root:pw:x")
    settings = settings_of(agent_file)
    assert settings["endpoints"] == ("http://a:1", "b:2")
    assert (settings["ca_file"], settings["cert_file"], settings["key_file"]) == ("/e/ca", "/e/cert", "/e/key")
    assert (settings["username"], settings["password"]) == ("root", "pw:x")


def test_the_password_variable_overrides_the_password_in_the_user_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCDCTL_USER", "root:old")
    monkeypatch.setenv("ETCDCTL_PASSWORD", "new")
    settings = settings_of(Path("/nonexistent"))
    assert (settings["username"], settings["password"]) == ("root", "new")


@pytest.mark.parametrize("variable", ["ETCDCTL_USER", "ETCDCTL_PASSWORD"])
def test_a_password_from_the_environment_is_kept_from_the_output(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETCDCTL_USER", "root")
    monkeypatch.setenv(variable, {"ETCDCTL_USER": "root:hunter2"}.get(variable, "hunter2"))
    checked = ArgumentSpecValidator(argument_spec()).validate({})
    assert checked._no_log_values == {"hunter2"}
    assert "hunter2" not in str(checked.validated_parameters["username"])


def test_empty_options_count_as_not_set(agent_file: Path) -> None:
    settings = settings_of(agent_file, endpoints=[], prefix="", ca_file="", username="", password="")
    assert settings == settings_of(agent_file)


def test_an_unreadable_settings_file_is_an_error_with_a_solution(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be read: .* run this as root .*, or set the etcd endpoints"):
        settings_of(tmp_path)  # a directory: even root cannot read it as a file


def test_unbalanced_quotes_in_the_settings_file_are_named_without_their_value(tmp_path: Path) -> None:
    path = tmp_path / "overlayd.env"
    path.write_text('FLANNELD_ETCD_PASSWORD="hunter2\n')
    with pytest.raises(StoreError, match="the quotes around the value of FLANNELD_ETCD_PASSWORD do not match") as error:
        settings_of(path)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    "written, meant",
    [
        ("plain", "plain"),
        (" spaced out ", "spaced out"),
        (r"a\ b", "a b"),
        (r'"a\"b\\c\$d\`e"', r'a"b\c$d`e'),
        (r'"a\nb"', r"a\nb"),
        (r"'a\$b'", r"a\$b"),
        ('""', ""),
        ("a#b", "a#b"),
    ],
)
def test_a_value_in_the_settings_file_is_read_as_by_systemd(tmp_path: Path, written: str, meant: str) -> None:
    path = tmp_path / "overlayd.env"
    path.write_text(f"FLANNELD_ETCD_PASSWORD={written}\n")
    assert settings_of(path)["password"] == meant
