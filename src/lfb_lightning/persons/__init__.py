"""Finding the persons of a video, linking those of consecutive moments to tracks, and describing objects for a bank."""

from lfb_lightning.persons.bank_tracks import BankTracks
from lfb_lightning.persons.boxes_by_second import BoxesBySecond
from lfb_lightning.persons.given_boxes import GivenBoxes
from lfb_lightning.persons.huggingface import HuggingfacePersons
from lfb_lightning.persons.huggingface_objects import HuggingfaceObjects
from lfb_lightning.persons.linking import PersonLinker
from lfb_lightning.persons.object_boxes import ObjectBoxes
from lfb_lightning.persons.object_source import CheckpointObjects, ObjectSource
from lfb_lightning.persons.onnx import OnnxPersons
from lfb_lightning.persons.person_source import PersonSource
from lfb_lightning.persons.torchvision import TorchvisionPersons
from lfb_lightning.persons.torchvision_objects import TorchvisionObjects
from lfb_lightning.persons.trackers_linking import TrackersLinker
from lfb_lightning.persons.whole_frame import WholeFrame

__all__ = [
    "BankTracks",
    "BoxesBySecond",
    "CheckpointObjects",
    "GivenBoxes",
    "HuggingfaceObjects",
    "HuggingfacePersons",
    "ObjectBoxes",
    "ObjectSource",
    "OnnxPersons",
    "PersonLinker",
    "PersonSource",
    "TorchvisionObjects",
    "TorchvisionPersons",
    "TrackersLinker",
    "WholeFrame",
]
