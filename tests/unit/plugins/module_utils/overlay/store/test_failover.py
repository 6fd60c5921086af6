# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The order in which endpoints are used, and the error if none can be used."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.connection import Endpoint
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.errors import UnreachableError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.failover import Failover
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.wire import EndpointError

A, B, C = (Endpoint("http", name, 2379) for name in "abc")


def asked(failover: Failover, dead: set[Endpoint], sent: bool = False, repeatable: bool = True) -> list[str]:
    hosts: list[str] = []

    def attempt(endpoint: Endpoint) -> None:
        hosts.append(endpoint.host)
        if endpoint in dead:
            raise EndpointError(f"{endpoint.host} is dead", sent)

    failover.run(attempt, repeatable)
    return hosts


def test_the_endpoint_that_worked_is_used_first_the_next_time() -> None:
    failover = Failover((A, B, C))
    assert asked(failover, {A, B}) == ["a", "b", "c"]
    assert asked(failover, set()) == ["c"]
    assert asked(failover, {C}) == ["c", "a"]


def test_an_endpoint_to_avoid_is_used_last() -> None:
    failover = Failover((A, B, C))
    failover.avoid(B)
    assert asked(failover, {C, A}) == ["c", "a", "b"]


def test_every_endpoint_is_named_with_its_reason_in_the_order_of_use() -> None:
    with pytest.raises(UnreachableError) as caught:
        asked(Failover((A, B)), {A, B})
    assert list(caught.value.reasons.items()) == [("http://a:2379", "a is dead"), ("http://b:2379", "b is dead")]
    assert "http://a:2379: a is dead; http://b:2379: b is dead" in str(caught.value)


def test_a_write_that_may_have_happened_is_not_repeated_at_another_endpoint() -> None:
    failover = Failover((A, B))
    with pytest.raises(UnreachableError, match="may have made the change") as caught:
        asked(failover, {A}, sent=True, repeatable=False)
    assert list(caught.value.reasons) == ["http://a:2379"]
    assert asked(failover, set(), repeatable=False) == ["b"]


def test_a_write_that_was_not_sent_is_made_at_the_next_endpoint() -> None:
    assert asked(Failover((A, B)), {A}, sent=False, repeatable=False) == ["a", "b"]
