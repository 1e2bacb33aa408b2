"""The forms that annotations come in, and the reader of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from lfb_lightning.converters.actions_csv import read_actions_csv
from lfb_lightning.converters.annotated_box import AnnotatedBox, Notes
from lfb_lightning.converters.coco import read_coco
from lfb_lightning.converters.cvat import read_cvat
from lfb_lightning.converters.label_studio import read_label_studio
from lfb_lightning.converters.options import Options
from lfb_lightning.converters.via import read_via
from lfb_lightning.errors import InputError
from lfb_lightning.files.zip_records import is_zip

Reader = Callable[[Path, Options, Notes], Iterator[AnnotatedBox]]
READERS: Mapping[str, Reader] = {
    "cvat": read_cvat,
    "coco": read_coco,
    "label-studio": read_label_studio,
    "via": read_via,
    "csv": read_actions_csv,
}


def refuse_unreadable(paths: Sequence[Path]) -> None:
    """Raise InputError for a file that is not there, or is an archive that holds the annotations."""
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: no such file.")
        if is_zip(path):
            raise InputError(f"{path}: a zip archive; unpack it and give the annotation file in it.")
