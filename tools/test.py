# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the named test suites, or all; the summary at the end names each failed test, and each skip with its reason."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv/bin"
REPORTS = ROOT / ".cache/reports"
UNAVAILABLE = 77  # exit code of tools/python39.py
GUEST = "tests/integration/guest"  # its tests run in the suite kernel only
LONG_SCENARIO = "v2-udp-atomic"  # a part of the suite long
GUEST_FAILED = 70  # exit code of tools/kernel.py
GUEST_RESULTS = ROOT / ".cache/kernel/results"
MOST_FAILURES = 20  # lines in the summary, so that all of it is among the last lines of a log
WIDTH = 300  # characters of such a line
BESIDE_LABS = ("sanity", "kernel", "integration", "molecule")
AT_A_TIME = {  # for pytest: most tests wait most of the time, so several run at a time
    "integration": ["--numprocesses=3", "--dist=worksteal"],
    "labs": ["--numprocesses=2", "--dist=loadfile"],  # the tests of a file share a lab
}
NOT_PASSED = ("failure", "error", "skipped")


class Tally(NamedTuple):
    """The result of a suite: the number of passed tests, a line for each failed test and each reason of a skip."""

    passed: int
    failures: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def lint() -> Tally:
    """Each tool is a test."""
    scripts = [path for path in tracked() if (ROOT / path).is_file() and is_shell(ROOT / path)]
    tools = [
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["mypy", "plugins", "extensions", "tests", "lab", "tools"],
        ["yamllint", "--strict", "."],
        ["ansible-lint"],
        ["antsibull-changelog", "lint"],
        ["shellcheck", "--exclude=SC2016", *scripts],  # single quotes are for the shell of another host
    ]
    outputs = {" ".join(tool[:2]): (tool, REPORTS / f"lint-{number}.log") for number, tool in enumerate(tools)}
    failed = [name for name, (tool, output) in outputs.items() if run(tool, output)]
    failures = tuple(f"{name}: {first_line(outputs[name][1].read_text(encoding='utf-8'))}" for name in failed)
    return Tally(len(outputs) - len(failures), failures)


def unit() -> Tally:
    """The unit tests, which need no other process."""
    return pytest("unit", ["tests/unit"])


def python39() -> Tally:
    """The unit tests of the agent's package with the oldest Python that hosts may have, in a minimal Debian 11."""
    report, output = fresh_report("python39"), REPORTS / "python39.log"
    command = [sys.executable, "tools/python39.py", f"--junit-xml={report.relative_to(ROOT)}"]
    status = run(command, output, {"PYTHONPATH": str(ROOT / "lab")})
    if status == UNAVAILABLE:
        return Tally(0, skipped=(f"all tests with Python 3.9: {last_line(output)}",))
    return reported(report, status)


def sanity() -> Tally:
    """Each test of `ansible-test sanity` is a test."""
    output = REPORTS / "sanity.log"
    status = run(["tools/sanity"], output)
    text = output.read_text(encoding="utf-8")
    count = len(re.findall(r"^Running sanity test ", text, re.MULTILINE))
    failures = failed_by_sanity(text) or ((f"tools/sanity: exit code {status}; its output is above",) if status else ())
    return Tally(max(count - len(failures), 0), failures, skipped_by_sanity(text))


def kernel() -> Tally:
    """The tests with the stock kernel of Debian, in guests of QEMU; a test that is skipped there counts as failed."""
    output = REPORTS / "kernel.log"
    status = run([sys.executable, "tools/kernel.py"], output, {"PYTHONPATH": str(ROOT / "lab")})
    if status == GUEST_FAILED:
        return Tally(0, (f"all tests with Debian's kernel: {last_line(output)}",))
    ends = sorted(GUEST_RESULTS.glob("*/status"))
    return without_skips(
        joined([reported(end.parent / "report.xml", int(end.read_text(encoding="utf-8"))) for end in ends])
    )


def integration() -> Tally:
    """The tests with a real etcd, and with the kernel in network namespaces: the folders of tests/integration."""
    folders = (path for path in (ROOT / "tests/integration").iterdir() if any(path.glob("test_*.py")))
    return pytest("integration", [*AT_A_TIME["integration"], *sorted({relative(path) for path in folders} - {GUEST})])


def molecule() -> Tally:
    """Each scenario is a test: the roles on real hosts. The scenarios that take long are parts of other suites."""
    names = {path.parent.name for path in ROOT.glob("molecule/*/molecule.yml")}
    return scenarios(sorted(names - {"vms", LONG_SCENARIO}))


def vms() -> Tally:
    """The scenario on virtual machines of the lab, which `make test` leaves out: it takes long without KVM."""
    return scenarios(["vms"])


def labs() -> Tally:
    """The tests on real hosts of a lab: the files of tests/integration. The output is printed at the end."""
    files = sorted(map(relative, ROOT.glob("tests/integration/test_*.py")))
    return pytest("labs", [*AT_A_TIME["labs"], *files], REPORTS / "labs.log")


def long() -> Tally:
    """What `make test` leaves out because it takes long: the files of tests/long, and a scenario of molecule."""
    return joined([pytest("long", ["tests/long"]), scenarios([LONG_SCENARIO])])


def scenarios(names: list[str]) -> Tally:
    """The result of these scenarios of molecule; each is a test."""
    failures = []
    for name in names:
        output = REPORTS / f"molecule-{name}.log"
        if run(["molecule", "test", "--scenario-name", name], output, scenario(name)):
            failures.append(f"{name}: {failed_by_ansible(output.read_text(encoding='utf-8'))}")
    return Tally(len(names) - len(failures), tuple(failures))


def scenario(name: str) -> dict[str, str]:
    """The environment for molecule: the place of the scenarios, and of molecule's state inside this clone."""
    return {
        "MOLECULE_COMMAND_BORDERS": "false",
        "MOLECULE_GLOB": "molecule/*/molecule.yml",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(ROOT / ".cache/molecule" / name),
    }


SUITES: dict[str, Callable[[], Tally]] = {
    suite.__name__: suite for suite in (lint, unit, python39, sanity, kernel, integration, molecule, labs, long, vms)
}
ONLY_BY_NAME = ("long", "vms")


def pytest(name: str, arguments: list[str], kept: Path | None = None) -> Tally:
    """The tests of pytest's arguments; the output is printed at the end if it is to be kept until then."""
    report = fresh_report(name)
    return reported(report, run(["pytest", *arguments, f"--junit-xml={report}"], kept, live=kept is None))


def relative(path: Path) -> str:
    """The path as it is written below the root of the tree."""
    return str(path.relative_to(ROOT))


def fresh_report(suite: str) -> Path:
    """The path of a suite's report; the report of an earlier run is removed."""
    report = REPORTS / f"{suite}.xml"
    report.unlink(missing_ok=True)
    return report


def reported(report: Path, status: int) -> Tally:
    """The result in pytest's report; a run without a report counts as failed."""
    ended = f"pytest: exit code {status}; its output is above"
    if not report.exists():
        return Tally(0, (ended,))
    suite = ET.parse(report).getroot().find("testsuite")
    assert suite is not None
    failures = failed_by_pytest(suite) or ((ended,) if status else ())
    passed = sum(all(case.find(tag) is None for tag in NOT_PASSED) for case in suite.iter("testcase"))
    return Tally(passed, failures, skipped_by_pytest(suite))


def failed_by_pytest(suite: ET.Element) -> tuple[str, ...]:
    """A line for each failed test in a report: its id for pytest, and the first line of the message."""
    failures: dict[str, str] = {}  # a test that fails, and whose teardown fails too, is in the report twice
    for case in suite.iter("testcase"):
        for problem in (*case.iter("failure"), *case.iter("error")):
            message, details = problem.get("message", ""), problem.text or ""
            if message == "collection failure":  # the cause is the last line that pytest marks with E
                message = ([message, *re.findall(r"^E +(.*)$", details, re.MULTILINE)])[-1]
            failures.setdefault(test_id(case.get("classname", ""), case.get("name", "")), first_line(message))
    return tuple(f"{name}: {message}" for name, message in failures.items())


def test_id(classname: str, name: str) -> str:
    """A test's id for `make one`, from the two names in the report."""
    file = f"{(classname or name).replace('.', '/')}.py"
    return f"{file}::{name}" if classname else file  # a file that cannot be imported has no class name


def failed_by_sanity(text: str) -> tuple[str, ...]:
    """A line for each failed test in ansible-test's output, with its first finding."""
    names = re.search(r"^FATAL: The \d+ sanity test\(s\) listed below .*\n((?:\S.*\n?)*)", text, re.MULTILINE)
    failures = []
    for name in names[1].splitlines() if names else ():
        found = re.search(rf"^ERROR: Found \d+ {name.split()[0]} issue.*\nERROR: (.*)", text, re.MULTILINE)
        failures.append(f"{name}: {found[1] if found else 'see its output above'}")
    return tuple(failures)


def failed_by_ansible(text: str) -> str:
    """The last failed task in Ansible's output that was not ignored, and its error."""
    for task in reversed(re.split(r"^TASK \[", text, flags=re.MULTILINE)[1:]):
        error = re.search(r"^(?:\[ERROR\]: |fatal: )(.*)", task, re.MULTILINE)
        if error and not re.search(r"^\.\.\.ignoring$", task, re.MULTILINE):
            return f"{task.partition(']')[0]}: {error[1]}"
    return "see its output above"


def first_line(text: str) -> str:
    """The first line of a text that is not empty."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def joined(parts: list[Tally]) -> Tally:
    """The sum of several results."""
    failures = tuple(failure for part in parts for failure in part.failures)
    return Tally(sum(part.passed for part in parts), failures, tuple(skip for part in parts for skip in part.skipped))


def without_skips(result: Tally) -> Tally:
    """The same result, in which each reason of a skip is a failure."""
    return Tally(result.passed, (*result.failures, *(f"skipped {reason}" for reason in result.skipped)))


def last_line(output: Path) -> str:
    """The last line of a file."""
    return next(reversed(output.read_text(encoding="utf-8").splitlines()), "")


def skipped_by_pytest(suite: ET.Element) -> tuple[str, ...]:
    """A line for each reason in a report, with the number of tests that were skipped for it."""
    reasons = Counter(skipped.get("message", "") for skipped in suite.iter("skipped"))
    return tuple(f"{count} {'test' if count == 1 else 'tests'}: {reason}" for reason, count in reasons.items())


def skipped_by_sanity(text: str) -> tuple[str, ...]:
    """A line for each reason in ansible-test's output; missing interpreters are listed by test."""
    missing: dict[str, list[str]] = {}
    others: list[str] = []
    for line in dict.fromkeys(re.findall(r"^WARNING: (Skipping .*)$", text, re.MULTILINE)):  # each is printed twice
        version = re.fullmatch(r'Skipping sanity test "(.*)" on Python (\S+) because it could not be found\.', line)
        if version:
            missing.setdefault(version[1], []).append(version[2])
        else:
            others.append(line)
    return (
        *(f"{test} on Python {', '.join(found)}: the interpreter is missing" for test, found in missing.items()),
        *others,
    )


def run(
    command: list[str], output: Path | None = None, environment: dict[str, str] | None = None, live: bool = True
) -> int:
    """The command's exit code; its output is written to `output` and printed, without `live` at the end."""
    title = f"\n$ {' '.join(command)}"
    if live:
        print(title, flush=True)
    path = os.environ["PATH"]
    settings = {"PYTHONUNBUFFERED": "1", **(environment or {})}
    merged = {**os.environ, **settings, "PATH": path if str(BIN) in path.split(":") else f"{BIN}:{path}"}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=merged,
        text=True,
        stdout=subprocess.PIPE if output else None,
        stderr=subprocess.STDOUT if output else None,
    ) as process:
        if output and process.stdout:
            with output.open("w", encoding="utf-8") as kept:
                for line in process.stdout:
                    if live:
                        print(line, end="", flush=True)
                    kept.write(line)
    if output and not live:
        print(f"{title}\n{output.read_text(encoding='utf-8')}", flush=True)
    return process.returncode


def tracked() -> list[str]:
    """The files of the project: those in git, and new ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


def is_shell(path: Path) -> bool:
    """Whether the file's first line is that of a shell script."""
    with path.open("rb") as file:
        return re.match(rb"#!.*\b(ba)?sh\b", file.readline()) is not None


def summary(results: dict[str, tuple[Tally, float]]) -> list[str]:
    """The last lines of a run: the suites with the reasons of their skips, then the failed tests, then the total."""
    lines = []
    for name, (result, seconds) in results.items():
        lines.append(f"{name:12} {result.passed:5} passed, {len(result.failures)} failed in {seconds:.0f} s")
        lines += [f"{'':12} skipped {reason}" for reason in result.skipped]
    tallies = [result for result, _seconds in results.values()]
    failures = [
        f"FAILED {name}: {failure}"[:WIDTH]
        for name, (result, _seconds) in results.items()
        for failure in result.failures
    ]
    if len(failures) > MOST_FAILURES:
        failures[MOST_FAILURES - 1 :] = [f"FAILED {len(failures) - MOST_FAILURES + 1} more tests, named above"]
    skipped = ", some skipped as listed above" if any(result.skipped for result in tallies) else ""
    passed, failed = sum(result.passed for result in tallies), sum(len(result.failures) for result in tallies)
    return [*lines, *failures, f"{passed} passed, {failed} failed{skipped}"]


def run_suites(names: list[str]) -> dict[str, tuple[Tally, float]]:
    """The result and the seconds of each suite. The labs, which mostly wait, run beside the suites of BESIDE_LABS."""
    results: dict[str, tuple[Tally, float]] = {}
    with ThreadPoolExecutor(max_workers=1) as pool:
        beside = None
        for name in names:
            if name in BESIDE_LABS and "labs" in names and beside is None:
                beside = pool.submit(timed, "labs")
            if name != "labs" or beside is None:
                results[name] = timed(name)
        if beside is not None:
            results["labs"] = beside.result()
    return results


def timed(name: str) -> tuple[Tally, float]:
    """The result of a suite, and the seconds that it took."""
    print(f"\n=== {name}", flush=True)
    start = time.monotonic()
    return SUITES[name](), time.monotonic() - start


def main(names: list[str]) -> int:
    """Run these suites (without names all but ONLY_BY_NAME); return 1 if a test failed, 2 for an unknown name."""
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        print(f"unknown suite {', '.join(unknown)}; use {', '.join(SUITES)}", file=sys.stderr)
        return 2
    # A shell starts a command in the background with SIGINT ignored. The tests send it to programs, which inherit this.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    REPORTS.mkdir(parents=True, exist_ok=True)
    results = run_suites(names or [name for name in SUITES if name not in ONLY_BY_NAME])
    print("\n=== summary")
    print("\n".join(summary(results)))
    return int(any(result.failures for result, _seconds in results.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
