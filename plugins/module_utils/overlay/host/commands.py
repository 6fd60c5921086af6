# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the commands of a network config, with a time limit, limited output and no secrets in their environment.

The text of a command comes from etcd, so everyone who can write the network config can run programs as root on every
host. A host permits this in one of two modes. ``direct`` starts one program without a shell. ``shell`` runs ``sh -c``
with the text, as flannel does. Data of other hosts' leases is never part of the text: addresses are in the environment,
and BackendData is on the standard input.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from typing import IO

from ..model.errors import OverlayError
from ..named_tuple import NamedTuple

NONE, DIRECT, SHELL = "none", "direct", "shell"
MODES = (NONE, DIRECT, SHELL)
MOST_DATA = 16384  # bytes of output that are kept, and of BackendData; a pipe takes at least 65536 at once
_SHOWN = 300  # characters of a command's output in an error
_TICK = 0.1  # seconds after which the end of a process is noticed whose child keeps the pipes open
_MERCY = 1.0  # seconds between SIGTERM and SIGKILL
# Settings of overlayd, which are removed from the environment; FLANNELD_ETCD_PASSWORD is one of them.
_PRIVATE = re.compile(r"(FLANNELD|ETCD|ETCDCTL|LISTEN|WATCHDOG)_|NOTIFY_SOCKET$|CREDENTIALS_DIRECTORY$")
_NAME = r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})"
_PART = re.compile(
    rf"""(?P<space>[ \t]+) | '(?P<literal>[^']*)' | "(?P<quoted>(?:[^"\\]|\\.)*)" | \\(?P<escaped>[^\n])
    | (?P<name>{_NAME}) | (?P<plain>[\w@%+=:,./^{{}}-]+)""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(rf"\\([\"\\$`]) | {_NAME} | ([`$])", re.VERBOSE)


class CommandError(OverlayError):
    """A command could not be started, failed, or exceeded its time limit."""


class Command(NamedTuple):
    """A command of the network config; ``purpose`` is its option, and its peer if it has one."""

    purpose: str
    text: str
    variables: Mapping[str, str] = {}
    data: str = ""  # for its standard input


class Runner:
    """Runs commands, also for several threads at once."""

    def __init__(self, mode: str, limit: float, environment: Mapping[str, str]) -> None:
        """Run commands in a mode, each for ``limit`` seconds at most; ``environment`` is that of this process."""
        self.mode = mode
        self._limit = limit
        self._environment = {name: text for name, text in environment.items() if not _PRIVATE.match(name)}
        self._stopped = threading.Event()
        self._running: set[int] = set()  # process groups

    def run(self, command: Command) -> str:
        """Run a command to its end; return its standard output without surrounding white space.

        Raise CommandError naming the command and the cause.
        """
        if self.mode == NONE:
            raise CommandError(not_permitted(command.purpose))
        if self._stopped.is_set():
            raise CommandError(f"{command.purpose} is not run: overlayd stops")
        environment = {**self._environment, **command.variables}
        program = self._program(command, environment)
        try:
            process = subprocess.Popen(
                program,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd="/",
                start_new_session=True,  # so that its children can be stopped with it
            )
        except (OSError, ValueError) as error:
            hint = "" if self.mode == SHELL else "; a shell's own commands need --extension-commands=shell"
            raise CommandError(f"{command.purpose} cannot be started: {program[0]}: {_cause(error)}{hint}") from None
        self._running.add(process.pid)
        try:
            with process:
                return self._finish(process, command)
        finally:
            self._running.discard(process.pid)

    def stop(self) -> None:
        """Kill the running commands, and refuse further ones."""
        self._stopped.set()
        for group in list(self._running):
            _signal_group(group, signal.SIGKILL)

    def _program(self, command: Command, environment: Mapping[str, str]) -> list[str]:
        if self.mode == SHELL:
            return ["/bin/sh", "-c", command.text]
        try:
            return split(command.text, environment)
        except ValueError as error:
            raise CommandError(f"{command.purpose} cannot be started: {command.text!r}: {error}") from None

    def _finish(self, process: subprocess.Popen[bytes], command: Command) -> str:
        """Feed a process, and return its output when it has ended; raise CommandError."""
        end = time.monotonic() + self._limit
        try:
            output, errors = _talk(process, command.data, end, self._stopped)
        except TimeoutError:
            _kill(process)
            reason = "overlayd stopped" if self._stopped.is_set() else f"it did not end within {self._limit:g} seconds"
            raise CommandError(f"{command.purpose} was stopped: {reason}: {command.text!r}") from None
        if process.returncode:
            said = (errors or output).strip()[-_SHOWN:]
            result = f"{_status(process.returncode)}: {said}" if said else _status(process.returncode)
            raise CommandError(f"{command.purpose} failed: {command.text!r}: {result}")
        return output.strip()


def not_permitted(what: str) -> str:
    """Return the sentence for commands on a host that does not permit them."""
    return (
        f"{what}: this host does not permit commands of the network config; set --extension-commands "
        f"(agent_extension_commands) to direct or shell if you trust everyone who can write the network config in etcd"
    )


def split(text: str, variables: Mapping[str, str]) -> list[str]:
    """Return the words of a command without a shell: quotes and $NAME have their usual meaning, a value is one word.

    Raise ValueError for text that only a shell can interpret.
    """
    words: list[str] = []
    word: str | None = None
    for kind, part in _parts(text, variables):
        if kind == "space":
            words += [word] if word is not None else []
            word = None
        else:
            word = (word or "") + part
    words += [word] if word is not None else []
    if not words:
        raise ValueError("the command is empty")
    if re.match(r"[A-Za-z_]\w*=", words[0]):
        raise ValueError(f"{words[0]!r} sets a variable, which needs --extension-commands=shell")
    return words


def _parts(text: str, variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the parts of words, and the spaces between the words."""
    position = 0
    text = text.strip()
    while position < len(text):
        found = _PART.match(text, position)
        if found is None:
            character = text[position]
            if character in "'\"":
                raise ValueError(f"the quote {character} is not closed")
            raise ValueError(
                f"{character!r} has a meaning only in a shell; put it in quotes, or set --extension-commands=shell"
            )
        position = found.end()
        kind = found.lastgroup or ""
        if kind == "name":
            yield kind, _value(found["name"], variables)
        elif kind == "quoted":
            yield kind, _QUOTED.sub(lambda inner: _inner(inner, variables), found["quoted"])
        else:
            yield kind, found[kind]


def _inner(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if found[4]:
        raise ValueError(f"{found[4]!r} has a meaning only in a shell; set --extension-commands=shell")
    return found[1] or _value(found[0], variables)


def _value(name: str, variables: Mapping[str, str]) -> str:
    try:
        return variables[name.strip("${}")]
    except KeyError:
        raise ValueError(f"variable {name} is not set") from None


def _talk(process: subprocess.Popen[bytes], data: str, end: float, stopped: threading.Event) -> tuple[str, str]:
    """Return the output and the errors of a process after its end; raise TimeoutError at the limit or on a stop.

    A child in the background may keep the pipes open: its output is not waited for.
    """
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise ValueError("the process has no pipes")
    with suppress(BrokenPipeError), process.stdin:
        process.stdin.write(f"{data}\n".encode(errors="replace"))
    kept: dict[IO[bytes], bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}
    with DefaultSelector() as selector:
        for pipe in kept:
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, EVENT_READ)
        has_ended = False
        while selector.get_map() and not has_ended:
            if stopped.is_set() or time.monotonic() >= end:
                raise TimeoutError
            has_ended = process.poll() is not None  # before the last read, so that nothing written is missed
            for key, _unused in selector.select(0 if has_ended else _TICK):
                pipe = process.stdout if key.fileobj is process.stdout else process.stderr
                if not _read(pipe, kept[pipe]):
                    selector.unregister(pipe)
        while process.poll() is None:
            if stopped.is_set() or time.monotonic() >= end:
                raise TimeoutError
            time.sleep(_TICK / 10)
    output, errors = (kept[pipe].decode(errors="replace") for pipe in (process.stdout, process.stderr))
    return output, errors


def _read(pipe: IO[bytes], kept: bytearray) -> bool:
    """Read what a pipe has and keep the first MOST_DATA bytes of all; return whether more may follow."""
    while True:
        try:
            piece = os.read(pipe.fileno(), 65536)
        except BlockingIOError:
            return True
        if not piece:
            return False
        kept += piece[: MOST_DATA - len(kept)]
        if len(piece) < 65536:
            return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children: politely, then by force."""
    _signal_group(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_MERCY)
    _signal_group(process.pid, signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _status(code: int) -> str:
    if code > 0:
        return f"exit status {code}"
    with suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"


def _cause(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
