"""Finding the persons of a video, and linking those of consecutive moments to tracks."""

from lfb_lightning.persons.bank_tracks import BankTracks
from lfb_lightning.persons.boxes_by_second import BoxesBySecond
from lfb_lightning.persons.given_boxes import GivenBoxes
from lfb_lightning.persons.huggingface import HuggingfacePersons
from lfb_lightning.persons.linking import PersonLinker
from lfb_lightning.persons.onnx import OnnxPersons
from lfb_lightning.persons.person_source import PersonSource
from lfb_lightning.persons.torchvision import TorchvisionPersons
from lfb_lightning.persons.trackers_linking import TrackersLinker
from lfb_lightning.persons.whole_frame import WholeFrame

__all__ = [
    "BankTracks",
    "BoxesBySecond",
    "GivenBoxes",
    "HuggingfacePersons",
    "OnnxPersons",
    "PersonLinker",
    "PersonSource",
    "TorchvisionPersons",
    "TrackersLinker",
    "WholeFrame",
]
