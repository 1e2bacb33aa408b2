"""Key frames of test runs and of result files in AVA's csv form, with the ground truth where it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lfb_lightning.ava.box_rules import are_pixels
from lfb_lightning.ava.evaluation_csv import KEYS_PER_VIDEO, EvaluationTable, read_evaluation_csv
from lfb_lightning.ava.label_map import read_label_map
from lfb_lightning.errors import InputError
from lfb_lightning.metrics.box_rows import BoxRows
from lfb_lightning.metrics.csv_evaluation import number_frames
from lfb_lightning.reporting.evaluation import Evaluator, second_of
from lfb_lightning.reporting.run_folder import RESULTS, find_runs, read_run
from lfb_lightning.reporting.sources import Sources, missing, sources_of_run
from lfb_lightning.reporting.viewers.scenes import (
    PREDICTIONS,
    TRUTH,
    UNKNOWN_SIZE,
    Mark,
    Moment,
    Person,
    Scene,
    Scenes,
    open_pictures,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """The rows of one result, and of its ground truth, by the number of their key frame in `keys`."""

    keys: np.ndarray
    shown: np.ndarray  # the keys that are key frames of this result, ascending
    found: _Rows
    truth: _Rows | None
    names: Mapping[int, str]
    digest: str | None  # of the ground truth
    in_pixels: bool


class _Rows:
    """Rows of boxes by key frame.

    Args:
        rows: The boxes, each with an action and a score, or a person's number in ground truth.
        right: Whether each row was judged a true positive; None where nobody judged.
        annotated: Whether they are ground truth.
    """

    def __init__(self, rows: BoxRows, right: np.ndarray | None = None, *, annotated: bool = False) -> None:
        order = np.argsort(rows.frames, kind="stable")
        self._rows, self._annotated = rows.select(order), annotated
        self._right = None if right is None else right[order]

    def persons(self, frame: int, scale: tuple[float, float]) -> list[Person]:
        """The persons of a key frame, their boxes divided by a width and a height."""
        rows, marks = self._rows, dict[tuple[Any, ...], list[Mark]]()
        low, high = np.searchsorted(rows.frames, [frame, frame + 1]).tolist()
        for row in range(low, high):
            track = int(rows.scores[row]) if self._annotated else None
            mark = Mark(
                int(rows.classes[row]),
                None if self._annotated else float(rows.scores[row]),
                None if self._right is None else bool(self._right[row]),
            )
            marks.setdefault((*rows.boxes[rows.box_of_row[row]].tolist(), track), []).append(mark)
        width, height = scale
        return [
            Person(
                box=(x1 / width, y1 / height, x2 / width, y2 / height),
                marks=sorted(given, key=lambda mark: (-(mark.score or 0.0), mark.action)),
                track=track,
            )
            for (x1, y1, x2, y2, track), given in marks.items()
        ]


def scenes_of_results(
    runs: Sequence[str | Path],
    results: Sequence[str | Path],
    typed: Mapping[str, Any],
    evaluator: Evaluator,
    *,
    threshold: float,
    only: Sequence[str],
    progress: Callable[[str], None],
) -> Scenes:
    """Read test runs and result files.

    Args:
        runs: Folders of `lfb-test`, or of a sweep of it.
        results: Result files in AVA's csv form.
        typed: Sources that the user gave, by the names of `Sources`.
        evaluator: Judges them; it numbers the videos.
        threshold: Detections with a lower score are left out.
        only: The videos that are read; empty: all.
        progress: Called with a line for each step.

    Raises:
        InputError: A file is missing or cannot be read, or results were judged by different ground truths.
    """
    notes: list[str] = []
    given = _given(runs, results, typed)
    read = []
    for _, path, sources in given:
        progress(f"reading {path}")
        read.append(_read(path, sources, evaluator, threshold, notes, must_judge=typed.get("truth") is not None))
    if len({one.digest for one in read if one.digest is not None}) > 1:
        raise InputError("the results were judged by different ground truths; export them one by one.")
    layers = dict.fromkeys([TRUTH], "the annotations") if any(one.truth is not None for one in read) else {}
    names = [PREDICTIONS if not number else f"{PREDICTIONS}_{number + 1}" for number in range(len(read))]
    layers |= {layer: name for layer, (name, _, _) in zip(names, given, strict=True)}
    title = " · ".join(name for name, _, _ in given[:4]) + (" …" if len(given) > 4 else "")
    scenes = _scenes(dict(zip(names, read, strict=True)), given[0][2], list(evaluator.videos), only)
    return Scenes(title=title, layers=layers, scenes=scenes, notes=notes)


def _given(
    runs: Sequence[str | Path], results: Sequence[str | Path], typed: Mapping[str, Any]
) -> list[tuple[str, Path, Sources]]:
    """List the names, the files and the sources of the results."""
    given: list[tuple[str, Path, Sources]] = []
    for name, folder in (found for run in runs for found in find_runs(Path(run))):
        run = read_run(name, folder)
        if run.results is None:
            raise InputError(
                f"run={folder}: there is no {RESULTS}; expected the folder of an lfb-test on AVA's formats."
            )
        given.append((name, run.results, sources_of_run(run.config).overlaid(typed)))
    given += [(Path(path).name, Path(path), Sources().overlaid(typed)) for path in results]
    return given


def _read(
    path: Path, sources: Sources, evaluator: Evaluator, threshold: float, notes: list[str], *, must_judge: bool
) -> _Result:
    """Read a result, judged where the ground truth is there."""
    reason = missing(sources)
    if reason is None:
        judged = evaluator.evaluate(path, sources)
        strong = judged.found.scores >= threshold
        frames = np.unique(np.concatenate([judged.found.frames, judged.truth.frames]))
        return _Result(
            keys=judged.keys,
            shown=np.union1d(judged.keys[frames], judged.annotated),
            found=_Rows(judged.found.select(strong), judged.is_true[strong]),
            truth=_Rows(judged.truth, annotated=True),
            names=judged.names,
            digest=judged.truth_digest(),
            in_pixels=bool(are_pixels(judged.truth.boxes).any()),
        )
    if must_judge:
        raise InputError(reason[0].upper() + reason[1:])
    notes.append(f"{path} is shown without ground truth: {reason}")
    table = read_evaluation_csv(path)
    rows = number_frames(table, _NOTHING, None, evaluator.videos)
    labels = sources.labels
    known = read_label_map(labels).names if labels is not None and labels.is_file() else {}
    found = rows.detections
    return _Result(
        keys=rows.keys,
        shown=rows.keys,
        found=_Rows(found.select(found.scores >= threshold)),
        truth=None,
        names={action: str(action) for action in np.unique(found.classes).tolist()} | known,
        digest=None,
        in_pixels=bool(are_pixels(found.boxes).any()),
    )


def _scenes(
    results: Mapping[str, _Result], sources: Sources, videos: Sequence[str], only: Sequence[str]
) -> Iterator[Scene]:
    names = {action: name for one in results.values() for action, name in one.names.items()}
    shown = np.unique(np.concatenate([one.shown for one in results.values()]))
    for number in np.unique(shown // KEYS_PER_VIDEO).tolist():
        if only and videos[number] not in only:
            continue
        video, file, size, why = open_pictures(sources, videos[number])
        scale = size or UNKNOWN_SIZE
        moments = []
        for key in shown[shown // KEYS_PER_VIDEO == number].tolist():
            stamp = second_of(key)
            second = max(0.0, stamp - sources.origin_second)
            moments.append(Moment(second, stamp, _persons(results, key, scale)))
        yield Scene(video_id=videos[number], moments=moments, names=names, video=video, file=file, size=size, why=why)


def _persons(results: Mapping[str, _Result], key: int, scale: tuple[int, int]) -> dict[str, list[Person]]:
    persons: dict[str, list[Person]] = {}
    for layer, one in results.items():
        place = int(np.searchsorted(one.keys, key))
        here = place if place < len(one.keys) and one.keys[place] == key else -1  # nothing has that number
        divisor = (float(scale[0]), float(scale[1])) if one.in_pixels else (1.0, 1.0)
        if one.truth is not None and TRUTH not in persons:
            persons[TRUTH] = one.truth.persons(here, divisor)
        persons[layer] = one.found.persons(here, divisor)
    return persons


_NOTHING = EvaluationTable(
    video_ids=[],
    keys=np.zeros(0, np.int64),
    frames=np.zeros(0, np.int32),
    classes=np.zeros(0, np.int16),
    scores=np.zeros(0),
    box_of_row=np.zeros(0, np.int32),
    boxes=np.zeros((0, 4)),
    marked=np.zeros(0, np.int32),
)
