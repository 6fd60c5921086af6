# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why overlayd does not have some of flannel's backends; docs/backends.md has the details."""

from __future__ import annotations

_CLOUD = "it needs the credentials of a cloud account on each host, to change the cloud's route table"

REASONS = {
    "ipsec": "it needs strongSwan on each host; its successor is wireguard, which encrypts as well",
    "aws-vpc": _CLOUD,
    "gce": _CLOUD,
    "ali-vpc": _CLOUD,
    "tencent-vpc": _CLOUD,
}


def refusal(kind: str) -> str | None:
    """Return why a type of backend is not supported, None for a type that flannel does not have either."""
    reason = REASONS.get(kind)
    return None if reason is None else f"is a backend of flannel that is not supported: {reason}"
