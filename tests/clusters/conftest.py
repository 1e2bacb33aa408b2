"""A Ray cluster of two nodes on this machine, which the commands of several tests join one after the other."""

import os
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]  # an actor imports what tests put into its place
STORE = 200 << 20  # bytes; the least that Ray takes is 75 MB


class TwoNodes:
    """Two nodes: each with a store and a scheduler of its own, as on two machines."""

    def __init__(self):
        from ray.cluster_utils import Cluster

        node = {"num_cpus": 2, "object_store_memory": STORE, "include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args=node)
        self._cluster.add_node(num_cpus=1, object_store_memory=STORE)
        self.address = self._cluster.address

    def processes(self, title):
        """Those of the cluster whose title, as `ps` shows it, begins so."""
        for process in psutil.Process().children(recursive=True):
            try:
                if process.cmdline()[:1] and process.cmdline()[0].startswith(title):
                    yield process
            except psutil.Error:
                continue

    def shutdown(self):
        self._cluster.shutdown()


@pytest.fixture(scope="session")
def two_nodes():
    pytest.importorskip("ray", reason="lfb-lightning[ray] is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]))
        for turn in range(3):
            try:
                made = TwoNodes()
                break
            except Exception:  # Ray gives a node 30 s to start, which a busy machine may not have
                if turn == 2:
                    raise
        yield made
        made.shutdown()
