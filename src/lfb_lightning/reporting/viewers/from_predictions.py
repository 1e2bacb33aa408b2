"""Moments of videos that `lfb-predict` has scored, from its `detections.json`; docs/predict.md describes the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lfb_lightning.errors import InputError
from lfb_lightning.files.json_file import read_json_object
from lfb_lightning.reporting.sources import Sources
from lfb_lightning.reporting.viewers.scenes import (
    PREDICTIONS,
    WITHOUT,
    Look,
    Mark,
    Moment,
    Person,
    Scene,
    Scenes,
    open_pictures,
)
from lfb_lightning.video.file import VideoFile

FORMAT, VERSION = "lfb-lightning detections", 1
DETECTIONS, PAGE_VIDEO = "detections.json", "video.mp4"
_LARGEST_SIDE, _LARGEST_ID, _LARGEST_INTEGER = 1 << 16, 1 << 16, 1 << 53
_LARGEST = 1e9  # seconds, fractions of a picture and scores: far more than any, and differences and sums stay finite
_Box = tuple[float, float, float, float]


def scenes_of_predictions(
    predictions: Sequence[str | Path], typed: Mapping[str, Any], *, threshold: float, only: Sequence[str]
) -> Scenes:
    """Read predictions.

    Args:
        predictions: Files `detections.json`, folders that hold one, or folders of such folders.
        typed: Sources that the user gave, by the names of `Sources`; only those of the videos are taken.
        threshold: Actions with a lower score are left out.
        only: The videos that are read; empty: all.

    Raises:
        InputError: There is no such file.
    """
    files = [file for place in predictions for file in _files(Path(place))]
    names = [file.parent.name if file.name == DETECTIONS else file.stem for file in files]
    return Scenes(
        title=" · ".join(names[:4]) + (" …" if len(names) > 4 else ""),
        layers={PREDICTIONS: "lfb-predict", WITHOUT: "the detector that it is compared with"},
        scenes=_scenes(files, typed, threshold, only),
    )


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    found = [place / DETECTIONS] if (place / DETECTIONS).is_file() else sorted(place.glob(f"*/{DETECTIONS}"))
    if not found:
        raise InputError(
            f"predictions={place}: there is no {DETECTIONS}; expected that file of lfb-predict, or its folder."
        )
    return found


def _scenes(files: Sequence[Path], typed: Mapping[str, Any], threshold: float, only: Sequence[str]) -> Iterator[Scene]:
    for file in files:
        scene = _scene(file, typed, threshold)
        if not only or scene.video_id in only:
            yield scene


def _scene(file: Path, typed: Mapping[str, Any], threshold: float) -> Scene:
    content = read_json_object(file, what="predictions", remedy="expected the detections.json of lfb-predict")
    if content.get("format") != FORMAT or content.get("version") != VERSION:
        raise InputError(f"{file}: expected the detections.json of lfb-predict, version {VERSION}.")
    try:
        video_id, size = str(content["video"]["id"]), _size(content["video"])
        names = {_action(entry["id"]): str(entry["name"]) for entry in content["actions"]}
        moments = _Moments(content["moments"], threshold).read()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{file}: not as lfb-predict writes it ({type(error).__name__}: {error}).") from error
    sources = Sources(origin_second=0.0).overlaid({name: typed.get(name) for name in ("videos", "fps")})
    video, path, seen, why = open_pictures(sources, video_id)
    beside = file.parent / PAGE_VIDEO
    if sources.videos is None and beside.is_file():
        page = VideoFile(beside)
        video, path, why = page, beside, None
        try:
            seen = (page.properties().width, page.properties().height)
        except InputError as error:
            video, path, why = None, None, str(error)
    return Scene(video_id=video_id, moments=moments, names=names, video=video, file=path, size=seen or size, why=why)


class _Moments:
    """Reads moments; the rows that attention refers to are known when all have been seen."""

    def __init__(self, moments: Sequence[Mapping[str, Any]], threshold: float) -> None:
        self._moments = sorted(moments, key=lambda moment: _number(moment["second"]))
        self._threshold = threshold
        self._rows: dict[int, tuple[float, int, _Box]] = {}
        for moment in self._moments:
            for person in moment["persons"]:
                self._rows[_integer(person["row"])] = (
                    _number(moment["second"]),
                    _integer(person["track"]),
                    _box(person["box"]),
                )

    def read(self) -> list[Moment]:
        """Return the moments, ascending."""
        return [self._moment(moment) for moment in self._moments]

    def _moment(self, moment: Mapping[str, Any]) -> Moment:
        second = _number(moment["second"])
        layers = {PREDICTIONS: [self._person(person) for person in moment["persons"]]}
        if any("without" in person for person in moment["persons"]):
            layers[WITHOUT] = [
                Person(
                    box=_box(person["box"]),
                    marks=self._marks(person.get("without", {})),
                    track=_integer(person["track"]),
                    score=_number(person["score"]),
                )
                for person in moment["persons"]
            ]
        return Moment(second, second, layers)

    def _person(self, person: Mapping[str, Any]) -> Person:
        layers = person.get("attention")
        return Person(
            box=_box(person["box"]),
            marks=self._marks(person["actions"]),
            track=_integer(person["track"]),
            score=_number(person["score"]),
            row=_integer(person["row"]),
            looks=self._looks(layers) if layers else None,
            empty=_mean(layers, "empty"),
            rest=_mean(layers, "rest"),
        )

    def _marks(self, scores: Mapping[str, Any]) -> list[Mark]:
        marks = [Mark(_action(int(action)), _number(score)) for action, score in scores.items()]
        strong = [mark for mark in marks if mark.score is not None and mark.score >= self._threshold]
        return sorted(strong, key=lambda mark: (-(mark.score or 0.0), mark.action))

    def _looks(self, layers: Sequence[Mapping[str, Any]]) -> list[Look]:
        weights: dict[int, float] = {}
        for layer in layers:
            for row, weight in layer["rows"]:
                weights[_integer(row)] = weights.get(row, 0.0) + _number(weight) / len(layers)
        looks = [Look(row, *self._rows[row], weight) for row, weight in weights.items() if row in self._rows]
        return sorted(looks, key=lambda look: (-look.weight, look.row))


def _mean(layers: Sequence[Mapping[str, Any]] | None, name: str) -> float:
    return sum(_number(layer[name]) for layer in layers) / len(layers) if layers else 0.0


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:  # NaN neither
        raise ValueError(f"{value!r:.40} is no number up to {_LARGEST:g}")
    return float(value)


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not abs(value) < _LARGEST_INTEGER:
        raise ValueError(f"{value!r:.40} is no number of a row or a track")
    return value


def _box(corners: Sequence[Any]) -> _Box:
    x1, y1, x2, y2 = map(_number, corners)
    return x1, y1, x2, y2


def _action(value: Any) -> int:
    number = _integer(value)
    if not 0 <= number < _LARGEST_ID:
        raise ValueError(f"action id {number}, expected 0 to {_LARGEST_ID - 1}")
    return number


def _size(video: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = _integer(video["width"]), _integer(video["height"])
    return (width, height) if 0 < width < _LARGEST_SIDE and 0 < height < _LARGEST_SIDE else None
