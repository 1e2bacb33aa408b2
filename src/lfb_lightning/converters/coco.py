"""Reading COCO's JSON whose images are frames of videos, as CVAT and Roboflow export it.

A frame's number is the image's `frame_id` or `frame_index`, and its video is `video_id` in the list `videos`. Where they are
missing, nothing is guessed from a picture's name unless the user says where in the name they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lfb_lightning.converters.actions import actions_of, person_in
from lfb_lightning.converters.annotated_box import Action, AnnotatedBox, Notes
from lfb_lightning.converters.clock import parse_rate
from lfb_lightning.converters.geometry import fractions_of
from lfb_lightning.converters.json_entries import Entry, entry_of
from lfb_lightning.converters.options import FRAME_NAME_HINT, Options, video_id_of
from lfb_lightning.errors import InputError
from lfb_lightning.files.json_file import read_json

_OF_THE_TOOL = ("occluded", "outside", "keyframe", "rotation", "track_id", "iscrowd")


@dataclass(frozen=True, slots=True)
class _Image:
    """A frame of a video."""

    video: str
    video_id: str
    frame: int
    size: tuple[float, float]
    rate: Fraction | None  # the `fps` that the file states for the video; used where the user gives none


def read_coco(path: Path, options: Options, notes: Notes) -> Iterator[AnnotatedBox]:
    """Yield the boxes of a file on whole seconds.

    Args:
        path: The JSON file.
        options: How it is read.
        notes: Collects what the user is told afterwards.

    Raises:
        InputError: The file is not COCO's JSON, or a key that is needed is missing.
    """
    content = entry_of(
        read_json(path, what="annotations"),
        str(path),
        "an object with 'images' (Label Studio's lists: form label-studio)",
    )
    images = {entry.text("id"): entry for entry in content.entries("images")}
    categories = {entry.text("id"): entry.text("name") for entry in content.entries("categories")}
    videos = {entry.text("id"): entry for entry in content.entries("videos")} if "videos" in content else {}
    if options.video is not None and len(videos) > 1:
        raise InputError(f"--video {options.video}: {path} has {len(videos)} videos; leave --video out.")
    frames = _Frames(path, images, videos, options)
    for annotation in content.entries("annotations"):
        image = frames[annotation.text("image_id"), annotation.where]
        clock = options.clock if image.rate is None else options.clock.at(image.rate)
        second = clock.second_of_frame(image.frame, annotation.where)
        if second is None:
            continue
        x, y, width, height = annotation.numbers("bbox", 4)
        attributes = _attributes(annotation)
        yield AnnotatedBox(
            image.video_id,
            second,
            fractions_of((x, y, x + width, y + height), image.size, annotation.where),
            _actions(annotation, categories, attributes, options, notes),
            _track(annotation, dict(attributes), options),
            f"{path}, video {image.video}" if videos else str(path),
        )


class _Frames:
    """Images by id; each is read when an annotation first needs it."""

    def __init__(self, path: Path, images: dict[str, Entry], videos: dict[str, Entry], options: Options) -> None:
        self._path, self._images, self._videos, self._options = path, images, videos, options
        self._understood: dict[str, _Image] = {}
        self._image_of: dict[tuple[str, int], str] = {}

    def __getitem__(self, key: tuple[str, str]) -> _Image:
        """Return the image of an id; `key` is the id and the place that names it, for messages."""
        image_id, annotation = key
        if image_id not in self._understood:
            if image_id not in self._images:
                raise InputError(f"{annotation}: 'image_id' {image_id[:30]!r} is none of the file's 'images'.")
            entry = self._images[image_id]
            name = entry.text("file_name") if "file_name" in entry else "without file_name"
            image = self._understand(Entry(entry.content, f"{self._path}, image {image_id} ({name[:100]})"))
            other = self._image_of.setdefault((image.video, image.frame), image_id)
            if other != image_id:
                raise InputError(
                    f"{self._path}: images {other} and {image_id} are both frame {image.frame} of video {image.video_id!r} "
                    "(copies made by augmentation?); export each frame once."
                )
            self._understood[image_id] = image
        return self._understood[image_id]

    def _understand(self, entry: Entry) -> _Image:
        frame = entry.whole("frame_id", "frame_index") if "frame_id" in entry or "frame_index" in entry else None
        video = self._options.video or self._listed_video(entry)
        if self._options.frame_name is not None and (frame is None or video is None):
            number, named = self._options.frame_in_name(entry.text("file_name"), entry.where)
            frame, video = number if frame is None else frame, video or named
        if frame is None or video is None:
            missing = [key for key, value in (("'video_id'", video), ("'frame_id'", frame)) if value is None]
            by_hand = "; a file of one video: --video NAME" if video is None else ""
            raise InputError(f"{entry.where}: no {' and no '.join(missing)}{by_hand}; {FRAME_NAME_HINT}.")
        video_id = self._options.video or video_id_of(video, entry.where)
        size = entry.number("width"), entry.number("height")
        return _Image(video, video_id, frame, size, self._rate_of(entry) if self._options.clock.rate is None else None)

    def _rate_of(self, entry: Entry) -> Fraction | None:
        video = self._videos.get(entry.text("video_id")) if "video_id" in entry else None
        return (
            None if video is None or "fps" not in video else parse_rate(str(video.value("fps")), f"{video.where}, fps")
        )

    def _listed_video(self, entry: Entry) -> str | None:
        if "video_id" not in entry:
            return None
        video_id = entry.text("video_id")
        if video_id not in self._videos:
            raise InputError(f"{entry.where}: 'video_id' {video_id[:30]!r} is none of the file's 'videos'.")
        video = self._videos[video_id]
        return video.text("name", "file_name") if "name" in video or "file_name" in video else video_id


def _attributes(annotation: Entry) -> list[tuple[str, str]]:
    if "attributes" not in annotation:
        return []
    return [
        (name, str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in annotation.entry("attributes").content.items()
        if isinstance(value, str | bool | int | float)
    ]


def _actions(
    annotation: Entry, categories: dict[str, str], attributes: list[tuple[str, str]], options: Options, notes: Notes
) -> tuple[Action, ...]:
    listed = annotation.value("action_ids") if "action_ids" in annotation else [annotation.text("category_id")]
    if not isinstance(listed, list):
        raise InputError(f"{annotation.where}: 'action_ids' is no list of category ids.")
    unknown = next((str(category) for category in listed if str(category) not in categories), None)
    if unknown is not None:
        raise InputError(f"{annotation.where}: category {unknown[:30]!r} is none of the file's 'categories'.")
    labels = [categories[str(category)] for category in listed]
    for name, value in attributes:
        if not options.action_from and value == "true" and name not in _OF_THE_TOOL:
            notes.say(f"boxes have the attribute {name[:60]!r}, which is not used; see --action-from")
    where = annotation.where
    return actions_of(
        labels, attributes if options.action_from else [], action_from=options.action_from, where=where, notes=notes
    )


def _track(annotation: Entry, attributes: dict[str, str], options: Options) -> Action | None:
    if options.person_from is not None:
        return person_in(attributes, options.person_from)
    if "track_id" in annotation or "instance_id" in annotation:
        return person_in({"": annotation.text("track_id", "instance_id")}, "")
    return person_in(attributes, "track_id")
