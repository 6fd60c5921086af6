# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The agent and what it shares with the modules, in layers: model; store, backends and kernel; host; agent."""
