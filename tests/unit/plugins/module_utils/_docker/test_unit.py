# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""dockerd's unit: its own command and environment, conflicts, and the drop-in."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._docker.unit import (
    DropIn,
    check_names,
    daemon_start,
    flags_elsewhere,
    parse_environment_file,
    parse_environment_line,
    parse_unit,
    render_dropin,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError

OWN = "/etc/systemd/system/docker.service.d/zz-overlay.conf"
OTHER = "/etc/systemd/system/docker.service.d/override.conf"
VENDOR = """\
# /lib/systemd/system/docker.service
[Unit]
Requires=docker.socket

[Service]
# /etc/default/docker is read, too
EnvironmentFile=-/etc/default/docker
ExecStart=/usr/bin/dockerd -H fd:// \\
          # a comment in the middle
          --containerd=/run/containerd/containerd.sock
ExecReload=/bin/kill -s HUP $MAINPID

[Install]
WantedBy=multi-user.target
"""
COMMAND = "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"
DROPIN = DropIn("/run/flannel/subnet.env", "/run/docker_opts.env", "both", "DOCKER_OPTS", True, "overlayd.service")


def with_file(path: str, settings: str) -> str:
    return f"{VENDOR}\n# {path}\n[Service]\n{settings}\n"


def commands(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("ExecStart=")]


def test_the_units_own_command_is_kept_and_extended() -> None:
    start = daemon_start(parse_unit(VENDOR), OWN)
    assert (start.command, start.program) == (COMMAND, "/usr/bin/dockerd")
    assert commands(render_dropin(DROPIN, start)) == ["ExecStart=", f"ExecStart={COMMAND} $DOCKER_OPTS"]


def test_the_drop_in_of_an_earlier_run_does_not_count() -> None:
    first = render_dropin(DROPIN, daemon_start(parse_unit(VENDOR), OWN))
    assert render_dropin(DROPIN, daemon_start(parse_unit(f"{VENDOR}\n# {OWN}\n{first}"), OWN)) == first


@pytest.mark.parametrize("written", ["$DOCKER_OPTS", "${DOCKER_OPTS}"])
def test_a_command_that_already_has_the_variable_has_it_once_and_as_words(written: str) -> None:
    unit = with_file(OTHER, f"ExecStart=\nExecStart=/usr/bin/dockerd {written} --debug")
    assert commands(render_dropin(DROPIN, daemon_start(parse_unit(unit), OWN)))[1] == (
        "ExecStart=/usr/bin/dockerd $DOCKER_OPTS --debug"
    )


def test_another_drop_ins_command_is_respected_and_its_variable_kept() -> None:
    unit = with_file(OTHER, "ExecStart=\nExecStart=-/opt/dockerd $DOCKER_NETWORK_OPTIONS")
    start = daemon_start(parse_unit(unit), OWN)
    assert (start.program, start.source) == ("/opt/dockerd", OTHER)
    assert commands(render_dropin(DROPIN, start))[1] == ("ExecStart=-/opt/dockerd $DOCKER_NETWORK_OPTIONS $DOCKER_OPTS")


def test_flags_outside_of_the_options_file_come_before_the_variable() -> None:
    text = render_dropin(DROPIN._replace(more=("--allow-direct-routing",)), daemon_start(parse_unit(VENDOR), OWN))
    assert commands(text)[1].endswith(".sock --allow-direct-routing $DOCKER_OPTS")


def test_a_later_drop_in_that_sets_the_command_is_refused_by_its_path() -> None:
    later = "/etc/systemd/system/docker.service.d/zzz.conf"
    with pytest.raises(OverlayError, match=rf"{later} is read after .*zz-overlay\.conf"):
        daemon_start(parse_unit(with_file(later, "ExecStart=\nExecStart=/usr/bin/dockerd")), OWN)


@pytest.mark.parametrize("settings", ["ExecStart=", "ExecStart=/usr/bin/dockerd --debug"])
def test_a_unit_without_exactly_one_command_is_refused(settings: str) -> None:
    with pytest.raises(OverlayError, match="ExecStart= lines, not one"):
        daemon_start(parse_unit(with_file(OTHER, settings)), OWN)


def test_an_empty_assignment_forgets_the_environment_before_it() -> None:
    unit = with_file(OTHER, "Environment=A=1\nEnvironment=\nEnvironment=B=2\nEnvironmentFile=\nEnvironmentFile=/etc/b")
    start = daemon_start(parse_unit(unit), OWN)
    assert (start.environment, start.environment_files) == (((OTHER, "B=2"),), ("/etc/b",))


def test_environment_files_and_lines_are_read_as_systemd_reads_them() -> None:
    text = "# no\n; no\nA=--dns 192.0.2.1 --debug\nB=\"--mtu=1\"\nC='x'\n\nno\nD=\n"
    assert parse_environment_file(text) == {"A": "--dns 192.0.2.1 --debug", "B": "--mtu=1", "C": "x", "D": ""}
    assert parse_environment_line('"A=b c" D=e') == {"A": "b c", "D": "e"}
    assert parse_environment_line('"A=b c') == {}


def test_flags_are_found_with_their_file_or_variable() -> None:
    unit = with_file(OTHER, "ExecStart=\nExecStart=/usr/bin/dockerd --mtu 1400 $EXTRA")
    start = daemon_start(parse_unit(unit), OWN)
    values = {"EXTRA": ("--bip=192.0.2.1/24", "/etc/default/docker"), "UNUSED": ("--ip-masq=false", "/etc/x")}
    assert flags_elsewhere(start, values) == {
        "mtu": ("1400", OTHER),
        "bip": ("192.0.2.1/24", "EXTRA in /etc/default/docker"),
    }


@pytest.mark.parametrize(
    ("dropin", "named"),
    [
        (DROPIN._replace(subnet_file="/run/a b"), "subnet_file"),
        (DROPIN._replace(options_file="relative.env"), "path"),
        (DROPIN._replace(key="DOCKER-OPTS"), "key"),
        (DROPIN._replace(agent_unit="a;reboot"), "agent_unit"),
        (DROPIN._replace(mode="individual"), "mode"),
    ],
)
def test_values_that_a_unit_file_cannot_hold_are_refused_by_name(dropin: DropIn, named: str) -> None:
    with pytest.raises(OverlayError, match=named):
        check_names(dropin)
