"""Exporting runs, results and predictions for another viewer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from lfb_lightning.errors import InputError
from lfb_lightning.metrics.frame_ap import Protocol
from lfb_lightning.reporting.evaluation import Evaluator
from lfb_lightning.reporting.viewers.fiftyone_folder import write_fiftyone
from lfb_lightning.reporting.viewers.frames import Pictures
from lfb_lightning.reporting.viewers.from_predictions import scenes_of_predictions
from lfb_lightning.reporting.viewers.from_results import scenes_of_results
from lfb_lightning.reporting.viewers.places import refuse_other_folder, refuse_other_recording
from lfb_lightning.reporting.viewers.rerun_file import require_rerun, write_rerun
from lfb_lightning.reporting.viewers.scenes import Scene, Scenes

Viewer = Literal["rerun", "fiftyone"]
THRESHOLD, MEGABYTES = 0.1, 1000


def export_for_viewer(
    path: str | Path,
    *,
    viewer: Viewer,
    runs: Sequence[str | Path] = (),
    results: Sequence[str | Path] = (),
    predictions: Sequence[str | Path] = (),
    sources: Mapping[str, Any] | None = None,
    protocol: Protocol = "official",
    threshold: int | float = THRESHOLD,
    megabytes: int | float = MEGABYTES,
    whole_videos: bool = False,
    only: Sequence[str] = (),
    progress: Callable[[str], None] = lambda text: None,
) -> None:
    """Write detections, ground truth, tracks and attention as a file or folder of another viewer.

    Args:
        path: The recording of Rerun, a file, or the data set of FiftyOne, a folder; its parent folder must exist.
        viewer: `rerun` or `fiftyone`.
        runs: Folders that `lfb-test` wrote, or of a sweep of it.
        results: Result files of any tool, in AVA's csv form.
        predictions: Folders of `lfb-predict`, or their `detections.json`; not together with runs and results.
        sources: Where ground truth, label map and videos are, by the names of `Sources`; of runs, where not as configured.
        protocol: Which published version of the official tool judges; see `metrics.evaluate`.
        threshold: Scores below it are left out.
        megabytes: Of pictures and videos, in 1,000,000 bytes; 0 leaves them out.
        whole_videos: Of Rerun: whether an mp4 of at most 64 MB is stored as it is, in place of pictures of its key frames.
        only: The ids of the videos that are exported; empty: all.
        progress: Called with a line for each step, and for what is missing.

    Raises:
        InputError: There is nothing to export, a file is missing or cannot be read, Rerun is not installed, or something
            else is at `path`.
    """
    out = Path(path)
    _refuse(out, viewer, threshold, megabytes)
    typed = dict(sources or {})
    if predictions:
        if runs or results:
            raise InputError("predictions= goes without run= and results=; export them one after the other.")
        scenes = scenes_of_predictions(predictions, typed, threshold=threshold, only=only)
    elif runs or results:
        evaluator = Evaluator(protocol)
        scenes = scenes_of_results(runs, results, typed, evaluator, threshold=threshold, only=only, progress=progress)
    else:
        raise InputError("there is nothing to export: say run=FOLDER, results=CSV or predictions=FOLDER.")
    pictures = Pictures(int(megabytes * 1_000_000), scenes.notes)
    progress("writing videos and key frames")
    if viewer == "rerun":
        written = write_rerun(out, _all_of(scenes, only), pictures, whole_videos=whole_videos)
    else:
        written = write_fiftyone(out, _all_of(scenes, only), pictures)
    pictures.end()
    for note in scenes.notes:
        progress(note)
    progress("1 key frame" if written == 1 else f"{written} key frames")


def _refuse(out: Path, viewer: str, threshold: int | float, megabytes: int | float) -> None:
    """Raise InputError for what can be told before anything is read."""
    if viewer not in get_args(Viewer):
        raise InputError(f"format is {viewer!r}, expected one of html, {', '.join(get_args(Viewer))}.")
    if not 0 <= threshold <= 1:
        raise InputError(f"threshold is {threshold:g}, expected 0 to 1.")
    if not 0 <= megabytes < float("inf"):
        raise InputError(f"megabytes is {megabytes:g}, expected 0 or more.")
    if viewer == "rerun":
        require_rerun()
        refuse_other_recording(out)
    else:
        refuse_other_folder(out)


def _all_of(scenes: Scenes, only: Sequence[str]) -> Scenes:
    """Refuse, at the end, videos that were asked for and did not come."""

    def checked() -> Iterator[Scene]:
        missing = dict.fromkeys(only)
        for scene in scenes.scenes:
            missing.pop(scene.video_id, None)
            yield scene
        if missing:
            raise InputError(f"only={next(iter(missing))}: there is no such video in it.")

    return replace(scenes, scenes=checked())
