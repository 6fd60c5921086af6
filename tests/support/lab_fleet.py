# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Three hosts of a lab and the collection's playbooks, run on them as users do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "lab" / "lab"
HOSTS = ("h1", "h2", "h3")
STOP = "/run/watched.stop"
DOCKER_STATE = "if [ -e /run/docker.pid ]; then echo active; fi"  # starts no program, ten times a second


class Run(NamedTuple):
    """How a playbook ended: its exit status and all that it printed, in one line."""

    status: int
    output: str


class Sample(NamedTuple):
    """What a script printed, and when (seconds since the boot of the machine that has the lab)."""

    time: float
    text: str

    @classmethod
    def of(cls, line: str) -> Sample:
        """Read a line of a watcher."""
        time, _unused, text = line.partition(" ")
        return cls(float(time), text)


def down_at_a_time(samples: dict[str, list[Sample]]) -> tuple[int, set[str]]:
    """Return how many hosts had Docker down at the same time at most, and which hosts had it down at any time."""
    edges = []
    for host, known in samples.items():
        for before, after in pairwise(known):
            if after.text != "active":
                edges += [(before.time, 1, host), (after.time, -1, host)]
    most = now = 0
    for _unused, step, _unused_host in sorted(edges):
        now += step
        most = max(most, now)
    return most, {host for _unused, _unused_step, host in edges}


class Fleet:
    """A lab of its own name, with a copy of the lab's inventory to change."""

    def __init__(self, name: str, folder: Path) -> None:
        self.environment = {**os.environ, "LAB_NAME": name, "ANSIBLE_INJECT_FACT_VARS": "false"}
        self.environment.pop("LAB_DIR", None)
        self._folder = folder
        self._inventory = folder / "inventory"
        shutil.copytree(ROOT / "inventories/lab", self._inventory)

    def lab(self, *words: str) -> str:
        """Run the lab program; return what it printed."""
        done = subprocess.run(
            [LAB, *words], env=self.environment, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def sh(self, host: str, script: str) -> str:
        """Run a shell script on a host; return what it printed."""
        return self.lab("exec", host, "sh", "-ec", script).strip()

    def group_vars(self, **variables: object) -> None:
        """Set these variables for all hosts of the inventory, and no others."""
        (self._inventory / "group_vars/all/test.yml").write_text(json.dumps(variables))

    def play(self, playbook: str, *options: str, **variables: object) -> Run:
        """Run a playbook of the collection."""
        return self._run(ROOT / f"playbooks/{playbook}.yml", *options, **variables)

    def role(self, role: str, **variables: object) -> Run:
        """Run a role of the collection on all hosts at once, as a play of the user's own."""
        playbook = self._folder / "role.yml"
        roles = [{"role": f"clusternet.overlay.{role}"}]
        playbook.write_text(json.dumps([{"hosts": "overlay", "gather_facts": False, "roles": roles}]))
        return self._run(playbook, **variables)

    def _run(self, playbook: Path, *options: str, **variables: object) -> Run:
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self._inventory), *options]
        done = subprocess.run(
            [*command, "-e", json.dumps(variables), str(playbook)],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        return Run(done.returncode, " ".join((done.stdout + done.stderr).split()))

    @contextmanager
    def watched(self, script: str) -> Iterator[dict[str, list[Sample]]]:
        """Run a script on each host about every 0.1 s; yield its answers, which are complete after the block."""
        each = f"read -r seconds rest < /proc/uptime; echo $seconds $({script})"
        loop = f"rm -f {STOP}; while [ ! -e {STOP} ]; do {each}; sleep 0.1; done"
        answers: dict[str, list[Sample]] = {}
        watchers = {
            host: subprocess.Popen(
                [LAB, "exec", host, "sh", "-c", loop], env=self.environment, stdout=subprocess.PIPE, text=True
            )
            for host in HOSTS
        }
        try:
            yield answers
        finally:
            for host in HOSTS:
                self.sh(host, f"touch {STOP}")
            printed = {host: watcher.communicate(timeout=30)[0] for host, watcher in watchers.items()}
        for host, text in printed.items():
            answers[host] = [Sample.of(line) for line in text.splitlines()]
