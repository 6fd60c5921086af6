# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the commands of the extension backend in a separate thread, until all that the leases require have succeeded.

PreStartupCommand runs before the lease is acquired (by the etcd thread), PostStartupCommand after it, SubnetAddCommand
for each peer, SubnetRemoveCommand for each peer that left. A command that fails is repeated after a pause, which
doubles each time. A command that succeeded is recorded (host/extension_memory.py) and not repeated.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping

from ..host.commands import NONE, Command, CommandError, Runner, not_permitted
from ..host.extension_memory import Added, ExtensionMemory
from ..host.log import log
from ..model.addresses import Subnet, format_ipv4
from ..model.backends.extension import ExtensionOptions
from ..model.errors import ConfigError, OverlayError
from ..model.lease import SubnetLease
from ..model.network import NetworkConfig
from ..named_tuple import NamedTuple
from .messages import CommandsReport
from .options import Options

FIRST_PAUSE, LAST_PAUSE = 1.0, 300.0  # seconds before a failed command is repeated: at first, and at most
PATIENCE = 3.0  # seconds for a running command to end before overlayd stops or replaces its process
START, REMOVE, ADD = "start", "remove", "add"
Leases = Mapping[Subnet, SubnetLease]


class Setup(NamedTuple):
    """The commands, and the network, subnet and public IP for which they run."""

    options: ExtensionOptions
    network: Subnet
    subnet: Subnet
    public_ip: int

    @property
    def served(self) -> str:
        """The identity of this setup: the startup commands run again if it changes."""
        return json.dumps([*self.options[:2], str(self.network), str(self.subnet), format_ipv4(self.public_ip)])


class Job(NamedTuple):
    """A command that is due; ``wanted`` is the peer as it should be added."""

    kind: str
    subnet: str = ""
    wanted: Added | None = None


class FailedJob(NamedTuple):
    """A failed job: its error, and the time (monotonic clock) of the next attempt."""

    sentence: str
    due: float
    pause: float


class ExtensionThread(threading.Thread):
    """The commands of this host; ``report`` is called by this thread whenever the state changed."""

    def __init__(self, runner: Runner, memory: ExtensionMemory, report: Callable[[CommandsReport], object]) -> None:
        super().__init__(name="extension", daemon=True)
        self._runner = runner
        self._memory = memory
        self._report = report
        self._change = threading.Condition()
        self._setup: Setup | None = None
        self._wanted: Mapping[str, Added] = {}
        self._failures: dict[Job, FailedJob] = {}
        self._startup = threading.RLock()  # while PreStartupCommand runs
        self._refused: tuple[str, FailedJob] | None = None  # the last PreStartupCommand if it failed
        self._stops = False
        self._reported: CommandsReport | None = None

    def lease_data(self, options: ExtensionOptions) -> str:
        """Return the output of PreStartupCommand, which runs once; the etcd thread needs it before it leases a subnet.

        Raise ConfigError if it fails or is not permitted; it runs again after a pause.
        """
        if self._runner.mode == NONE:
            raise ConfigError(not_permitted("Backend extension"))
        with self._startup:
            return self._output(options)

    def known_data(self, options: ExtensionOptions) -> str:
        """Return the remembered output of PreStartupCommand, "" if it did not run; raise ConfigError as lease_data."""
        if self._runner.mode == NONE:
            raise ConfigError(not_permitted("Backend extension"))
        known = self._memory.startup
        return known.output if known.command == options.pre_startup_command else ""

    def _output(self, options: ExtensionOptions) -> str:
        command = options.pre_startup_command
        if not command or self._memory.startup.command == command:
            return self._memory.startup.output if command else ""
        before = self._refused[1] if self._refused is not None and self._refused[0] == command else None
        if before is not None and time.monotonic() < before.due:
            raise ConfigError(before.sentence)
        try:
            output = self._runner.run(Command("PreStartupCommand", command))
            self._memory.started(command=command, output=output)
        except OverlayError as error:
            self._refused = command, _failure(error, before)
            raise ConfigError(str(error)) from None
        log.info("extension: ran PreStartupCommand")
        return output

    def serve(self, config: NetworkConfig, own: Subnet, public_ip: int, leases: Leases) -> None:
        """Run the commands of a config for this host's subnet and for these peers, which have an extension lease."""
        setup = _setup(config, own, public_ip)
        wanted = self._peers(setup, leases)
        with self._change:
            if (setup, wanted) != (self._setup, self._wanted):
                self._setup, self._wanted = setup, wanted
                self._change.notify()
        if self.ident is None and not self._stops:
            self.start()

    def preview(self, config: NetworkConfig, own: Subnet, public_ip: int, leases: Leases) -> list[str]:
        """Return a line for each command that ``serve`` would run."""
        self._setup = _setup(config, own, public_ip)
        self._wanted = self._peers(self._setup, leases)
        names = {START: "PostStartupCommand", REMOVE: "SubnetRemoveCommand of", ADD: "SubnetAddCommand of"}
        return [f"# {names[job.kind]} {job.subnet}".strip() for job in self._jobs()]

    def _peers(self, setup: Setup | None, leases: Leases) -> dict[str, Added]:
        """Return the peers that should be added; without a setup those that were, if their lease did not change."""
        wanted: dict[str, Added] = {}
        for subnet, lease in leases.items():
            data = lease.backend_data if isinstance(lease.backend_data, str) else ""
            known = self._memory.added.get(str(subnet))
            if setup is not None:
                add, remove = setup.options[2:4]
                wanted[str(subnet)] = Added(format_ipv4(lease.public_ip), data, add, remove)
            elif known is not None and known.done and known[:2] == (format_ipv4(lease.public_ip), data):
                wanted[str(subnet)] = known
        return wanted

    def stop(self) -> None:
        """Start no further command; wait for the running one a few seconds, then kill it."""
        with self._change:
            self._stops = True
            self._change.notify()
        if self.is_alive():
            self.join(PATIENCE)
        self._runner.stop()
        if self.is_alive():
            self.join(PATIENCE)

    def run(self) -> None:
        """Run the commands that are due, one after the other."""
        while True:
            with self._change:
                job = self._next()
                while job is None and not self._stops:
                    self._tell()
                    self._change.wait(self._pause())
                    job = self._next()
                setup = self._setup
                if self._stops or job is None:
                    return
            self._do(job, setup)
            with self._change:
                self._tell()

    def _jobs(self) -> list[Job]:
        """Return the jobs in their order; peers are added after PostStartupCommand."""
        jobs = [Job(REMOVE, subnet) for subnet in self._memory.added if subnet not in self._wanted]
        if self._setup is None:
            return jobs
        if self._memory.startup.served != self._setup.served:
            return [*jobs, Job(START)]
        for subnet, wanted in self._wanted.items():
            if not self._is_added(subnet, wanted):
                jobs.append(Job(ADD, subnet, wanted))
        return jobs

    def _is_added(self, subnet: str, wanted: Added) -> bool:
        known = self._memory.added.get(subnet)
        if known is None or not known.done or known[:2] != wanted[:2]:
            return False
        return known[2:5] == (wanted.add, wanted.remove, self._memory.startup.run)

    def _next(self) -> Job | None:
        """Return the next job: one that did not fail yet, else one whose pause is over."""
        now = time.monotonic()
        jobs = self._jobs()
        self._failures = {job: self._failures[job] for job in jobs if job in self._failures}
        fresh = next((job for job in jobs if job not in self._failures), None)
        return fresh or next((job for job, failure in self._failures.items() if failure.due <= now), None)

    def _pause(self) -> float | None:
        """Return the seconds until the next job is due, None if none will be."""
        due = min((failure.due for failure in self._failures.values()), default=None)
        return None if due is None else max(due - time.monotonic(), 0.01)

    def _do(self, job: Job, setup: Setup | None) -> None:
        try:
            if job.kind == REMOVE:
                self._remove(job.subnet, self._memory.added[job.subnet], setup)
            elif job.kind == START and setup is not None:
                self._start_up(setup)
            elif job.wanted is not None and setup is not None:
                self._add(job.subnet, job.wanted, setup)
        except Exception as error:  # also a defect of overlayd: this thread must not end
            if not isinstance(error, OverlayError):
                log.exception("unexpected error; please report it with this traceback")
            self._failures[job] = _failure(error, self._failures.get(job))
        else:
            self._failures.pop(job, None)

    def _start_up(self, setup: Setup) -> None:
        """Run PostStartupCommand; peers that were added before are then added again.

        PreStartupCommand ran before, unless etcd could not be reached since the host booted.
        """
        self.lease_data(setup.options)
        text = setup.options.post_startup_command
        if text:
            variables = _variables(str(setup.network), str(setup.subnet), format_ipv4(setup.public_ip))
            self._runner.run(Command("PostStartupCommand", text, variables))
            log.info("extension: ran PostStartupCommand")
        self._memory.started(served=setup.served, run=str(int(self._memory.startup.run) + 1))

    def _add(self, subnet: str, wanted: Added, setup: Setup) -> None:
        """Add a peer; remove first what was added for it before, maybe only in part."""
        known = self._memory.added.get(subnet)
        added = wanted._replace(run=self._memory.startup.run)
        if known is not None and known._replace(remove=wanted.remove) == added._replace(done=True):
            self._memory.set(subnet, added._replace(done=True))  # only SubnetRemoveCommand changed
            return
        if known is not None:
            try:
                self._remove(subnet, known, setup)
            except CommandError as error:
                log.info("extension: %s; ignored, and the peer is added again", error)
        self._memory.set(subnet, added)
        if wanted.add:
            purpose = f"SubnetAddCommand of {subnet}"
            variables = _variables(str(setup.network), subnet, wanted.public_ip)
            self._runner.run(Command(purpose, wanted.add, variables, wanted.data))
        self._memory.set(subnet, added._replace(done=True))
        log.info("peer added: %s at %s (extension)", subnet, wanted.public_ip)

    def _remove(self, subnet: str, known: Added, setup: Setup | None) -> None:
        """Remove a peer by the command of its time, or by the present one if only that command changed."""
        present = setup is not None and setup.options.subnet_add_command == known.add
        text = setup.options.subnet_remove_command if setup is not None and present else known.remove
        _remove_peer(self._runner, subnet, known._replace(remove=text), str(setup.network) if setup else "")
        self._memory.discard(subnet)
        log.info("peer removed: %s at %s (extension)", subnet, known.public_ip)

    def _tell(self) -> None:
        """Report the state if it changed."""
        jobs = self._jobs()
        failures = [(job, self._failures.get(job)) for job in jobs]
        report = CommandsReport(
            tuple(sorted(failure.sentence for _unused, failure in failures if failure is not None)),
            sum(known.done for known in self._memory.added.values()),
            all(failure is not None and job.kind != START for job, failure in failures),
        )
        if report != self._reported:
            self._reported = report
            self._report(report)


def _remove_peer(runner: Runner, subnet: str, known: Added, network: str) -> None:
    """Run the SubnetRemoveCommand of a peer; raise CommandError."""
    if known.remove:
        variables = _variables(network, subnet, known.public_ip)
        runner.run(Command(f"SubnetRemoveCommand of {subnet}", known.remove, variables, known.data))


def extension_of(options: Options, report: Callable[[CommandsReport], object] = bool) -> ExtensionThread:
    """Return the commands of a host with these options, not started yet."""
    runner = Runner(options.extension_commands, options.extension_timeout, os.environ)
    return ExtensionThread(runner, ExtensionMemory(options.extension_file), report)


def remove_all(options: Options, network: str) -> list[str]:
    """Remove all peers that commands added; return a sentence for each one that could not be removed.

    These are forgotten, too: a command that cannot succeed must not prevent the removal of overlayd.
    """
    runner = Runner(options.extension_commands, options.extension_timeout, os.environ)
    memory = ExtensionMemory(options.extension_file)
    problems: list[str] = []
    for subnet, known in memory.added.items():
        try:
            _remove_peer(runner, subnet, known, network)
        except CommandError as error:
            problems.append(str(error))
        else:
            log.info("peer removed: %s at %s (extension)", subnet, known.public_ip)
    memory.remove()
    return problems


def _setup(config: NetworkConfig, own: Subnet, public_ip: int) -> Setup | None:
    """Return what this host serves with commands, None if the network config has another backend."""
    options = config.backend
    return Setup(options, config.network, own, public_ip) if isinstance(options, ExtensionOptions) else None


def _variables(network: str, subnet: str, public_ip: str) -> dict[str, str]:
    """Return the variables of a command for a subnet and the public IP of its host; IPv6 is not supported."""
    return {"NETWORK": network, "SUBNET": subnet, "IPV6SUBNET": "", "PUBLIC_IP": public_ip, "PUBLIC_IPV6": ""}


def _failure(error: Exception, before: FailedJob | None) -> FailedJob:
    pause = min(before.pause * 2, LAST_PAUSE) if before is not None else FIRST_PAUSE
    return FailedJob(str(error) or repr(error), time.monotonic() + pause, pause)
