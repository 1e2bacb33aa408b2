"""A callback for real runs that says where a rank is, and lets it wait there: tests then kill it at that very place."""

import time
from pathlib import Path

from pytorch_lightning import Callback


class Pause(Callback):
    """At `hook`, `rank` leaves the file `marker` and waits for `seconds`, unless there is a file `<marker>.go`."""

    def __init__(self, *, hook, marker, rank=0, seconds=600.0):
        def pause(trainer, *_, **__):
            if trainer.global_rank == rank and not Path(f"{marker}.go").exists():
                Path(marker).touch()
                time.sleep(seconds)

        setattr(self, hook, pause)


def pausing(marker, hook, *, rank=0, seconds=600.0):
    """The override that adds a `Pause`."""
    target = f"_target_: tests.cli.pausing.Pause, hook: {hook}, marker: '{marker}', rank: {rank}, seconds: {seconds}"
    return f"+callbacks.pause={{{target}}}"
