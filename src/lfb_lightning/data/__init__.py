"""From files to batches: which keyframes and persons, which frames, how transformed, in which order on which rank."""

from lfb_lightning.data.ava_data import AvaData
from lfb_lightning.data.bank_keyframes import BankKeyframes
from lfb_lightning.data.clip_sampling import ClipSampling
from lfb_lightning.data.collate import collate
from lfb_lightning.data.split import Split
from lfb_lightning.data.stored_persons import StoredPersons
from lfb_lightning.data.streamed_clips import StreamedClips
from lfb_lightning.data.training_clips import TrainingClips
from lfb_lightning.data.transforms import ClipTransform

__all__ = [
    "AvaData",
    "BankKeyframes",
    "ClipSampling",
    "ClipTransform",
    "Split",
    "StoredPersons",
    "StreamedClips",
    "TrainingClips",
    "collate",
]
