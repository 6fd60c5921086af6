# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The summary of `make test` names all that was skipped, with the reason."""

from __future__ import annotations

import importlib.util
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "tools/test.py"
SANITY = """\
WARNING: Using locale "C.UTF-8" instead of "en_US.UTF-8". Tests which depend on the locale may behave unexpectedly.
WARNING: Skipping sanity test "compile" on Python 3.8 because it could not be found.
Running sanity test "compile" on Python 3.11
WARNING: Skipping sanity test "compile" on Python 3.9 because it could not be found.
WARNING: Skipping tests disabled by default without --allow-disabled: action-plugin-docs
WARNING: Reviewing previous 3 warning(s):
WARNING: Skipping sanity test "compile" on Python 3.8 because it could not be found.
WARNING: Skipping sanity test "compile" on Python 3.9 because it could not be found.
WARNING: Skipping tests disabled by default without --allow-disabled: action-plugin-docs
"""
REPORT = """\
<testsuite tests="4">
  <testcase name="a"><skipped message="needs root"/></testcase>
  <testcase name="b"><skipped message="needs root"/></testcase>
  <testcase name="c"><skipped message="no nft"/></testcase>
  <testcase name="d"/>
</testsuite>
"""


@pytest.fixture(scope="module")
def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tools_test", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = sys.modules.setdefault(spec.name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


def test_missing_interpreters_are_listed_by_test_and_other_skips_as_they_are(program: ModuleType) -> None:
    assert program.skipped_by_sanity(SANITY) == (
        "compile on Python 3.8, 3.9: no such interpreter",
        "Skipping tests disabled by default without --allow-disabled: action-plugin-docs",
    )


def test_skips_of_pytest_are_counted_by_reason(program: ModuleType) -> None:
    assert program.skipped_by_pytest(ET.fromstring(REPORT)) == ("2 tests: needs root", "1 test: no nft")


def test_the_summary_names_what_was_skipped(program: ModuleType) -> None:
    results = {"unit": (program.Tally(7, 0), 2.0), "sanity": (program.Tally(24, 0, ("compile on Python 3.8",)), 40.0)}
    assert program.summary(results) == [
        "unit             7 passed, 0 failed in 2 s",
        "sanity          24 passed, 0 failed in 40 s",
        "             skipped compile on Python 3.8",
        "31 passed, 0 failed, some skipped as listed above",
    ]


def test_a_summary_without_skips_speaks_of_none(program: ModuleType) -> None:
    assert program.summary({"unit": (program.Tally(7, 1), 2.0)})[-1] == "7 passed, 1 failed"
