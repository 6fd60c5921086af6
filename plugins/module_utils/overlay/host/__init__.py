# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""State of a host and its peers: identity, claim, memory file, peer table, lock. Used by agent and modules."""
