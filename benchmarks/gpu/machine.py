"""What the machine is: whoever reads the figures must know."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from lfb_lightning.doctor.devices import nvidia_driver
from lfb_lightning.processes import usable_cores
from lfb_lightning.version import __version__

ROOT = Path(__file__).parents[2]


def facts(device: str) -> dict[str, Any]:
    """Describe the machine, the versions and what else is running.

    Args:
        device: "cpu" or "cuda", where the measurements are made.
    """
    found: dict[str, Any] = {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "device": device,
        "card": None,
        "driver": nvidia_driver(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if torch.cuda.is_available() else None,
        "package": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "load": list(os.getloadavg()),
    }
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        found["card"] = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
        found["capability"] = f"{properties.major}.{properties.minor}"
    return found


def _commit() -> str | None:
    """Name the commit of the checkout, with a + where something is changed; None where there is none."""
    try:
        asked = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=12", "--dirty=+"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
