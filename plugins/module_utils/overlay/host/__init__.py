# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host knows of itself and of its peers: identity, claim, state file, peer table. Used by agent and modules."""
