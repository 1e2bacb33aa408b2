"""How many actors hold a model, and what each of them reserves."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from lfb_lightning.clusters.session import Cluster
from lfb_lightning.clusters.settings import RayEngine
from lfb_lightning.errors import InputError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pool:
    """Actors that hold a model.

    Args:
        least: Number that is always there.
        most: Number up to which the pool grows; None: as many as the cluster has room for.
        gpus: GPUs of each.
        cpus: Cores that each reserves.
    """

    least: int
    most: int | None
    gpus: float | int
    cpus: float | int

    def strategy(self, ray: Any, *, in_flight: int | None = None) -> Any:
        """Say it as Ray Data does.

        Args:
            ray: The module.
            in_flight: Tasks that an actor is given at a time; None: Ray decides.
        """
        return ray.data.ActorPoolStrategy(
            min_size=self.least, max_size=self.most, max_tasks_in_flight_per_actor=in_flight
        )


def pool_of(cluster: Cluster, engine: RayEngine, *, allows_gpu: bool) -> Pool:
    """Choose the pool: an actor for each GPU, or where there is none, for each machine.

    Args:
        cluster: What there is.
        engine: What the user wants.
        allows_gpu: Whether GPUs are used where there are some.

    Raises:
        InputError: GPUs are asked for that the command does not allow.
    """
    gpus = engine.gpus_per_actor
    if gpus is None:
        gpus = 1 if cluster.gpus and allows_gpu else 0
    if gpus and not allows_gpu:
        raise InputError(f"engine.gpus_per_actor is {gpus}, but the command is to compute on the CPU; leave it out.")
    cpus = engine.cpus_per_actor
    if cluster.cpus < engine.least_cpus or cluster.gpus < gpus:
        _log.warning(
            "the cluster has %g CPUs and %g GPUs now, where at least %d and %g are needed: waiting until it grows",
            *(cluster.cpus, cluster.gpus, engine.least_cpus, gpus),
        )
    if engine.actors is None:
        return Pool(1, None, gpus, cpus) if gpus else Pool(cluster.nodes, cluster.nodes, 0, cpus)
    least, most = engine.bounds(engine.actors)
    return Pool(least, most, gpus, cpus)
