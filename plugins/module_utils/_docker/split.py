# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The shell script in dockerd's drop-in that divides this host's subnet at each start."""

from __future__ import annotations

from ..overlay.diagnosis.user_networks import UserNetworks


def split_script(lengths: UserNetworks, source: str) -> list[str]:
    """Return the parts of a POSIX shell line that sets ``bip`` and ``pools`` (flags) from FLANNEL_SUBNET.

    The line contains no single quotes. ``source`` is the name of the subnet file, for the error message.
    """
    size = lengths.network_len
    base = "$((base >> 24)).$((base >> 16 & 255)).$((base >> 8 & 255)).$((base & 255))"
    return [
        "IFS=./; set -- $FLANNEL_SUBNET; unset IFS;",
        "first=$(((($1 << 24) + ($2 << 16) + ($3 << 8) + $4) >> (32 - $5) << (32 - $5)));",
        f"bip=$1.$2.$3.$4/{lengths.bridge_len}; pools=; length={lengths.bridge_len};",
        "while [ $length -gt $5 ]; do",
        f"[ $length -gt {size} ] || {{ base=$((first + (1 << (32 - length))));",
        f'pools="$pools --default-address-pool=base={base}/$length,size={size}"; }};',
        "length=$((length - 1)); done;",
        f'[ "$pools" ] || {{ echo {source}: $FLANNEL_SUBNET has no room for docker0 /{lengths.bridge_len} and'
        f" networks /{size}: correct docker_user_networks >&2; exit 1; }};",
    ]
