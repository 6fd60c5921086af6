# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module etcd_auth with a real etcd: the permissions of each user, in both APIs and after partial runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import StoreError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.api_choice import connect
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.connection import EtcdConnection
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.errors import AuthenticationError
from support.agent_network import TIMEOUT
from support.etcd_server import EtcdServer
from support.module_runner import Runner

PREFIX = "/net/one"
ROOT = {"username": "root", "password": "root's own"}
USER = {"user": "overlay", "user_password": 'q"uo$te'}


@pytest.fixture
def etcd() -> Iterator[EtcdServer]:
    with EtcdServer() as server:
        yield server


OPTIONS = {"prefix": PREFIX, **ROOT, **USER, "timeout": TIMEOUT}


@pytest.fixture
def auth(etcd: EtcdServer) -> Runner:
    return Runner("etcd_auth", {"endpoints": [etcd.endpoint], **OPTIONS, "v2": True})


def write(etcd: EtcdServer, api: str, key: str, password: str = USER["user_password"], user: str = "overlay") -> None:
    """Write a key as a user."""
    store = connect(EtcdConnection((etcd.endpoint,), api=api, username=user, password=password))
    try:
        store.create(key, "1", None)
    finally:
        store.close()


@pytest.mark.parametrize("api", ["v3", "v2"])
def test_the_user_writes_below_the_prefix_and_nowhere_else(etcd: EtcdServer, auth: Runner, api: str) -> None:
    assert auth()["changed"] is True
    write(etcd, api, f"{PREFIX}/config")
    for foreign in ("/net/other", "/net/one-more/config"):
        with pytest.raises(AuthenticationError):
            write(etcd, api, foreign)
    with pytest.raises(StoreError):
        write(etcd, api, f"{PREFIX}/guest", user="", password="")


def test_a_second_run_changes_nothing(auth: Runner) -> None:
    auth()
    assert auth()["commands"] == []
    assert auth(check=True)["changed"] is False


def test_check_mode_lists_the_commands_and_changes_nothing(etcd: EtcdServer, auth: Runner) -> None:
    foretold = auth(check=True)
    assert foretold["commands"][0] == "etcdctl role add root"
    assert "etcdctl auth enable" in foretold["commands"]
    write(etcd, "v3", "/anything", user="", password="")
    assert auth()["commands"] == foretold["commands"]


@pytest.mark.parametrize("done", [1, 3, 6])
def test_an_interrupted_run_is_completed_by_the_next(etcd: EtcdServer, auth: Runner, done: int) -> None:
    steps: list[Any] = [
        ("user", "add", "root:another password"),
        ("role", "add", "overlay"),
        ("user", "add", "overlay:another password"),
        ("role", "add", "root"),
        ("user", "grant-role", "root", "root"),
        ("user", "grant-role", "overlay", "overlay"),
    ]
    for step in steps[:done]:
        etcd.etcdctl(*step)
    assert auth()["changed"] is True
    write(etcd, "v3", f"{PREFIX}/config")
    assert auth()["commands"] == []


def test_a_changed_password_of_the_user_is_set(etcd: EtcdServer, auth: Runner) -> None:
    auth()
    changed = auth(user_password="another")
    assert changed["commands"] == ["etcdctl user passwd overlay", "ETCDCTL_API=2 etcdctl user passwd overlay"]
    for api in ("v3", "v2"):
        write(etcd, api, f"{PREFIX}/{api}", password="another")
        with pytest.raises(AuthenticationError):
            write(etcd, api, f"{PREFIX}/old")


def test_a_wrong_password_of_root_is_an_error_and_is_not_shown(auth: Runner) -> None:
    auth()
    output = auth.raw(password="not root's")
    assert "refused user 'root': wrong username or password" in output
    assert "not root's" not in output
    assert USER["user_password"] not in output


@pytest.mark.parametrize(
    "options, text",
    [
        ({"user": "root"}, "user 'root' cannot be the user of one network; use another name"),
        ({"user_password": ""}, "user overlay has no password; set user_password"),
        ({"username": "admin"}, "username 'admin' cannot set up authentication"),
    ],
)
def test_wrong_options_name_the_option_and_change_nothing(auth: Runner, options: dict[str, Any], text: str) -> None:
    assert text in auth(fails=True, **options)["msg"]
    assert auth(check=True)["commands"][-2] == "ETCDCTL_API=2 etcdctl auth enable"


def test_without_the_v2_api_its_users_cannot_be_set_up() -> None:
    with EtcdServer(v2=False) as server:
        auth = Runner("etcd_auth", {"endpoints": [server.endpoint], **OPTIONS})
        assert "start it with --enable-v2, or set v2 to false" in auth(fails=True, v2=True)["msg"]
        assert "ETCDCTL_API=2 etcdctl auth enable" in auth(check=True, v2=True)["commands"]
        auth()
        assert auth()["commands"] == []
