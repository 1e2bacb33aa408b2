"""Live actions as JSON lines; `docs/live.md` describes them."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, Protocol, runtime_checkable

import numpy as np

from lfb_lightning.live.recognition import LiveMoment
from lfb_lightning.live.recognizer import LiveRecognizer
from lfb_lightning.version import __version__

FORMAT = "lfb-lightning live"
VERSION = 1


@runtime_checkable
class TextFile(Protocol):
    """A file, or the standard output, that lines of text are written to."""

    def write(self, text: str, /) -> object:
        """Write a text."""
        ...

    def flush(self) -> object:
        """Pass on what was written, so that a reader has it at once."""
        ...


class LineWriter:
    """Writes a line when a source begins, one per moment, and one when it ends; each is there at once.

    Args:
        file: Where to.
        recognizer: What is written.
        least_score: Scores below it are left out.
    """

    def __init__(self, file: TextFile, recognizer: LiveRecognizer, *, least_score: float) -> None:
        self._file = file
        self._recognizer = recognizer
        self._least_score = least_score
        self._begun = False

    def _begin(self) -> None:
        """Say what the lines that follow are of, once the source is known to be there."""
        self._begun = True
        predictor, settings = self._recognizer.predictor, self._recognizer.settings
        recipe = predictor.trained.recipe
        reads = predictor.trained.detector.reads_bank
        self._write(
            {
                "format": FORMAT,
                "version": VERSION,
                "package_version": __version__,
                "source": self._recognizer.source.name,
                "began": _time(datetime.now(timezone.utc).timestamp()),
                "model": predictor.trained.name,
                "compared": None if predictor.compare is None else predictor.compare.name,
                "window": {"before": float(recipe.window.before), "after": 0.0} if reads else None,
                "clip_after": round(self._recognizer.tail, 6),
                "moments_per_second": float(recipe.moments_per_second),
                "speed": settings.speed,
                "actions": [{"id": column, "name": recipe.actions[column]} for column in sorted(recipe.actions)],
            }
        )

    def write(self, moment: LiveMoment) -> None:
        """Write a moment."""
        if not self._begun:
            self._begin()
        self._write(
            {
                "second": round(moment.second, 6),
                "wall": None if moment.wall is None else _time(moment.wall),
                "latency": None if moment.latency is None else round(moment.latency, 4),
                "computed": round(moment.computed, 4),
                "left_out": self._recognizer.ring.left_out,
                "dropped": self._recognizer.ring.dropped,
                "persons": [self._person(moment, row) for row in range(len(moment))],
            }
        )

    def end(self) -> None:
        """Say what was done."""
        if not self._begun:
            self._begin()
        summary = self._recognizer.summary()
        names = ("median", "p95", "max")
        latency = summary.latency and dict(zip(names, (round(one, 4) for one in summary.latency), strict=True))
        counts = {name: getattr(summary, name) for name in ("moments", "left_out", "persons", "tracks", "frames")}
        lost = {name: getattr(summary, name) for name in ("dropped", "damaged", "reconnected")}
        self._write(
            {"ended": summary.ended, "seconds": round(summary.seconds, 6), **counts, **lost, "latency": latency}
        )

    def _person(self, moment: LiveMoment, row: int) -> dict[str, Any]:
        content = {
            "track": int(moment.tracks[row]),
            "box": [round(float(value), 6) for value in moment.boxes[row]],
            "score": round(float(moment.confidences[row]), 6),
            "actions": self._scores(moment, moment.scores[row]),
        }
        if moment.without is not None:
            content["without"] = self._scores(moment, moment.without[row])
        return content

    def _scores(self, moment: LiveMoment, scores: np.ndarray) -> dict[str, float]:
        """The scores by action id, best first, as in detections.json."""
        columns = [column for column in moment.actions if scores[column] >= self._least_score]
        columns.sort(key=lambda column: (-float(scores[column]), column))
        return {str(column): round(float(scores[column]), 6) for column in columns}

    def _write(self, content: dict[str, Any]) -> None:
        self._file.write(json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")
        self._file.flush()


def _time(seconds: float) -> str:
    """Write a time since 1970 as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
