# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The summary of `make test` names each failed test and each skip, with the first line of the reason."""

from __future__ import annotations

import importlib.util
import sys
import xml.etree.ElementTree as ET
from functools import partial
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
SANITY_FAILED = """\
Running sanity test "pylint"
ERROR: Found 1 pylint issue(s) which need to be resolved:
ERROR: plugins/modules/subnet_lease.py:3:0: unused-import: Unused import json
Running sanity test "import" on Python 3.11
ERROR: Found 2 import issue(s) on python 3.11 which need to be resolved:
ERROR: plugins/modules/overlay_info.py:9:0: traceback: ImportError: one
ERROR: plugins/modules/overlay_route.py:9:0: traceback: ImportError: two
FATAL: The 2 sanity test(s) listed below (out of 24) failed. See error output above for details.
pylint
import --python 3.11
"""
REPORT = """\
<testsuite tests="9">
  <testcase classname="tests.unit.test_roles" name="test_a"><skipped message="needs root"/></testcase>
  <testcase classname="tests.unit.test_roles" name="test_b"><skipped message="needs root"/></testcase>
  <testcase classname="tests.unit.test_roles" name="test_c"><skipped message="no nft"/></testcase>
  <testcase classname="tests.unit.test_roles" name="test_passes"/>
  <testcase classname="tests.unit.test_roles" name="test_e[v2-two words]">
    <failure message="AssertionError: the map&#10;  differs">a traceback</failure>
  </testcase>
  <testcase classname="tests.unit.test_roles" name="test_f"><failure message="assert 1 == 2"/></testcase>
  <testcase classname="tests.unit.test_roles" name="test_f"><error message="failed on teardown"/></testcase>
  <testcase classname="tests.unit.test_roles" name="test_g"><error message="failed on setup"/></testcase>
  <testcase classname="" name="tests.unit.test_new">
    <error message="collection failure">ImportError while importing
E   ModuleNotFoundError: No module named 'new'</error>
  </testcase>
</testsuite>
"""
PLAYS = """\
TASK [Tolerate] ****
[ERROR]: Task failed: Module failed: non-zero return code
fatal: [h1]: FAILED! => {"rc": 1}
...ignoring

TASK [Compare the routes] ****
[ERROR]: Task failed: Action failed: the route is missing
Origin: /tree/molecule/shared/verify.yml:7:7
fatal: [h2]: FAILED! => {"msg": "the route is missing"}

TASK [Stop the lab] ****
changed: [localhost]
"""


@pytest.fixture(scope="module")
def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tools_test", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = sys.modules.setdefault(spec.name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


def test_missing_interpreters_are_listed_by_test_and_other_skips_unchanged(program: ModuleType) -> None:
    assert program.skipped_by_sanity(SANITY) == (
        "compile on Python 3.8, 3.9: the interpreter is missing",
        "Skipping tests disabled by default without --allow-disabled: action-plugin-docs",
    )


def test_skips_of_pytest_are_counted_by_reason(program: ModuleType) -> None:
    assert program.skipped_by_pytest(ET.fromstring(REPORT)) == ("2 tests: needs root", "1 test: no nft")


def test_each_failed_test_of_pytest_is_listed_once_by_its_id_with_its_message(program: ModuleType) -> None:
    assert program.failed_by_pytest(ET.fromstring(REPORT)) == (
        "tests/unit/test_roles.py::test_e[v2-two words]: AssertionError: the map",
        "tests/unit/test_roles.py::test_f: assert 1 == 2",
        "tests/unit/test_roles.py::test_g: failed on setup",
        "tests/unit/test_new.py: ModuleNotFoundError: No module named 'new'",
    )


def test_a_report_of_pytest_is_read_from_its_file(program: ModuleType, tmp_path: Path) -> None:
    report = tmp_path / "unit.xml"
    report.write_text(f"<testsuites>{REPORT}</testsuites>")
    result = program.reported(report, 1)
    assert (result.passed, len(result.failures), len(result.skipped)) == (1, 4, 2)


def test_pytest_without_a_report_is_a_failure(program: ModuleType, tmp_path: Path) -> None:
    assert program.reported(tmp_path / "unit.xml", 4).failures == ("pytest: exit code 4; its output is above",)


def test_pytest_that_ends_with_an_error_is_a_failure_though_no_test_failed(program: ModuleType, tmp_path: Path) -> None:
    report = tmp_path / "unit.xml"
    report.write_text("<testsuites><testsuite tests='0'/></testsuites>")
    assert program.reported(report, 5).failures == ("pytest: exit code 5; its output is above",)


def test_the_results_of_two_guests_are_added(program: ModuleType) -> None:
    parts = [program.Tally(3, ("a: assert 0",), ("1 test: x",)), program.Tally(4, ("b: assert 1",))]
    assert program.joined(parts) == program.Tally(7, ("a: assert 0", "b: assert 1"), ("1 test: x",))


def test_a_skip_in_the_guest_is_a_failure(program: ModuleType) -> None:
    result = program.without_skips(program.Tally(3, ("a: assert 0",), ("2 tests: no module ipip",)))
    assert result == program.Tally(3, ("a: assert 0", "skipped 2 tests: no module ipip"))


def test_failed_sanity_tests_are_listed_with_their_first_finding(program: ModuleType) -> None:
    assert program.failed_by_sanity(SANITY_FAILED) == (
        "pylint: plugins/modules/subnet_lease.py:3:0: unused-import: Unused import json",
        "import --python 3.11: plugins/modules/overlay_info.py:9:0: traceback: ImportError: one",
    )


def test_a_scenario_is_listed_with_the_task_that_failed_and_was_not_ignored(program: ModuleType) -> None:
    assert program.failed_by_ansible(PLAYS) == "Compare the routes: Task failed: Action failed: the route is missing"


def test_a_scenario_that_failed_outside_of_a_task_refers_to_its_output(program: ModuleType) -> None:
    assert program.failed_by_ansible("CRITICAL no such driver") == "see its output above"


def test_the_summary_lists_skipped_tests(program: ModuleType) -> None:
    results = {
        "unit": (program.Tally(7), 2.0),
        "sanity": (program.Tally(24, skipped=("compile on Python 3.8",)), 40.0),
    }
    assert program.summary(results) == [
        "unit             7 passed, 0 failed in 2 s",
        "sanity          24 passed, 0 failed in 40 s",
        "             skipped compile on Python 3.8",
        "31 passed, 0 failed, some skipped as listed above",
    ]


def test_a_summary_without_skips_speaks_of_none(program: ModuleType) -> None:
    assert program.summary({"unit": (program.Tally(7, ("one",)), 2.0)})[-1] == "7 passed, 1 failed"


def test_the_summary_names_failed_tests_by_suite_just_before_the_total(program: ModuleType) -> None:
    results = {
        "lint": (program.Tally(6, ("ruff check: E501 Line too long",)), 9.0),
        "unit": (program.Tally(7, ("a: assert 0", "b: assert 1")), 2.0),
    }
    assert program.summary(results)[2:] == [
        "FAILED lint: ruff check: E501 Line too long",
        "FAILED unit: a: assert 0",
        "FAILED unit: b: assert 1",
        "13 passed, 3 failed",
    ]


@pytest.mark.parametrize(("count", "last"), [(20, "FAILED unit: test_19"), (21, "FAILED 2 more tests, named above")])
def test_the_summary_has_at_most_twenty_lines_of_failed_tests(program: ModuleType, count: int, last: str) -> None:
    failures = tuple(f"test_{number}" for number in range(count))
    lines = program.summary({"unit": (program.Tally(0, failures), 2.0)})[1:-1]
    assert (len(lines), lines[-1]) == (20, last)


def test_a_line_of_the_summary_is_cut_to_a_length_that_a_log_shows(program: ModuleType) -> None:
    lines = program.summary({"unit": (program.Tally(0, ("x" * 1000,)), 2.0)})
    assert max(map(len, lines)) == program.WIDTH


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["unit", "integration", "molecule", "labs"], ["unit", "integration", "molecule", "labs"]),
        (["labs"], ["labs"]),
        (["labs", "unit"], ["labs", "unit"]),
        (["unit", "labs"], ["unit", "labs"]),
    ],
)
def test_each_named_suite_runs_once(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, names: list[str], order: list[str]
) -> None:
    runs: list[str] = []

    def run(name: str) -> object:
        runs.append(name)
        return program.Tally(1)

    monkeypatch.setattr(program, "SUITES", {name: partial(run, name) for name in program.SUITES})
    assert list(program.run_suites(names)) == order
    assert sorted(runs) == sorted(names)
