"""What is odd about a video that can be read: probably not meant by whoever made it, and visible in no table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lfb_lightning.datasets.checks.findings import Level
from lfb_lightning.video.protocol import VideoProperties
from lfb_lightning.video.survey import Gap, SizeChange, Survey

_LONG_GAP_SECONDS = 0.5  # phones and screen recorders leave out a frame here and there


@dataclass(slots=True)
class VideoFacts:
    """A video as found; `problem` says why it cannot be used, `early_keyframes` and `late_keyframes` how many lie outside.

    `properties` is None where it could not even be opened, `survey` also for what is no video file. `may_be_uncut`: a video
    that is said to begin later than second 0 has its keyframes in it as well if it begins there.
    """

    video_id: str
    properties: VideoProperties | None = None
    survey: Survey | None = None
    early_keyframes: int = 0
    late_keyframes: int = 0
    may_be_uncut: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Oddity:
    """One kind of oddity: its name among the figures, how it is found (an empty value: not), and what to say of it."""

    figure: str
    find: Callable[[VideoFacts], Any]
    level: Level
    what: str
    describe: Callable[[Any], str]
    remedy: str


def _long_gaps(facts: VideoFacts) -> tuple[Gap, ...]:
    gaps = facts.survey.gaps if facts.survey is not None else ()
    return tuple(gap for gap in gaps if gap.seconds >= _LONG_GAP_SECONDS)


def _of_survey(name: str) -> Callable[[VideoFacts], Any]:
    return lambda facts: getattr(facts.survey, name) if facts.survey is not None else None


def _minutes_of_uncut(facts: VideoFacts) -> float:
    return facts.properties.seconds / 60 if facts.properties is not None and facts.may_be_uncut else 0.0


def _describe_changes(changes: tuple[SizeChange, ...]) -> str:
    first = changes[0]
    return f"{first.width}x{first.height} from {first.second:.2f} s{_others(changes)}"


def _describe_gaps(gaps: tuple[Gap, ...]) -> str:
    longest = max(gaps, key=lambda gap: gap.seconds)
    return f"{longest.seconds:.2f} s after {longest.second:.2f} s{_others(gaps)}"


def _others(found: tuple[Any, ...]) -> str:
    return f" and {len(found) - 1} more" if len(found) > 1 else ""


ODDITIES = (
    Oddity(
        "rotated",
        lambda facts: facts.properties.rotation if facts.properties is not None else 0,
        "note",
        "are turned by their display matrix, as phones write it",
        lambda degrees: f"{degrees} degrees",
        "nothing, where boxes were drawn on the turned picture, as players and annotation tools show it: it is what is read "
        "here; boxes that were drawn on the stored picture must be turned",
    ),
    Oddity(
        "size_changes",
        _of_survey("size_changes"),
        "warning",
        "change the size of their picture",
        _describe_changes,
        "clips show all frames in the first one's size; boxes must be shares of the frame that they were drawn on",
    ),
    Oddity(
        "time_stamp_gaps",
        _long_gaps,
        "warning",
        "have gaps between their frames",
        _describe_gaps,
        "clips there repeat the nearest frame; if the recording lost pictures, exclude those seconds (data.excluded)",
    ),
    Oddity(
        "without_time_stamps",
        _of_survey("without_time_stamp"),
        "warning",
        "have frames without time stamps",
        lambda frames: f"{frames} frames",
        "they are read by number and rate; if that is not how they were annotated, add time stamps: "
        "`ffmpeg -fflags +genpts -i IN -c copy OUT.mkv`",
    ),
    Oddity(
        "keyframes_before_the_start",
        lambda facts: facts.early_keyframes,
        "warning",
        "begin after their first keyframes",
        str,
        "those clips repeat the first frame; see data.origin_second, and data.first_frame_number for extracted JPEGs",
    ),
    Oddity(
        "keyframes_after_the_end",
        lambda facts: facts.late_keyframes,
        "warning",
        "end before their last keyframes",
        str,
        "those clips repeat the last frame; see data.origin_second (15-minute cuts: 900, whole movies: 0), or cut again",
    ),
    Oddity(
        "may_be_uncut",
        _minutes_of_uncut,
        "warning",
        "are long enough to be whole movies",
        lambda minutes: f"{minutes:.0f} minutes",
        "set data.origin_second=0 if they are: as it is, their first frame is taken for that second, and clips show others",
    ),
)
