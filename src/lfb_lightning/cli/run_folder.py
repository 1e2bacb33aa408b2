"""The Hydra callback that locks the folder of a run or sweep (`conf/hydra/callbacks/sweep_report.yaml`)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import remove_abandoned
from lfb_lightning.files.objects.url import refuse_url
from lfb_lightning.files.run_lock import RunLock
from lfb_lightning.processes import is_first_rank


class OneWriter(Callback):
    """Holds the lock of the folder while the command runs, and exits with status 1 if another process holds it.

    The first rank holds it for all ranks. A sweep locks its own folder, and each of its jobs the job's folder.
    """

    def __init__(self) -> None:
        self._lock: RunLock | None = None

    def __reduce__(self) -> tuple[type[OneWriter], tuple[()]]:
        return OneWriter, ()  # a launcher sends a copy of the callback to its jobs' processes, without the lock

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Lock the run folder."""
        self._take(config, "hydra.run.dir")

    def on_run_end(self, config: DictConfig, **_: Any) -> None:
        """Unlock the run folder."""
        self._release()

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Lock the sweep's folder."""
        self._take(config, "hydra.sweep.dir")

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Unlock the sweep's folder."""
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _take(self, config: DictConfig, key: str) -> None:
        if not is_first_rank():
            return
        HydraConfig.instance().set_config(config)  # Hydra does this later; the folder's name may refer to it
        folder = Path(str(OmegaConf.select(config, key)))
        try:
            refuse_url(key, OmegaConf.select(config, key))
            self._lock = RunLock(folder, key=key)
        except InputError as error:
            print(f"lfb-{config.hydra.job.name}: {error}", file=sys.stderr)
            sys.exit(1)
        for place in (folder, folder / "checkpoints"):
            remove_abandoned(place)
