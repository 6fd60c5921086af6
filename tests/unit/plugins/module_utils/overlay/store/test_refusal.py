# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Error objects of etcd's v3 gateway: which error each one becomes, and when another endpoint is tried."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import StoreError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.connection import Endpoint
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.errors import (
    AuthenticationDisabledError,
    AuthenticationError,
    CompactedError,
    GoneError,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.refusal import GrpcStatus
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.wire import EndpointError

PLAIN, TLS = Endpoint.parse("http://192.0.2.1:2379"), Endpoint.parse("https://192.0.2.1:2379")


@pytest.mark.parametrize(
    ("raw", "refusal"),
    [
        ({"code": 7, "message": "denied"}, GrpcStatus(7, "denied")),
        ({"error": {"grpc_code": 11, "message": "compacted"}}, GrpcStatus(11, "compacted")),
        ({"error": "text", "code": 14}, GrpcStatus(14, "")),
        ({"header": {"revision": "4"}}, None),
        ({"code": "7"}, None),
        (["code", 7], None),
    ],
)
def test_a_reply_is_a_refusal_where_it_has_a_status_code(raw: Any, refusal: GrpcStatus | None) -> None:
    assert GrpcStatus.of(raw) == refusal


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (3, "etcdserver: user name is empty", AuthenticationError),
        (3, "etcdserver: authentication failed, invalid user ID or password", AuthenticationError),
        (16, "etcdserver: invalid auth token", AuthenticationError),
        (7, "etcdserver: permission denied", AuthenticationError),
        (2, "etcdserver: permission denied", AuthenticationError),
        (9, "etcdserver: authentication is not enabled", AuthenticationDisabledError),
        (14, "etcdserver: no leader", EndpointError),
        (4, "context deadline exceeded", EndpointError),
        (11, "etcdserver: mvcc: required revision has been compacted", CompactedError),
        (5, "etcdserver: requested lease not found", GoneError),
        (5, "etcdserver: member not found", StoreError),
        (11, "etcdserver: mvcc: required revision is a future revision", StoreError),
        (3, "etcdserver: duplicate key given in txn request", StoreError),
    ],
)
def test_a_refusal_becomes_the_error_of_its_cause(code: int, message: str, kind: type[StoreError]) -> None:
    assert GrpcStatus(code, message).error(PLAIN, "overlay").__class__ is kind


def test_an_unknown_refusal_has_the_text_of_etcd() -> None:
    text = str(GrpcStatus(3, "etcdserver: duplicate key").error(PLAIN, ""))
    assert "http://192.0.2.1:2379" in text
    assert "etcdserver: duplicate key" in text


def test_an_error_of_authentication_names_the_user() -> None:
    assert "'overlay'" in str(GrpcStatus(7, "permission denied").error(PLAIN, "overlay"))


@pytest.mark.parametrize(
    ("message", "sent"), [("etcdserver: no leader", False), ("etcdserver: request timed out", True)]
)
def test_an_unavailable_member_may_have_executed_a_request_if_it_has_a_leader(message: str, sent: bool) -> None:
    error = GrpcStatus(14, message).error(PLAIN, "")
    assert isinstance(error, EndpointError)
    assert error.sent is sent


@pytest.mark.parametrize(
    ("endpoint", "message", "hinted"),
    [(TLS, "transport: bad certificate", True), (TLS, "etcdserver: no leader", False), (PLAIN, "transport: x", False)],
)
def test_a_gateway_that_cannot_reach_its_own_server_hints_at_its_certificate(
    endpoint: Endpoint, message: str, hinted: bool
) -> None:
    assert ("serverAuth and clientAuth" in str(GrpcStatus(14, message).error(endpoint, ""))) is hinted
