# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connection settings: what is accepted, and what each refusal names."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import StoreError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.connection import (
    Endpoint,
    EtcdConnection,
)

GOOD = ("http://192.0.2.1:2379",)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://h:2379", "http://h:2379"),
        ("http://h:2379/", "http://h:2379"),
        ("h:2379", "http://h:2379"),
        ("https://[::1]:2379", "https://[::1]:2379"),
        ("[2001:db8::1]:4001", "http://[2001:db8::1]:4001"),
        ("https://etcd-1.example_net:65535", "https://etcd-1.example_net:65535"),
    ],
)
def test_an_endpoint_is_a_scheme_a_host_and_a_port(text: str, shown: str) -> None:
    assert str(Endpoint.parse(text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://h",
        "ftp://h:2379",
        "http://h:0",
        "http://h:65536",
        "h:2379,i:2379",
        "http://h:2379/v2",
        " h:2379",
        "::1:2379",
        "http://%68:2379",
        "unix:///run/etcd.sock",
        "http://h:2379\r\nX: y",
    ],
)
def test_any_other_endpoint_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(StoreError) as caught:
        EtcdConnection((*GOOD, text))
    assert repr(text) in str(caught.value)


def test_a_password_in_an_endpoint_is_refused_and_not_repeated() -> None:
    with pytest.raises(StoreError, match="set user and password separately") as caught:
        EtcdConnection(("https://root:s3cret@h:2379",))
    assert "s3cret" not in str(caught.value)


def test_a_password_is_never_shown() -> None:
    connection = EtcdConnection(GOOD, username="root", password="s3cret")
    assert "s3cret" not in f"{connection} {connection!r}"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"endpoints": ()}, "no etcd endpoint"),
        ({"api": "v4"}, "v4"),
        ({"cert_file": "/c.pem"}, "/c.pem is set without key_file"),
        ({"key_file": "/k.pem"}, "/k.pem is set without cert_file"),
        ({"password": "x"}, "without a username"),
        ({"timeout": 0}, "timeout 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(StoreError, match=named):
        EtcdConnection(**{"endpoints": GOOD, **settings})


def test_an_endpoint_that_is_listed_twice_is_tried_once() -> None:
    connection = EtcdConnection(("h:2379", "http://h:2379/", "i:2379"))
    assert [str(endpoint) for endpoint in connection.parsed_endpoints] == ["http://h:2379", "http://i:2379"]
