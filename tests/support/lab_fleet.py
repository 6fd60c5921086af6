# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The hosts of a lab, and the collection's playbooks and roles, run on them as users run them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from support.lab import LAB, ROOT, Lab

HOSTS = ("h1", "h2", "h3")
STOP = "/run/watched.stop"
LONGEST = 1800  # seconds for a playbook, on a busy machine
DOCKER_STATE = "if [ -e /run/docker.pid ]; then echo active; fi"  # starts no program, ten times a second


class Run(NamedTuple):
    """The exit status of a playbook, and its output as one line."""

    status: int
    output: str


class Sample(NamedTuple):
    """The output of a script, and its time in seconds since the machine's boot."""

    time: float
    text: str

    @classmethod
    def of(cls, line: str) -> Sample:
        """Parse a line of a watcher."""
        time, _unused, text = line.partition(" ")
        return cls(float(time), text)


def down_at_a_time(samples: dict[str, list[Sample]]) -> tuple[int, set[str]]:
    """Return on how many hosts at most Docker was down at the same time, and on which hosts it was down at all."""
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
    """A lab whose name begins with LAB_NAME, as those of molecule do, and its inventory with the lab's group_vars."""

    def __init__(self, name: str, folder: Path, count: int = 3, etcd: Sequence[str] = ()) -> None:
        """Write the inventory of ``count`` hosts; ``etcd`` names the members of the cluster, all hosts by default."""
        self.lab = Lab(f"{os.environ.get('LAB_NAME', 'overlay')[:15]}-{name}")
        self.hosts = HOSTS[:count]
        self._folder = folder
        self._inventory = folder / "inventory"
        shutil.copytree(ROOT / "inventories/lab", self._inventory)
        hosts = {host: {"ansible_host": f"192.168.100.{11 + number}"} for number, host in enumerate(self.hosts)}
        groups = {"etcd": {"hosts": {host: {} for host in etcd or hosts}}, "overlay": {"hosts": hosts}}
        (self._inventory / "hosts.yml").write_text(json.dumps({"all": {"children": groups}}))

    @contextmanager
    def running(self) -> Iterator[Fleet]:
        """Start the hosts, and remove the lab at the end."""
        try:
            self.lab("up", "-n", str(len(self.hosts)))
            self.lab("wait")
            yield self
        finally:
            self.lab("down")

    def sh(self, host: str, script: str) -> str:
        """Run a shell script on a host; return what it printed."""
        return self.lab("exec", host, "sh", "-ec", script)

    def send(self, host: str, content: bytes, script: str) -> None:
        """Run a shell script on a host with this content as its standard input."""
        done = subprocess.run(
            [LAB, "exec", host, "sh", "-ec", script],
            env=self.lab.environment,
            input=content,
            capture_output=True,
            timeout=self.lab.limit,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def group_vars(self, **variables: object) -> None:
        """Set these variables for all hosts of the inventory, and no others."""
        (self._inventory / "group_vars/all/test.yml").write_text(json.dumps(variables))

    def play(self, playbook: str, *options: str, **variables: object) -> Run:
        """Run a playbook of the collection."""
        return self._run(f"clusternet.overlay.{playbook}", *options, **variables)

    def role(self, role: str, *options: str, entry: str = "main", **variables: object) -> Run:
        """Run an entry point of a role on all hosts at once, as a play of the user's own."""
        task: dict[str, object] = {"include_role": {"name": f"clusternet.overlay.{role}", "tasks_from": entry}}
        return self._run(self._play_of(task), *options, **variables)

    def module(self, name: str, **arguments: object) -> Run:
        """Run a module of the collection on all hosts at once."""
        return self._run(self._play_of({f"clusternet.overlay.{name}": arguments}))

    def _play_of(self, task: dict[str, object]) -> str:
        playbook = self._folder / "task.yml"
        playbook.write_text(json.dumps([{"hosts": "overlay", "gather_facts": False, "tasks": [task]}]))
        return str(playbook)

    def container(self, host: str, name: str) -> str:
        """Return whether a container runs, and its address: "true 10.50.7.2"."""
        form = "{{.State.Running}} {{.NetworkSettings.IPAddress}}"
        return self.sh(host, f"docker inspect --format '{form}' {name}")

    def start_containers(self, name: str) -> None:
        """Start a container of the lab's image on each host."""
        for host in self.hosts:
            self.sh(host, "docker load --quiet --input /srv/images/overlay-probe.tar")
            self.sh(host, f"docker run --detach --init --name {name} overlay-probe sleep 86400")

    def interrupt(self, playbook: str, host: str, condition: str, **variables: object) -> None:
        """Run a playbook of the collection, and kill it as soon as the condition (a script) holds on the host."""
        log = self._folder / "interrupted.log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                self._command(f"clusternet.overlay.{playbook}", (), variables),
                cwd=ROOT,
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            ) as run,
        ):
            try:
                self._await(host, condition, run, log)
            finally:
                with suppress(ProcessLookupError):  # the playbook ended by itself
                    os.killpg(run.pid, signal.SIGKILL)

    def _await(self, host: str, condition: str, run: subprocess.Popen[bytes], log: Path) -> None:
        """Wait until a condition (a script) holds on the host while a playbook runs."""
        end = time.monotonic() + LONGEST
        look = f"for i in $(seq 400); do if {condition}; then exit; fi; sleep 0.05; done; exit 1"
        while self.lab.try_to("exec", host, "sh", "-c", look).returncode:
            assert run.poll() is None, f"the playbook ended, and on {host} never: {condition}\n{log.read_text()}"
            assert time.monotonic() < end, f"not within {LONGEST} seconds on {host}: {condition}"

    @property
    def _environment(self) -> dict[str, str]:
        return {**self.lab.environment, "ANSIBLE_INJECT_FACT_VARS": "false"}

    def _command(self, playbook: str, options: Iterable[str], variables: dict[str, object]) -> list[str]:
        program = str(Path(sys.executable).parent / "ansible-playbook")
        return [program, "-i", str(self._inventory), *options, "-e", json.dumps(variables), playbook]

    def _run(self, playbook: str, *options: str, **variables: object) -> Run:
        done = subprocess.run(
            self._command(playbook, options, variables),
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        return Run(done.returncode, " ".join((done.stdout + done.stderr).split()))

    @contextmanager
    def watched(self, script: str) -> Iterator[dict[str, list[Sample]]]:
        """Run a script on each host about every 0.1 s; yield its answers, which are complete after the block."""
        each = f"read -r seconds rest < /proc/uptime; echo $seconds $({script})"
        loop = f"rm -f {STOP}; while [ ! -e {STOP} ]; do {each}; sleep 0.1; done"
        answers: dict[str, list[Sample]] = {}
        watchers = {host: self.lab.begin("exec", host, "sh", "-c", loop) for host in self.hosts}
        try:
            yield answers
        finally:
            for host in self.hosts:
                self.sh(host, f"touch {STOP}")
            printed = {host: watcher.communicate(timeout=30)[0] for host, watcher in watchers.items()}
        for host, text in printed.items():
            answers[host] = [Sample.of(line) for line in text.splitlines()]
