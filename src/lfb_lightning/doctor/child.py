"""The process in which the checks are made: a library that crashes or hangs takes this one, and not the report."""

from __future__ import annotations

import json
import os
import sys
import warnings
from dataclasses import asdict
from typing import TextIO

from lfb_lightning.doctor.checks import CHECKS
from lfb_lightning.doctor.line import failed_check
from lfb_lightning.doctor.settings import Settings


def main() -> None:
    """Make the checks that are named on standard input, and write a JSON object per event to standard output."""
    asked = json.loads(sys.stdin.readline())
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no event
    warnings.simplefilter("ignore")
    settings = Settings(**asked["settings"])
    for name in asked["checks"]:
        try:
            for line in CHECKS[name](settings):
                _say(events, {"line": asdict(line)})
        except Exception as error:  # a check must not end the report
            _say(events, {"line": asdict(failed_check(name, error))})
        _say(events, {"end": name})
    events.flush()
    os._exit(0)  # libraries that fail while they are unloaded say nothing about the machine


def _say(events: TextIO, event: object) -> None:
    events.write(json.dumps(event) + "\n")
    events.flush()
