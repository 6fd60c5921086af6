# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayctl completion: the script by which bash completes overlayctl's commands and options."""

from __future__ import annotations

import argparse

_SCRIPT = """\
# Completion of overlayctl for bash, made by overlayctl completion.
_overlayctl() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} command= each
    for each in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        [[ $each == -* ]] || {{ command=$each; break; }}
    done
    case $command in
{cases}
    *) COMPREPLY=($(compgen -W '{commands}' -- "$word")) ;;
    esac
}}
complete -F _overlayctl overlayctl
"""


def script(parser: argparse.ArgumentParser) -> str:
    """Return the script for the commands of a parser."""
    (commands,) = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    cases = [
        f"    {name}) COMPREPLY=($(compgen -W '{' '.join(_options(command))}' -- \"$word\")) ;;"
        for name, command in commands.choices.items()
    ]
    return _SCRIPT.format(cases="\n".join(cases), commands=" ".join([*commands.choices, *_options(parser)]))


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [text for action in parser._actions for text in action.option_strings if text.startswith("--")]
