# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A unit flanneld.service for hosts of a lab, and Docker on its subnet as flannel's documentation describes it.

No flanneld binary can be had here. The process is named flanneld and is overlayd's package with flanneld's flags, and
with an environment file and a state folder of its own. What a real flanneld leaves in the kernel is tested elsewhere.
"""

from __future__ import annotations

import io
import tarfile

from support.lab import ROOT
from support.lab_fleet import Fleet

PACKAGE = ROOT / "plugins/module_utils/overlay"
_PROGRAM = """#!/usr/bin/python3 -I
import sys
sys.path.insert(0, "/opt/flannel")
from overlay.agent.main import main
sys.exit(main())
"""
_UNIT = """[Unit]
Description=Stand-in for flanneld
Before=docker.service
[Service]
Type=notify
EnvironmentFile=/etc/sysconfig/flanneld
ExecStart=/opt/flannel/flanneld -etcd-endpoints=${FLANNEL_ETCD_ENDPOINTS} -etcd-prefix=${FLANNEL_ETCD_PREFIX} \
    -state-dir=/var/lib/flannel-state $FLANNEL_OPTIONS
Restart=always
RestartSec=2
[Install]
WantedBy=multi-user.target
"""
_DROPIN = """[Unit]
Requires=flanneld.service
After=flanneld.service
[Service]
EnvironmentFile=/run/flannel/subnet.env
ExecStart=
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock --bip=${FLANNEL_SUBNET} \
--mtu=${FLANNEL_MTU} --ip-masq=false
"""
DROPIN = "/etc/systemd/system/docker.service.d/flannel.conf"


def install(fleet: Fleet, host: str, endpoints: str, prefix: str, options: str) -> None:
    """Install and start the stand-in on a host of a lab, and Docker on its subnet."""
    settings = {"ETCD_ENDPOINTS": endpoints, "ETCD_PREFIX": prefix, "OPTIONS": options}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(PACKAGE, "overlay", filter=lambda member: None if "__pycache__" in member.name else member)
        for name, mode, text in (
            ("flanneld", 0o755, _PROGRAM),
            ("flanneld.service", 0o644, _UNIT),
            ("flannel.conf", 0o644, _DROPIN),
            ("settings", 0o644, "".join(f'FLANNEL_{name}="{value}"\n' for name, value in settings.items())),
        ):
            member = tarfile.TarInfo(name)
            member.mode, member.size = mode, len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    fleet.send(host, packed.getvalue(), "mkdir -p /opt/flannel; tar -x -C /opt/flannel")
    fleet.sh(
        host,
        "apt-get install -qq -y --no-install-recommends docker.io iptables iproute2 > /dev/null 2>&1;"
        " mkdir -p /etc/sysconfig /etc/systemd/system/docker.service.d;"
        " cp /opt/flannel/settings /etc/sysconfig/flanneld; cp /opt/flannel/flanneld.service /etc/systemd/system/;"
        " sysctl -q net.ipv4.ip_forward=1; systemctl daemon-reload; systemctl enable --quiet --now flanneld.service;"
        f" cp /opt/flannel/flannel.conf {DROPIN}; systemctl daemon-reload; systemctl restart docker.service",
    )
