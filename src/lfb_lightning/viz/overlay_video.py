"""Videos for people to look at: one with boxes and actions drawn into it, and one that every browser plays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lfb_lightning.errors import InputError
from lfb_lightning.video.container import OpenVideo, open_video
from lfb_lightning.video.first_frame import FirstFrame, first_frame
from lfb_lightning.video.timed_frames import TimedFrame, timed_frames
from lfb_lightning.viz.video_copying import copy_for_browsers, early_end
from lfb_lightning.viz.video_drawing import PersonPainter
from lfb_lightning.viz.video_encoding import PictureEncoder, UprightPictures, mp4_file
from lfb_lightning.viz.video_persons import PersonsBetweenMoments, TrackedPerson
from lfb_lightning.viz.video_sound import Sound

__all__ = ["TrackedPerson", "WrittenVideo", "write_overlay_video", "write_page_video"]

PAGE_SHORT_SIDE = 720  # pixels; a page shows its video small, so an encoded one need not be larger


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenVideo:
    """What was written.

    Args:
        frames: The number of pictures.
        seconds: When the last one ends.
        copied: Whether the source's pictures were copied as they are stored, and not encoded again.
        problems: One line for each thing that is missing: pictures after a damaged place, or sound.
    """

    frames: int
    seconds: float
    copied: bool
    problems: tuple[str, ...] = ()


def write_overlay_video(
    source: str | Path,
    out: str | Path,
    persons: Iterable[tuple[float, Sequence[TrackedPerson]]],
    *,
    page_video: str | Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> WrittenVideo:
    """Write a video again as H.264 in mp4, with boxes and actions drawn into its pictures and its own sound.

    Args:
        source: The video.
        out: The mp4 file to write.
        persons: Moments in seconds since the first frame, ascending, each with the persons there, possibly none. They are
            read while the video is written, so a generator keeps memory flat.
        page_video: Where the result of `write_page_video` is written too, in the same pass; None writes none.
        progress: Called after each picture with its second.

    Raises:
        InputError: The source cannot be opened, or a file cannot be written. A source that cannot be read from some second
            on is written up to there, and `problems` says so.
        ValueError: The moments do not ascend.
    """
    source = Path(source)
    refuse_source(source, out, page_video)
    if page_video is not None and copy_for_browsers(source, Path(page_video)) is not None:
        page_video = None
    return _write(
        source, overlay=(Path(out), persons), plain=None if page_video is None else Path(page_video), progress=progress
    )


def write_page_video(
    source: str | Path, out: str | Path, *, progress: Callable[[float], None] | None = None
) -> WrittenVideo:
    """Write a video that browsers play: stored pictures are copied if they are H.264 as browsers know it, or else encoded.

    Args:
        source: The video.
        out: The mp4 file to write.
        progress: Called after each encoded picture with its second; copying takes no time worth telling.

    Raises:
        InputError: As in `write_overlay_video`.
    """
    source, out = Path(source), Path(out)
    refuse_source(source, out)
    if (copied := copy_for_browsers(source, out)) is not None:
        return WrittenVideo(frames=copied.frames, seconds=copied.seconds, copied=True, problems=copied.problems)
    return _write(source, overlay=None, plain=out, progress=progress)


def refuse_source(source: str | Path, *outs: str | Path | None) -> None:
    """Raise InputError where a file that is about to be written is the video that is read."""
    for out in outs:
        if out is not None and Path(out).exists() and Path(out).samefile(source):
            raise InputError(f"video {source}: the results would be written over it; choose another place for them.")


class _Output:
    """One mp4 file that is being written.

    Args:
        stack: Closes what is opened here.
        video: The open source.
        first: Its first frame.
        path: The file to write.
        short_side: The most pixels of the short side, or None.
        persons: Moments with persons to draw, or None.
    """

    def __init__(
        self,
        stack: ExitStack,
        video: OpenVideo,
        first: FirstFrame,
        path: Path,
        *,
        short_side: int | None,
        persons: Iterable[tuple[float, Sequence[TrackedPerson]]] | None,
    ) -> None:
        container = stack.enter_context(mp4_file(path))
        self._pictures = UprightPictures(first, video.path, short_side=short_side)
        width, height = self._pictures.width, self._pictures.height
        self._encoder = PictureEncoder(container, video, first, width=width, height=height)
        self._persons = None if persons is None else PersonsBetweenMoments(persons)
        self._painter = PersonPainter(width=width, height=height, bt709=self._encoder.bt709)
        start = Fraction(first.time_stamp or 0) * video.time_base
        self.sound = stack.enter_context(Sound(video.path, container, start=start))

    def write(self, entry: TimedFrame) -> None:
        """Write a picture and the sound up to it."""
        planes = self._pictures.planes(entry.frame)
        if self._persons is not None:
            persons = self._persons.at(entry.begin)
            self._painter.draw(planes, persons, moment=self._persons.passed)
        self.sound.write_until(entry.begin)
        self._encoder.write(planes, entry)

    def finish(self) -> None:
        """Write what is left of pictures and sound."""
        self._encoder.finish()
        self.sound.write_until(float("inf"))


def _write(
    source: Path,
    *,
    overlay: tuple[Path, Iterable[tuple[float, Sequence[TrackedPerson]]]] | None,
    plain: Path | None,
    progress: Callable[[float], None] | None,
) -> WrittenVideo:
    """Decode a video once and encode it with persons, without, or both."""
    first = first_frame(source)
    frames, end, problem = 0, 0.0, None
    with ExitStack() as stack:
        video = stack.enter_context(open_video(source))
        outputs = []
        if plain is not None:
            outputs.append(_Output(stack, video, first, plain, short_side=PAGE_SHORT_SIDE, persons=None))
        if overlay is not None:
            outputs.append(_Output(stack, video, first, overlay[0], short_side=None, persons=overlay[1]))
        decoded = timed_frames(video, first, None, after_seek=False)
        while True:
            try:
                entry = next(decoded, None)
            except InputError as error:  # what was decoded before is worth having
                problem = str(error)
                break
            if entry is None:
                problem = early_end(video, first, end)
                break
            for output in outputs:
                output.write(entry)
            frames, end = frames + 1, entry.end
            if progress is not None:
                progress(entry.begin)
        if frames == 0:
            raise InputError(problem or f"video {source}: no frame could be decoded.")
        for output in outputs:
            output.finish()
        problems = (problem, outputs[-1].sound.problem)
    return WrittenVideo(
        frames=frames, seconds=end, copied=False, problems=tuple(line for line in problems if line is not None)
    )
