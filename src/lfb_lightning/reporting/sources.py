"""Where the ground truth, the label map and the videos of a result lie: as its run had them, or as the user says.

The paths of a stored configuration are text, as they are for `lfb-test`: files of these formats are read there, nothing is
written. The data set itself is not built, so a report needs no torch.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Place, is_url, place_of
from lfb_lightning.video.library import VideoLibrary

AVA_ORIGIN, AVA_FPS = 900.0, 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The files that a result is judged and shown by.

    Args:
        truth: Ground truth in AVA's csv form.
        labels: The label map.
        excluded: Keyframes that are left out; None: none are.
        classes: The action ids that are evaluated; None: all of the label map.
        groups: Action ids by the name of their group; None: AVA's where the label map is AVA's.
        videos: The folder of the videos, or of folders of JPEGs, or a URL of videos; None: there are no pictures.
        frames: How the folder is read: `video`, `frames` or `cache`; None: as what lies in it.
        origin_second: The timestamp of a video's first frame.
        fps: The rate of extracted frames.
        first_frame_number: The number in the name of the first extracted frame.
        frame_prefix: What stands before that number.
        stored_url: Where the run had its videos, if that is a URL: a stored text makes no connection, the user's does.
    """

    truth: Path | None = None
    labels: Path | None = None
    excluded: Path | None = None
    classes: Sequence[int] | None = None
    groups: Mapping[str, Sequence[int]] | None = None
    videos: Place | None = None
    frames: str | None = None
    origin_second: float = AVA_ORIGIN
    fps: float = AVA_FPS
    first_frame_number: int = 1
    frame_prefix: str | None = None
    stored_url: str | None = None

    def overlaid(self, typed: Mapping[str, Any]) -> Sources:
        """Return the sources with those that the user typed in the place of these; None among them changes nothing."""
        given = {name: value for name, value in typed.items() if value is not None}
        if "videos" in given:
            given["videos"] = place_of(given["videos"], "video")
            given["frames"] = self.frames if str(given["videos"]) == self.stored_url else None  # as the run read it
        return replace(self, **given)

    def library(self, video_id: str) -> VideoLibrary:
        """Return where a video is looked for.

        Raises:
            InputError: It is not known where the videos are.
        """
        if self.videos is None:
            if self.stored_url is None:
                raise InputError("it is not known where the videos are; say videos=FOLDER.")
            url = reprlib.repr(self.stored_url)
            raise InputError(f"the run had its videos at {url}; a report looks there only if you say videos=URL.")
        is_folder = isinstance(self.videos, Path) and (self.videos / video_id).is_dir()
        frames = self.frames or ("frames" if is_folder else "video")
        return VideoLibrary(
            self.videos, frames, self.fps, self.first_frame_number, self.videos, frame_prefix=self.frame_prefix
        )


def sources_of_run(config: Mapping[str, Any] | None) -> Sources:
    """Find the sources in the configuration of a test run in AVA's formats; values of other types are left out.

    Args:
        config: `config.yaml`, plain data.
    """
    section = (config or {}).get("data")
    split = (config or {}).get("split", "val")
    if not isinstance(section, dict) or not isinstance(split, str):
        return Sources()

    def path(name: str) -> Path | None:
        value = section.get(name)
        name = value.replace("{split}", split) if isinstance(value, str) else ""
        return Path(name) if name and "\0" not in name else None  # no file has that in its name

    def number(name: str, default: float) -> float:
        value = section.get(name)
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else default

    classes, groups, prefix = section.get("classes"), section.get("class_groups"), section.get("frame_prefix")
    place = "cache_dir" if section.get("source") == "cache" else "video_dir"
    url = section[place] if is_url(section.get(place)) else None
    return Sources(
        truth=path("annotations"),
        labels=path("label_map"),
        excluded=path("excluded"),
        classes=classes if _are_ids(classes) else None,
        groups={str(name): ids for name, ids in groups.items() if _are_ids(ids)} if isinstance(groups, dict) else None,
        videos=path(place) if url is None else None,
        frames=section["source"] if section.get("source") in ("video", "frames", "cache") else None,
        origin_second=number("origin_second", AVA_ORIGIN),
        fps=number("fps", AVA_FPS),
        first_frame_number=int(number("first_frame_number", 1.0)),
        frame_prefix=prefix if isinstance(prefix, str) else None,
        stored_url=url,
    )


def missing(sources: Sources) -> str | None:
    """Say in a sentence which file an evaluation lacks; None if all are there."""
    for key, what, path in (
        ("truth", "ground truth", sources.truth),
        ("labels", "label map", sources.labels),
        ("excluded", "excluded keyframes", sources.excluded),
    ):
        if path is None and key != "excluded":
            return f"it is not known where the {what} is; say {key}=FILE."
        if path is not None and not path.is_file():
            return f"the {what} is not there: {path}; say {key}=FILE."
    return None


def require(sources: Sources) -> None:
    """Raise InputError unless all files of an evaluation are there."""
    if (reason := missing(sources)) is not None:
        raise InputError(reason[0].upper() + reason[1:])


def _are_ids(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in value)
