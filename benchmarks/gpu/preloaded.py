"""What the parts of a report on a CPU have in common: imported once, before their processes are forked."""

import benchmarks.gpu.detectors as _ours
import lfb_lightning.cli.building as _package  # all of the package and of Lightning

__all__ = ["_ours", "_package"]
