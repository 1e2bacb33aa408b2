"""At which moments of which videos persons are looked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PurePath, PurePosixPath

from lfb_lightning.bank.layout import file_name
from lfb_lightning.clock import Clock, exact
from lfb_lightning.errors import InputError, one_line
from lfb_lightning.files.objects.ranged_file import stated_of
from lfb_lightning.files.objects.store import ObjectStore
from lfb_lightning.files.objects.url import Place, Url
from lfb_lightning.video import Video, VideoLibrary
from lfb_lightning.video.library import ENDINGS


@dataclass(frozen=True, slots=True)
class Moments:
    """The moments of some videos; it is copied to other processes.

    Args:
        open_video: Opens the video of an id.
        clock: What the moments' ticks count.
        ticks: The ticks of each video, ascending; None: every `step` ticks from its first frame to its last.
        step: Ticks from one moment to the next, where a whole video is looked at.
        refused: The reasons why files that are there are none of the videos, by printable names.
    """

    open_video: Callable[[str], Video]
    clock: Clock
    ticks: Mapping[str, Sequence[int] | None]
    step: int = 1
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def video_ids(self) -> list[str]:
        """Ids of all videos, sorted."""
        return sorted(self.ticks)

    def stamp(self, video_id: str) -> str:
        """Give what changes when a video's file is replaced; nothing if it cannot be found."""
        try:
            return stamp_of(self.open_video(video_id))
        except InputError:
            return ""

    def of(self, video_id: str, video: Video) -> Sequence[int]:
        """List the moments of a video.

        Args:
            video_id: Its id.
            video: It, opened: its length may be asked for.

        Raises:
            InputError: The video's length is needed and not known.
        """
        named = self.ticks[video_id]
        if named is not None:
            return named
        seconds = video.properties().seconds
        if not 0 < seconds < math.inf:
            raise InputError(f"video {video_id}: states no length; convert it: `ffmpeg -i IN OUT.mp4`.")
        rate, origin = self.clock.ticks_per_second, self.clock.origin
        first = math.ceil(origin * rate)
        first += -first % self.step  # so that moments lie on multiples of the step, whatever second a video begins at
        return range(first, max(first + 1, math.ceil((origin + Fraction(seconds)) * rate)), self.step)


def stamp_of(video: Video) -> str:
    """Give what changes when a video's file is replaced, its size and time, or its version at a URL; nothing if it is away.

    Args:
        video: The video; one without a file has none either.

    Raises:
        InputError: An object store does not answer.
    """
    path = getattr(video, "path", None)
    if isinstance(path, Url):
        stated = stated_of(path, f"video {path}")
        return f"{stated.size} bytes, version {stated.version}" if stated else ""
    try:
        status = Path(path).stat() if path is not None else None
    except OSError:
        status = None
    return f"{status.st_size} bytes, changed {status.st_mtime_ns}" if status else ""


def step_of_rate(rate: str | int | float, clock: Clock) -> int:
    """Compute how many ticks lie between moments of a rate.

    Args:
        rate: Moments per second.
        clock: What the ticks are.

    Raises:
        InputError: They would not lie on ticks.
    """
    per_second = exact(rate, "detection_rate")
    if per_second <= 0 or (clock.ticks_per_second / per_second).denominator != 1:
        raise InputError(
            f"detection_rate is {rate}, but moments lie on {clock.ticks_per_second} ticks per second; expected that rate or "
            "a whole fraction of it: see data.ticks_per_second."
        )
    return int(clock.ticks_per_second / per_second)


def folder_of(place: Place) -> Place:
    """Give the folder that a place is, or that a video file lies in."""
    if isinstance(place, Url):
        return place.parent if place.suffix.lower() in ENDINGS else place
    return place.parent if place.is_file() else place


def moments_of_folder(place: Place, rate: str | int | float, origin: int | float) -> Moments:
    """Look at the whole of every video in a folder.

    Args:
        place: The folder, with folders in it or without; or one video file; or the URL of either.
        rate: Moments per second.
        origin: The timestamp of a video's first frame.

    Returns:
        The moments, with ids that are file names without ending: `sport/v_01` for a file in a folder.

    Raises:
        InputError: There is no video, the rate is none, or the timestamp is out of bounds.
    """
    per_second = exact(rate, "detection_rate")
    if per_second <= 0:
        raise InputError(f"detection_rate is {rate}, expected moments per second, more than 0.")
    root = folder_of(place)
    ids = ids_of(_names_below(place, root))
    refused = {one_line(name): reason for name in ids if (reason := _why_no_id(name))}
    ids = {name for name in ids if not _why_no_id(name)}
    if not ids:
        nothing = f"videos {place}: no video with one of the endings {', '.join(ENDINGS)}."
        raise InputError(next(iter(refused.values()), nothing))
    clock = Clock(Fraction(per_second.numerator), exact(origin, "origin_second"))
    limit = clock.seconds(clock.tick_limit)
    if abs(clock.origin) >= limit:
        raise InputError(f"origin_second is {origin:g}, expected a second of less than {float(limit):.0f}.")
    videos = dict.fromkeys(sorted(ids))
    return Moments(VideoLibrary(root).open, clock, videos, step=per_second.denominator, refused=refused)


def ids_of(names: Iterable[PurePath]) -> set[str]:
    """Give the ids of the videos among files, the same on every system; what is hidden is left out.

    Args:
        names: The files' paths in their folder.
    """
    videos = [name for name in names if name.suffix.lower() in ENDINGS]
    shown = [name for name in videos if not any(part.startswith(".") for part in name.parts)]
    return {name.with_suffix("").as_posix() for name in shown}


def _names_below(place: Place, root: Place) -> Sequence[PurePath]:
    """List the files of a place, or the one that it is."""
    if isinstance(place, Url):
        if place != root:
            return [PurePosixPath(place.name)]
        return [PurePosixPath(name) for name in ObjectStore(place.text, what="videos").names()]
    assert isinstance(root, Path)
    if not root.is_dir():
        raise InputError(f"videos {place}: no such folder or file.")
    found = [place] if place.is_file() else sorted(place.rglob("*"))
    return [path.relative_to(root) for path in found if path.is_file()]


def _why_no_id(name: str) -> str | None:
    """Say why a file's name cannot be an id of a bank or a csv; None if it can."""
    try:
        file_name(name)
    except UnicodeEncodeError:
        return f"video {one_line(name)}: the bytes of its name are not UTF-8; rename the file."
    except InputError as error:
        return str(error)
    return None
