# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A read-modify-write is retried while other writers win, and not for any other reason."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import StoreError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.errors import (
    ChangedError,
    GoneError,
    KeyExistsError,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.retry import ATTEMPTS, persist


@pytest.mark.parametrize("outrun", [ChangedError, GoneError, KeyExistsError])
def test_a_lost_race_is_retried_with_the_number_of_losses(outrun: type[StoreError]) -> None:
    def attempt(lost: int) -> str:
        if lost < 3:
            raise outrun("another was faster")
        return f"won after {lost}"

    assert persist(attempt) == "won after 3"


def test_a_race_that_is_always_lost_raises_its_error() -> None:
    seen: list[int] = []

    def attempt(lost: int) -> None:
        seen.append(lost)
        raise ChangedError("another was faster")

    with pytest.raises(ChangedError):
        persist(attempt)
    assert seen == list(range(ATTEMPTS))


def test_any_other_error_is_not_retried() -> None:
    seen: list[int] = []

    def attempt(lost: int) -> None:
        seen.append(lost)
        raise StoreError("no quorum")

    with pytest.raises(StoreError, match="no quorum"):
        persist(attempt)
    assert seen == [0]
