"""Long-Term Feature Banks (Wu et al., CVPR 2019) for spatio-temporal action detection.

What most people need is here: `LFBPredictor` runs a detector on a video, `load_detector` loads one, `FeatureBank` and
`WindowSpec` read a bank, `VideoFile` reads frames by time. Each is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lfb_lightning.version import __version__

if TYPE_CHECKING:
    from lfb_lightning.bank import FeatureBank, WindowSpec
    from lfb_lightning.models import load_detector
    from lfb_lightning.prediction import LFBPredictor
    from lfb_lightning.video import VideoFile

__all__ = ["FeatureBank", "LFBPredictor", "VideoFile", "WindowSpec", "__version__", "load_detector"]

_ROOMS = {
    "FeatureBank": "bank",
    "LFBPredictor": "prediction",
    "VideoFile": "video",
    "WindowSpec": "bank",
    "load_detector": "models",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS])
