# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd, the agent on each host: leases a subnet, reconciles the kernel with all leases, writes the subnet file."""
