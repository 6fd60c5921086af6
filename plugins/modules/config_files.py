#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""State the files and folders of a configuration in one go."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: State the files and folders of a configuration in one go
version_added: 1.0.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Writes several small text files, and makes the folders they are in, with their owners and modes.
  - It does in one execution what M(ansible.builtin.template) and M(ansible.builtin.file) need two and one for each of
    them, which is most of the time that a second run of a role takes. Content comes from the template lookup.
  - All entries are checked before any is touched. Each file is replaced as a whole, so that no reader finds half of it.
options:
  files:
    description: The files and folders, a folder before what is in it.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - Where it is, from C(/) on.
          - A file takes the place of a symbolic link; a link to a folder serves as the folder.
        type: str
        required: true
      state:
        description:
          - A V(file) with O(files[].content), or a V(directory), whose parents are made where they are missing.
        type: str
        choices: [file, directory]
        default: file
      content:
        description: What the file holds, to the letter. Files need it, here or in O(secrets).
        type: raw
      mode:
        description: The permissions, as four octal digits in quotes.
        type: str
        required: true
      owner:
        description: The name or number of the owning user. Left as it is where it is not given.
        type: str
      group:
        description: The name or number of the owning group. Left as it is where it is not given.
        type: str
  secrets:
    description:
      - The contents that must not be seen, by the path of the file in O(files), which has no O(files[].content) then.
      - Neither the diff nor a log nor the module's invocation shows them. The diff does not show either what a file
        holds that others may not read.
    type: dict
    default: {}
extends_documentation_fragment:
  - clusternet.overlay.attributes
attributes:
  check_mode:
    support: full
    details:
      - Owners, groups and folders that are not there yet are no error, since what was to make them did not.
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: ansible.builtin.template
  - plugin: ansible.builtin.template
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Write settings and unit
  clusternet.overlay.config_files:
    files:
      - path: /etc/example
        state: directory
        mode: "0755"
      - path: /etc/example/settings.env
        mode: "0600"
      - path: /etc/systemd/system/example.service
        content: "{{ lookup('ansible.builtin.template', 'example.service.j2') }}"
        mode: "0644"
    secrets:
      /etc/example/settings.env: "{{ lookup('ansible.builtin.template', 'settings.env.j2') }}"
  register: example

- name: Restart the service where its unit is another
  ansible.builtin.systemd_service:
    name: example.service
    state: restarted
    daemon_reload: true
  when: "'/etc/systemd/system/example.service' in example.changed_paths"
"""

RETURN = r"""
changed_paths:
  description: What was changed, or would be in check mode, in the order of O(files).
  returned: success
  type: list
  elements: str
  sample: [/etc/example/settings.env]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._config_files import run
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "str", "required": True},
                    "state": {"type": "str", "choices": ["file", "directory"], "default": "file"},
                    "content": {"type": "raw"},
                    "mode": {"type": "str", "required": True},
                    "owner": {"type": "str"},
                    "group": {"type": "str"},
                },
            },
            "secrets": {"type": "dict", "default": {}, "no_log": True},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except OverlayError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
