"""Actions in a live picture: a ring of frames, a ring of bank rows, decisions every second."""

from lfb_lightning.live.recognition import LiveMoment
from lfb_lightning.live.recognizer import LiveRecognizer, LiveSummary
from lfb_lightning.live.settings import LiveSettings

__all__ = ["LiveMoment", "LiveRecognizer", "LiveSettings", "LiveSummary"]
