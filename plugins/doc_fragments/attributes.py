# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The attributes of every module."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation only: fragments for all modules, for info modules, and for modules that use etcd."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changed status without changing the target.
  diff_mode:
    description: Returns what has changed, or would change in C(check_mode), if diff mode is used.
  idempotent:
    description:
      - A second run changes nothing, if nothing else changed the target between the two runs.
  platform:
    description: The operating systems that the target can run.
    support: full
    platforms: posix
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module only reads.
  diff_mode:
    support: N/A
    details:
      - This module only reads.
  idempotent:
    support: full
    details:
      - This module only reads.
"""

    ETCD = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/clusternet.overlay.etcd) in C(module_defaults) to set the etcd options once.
    support: full
    membership:
      - clusternet.overlay.etcd
"""
