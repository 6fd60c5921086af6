# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Commands of a network config as real processes: environment, input, output, limits."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.commands import (
    DIRECT,
    MOST_DATA,
    NONE,
    SHELL,
    Command,
    CommandError,
    Runner,
)

ENVIRONMENT = {**os.environ, "FLANNELD_ETCD_PASSWORD": "secret", "ETCDCTL_USER": "root:secret", "NOTIFY_SOCKET": "/x"}


def run(text: str, mode: str = SHELL, limit: float = 20.0, data: str = "", **variables: str) -> str:
    return Runner(mode, limit, ENVIRONMENT).run(Command("SubnetAddCommand", text, variables, data))


def is_running(pid: str) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_output_is_returned_without_surrounding_space() -> None:
    assert run("echo; echo '  0e:00:00:00:00:01 '; echo warning >&2") == "0e:00:00:00:00:01"


def test_the_data_of_the_peer_is_on_the_standard_input() -> None:
    assert run("cat", DIRECT, data="a\nb; $(x)") == "a\nb; $(x)"


def test_no_secret_is_in_the_environment() -> None:
    found = run("env", DIRECT, SUBNET="10.5.7.0/24")
    assert "SUBNET=10.5.7.0/24" in found
    assert "PATH=" in found
    assert not any(word in found for word in ("secret", "FLANNELD_", "ETCDCTL_", "NOTIFY_SOCKET"))


def test_without_a_shell_a_value_is_one_word_and_never_interpreted(tmp_path: Path) -> None:
    value = f"a  b; touch {tmp_path}/file; $(touch {tmp_path}/file)"
    assert run("printf <%s> $VALUE '$VALUE'".replace("<%s>", "'<%s>'"), DIRECT, VALUE=value) == f"<{value}><$VALUE>"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "mode", "error"),
    [
        ("echo no >&2; exit 3", SHELL, r"SubnetAddCommand failed: 'echo no >&2; exit 3': exit status 3: no$"),
        ("kill -KILL $$", SHELL, "killed by SIGKILL"),
        ("export A", DIRECT, "cannot be started: export: No such file.*a shell's own commands need"),
        ("a; b", DIRECT, "cannot be started: 'a; b': ';' has a meaning only in a shell"),
        ("true", NONE, "this host does not permit commands of the network config; set --extension-commands"),
    ],
)
def test_a_failure_names_the_command_and_the_cause(text: str, mode: str, error: str) -> None:
    with pytest.raises(CommandError, match=error):
        run(text, mode)


def test_a_hanging_command_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(CommandError, match=r"was stopped: it did not end within 0\.5 seconds"):
        run(f"trap '' TERM; sleep 300 & echo $! $$ >{pids}; wait; sleep 300", limit=0.5)
    time.sleep(0.2)
    assert not any(map(is_running, pids.read_text().split()))


def test_a_program_that_stays_in_the_background_is_not_waited_for() -> None:
    started = time.monotonic()
    pid = run("sleep 300 & echo $!")
    assert time.monotonic() - started < 10
    assert is_running(pid)
    os.kill(int(pid), 9)


def test_endless_output_is_not_kept() -> None:
    assert len(run("head -c 5000000 /dev/zero | tr '\\0' x")) == MOST_DATA


def test_a_stop_kills_the_running_command() -> None:
    runner = Runner(SHELL, 300, ENVIRONMENT)
    threading.Timer(0.5, runner.stop).start()
    with pytest.raises(CommandError, match=r"was stopped: overlayd stopped|killed by SIGKILL"):
        runner.run(Command("SubnetAddCommand", "sleep 300"))
    with pytest.raises(CommandError, match="is not run: overlayd stops"):
        runner.run(Command("SubnetAddCommand", "true"))
