"""What several tests build alike."""

from dataclasses import fields

from lfb_lightning.clips import ClipSettings
from lfb_lightning.datasets import AvaDataset

_OF_CLIPS = {field.name for field in fields(ClipSettings)}


def ava_data(**section):
    """The data set and the clips of a `data` section."""
    clips = {key: value for key, value in section.items() if key in _OF_CLIPS}
    own = {key: value for key, value in section.items() if key not in _OF_CLIPS or key == "fps"}
    return AvaDataset(**own), ClipSettings(**clips)
