"""Who starts the processes of a run here: Lightning, torchrun or SLURM; and what an earlier start left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping

from lfb_lightning.doctor.line import Line, note, ok
from lfb_lightning.doctor.settings import Settings

_TORCHRUN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_ORPHANS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK")


def check_launch(settings: Settings) -> Iterator[Line]:
    """Say whether this is a SLURM job or a rank of torchrun, and whether its variables make sense."""
    yield from launch_lines(os.environ, has_srun=shutil.which("srun") is not None)


def launch_lines(variables: Mapping[str, str], *, has_srun: bool) -> Iterator[Line]:
    """Say what the variables of a launcher mean for a run; addresses and names of machines are not repeated.

    Args:
        variables: The environment.
        has_srun: Whether SLURM's `srun` is on the PATH.
    """
    told = False
    if "SLURM_JOB_ID" in variables:
        told = True
        yield _slurm_line(variables)
    elif has_srun:
        told = True
        yield ok("SLURM is here, but this is no job of it (docs/distributed.md; scripts/train.slurm)")
    if "TORCHELASTIC_RUN_ID" in variables or {"RANK", "WORLD_SIZE"} <= variables.keys():
        told = True
        missing = [name for name in _TORCHRUN if name not in variables]
        said = f"torchrun: rank {variables.get('RANK')} of {variables.get('WORLD_SIZE')}"
        yield note(f"{said}, {', '.join(missing)} is not set", "start with torchrun") if missing else ok(said)
    elif left := [name for name in _ORPHANS if name in variables]:
        told = True
        yield note(
            f"{', '.join(left)} is set without WORLD_SIZE: this process takes itself for a rank of a run",
            f"unset {' '.join(left)}",
        )
    if not told:
        yield ok("neither SLURM nor torchrun: Lightning starts a process per device (trainer.devices)")


def _slurm_line(variables: Mapping[str, str]) -> Line:
    tasks, nodes = variables.get("SLURM_NTASKS", "1"), variables.get("SLURM_NNODES", "1")
    said = f"SLURM job of {nodes} nodes and {tasks} tasks"
    if variables.get("SLURM_JOB_NAME") in ("bash", "interactive"):
        return ok(f"{said}, interactive: Lightning starts the processes itself")
    if tasks != "1" and "SLURM_STEP_ID" not in variables:
        return note(f"{said}, but this process was not started by srun", "srun lfb-train ... (scripts/train.slurm)")
    return ok(said)
