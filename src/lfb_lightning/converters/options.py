"""The options of a conversion: what the user states about files that do not hold it themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote

from lfb_lightning.converters.clock import Clock
from lfb_lightning.errors import InputError

_LONGEST_ID = 200
FRAME_NAME_HINT = (
    "if the pictures' names hold it, say where: --frame-name 'REGEX' with a group (?P<frame>...) and, for the video, "
    "(?P<video>...), and give as --fps the rate at which these pictures were taken"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a form is read.

    Args:
        clock: Frames per second and the first frame's number and timestamp.
        video: The video's id where the file names none.
        frame_name: Where a picture's name holds the frame's number (group `frame`) and the video (group `video`).
        action_from: Names of the attributes that hold the actions, `label` for the box's own label; empty is automatic.
        person_from: Name of the attribute that holds the person's identity.
        size: Width and height of the picture in pixels where the file does not say them.
        columns: Column names of a csv without a header.
    """

    clock: Clock = field(default_factory=Clock)
    video: str | None = None
    frame_name: re.Pattern[str] | None = None
    action_from: tuple[str, ...] = ()
    person_from: str | None = None
    size: tuple[float, float] | None = None
    columns: tuple[str, ...] | None = None

    def frame_in_name(self, name: str, where: str) -> tuple[int, str | None]:
        """Return the frame number in a picture's name, and the video if `frame_name` has that group."""
        assert self.frame_name is not None
        match = self.frame_name.search(name)
        if match is None or not (match["frame"] or "").isdecimal() or len(match["frame"]) > 9:
            raise InputError(
                f"{where}: {name!r} holds no frame number where --frame-name {self.frame_name.pattern!r} looks."
            )
        return int(match["frame"]), match.groupdict().get("video")


def parse_frame_name(text: str) -> re.Pattern[str]:
    """Compile the regular expression of `--frame-name`; raises InputError if it is wrong or has no group `frame`."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise InputError(f"--frame-name: {text!r} is no regular expression ({error}).") from error
    if "frame" not in pattern.groupindex:
        raise InputError(f"--frame-name: {text!r} has no group (?P<frame>...), such as (?P<frame>[0-9]+).")
    return pattern


def parse_size(text: str) -> tuple[float, float]:
    """Read width and height as typed, such as 1280x720; raises InputError for anything else."""
    match = re.fullmatch(r"([1-9]\d{0,5})[xX]([1-9]\d{0,5})", text)
    if match is None:
        raise InputError(f"--size: {text!r} found, expected width and height in pixels such as 1280x720.")
    return float(match[1]), float(match[2])


def video_id_of(name: str, where: str) -> str:
    """Return the id of a video from its file name, path or address: the last part without the ending."""
    path = unquote(name).replace("\\", "/").rpartition("?d=")[2].partition("?")[0]
    return checked_video_id(PurePosixPath(path).stem, where)


def checked_video_id(video_id: str, where: str) -> str:
    """Return the id; raises InputError if it cannot stand in a csv."""
    if (
        not 0 < len(video_id) <= _LONGEST_ID
        or not video_id.isprintable()
        or any(sign in video_id for sign in ',"')
        or video_id != video_id.strip()
    ):
        raise InputError(
            f"{where}: the video is called {video_id[:60]!r}, which cannot stand in a csv; rename it, or give --video."
        )
    return video_id
