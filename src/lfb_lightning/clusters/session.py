"""Joining a Ray cluster, or starting one on this machine, without Ray's own messages, bars and reports to its makers."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lfb_lightning.clusters.settings import RayEngine
from lfb_lightning.errors import InputError, one_line
from lfb_lightning.processes import end_when_asked, usable_cores

_log = logging.getLogger(__name__)
_MOST_STORE = 2 << 30  # bytes of shared memory that a cluster of our own takes at most: hundreds of batches of clips


@dataclass(frozen=True, slots=True)
class Cluster:
    """A joined cluster.

    Args:
        ray: The module.
        nodes: Machines that are there now.
        cpus: Cores that they offer.
        gpus: GPUs that they offer.
    """

    ray: Any
    nodes: int
    cpus: float | int
    gpus: float | int

    def videos(self, video_ids: Sequence[str]) -> Any:
        """Make Ray's data set of videos: each is a block, hence a task, of its own.

        Args:
            video_ids: At least one, in the order in which they are begun.
        """
        rows = [{"video_id": name} for name in video_ids]
        return self.ray.data.from_items(rows, override_num_blocks=len(rows))


@contextmanager
def hushed() -> Iterator[None]:
    """Leave out that Ray wants retries to be said otherwise from 2.64 on, which the extra's bound keeps away."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*ray_remote_args.*deprecated")
        yield


@contextmanager
def joined(engine: RayEngine) -> Iterator[Cluster]:
    """Join the cluster of `engine.address` or RAY_ADDRESS, or start one; leave it, or end it, at the end.

    Args:
        engine: The command's settings.

    Raises:
        InputError: Ray is not installed, or there is no such cluster.
    """
    # A video whose reading takes too much memory is not begun for ever; no message leaves the machine.
    os.environ.setdefault("RAY_task_oom_retries", str(engine.tries - 1))
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_worker_niceness", "0")  # 15 by itself: behind everything else on the machine
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")  # a process without a GPU of its own sees none
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError(
            f"engine=ray needs Ray with its data library ({one_line(str(error))}): python -m pip install "
            "'lfb-lightning[ray]'."
        ) from error
    address = engine.address or os.environ.get("RAY_ADDRESS")
    own = address is None
    if address is not None and address.startswith("ray://"):
        raise InputError(
            f"engine.address is {address}, a Ray client's, which is too far away for this: make this machine one of "
            "the cluster (ray start --address=HOST:PORT) and give host:port or auto."
        )
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "namespace": "lfb-lightning"}
    started: dict[str, Any] = {}
    if own:
        cpus = max(usable_cores() + 1, engine.least_cpus)  # what computes does so in their stead most of the time
        started = {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": _store_bytes()}
    where = "a cluster on this machine" if own else f"the cluster at {address} (engine.address, RAY_ADDRESS)"
    # Ray takes seconds for it, minutes on a machine that is busy, and says nothing itself.
    _log.info("Ray: starting %s" if own else "Ray: joining %s", where)
    try:
        with _without_stderr():
            ray.init(address="local" if own else address, **quiet, **started)
    except Exception as error:  # Ray raises any, some of them bare
        remedy = (
            "start it again when the machine is less busy, or leave engine=ray out, which needs no cluster"
            if own
            else "look with `ray status` whether it runs and this machine reaches it"
        )
        raise InputError(f"engine=ray: {where} cannot be had: {one_line(str(error))}; {remedy}.") from error
    end_when_asked()  # Ray has put its own handlers of signals in place
    try:
        _settle(ray)
        there = ray.cluster_resources()
        nodes = sum(1 for node in ray.nodes() if node["Alive"])
        cluster = Cluster(ray, nodes, there.get("CPU", 0.0), there.get("GPU", 0.0))
        _log.info(
            "Ray: %s, %d %s, %g CPUs, %g GPUs",
            *("a cluster of our own" if own else f"the cluster at {address}", nodes),
            *("machine" if nodes == 1 else "machines", cluster.cpus, cluster.gpus),
        )
        yield cluster
    finally:
        ray.shutdown()


def _store_bytes() -> int:
    """Give the shared memory of a cluster of our own: at most three tenths of the machine's."""
    if not hasattr(os, "sysconf"):  # Windows
        return _MOST_STORE
    return min(_MOST_STORE, int(0.3 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")))


def _settle(ray: Any) -> None:
    """Make Ray Data silent, lose a block without ending the run, and give each batch a block of its own."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.enable_auto_log_stats = False
    context.max_errored_blocks = -1  # videos that are not complete at the end are named by us
    context.target_max_block_size = 1
    _keep_off_console("ray.data", "ray")


def _keep_off_console(*names: str) -> None:
    """Leave what Ray logs to its own files, and to handlers of others: an error that matters is told by us, in a line."""
    for name in names:
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler) and type(handler).__module__.partition(".")[0] == "ray":
                handler.setLevel(logging.CRITICAL)


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Throw away what a library writes to the standard error past Python: that it heeds its log level, here."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
