# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The work of the event sources of Event-Driven Ansible, on the machine of ansible-rulebook. Standard library only."""
