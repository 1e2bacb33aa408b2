"""The folder of a predicted video: its files, and a record by which a repeated command knows that they are complete."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from lfb_lightning.errors import InputError, one_line
from lfb_lightning.files.durable import write_json
from lfb_lightning.files.json_file import read_json_object
from lfb_lightning.files.objects.url import Place, Url
from lfb_lightning.prediction import pictures
from lfb_lightning.prediction.prediction import Prediction
from lfb_lightning.viz.overlay_video import refuse_source

_RECORD = "prediction.json"
_CSV, _JSON, _OVERLAY = "detections.csv", "detections.json", "overlay.mp4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What is written of a prediction.

    Args:
        overlay: Whether the video is written with everything drawn into it.
        page: Whether the page and its video are written.
        threshold: Score from which an action is drawn, and shown by the page at first.
        least_score: Scores below it are left out of the tables.
    """

    overlay: bool = True
    page: bool = True
    threshold: float = 0.5
    least_score: float = 0.01

    def write(
        self, prediction: Prediction, folder: Path, *, progress: Callable[[float], None] | None = None
    ) -> tuple[list[Path], list[str]]:
        """Write the files of a prediction.

        Args:
            prediction: What is written.
            folder: Where to; it is there.
            progress: Called with the second of the video that is written.

        Returns:
            The files, and a line for each thing that is missing in them.

        Raises:
            InputError: A file cannot be written.
        """
        problems: list[str] = []
        prediction.to_csv(folder / _CSV, least_score=self.least_score)
        prediction.to_json(folder / _JSON, least_score=self.least_score)
        page_video = folder / pictures.PAGE_VIDEO if self.page else None
        if self.overlay:
            written = pictures.save_overlay(
                folder / _OVERLAY, prediction, threshold=self.threshold, page_video=page_video, progress=progress
            )
            problems += written.problems
        if self.page:
            pictures.save_page(folder, prediction, threshold=self.threshold, video=not self.overlay)
        return [folder / name for name in self.names()], problems

    def names(self) -> list[str]:
        """List the names of the files."""
        return [
            _CSV,
            _JSON,
            *([_OVERLAY] if self.overlay else []),
            *([pictures.PAGE, pictures.PAGE_VIDEO] if self.page else []),
        ]

    def __post_init__(self) -> None:
        for name in ("threshold", "least_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 0 to 1.")

    def refuse_folder(self, folder: Path, video: Place) -> None:
        """Raise InputError where results would be written over a video, or over those of another one."""
        if (source := _file_of(video)) is not None:
            refuse_source(source, *(folder / name for name in self.names()))
        other = self._record(folder).get("video")
        if other is not None and other != full_name(video):
            raise InputError(f"{folder} holds the results of {one_line(str(other))}: choose another out for {video}.")

    def is_complete(self, folder: Path, made_by: Mapping[str, Any]) -> bool:
        """Say whether a folder has all files, made by the same as is asked for now."""
        return self._record(folder).get("made_by") == self._digest(made_by) and all(
            (folder / name).is_file() for name in self.names()
        )

    def finish(self, folder: Path, made_by: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
        """Record that a folder is complete.

        Args:
            folder: With all files.
            made_by: What decides their content.
            summary: Plain data for whoever opens the record.
        """
        write_json(folder / _RECORD, {**summary, "files": self.names(), "made_by": self._digest(made_by)})

    def _record(self, folder: Path) -> Mapping[str, Any]:
        path = folder / _RECORD
        try:
            return read_json_object(path, what="prediction", remedy="delete it") if path.is_file() else {}
        except InputError:
            return {}  # it is written anew

    def _digest(self, made_by: Mapping[str, Any]) -> str:
        content = json.dumps([made_by, asdict(self)], sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()


def full_name(video: Place) -> str:
    """Name a video as its record does: in full, wherever the command is repeated; that of a URL is the URL."""
    return str(video) if isinstance(video, Url) else str(video.resolve())


def _file_of(video: Place) -> Path | None:
    """Give the file that a video is on this machine; None where it is elsewhere."""
    if not isinstance(video, Url):
        return video
    folder, name = video.object()
    return Path(url2pathname(urlsplit(folder).path)) / name if folder.startswith("file:") else None
