"""Work on many machines by Ray: clips are read by tasks, features computed by actors, and one process writes the bank.

`ray` is imported where a cluster is joined and not before, since it is an extra and takes a second to load.
"""

from lfb_lightning.clusters.settings import RayEngine

__all__ = ["RayEngine"]
