# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The script in dockerd's drop-in that writes the options file at each start, run by a real shell."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._docker.options import render_options
from ansible_collections.clusternet.overlay.plugins.module_utils._docker.unit import (
    DropIn,
    daemon_start,
    options_script,
    parse_unit,
    render_dropin,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.dockerd import options_of
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.user_networks import UserNetworks
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.subnet_env import parse_subnet_env

OWN = "/etc/systemd/system/docker.service.d/zz-overlay.conf"
UNIT = "# /lib/systemd/system/docker.service\n[Service]\nExecStart=/usr/bin/dockerd\n"


@pytest.mark.parametrize("mode", ["both", "combined"])
@pytest.mark.parametrize("masq", ["true", "false"])
@pytest.mark.parametrize("with_masq", [True, False])
@pytest.mark.parametrize("inherited", ["", "--debug --dns 192.0.2.*"])
def test_the_start_up_script_and_the_module_write_the_same_file(
    tmp_path: Path, mode: str, masq: str, with_masq: bool, inherited: str
) -> None:
    env = f"FLANNEL_NETWORK=10.50.0.0/16\nFLANNEL_SUBNET=10.50.7.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ={masq}\n"
    subnet_file, options_file = tmp_path / "subnet.env", tmp_path / "opts.env"
    subnet_file.write_text(env)
    done = start_up(DropIn(str(subnet_file), str(options_file), mode, "OPTS", with_masq, "overlayd.service"), inherited)
    assert (done.returncode, done.stderr) == (0, "")
    assert options_file.read_text() == render_options(
        options_of(parse_subnet_env(env), with_masq), mode, "OPTS", inherited
    )


@pytest.mark.parametrize("lengths", [(25, 28), (26, 27), (28, 26), (30, 30)])
@pytest.mark.parametrize("subnet", ["10.50.7.1/24", "10.50.16.1/20", "223.255.255.1/24"])
@pytest.mark.parametrize(("masq", "with_masq"), [("true", True), ("false", True), ("true", False)])
@pytest.mark.parametrize("defaults", [True, False])
def test_the_start_up_script_divides_the_subnet_as_the_module_does(
    tmp_path: Path, lengths: tuple[int, int], subnet: str, masq: str, with_masq: bool, defaults: bool
) -> None:
    network = "223.255.0.0/16" if subnet.startswith("223") else "10.50.0.0/16"
    env = f"FLANNEL_NETWORK={network}\nFLANNEL_SUBNET={subnet}\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ={masq}\n"
    subnet_file, options_file = tmp_path / "subnet.env", tmp_path / "opts.env"
    subnet_file.write_text(env)
    networks = UserNetworks(*lengths)
    names = (str(subnet_file), str(options_file), "both", "OPTS", with_masq, "overlayd.service")
    done = start_up(DropIn(*names, networks=networks, network_options=defaults), "--debug")
    assert (done.returncode, done.stderr) == (0, "")
    options = options_of(parse_subnet_env(env), with_masq, networks, defaults)
    assert options_file.read_text() == render_options(options, "both", "OPTS", "--debug")


def test_the_start_up_script_refuses_a_subnet_that_it_cannot_divide(tmp_path: Path) -> None:
    subnet_file, options_file = tmp_path / "subnet.env", tmp_path / "opts.env"
    subnet_file.write_text("FLANNEL_SUBNET=10.50.7.1/25\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n")
    names = (str(subnet_file), str(options_file), "both", "OPTS", True, "overlayd.service")
    done = start_up(DropIn(*names, networks=UserNetworks(25, 28)))
    assert (done.returncode, options_file.exists()) == (1, False)
    assert "10.50.7.1/25 has no room for docker0 /25 and networks /28: correct docker_user_networks" in done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "is missing: check overlayd.service"), ("FLANNEL_IPMASQ=perhaps\n", "FLANNEL_IPMASQ")],
)
def test_the_start_up_script_refuses_a_missing_or_bad_subnet_file_and_writes_nothing(
    tmp_path: Path, text: str | None, message: str
) -> None:
    subnet_file, options_file = tmp_path / "subnet.env", tmp_path / "opts.env"
    if text is not None:
        subnet_file.write_text(text)
    done = start_up(DropIn(str(subnet_file), str(options_file), "both", "OPTS", True, "overlayd.service"))
    assert done.returncode == 1
    assert str(subnet_file) in done.stderr
    assert message in done.stderr
    assert not options_file.exists()


def start_up(dropin: DropIn, inherited: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script of the unit in a shell."""
    (line,) = (part for part in parse_unit(f"# {OWN}\n{rendered(dropin)}")[0].settings if "/bin/sh" in part[1])
    words = [word.replace("$$", "$").replace("%%", "%").replace("\\\\", "\\") for word in shlex.split(line[1])]
    assert words[2].split() == " ".join(options_script(dropin)).split()
    environment = {"PATH": os.environ["PATH"], "OPTS": inherited}
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=10)


def rendered(dropin: DropIn) -> str:
    return render_dropin(dropin, daemon_start(parse_unit(UNIT), OWN))
