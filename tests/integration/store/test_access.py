# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""TLS in all combinations, users and expiring tokens, without a secret in any output."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import StoreError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.api_choice import EtcdConnection, connect
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.errors import (
    AuthenticationError,
    UnreachableError,
)
from support.etcd_server import EtcdServer, EtcdTls, make_tls
from support.watching import LIMIT, brief, collect

PASSWORD = "s3cret-of-root"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> EtcdTls:
    return make_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def secured(tls: EtcdTls) -> Iterator[EtcdServer]:
    with EtcdServer(tls=tls) as server:
        yield server


@pytest.fixture(scope="module")
def mutual(tls: EtcdTls) -> Iterator[EtcdServer]:
    with EtcdServer(tls=tls, client_cert_auth=True) as server:
        yield server


@pytest.fixture(scope="module")
def guarded() -> Iterator[EtcdServer]:
    with EtcdServer() as server:
        server.enable_auth(PASSWORD)
        yield server


def use(connection: EtcdConnection, folder: str) -> None:
    """Write, read and watch over a connection."""
    store = connect(connection)
    try:
        _unused, revision = store.snapshot(folder)
        store.create(f"{folder}/a", "1", 300)
        assert brief(collect(store.watch(folder, revision, 1.0), 1)) == ["a=1"]
    finally:
        store.close()


def test_a_ca_alone_is_enough_for_tls(secured: EtcdServer, tls: EtcdTls, api: str, folder: str) -> None:
    use(EtcdConnection(secured.endpoints, api=api, ca_file=tls.ca_file), folder)


def test_a_server_is_known_by_its_name_as_well(secured: EtcdServer, tls: EtcdTls, api: str, folder: str) -> None:
    named = secured.endpoint.replace("127.0.0.1", "localhost")
    use(EtcdConnection((named,), api=api, ca_file=tls.ca_file), folder)


def test_a_server_is_not_known_by_a_name_its_certificate_lacks(
    secured: EtcdServer, tls: EtcdTls, api: str, folder: str
) -> None:
    unnamed = secured.endpoint.replace("127.0.0.1", "127.1")  # which leads to the same place
    with pytest.raises(UnreachableError, match=r"127\.1\b.*(mismatch|doesn't match)"):
        use(EtcdConnection((unnamed,), api=api, ca_file=tls.ca_file), folder)


def test_closing_the_store_ends_a_watch_over_tls_in_another_thread(
    secured: EtcdServer, tls: EtcdTls, folder: str
) -> None:
    store = connect(EtcdConnection(secured.endpoints, "v3", tls.ca_file))
    watch = store.watch(folder, store.snapshot(folder)[1], 60.0)
    store.create(f"{folder}/a", "1", None)
    collect(watch, 1)
    ended: list[str] = []

    def listen() -> None:
        try:
            next(watch)
        except StoreError as error:
            ended.append(str(error))

    thread = threading.Thread(target=listen)
    thread.start()
    store.close()
    thread.join(LIMIT)
    assert ended == ["the watch was closed"]


def test_a_client_certificate_is_accepted_where_etcd_requires_one(
    mutual: EtcdServer, tls: EtcdTls, api: str, folder: str
) -> None:
    connection = EtcdConnection(
        mutual.endpoints, api, tls.ca_file, cert_file=tls.client_cert_file, key_file=tls.client_key_file
    )
    use(connection, folder)


def test_a_missing_client_certificate_is_named_as_the_reason(
    mutual: EtcdServer, tls: EtcdTls, api: str, folder: str
) -> None:
    with pytest.raises(UnreachableError, match="client certificate") as caught:
        use(EtcdConnection(mutual.endpoints, api, tls.ca_file), folder)
    assert mutual.endpoint in str(caught.value)


def test_a_server_certificate_that_the_gateway_cannot_use_is_named(tmp_path: Path, folder: str) -> None:
    tls = make_tls(tmp_path, server_is_client=False)
    with EtcdServer(tls=tls, client_cert_auth=True) as server:
        connection = EtcdConnection(
            server.endpoints, "v3", tls.ca_file, cert_file=tls.client_cert_file, key_file=tls.client_key_file
        )
        with pytest.raises(UnreachableError, match="serverAuth and clientAuth"):
            use(connection, folder)


@pytest.mark.parametrize("given", ["other", "none"])
def test_a_server_with_another_ca_is_refused(
    secured: EtcdServer, tls: EtcdTls, api: str, folder: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither variable may replace the CA that was given, nor be needed for one.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", tls.ca_file)
    if given == "other":
        monkeypatch.setenv("SSL_CERT_FILE", tls.ca_file)
    connection = EtcdConnection(secured.endpoints, api, tls.other_ca_file if given == "other" else "")
    with pytest.raises(UnreachableError, match=r"certificate verification failed: "):
        use(connection, folder)


def test_environment_variables_do_not_override_the_ca_option(
    secured: EtcdServer, tls: EtcdTls, api: str, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, tls.other_ca_file)
    use(EtcdConnection(secured.endpoints, api, tls.ca_file), folder)


def test_proxies_of_the_environment_are_not_used(
    etcd: EtcdServer, api: str, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    use(EtcdConnection(etcd.endpoints, api), folder)


def test_a_wrong_scheme_of_an_endpoint_is_named_in_the_error(
    etcd: EtcdServer, secured: EtcdServer, tls: EtcdTls, api: str, folder: str
) -> None:
    with pytest.raises(UnreachableError, match=r"TLS.*http instead"):
        use(EtcdConnection((etcd.endpoint.replace("http:", "https:"),), api, tls.ca_file), folder)
    with pytest.raises(UnreachableError, match=r"https|HTTPS|protocol"):
        use(EtcdConnection((secured.endpoint.replace("https:", "http:"),), api), folder)


def test_unusable_certificate_files_are_named(tls: EtcdTls, tmp_path: Path, api: str) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("this is no certificate")
    here = ("https://127.0.0.1:1",)
    for connection, name in (
        (EtcdConnection(here, api, ca_file=str(garbage)), str(garbage)),
        (EtcdConnection(here, api, ca_file="/nonexistent/ca.pem"), "/nonexistent/ca.pem"),
        (EtcdConnection(here, api, cert_file=tls.client_cert_file, key_file=tls.key_file), tls.key_file),
    ):
        with pytest.raises(StoreError, match=name):
            connect(connection)


def test_user_and_password_are_accepted_where_etcd_requires_them(guarded: EtcdServer, api: str, folder: str) -> None:
    use(EtcdConnection(guarded.endpoints, api, username="root", password=PASSWORD), folder)


def test_a_certificate_that_the_gateway_takes_for_a_user_is_reported(tls: EtcdTls, folder: str) -> None:
    with EtcdServer(tls=tls, client_cert_auth=True) as server:
        server.enable_auth(PASSWORD)
        connection = EtcdConnection(
            server.endpoints,
            "v3",
            tls.ca_file,
            tls.client_cert_file,
            tls.client_key_file,
            username="root",
            password=PASSWORD,
        )
        with pytest.raises(StoreError, match=r"CommonName .*; use a client certificate without a common name"):
            use(connection, folder)


def test_a_user_is_accepted_by_an_etcd_without_users(etcd: EtcdServer, api: str, folder: str) -> None:
    use(EtcdConnection(etcd.endpoints, api, username="root", password=PASSWORD), folder)


@pytest.mark.parametrize("username", ["", "root", "stranger"])
def test_a_wrong_or_missing_user_is_named_and_the_password_never_is(
    guarded: EtcdServer, api: str, folder: str, username: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    connection = EtcdConnection(
        guarded.endpoints, api, username=username, password="wr0ng-password" if username else ""
    )
    with pytest.raises(AuthenticationError, match=username or "set username and password") as caught:
        use(connection, folder)
    assert "wr0ng" not in f"{caught.value!r} {connection!r} {connection} {caplog.text}"


def test_a_token_that_is_no_longer_valid_is_renewed_for_calls_and_watches(guarded: EtcdServer, folder: str) -> None:
    store = connect(EtcdConnection(guarded.endpoints, "v3", username="root", password=PASSWORD))
    _unused, revision = store.snapshot(folder)
    void_tokens(guarded)
    watch = store.watch(folder, revision, 0.2)
    assert next(watch) == []
    void_tokens(guarded)
    item = store.create(f"{folder}/a", "1", 300)
    assert brief(collect(watch, 1)) == ["a=1"]
    void_tokens(guarded)
    assert store.keep_alive(item, 300).value == "1"
    store.close()


def void_tokens(etcd: EtcdServer) -> None:
    """Void the tokens of root, as an expiry does, by setting the password again."""
    etcdctl = ("user", "passwd", "root", "--interactive=false")
    etcd.etcdctl(*etcdctl, user=f"root:{PASSWORD}", feed=f"{PASSWORD}\n")


def test_an_error_of_a_user_without_permission_names_the_permission(guarded: EtcdServer, folder: str) -> None:
    root = f"root:{PASSWORD}"
    guarded.etcdctl("user", "add", "reader:r3ader", user=root)
    guarded.etcdctl("role", "add", "reader", user=root)
    guarded.etcdctl("role", "grant-permission", "reader", "read", folder + "/", folder + "0", user=root)
    guarded.etcdctl("user", "grant-role", "reader", "reader", user=root)
    store = connect(EtcdConnection(guarded.endpoints, "v3", username="reader", password="r3ader"))
    _unused, revision = store.snapshot(folder)
    with pytest.raises(AuthenticationError, match=r"'reader'.*grant"):
        store.create(f"{folder}/a", "1", 300)
    with pytest.raises(AuthenticationError, match=r"'reader'.*grant"):
        next(store.watch("/elsewhere", revision, 1.0))
    store.close()
