"""Runs a console command's `main()` in this process: as a user's command line, without the seconds that a process takes."""

import contextlib
import importlib
import io
import logging
import os
import sys
import traceback
import warnings
from dataclasses import dataclass

import torch
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig


@dataclass(frozen=True)
class Outcome:
    """`status` is what a shell would see; a traceback is in `stderr`, as a process would leave it there."""

    status: int
    stdout: str
    stderr: str

    @property
    def returncode(self):
        """The status under the name that a finished process has it by."""
        return self.status

    @property
    def message(self):
        """What the command itself says at the end: its line on the console."""
        return "\n".join(line for line in self.stderr.splitlines() if line.startswith("lfb-"))


def load(command):
    """The module of a command; what its libraries warn of when they are loaded is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(f"lfb_lightning.cli.{command}")


def run(command, *arguments, folder):
    """Run `lfb_lightning.cli.<command>` with arguments in a folder, and leave this process as it was."""
    out, err = io.StringIO(), io.StringIO()
    with (
        _undone(folder),
        _composed_once(arguments),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        sys.argv = [f"lfb-{command}", *map(str, arguments)]
        try:
            load(command).main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except Exception:
            traceback.print_exc()
            status = 1
    return Outcome(status, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _composed_once(arguments):
    """Let Hydra compose once where no configuration can ask for several runs.

    Hydra composes everything beforehand to read `hydra.mode` alone, and swallows what goes wrong with it. No file in `conf/`
    sets that key; a command line that names it, a sweep or a folder of further files gets Hydra as it is.
    """
    told = " ".join(map(str, arguments))
    own = Hydra.get_mode
    if not any(word in told for word in ("sweep", "hydra.mode", "--config", "-c", "hydra.searchpath")):
        Hydra.get_mode = lambda self, config_name, overrides: None
    try:
        yield
    finally:
        Hydra.get_mode = own


@contextlib.contextmanager
def _undone(folder):
    argv, environment, here = sys.argv, dict(os.environ), os.getcwd()  # noqa: PTH109
    root = logging.getLogger()
    handlers, level, threads = list(root.handlers), root.level, torch.get_num_threads()
    silent = _silent_loggers()
    os.chdir(folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.chdir(here)
        sys.argv = argv
        os.environ.clear()
        os.environ.update(environment)
        for handler in set(root.handlers) - set(handlers):
            handler.close()
        root.handlers = handlers
        root.setLevel(level)  # which lets every logger ask again whether it is heard
        for logger in _silent_loggers() - silent:  # by hydra/job_logging=disabled, or by a library's logging.config
            logger.disabled = False
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = None


def _silent_loggers():
    known = list(logging.root.manager.loggerDict.values())
    return {logger for logger in known if isinstance(logger, logging.Logger) and logger.disabled}
