"""A recording for the Rerun viewer: pictures, boxes, scores and attention of each video over its time.

    /VIDEO/picture                      key frames, or the video itself
    /VIDEO/picture/ground_truth         boxes of each layer, with the names of the actions
    /VIDEO/picture/predictions
    /VIDEO/picture/attention            lines from a person to the bank's entries that the decision looked at
    /VIDEO/scores/[person N/]ACTION     the score of an action over time
    /VIDEO/attention/person N           attention over the window's seconds
    /VIDEO/looked_at                    the same entry by entry, as a table
    /VIDEO/log                          a line for each key frame
    /about                              which layer is from where

There are two timelines: `time`, seconds since the video's first frame, and `key_frame`, its key frames from 0 on.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import durable_file
from lfb_lightning.reporting.viewers.frames import Frame, Pictures
from lfb_lightning.reporting.viewers.places import APPLICATION
from lfb_lightning.reporting.viewers.rerun_attention import log_attention
from lfb_lightning.reporting.viewers.rerun_boxes import boxes_of
from lfb_lightning.reporting.viewers.rerun_layout import ABOUT, KEY_FRAME, TIME, VideoParts, blueprint
from lfb_lightning.reporting.viewers.rerun_pipe import pipe_into
from lfb_lightning.reporting.viewers.rerun_scores import Scores
from lfb_lightning.reporting.viewers.rerun_video import log_video
from lfb_lightning.reporting.viewers.scenes import UNKNOWN_SIZE, Moment, Scene, Scenes

if TYPE_CHECKING:
    import rerun as rr

_END = b"RRF2FOOT"  # in the last bytes of a file that was closed
_TAIL = 64


def require_rerun() -> None:
    """Raise InputError if Rerun is not installed."""
    try:
        import rerun  # noqa: F401
    except ImportError as error:
        raise InputError(
            "format=rerun needs rerun-sdk, which is not installed: pip install 'lfb-lightning[rerun]'."
        ) from error


def write_rerun(out: Path, scenes: Scenes, pictures: Pictures, *, whole_videos: bool = False) -> int:
    """Write the recording, video by video.

    Args:
        out: The file; an earlier one there is replaced.
        scenes: What is exported.
        pictures: Decodes the pictures.
        whole_videos: Whether a video is stored as it is, in place of its key frames, where Rerun can play it.

    Returns:
        The number of key frames.

    Raises:
        InputError: It cannot be written, a file cannot be read, or Rerun is not installed.
    """
    require_rerun()
    import rerun as rr

    written, parts = 0, list[VideoParts]()
    with durable_file(out) as file:
        with pipe_into(file) as pipe:
            recording = rr.RecordingStream(APPLICATION, recording_id=uuid.uuid4(), send_properties=False)
            recording.set_log_time_enabled(False)
            recording.set_log_tick_enabled(False)
            recording.save(pipe.path)
            try:
                recording.send_recording_name(scenes.title)
                about = [f"* **{layer}**: {source}" for layer, source in scenes.layers.items()]
                recording.log(ABOUT, rr.TextDocument("\n".join(about), media_type="text/markdown"), static=True)
                for scene in scenes.scenes:
                    parts.append(_Writer(recording, scene).write(pictures, whole=whole_videos))
                    written += len(scene.moments)
                    pipe.refuse_failure()
                recording.send_blueprint(blueprint(parts))
            finally:
                recording.disconnect()
        file.flush()
        _refuse_incomplete(Path(file.name), out)
    return written


class _Writer:
    """Writes one video.

    Args:
        recording: Where to.
        scene: The video.
    """

    def __init__(self, recording: rr.RecordingStream, scene: Scene) -> None:
        self._recording, self._scene = recording, scene
        self._size = scene.size or UNKNOWN_SIZE
        self._tracks: frozenset[int] = frozenset()
        self._had_picture = False
        self._scores = Scores()

    def write(self, pictures: Pictures, *, whole: bool) -> VideoParts:
        """Write everything of the video; returns what there is of it."""
        import rerun as rr

        scene = self._scene
        names = [(action, name) for action, name in sorted(scene.names.items())]
        self._log([], rr.AnnotationContext(names), static=True)
        is_video = whole and log_video(self._recording, self.path("picture"), scene, pictures)
        frames = [None] * len(scene.moments) if is_video else pictures.of(scene)
        attends, layers = False, dict[str, None]()
        for number, (moment, frame) in enumerate(zip(scene.moments, frames, strict=True)):
            self._recording.set_time(TIME, duration=moment.second)
            self._recording.set_time(KEY_FRAME, sequence=number)
            if not is_video:
                self._picture(frame)
            self._boxes(moment)
            layers |= dict.fromkeys(moment.persons)
            attends |= self._attention(moment)
            self._scores.add(number, moment)
            self._log(["log"], rr.TextLog(_line(moment), level=rr.TextLogLevel.INFO))
        self._recording.reset_time()
        series = self._scores.send(self._recording, self.path("scores"), scene.names)
        return VideoParts(name=scene.video_id, root=self.path(), layers=list(layers), series=series, attends=attends)

    def path(self, *parts: str) -> str:
        """Return the path of an entity of the video."""
        import rerun as rr

        return rr.new_entity_path([self._scene.video_id, *parts])

    def _log(self, parts: list[str], what: Any, *, static: bool = False) -> None:
        self._recording.log(self.path(*parts), what, static=static)

    def _picture(self, frame: Frame | None) -> None:
        import rerun as rr

        if frame is not None:
            self._size = frame.width, frame.height
            self._log(["picture"], rr.EncodedImage(contents=frame.jpeg, media_type="image/jpeg"))
        elif self._had_picture:
            self._log(["picture"], rr.Clear(recursive=False))
        self._had_picture = frame is not None

    def _boxes(self, moment: Moment) -> None:
        for place, (layer, persons) in enumerate(moment.persons.items()):
            self._log(["picture", layer], boxes_of(layer, place, persons, self._scene.names, self._size))

    def _attention(self, moment: Moment) -> bool:
        tracks = log_attention(self._log, moment, self._size, self._tracks)
        self._tracks = tracks
        return bool(tracks)


def _line(moment: Moment) -> str:
    counts = ", ".join(f"{layer.replace('_', ' ')} {len(persons)}" for layer, persons in moment.persons.items())
    return f"second {moment.stamp:g}: {counts}"


def _refuse_incomplete(path: Path, out: Path) -> None:
    """Raise InputError unless Rerun has written to the end: it does so in a thread of its own, which does not raise."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        if _END not in file.read():
            raise InputError(f"{out}: cannot be written (is RERUN=off set?).")
