"""Commands whose first argument is an action, each with a configuration of its own: `lfb-bank verify`, `lfb-data cut`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from lfb_lightning.cli.app import Job, launch
from lfb_lightning.cli.help.answers import answer_command
from lfb_lightning.cli.help.commands import Command, near
from lfb_lightning.errors import InputError

_BAD_INPUT = 1


def launch_action(command: str, actions: Mapping[str, Job]) -> None:
    """Run the action that the first argument names, with the configuration `conf/lfb_<command>/<action>.yaml`, and exit.

    Args:
        command: The command's name, `bank` for `lfb-bank`.
        actions: What each action does.
    """
    if (text := answer_command(command, sys.argv[1:])) is not None:
        print(text)
        return
    program = f"lfb-{command}"
    action = sys.argv.pop(1) if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else None
    if action is None or action not in actions:
        meant = f", did you mean {' or '.join(found)}?" if (found := near(action or "", actions)) else ""
        named = "no action" if action is None else f"unknown action '{action}'{meant}"
        print(
            f"{program}: {named}, expected {program} {'|'.join(actions)} key=value ...; see {program} --help",
            file=sys.stderr,
        )
        sys.exit(_BAD_INPUT)
    if {"-m", "--multirun"} & set(sys.argv):
        print(f"{program}: runs one action at a time, without -m", file=sys.stderr)
        sys.exit(_BAD_INPUT)
    run = actions[action]

    def job(cfg: DictConfig, run_dir: Path) -> int:
        missing = sorted(OmegaConf.missing_keys(cfg))
        if missing:
            raise InputError(f"{missing[0]} is not set; `{program} --help` shows what each action needs.")
        return run(cfg, run_dir)

    launch(command, job, config_name=Command(command).config_name(action))
