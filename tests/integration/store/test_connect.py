# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The choice of the API, the error for a config in the other API, and reading config and leases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import ConfigError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.api_choice import (
    EtcdConnection,
    connect,
    other_api_hint,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.errors import (
    AuthenticationError,
    ConfigMissingError,
    UnreachableError,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Store
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.schema import Keys
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.stored_config import parse_config
from support.etcd_server import EtcdServer

CONFIG = '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}'


@pytest.fixture(scope="module")
def v3_only() -> Iterator[EtcdServer]:
    with EtcdServer(v2=False, options=["--max-txn-ops", "20000"]) as server:
        yield server


@pytest.fixture(scope="module")
def v2_only() -> Iterator[EtcdServer]:
    with EtcdServer(options=["--enable-grpc-gateway=false"]) as server:
        yield server


def read_config(store: Store, keys: Keys) -> NetworkConfig:
    return parse_config(store, keys, store.get(keys.config))


def write_config(etcd: EtcdServer, api: str, prefix: str) -> None:
    store = connect(EtcdConnection(etcd.endpoints, api))
    store.create(f"{prefix}/config", CONFIG, None)
    store.close()


def test_auto_takes_v3_where_both_answer(etcd: EtcdServer, folder: str) -> None:
    assert connect(EtcdConnection(etcd.endpoints)).api == "v3"
    assert connect(EtcdConnection(etcd.endpoints), folder).api == "v3"


@pytest.mark.parametrize("written", [("v2",), ("v3",), ("v2", "v3")])
def test_auto_takes_v2_only_where_v2_alone_holds_the_config(
    etcd: EtcdServer, folder: str, written: tuple[str, ...]
) -> None:
    for api in written:
        write_config(etcd, api, folder)
    assert connect(EtcdConnection(etcd.endpoints), folder).api == ("v2" if written == ("v2",) else "v3")


def test_auto_finds_the_only_api_that_is_served(v2_only: EtcdServer, v3_only: EtcdServer, folder: str) -> None:
    assert connect(EtcdConnection(v2_only.endpoints), folder).api == "v2"
    assert connect(EtcdConnection(v2_only.endpoints)).api == "v2"
    assert connect(EtcdConnection(v3_only.endpoints), folder).api == "v3"
    assert connect(EtcdConnection(v3_only.endpoints)).api == "v3"


def test_auto_does_not_choose_where_the_v2_store_refuses_the_user(folder: str) -> None:
    with EtcdServer() as server:
        write_config(server, "v2", folder)
        server.etcdctl("user", "add", "root:secret", api="2")
        server.etcdctl("auth", "enable", api="2")
        server.etcdctl("role", "remove", "guest", api="2", user="root:secret")
        wrong = EtcdConnection(server.endpoints, username="root", password="wrong")
        for refused in (EtcdConnection(server.endpoints), wrong):
            with pytest.raises(AuthenticationError, match=f"key {folder}/config of etcd's v2 store cannot be read"):
                connect(refused, folder)
        assert connect(EtcdConnection(server.endpoints, username="root", password="secret"), folder).api == "v2"
        write_config(server, "v3", folder)
        assert connect(EtcdConnection(server.endpoints), folder).api == "v3"


def test_an_api_that_is_not_served_is_named_with_the_flag_that_serves_it(
    v2_only: EtcdServer, v3_only: EtcdServer
) -> None:
    with pytest.raises(UnreachableError, match="enable-v2"):
        connect(EtcdConnection(v3_only.endpoints, "v2")).get("/a")
    with pytest.raises(UnreachableError, match="enable-grpc-gateway"):
        connect(EtcdConnection(v2_only.endpoints, "v3")).get("/a")


def test_a_config_in_the_other_api_is_reported(etcd: EtcdServer, store: Store, folder: str) -> None:
    other = "v2" if store.api == "v3" else "v3"
    with pytest.raises(ConfigMissingError, match=f"no network config at {folder}/config"):
        read_config(store, Keys(folder))
    write_config(etcd, other, folder)
    with pytest.raises(ConfigMissingError, match=f"{folder}/config exists in etcd's {other} store"):
        read_config(store, Keys(folder))
    assert other_api_hint(EtcdConnection(etcd.endpoints, store.api), folder) is not None
    assert other_api_hint(EtcdConnection(etcd.endpoints, other), folder) is None


def test_the_config_is_read_and_a_bad_one_names_its_key(store: Store, folder: str) -> None:
    item = store.create(f"{folder}/config", CONFIG, None)
    assert read_config(store, Keys(folder)) == read_config(store, Keys(folder + "/")) == NetworkConfig.parse(CONFIG)
    store.replace(item, '{"Network": "nonsense"}', None)
    with pytest.raises(ConfigError, match=rf"{folder}/config: .*nonsense"):
        read_config(store, Keys(folder))


def test_more_keys_than_one_page_are_read_as_of_one_revision(v3_only: EtcdServer, folder: str) -> None:
    total = 10_050  # a page of the store holds ten thousand
    puts = "".join(f"put {folder}/{number:05} {'x' * 40}\n" for number in range(total))
    v3_only.etcdctl("txn", feed=f"\n{puts}\n\n")
    store = connect(EtcdConnection(v3_only.endpoints, "v3"))
    items, revision = store.snapshot(folder)
    assert list(items) == [f"{folder}/{number:05}" for number in range(total)]
    assert {item.revision for item in items.values()} == {revision}
    store.close()
