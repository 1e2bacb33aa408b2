"""Whole videos as jobs of actors, each with a model of its own that reads, computes and returns what came of one video."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lfb_lightning.clusters.place import stand_in
from lfb_lightning.clusters.pool import pool_of
from lfb_lightning.clusters.session import Cluster, hushed
from lfb_lightning.clusters.settings import RayEngine
from lfb_lightning.errors import InputError
from lfb_lightning.processes import usable_cores
from lfb_lightning.structures import VideoFailure

Work = Callable[[str], Any]  # does the job of a video and returns something small


@dataclass(frozen=True, slots=True)
class Done:
    """A job that is done.

    Args:
        video_id: Whose.
        outcome: What the work returned.
    """

    video_id: str
    outcome: Any


def done_jobs(
    cluster: Cluster,
    engine: RayEngine,
    make_work: Callable[[], Work],
    video_ids: Sequence[str],
    *,
    num_threads: int | None = None,
    allows_gpu: bool = True,
) -> Iterator[Done | VideoFailure]:
    """Do the jobs of videos on a cluster.

    Args:
        cluster: Where.
        engine: The command's settings.
        make_work: Called once by each actor: it loads the model.
        video_ids: The videos.
        num_threads: torch's threads per actor on the CPU; None: as many as the machine has cores.
        allows_gpu: Whether GPUs are used where there are some.

    Yields:
        What became of each video, in the order in which they end.

    Raises:
        RuntimeError: There is a fault in the program, in an actor; the message has its traceback.
    """
    stored = cluster.ray.put(make_work)  # kept until the end: an actor that is started again asks for it
    pool = pool_of(cluster, engine, allows_gpu=allows_gpu)
    given = {"make_work": stored, "num_threads": num_threads, "folder": str(Path.cwd())}
    left = dict.fromkeys(video_ids)
    for retries in engine.rounds():
        if not left:
            return
        with hushed():
            outcomes = cluster.videos(list(left)).map_batches(
                _Worker,
                fn_constructor_kwargs=given,
                batch_size=1,
                batch_format="pyarrow",
                compute=pool.strategy(cluster.ray, in_flight=1),
                num_cpus=pool.cpus,
                num_gpus=pool.gpus,
                max_task_retries=retries,
            )
        for table in outcomes.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            for outcome in _outcomes(table):
                if outcome.video_id in left:  # once, however often Ray hands it out
                    del left[outcome.video_id]
                    yield outcome
    for name in left:
        yield VideoFailure(name, engine.gave_up(name))


def _outcomes(table: Any) -> Iterator[Done | VideoFailure]:
    for content in table.column("outcome").to_pylist():
        outcome = pickle.loads(content)  # of our own processes
        if isinstance(outcome, _Fault):
            raise RuntimeError(f"video {outcome.video_id}, in another process:\n{outcome.traceback}")
        yield outcome


@dataclass(frozen=True, slots=True)
class _Fault:
    video_id: str
    traceback: str


class _Worker:
    """The class of which Ray Data makes actors."""

    def __init__(self, make_work: Any, num_threads: int | None, folder: str) -> None:
        stand_in(folder)
        torch.set_num_threads(num_threads or usable_cores())
        self._make_work = make_work
        self._work: Work | None = None

    def __call__(self, table: Any) -> Any:
        import pyarrow as pa

        outcomes = [pickle.dumps(self._outcome(name)) for name in table.column("video_id").to_pylist()]
        return pa.table({"outcome": pa.array(outcomes, pa.large_binary())})

    def _outcome(self, video_id: str) -> Done | VideoFailure | _Fault:
        import ray

        try:
            if self._work is None:  # not at the start, where an error would be tried again and have no video
                self._work = ray.get(self._make_work)()
            return Done(video_id, self._work(video_id))
        except InputError as error:
            return VideoFailure(video_id, str(error))
        except Exception:
            return _Fault(video_id, traceback.format_exc())
