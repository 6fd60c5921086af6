# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayctl plan: what a reconciliation would change now, as commands; changes nothing."""

from __future__ import annotations

import json

from ..diagnosis.gather import gather_kernel
from ..diagnosis.setup import Setup
from ..model.errors import OverlayError
from .text import memory_words, remark, show


def plan(setup: Setup, as_json: bool) -> int:
    """Print a line for each command; return 1 if there is one, else 0.

    Raise OverlayError if nothing can be compared.
    """
    facts = gather_kernel(setup)
    if facts.view is None:
        reason = facts.etcd_error or facts.config_error or facts.view_error or facts.env_error
        raise OverlayError(
            f"the kernel cannot be compared with the leases: {reason or 'etcd has no lease of this host'}; "
            f"run overlayctl doctor"
        )
    if facts.firewall_error:
        raise OverlayError(facts.firewall_error)
    if facts.remembered is not None:
        remark(memory_words(facts.remembered))
    commands = [*map(str, facts.view.plan.steps), *facts.firewall]
    conflicts = list(facts.view.plan.conflicts)
    if as_json:
        show(json.dumps({"commands": commands, "conflicts": conflicts, "source": facts.source}, indent=2))
    else:
        show("\n".join([*commands, *(f"# {text}" for text in conflicts)] or ["nothing to change"]))
    return 1 if commands or conflicts else 0
