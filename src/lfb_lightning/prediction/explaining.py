"""A picture of one decision: the person, the seconds that the model looked at, the answer without memory and with it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from lfb_lightning.video import VideoFile
from lfb_lightning.viz.attention_strip import draw_attention_strip
from lfb_lightning.viz.style import VERMILION

if TYPE_CHECKING:
    from lfb_lightning.prediction.prediction import Prediction

_OUTLINED = 0.05  # attention from which a person is outlined in the strip
_LEAST_SHOWN = 0.05  # actions with a lower score both without and with memory are left out


def save_explanation(
    path: str | Path, prediction: Prediction, *, second: float | int, track: int, title: str | None = None
) -> None:
    """Draw why a person was given their actions: the mean attention of the layers over the window, with its thumbnails.

    The persons of the strip that 5 % of the attention or more went to are outlined. Attention to rows that the prediction
    does not list is not drawn: predict with a large `attention`.

    Args:
        path: The file to write; its ending names the form.
        prediction: With attention.
        second: The moment; the nearest one is taken.
        track: The person.
        title: The picture's title; None: the video, the second and the track.

    Raises:
        InputError: The video cannot be read, or the file cannot be written.
        ValueError: The prediction has no attention, or the person is not there at that moment.
    """
    if prediction.attention is None or prediction.window is None:
        raise ValueError("this prediction has no attention: it needs a detector with memory, and attention > 0")
    moment = int(np.abs(np.array(prediction.seconds) - second).argmin())
    here = np.flatnonzero((prediction.moment == moment) & (prediction.tracks == track))
    if not len(here):
        raise ValueError(f"track {track} is not there at second {prediction.seconds[moment]:g}")
    row, at = int(here[0]), prediction.seconds[moment]
    before, after = prediction.window
    inside = [number for number, time in enumerate(prediction.seconds) if at - before <= time <= at + after]
    weights = _weights(prediction, row)
    thumbnails = [(time, jpeg) for time, jpeg in prediction.thumbnails if at - before <= time <= at + after]
    person = next(one for one in prediction.at(at) if one.track == track)
    without = person.without or {}
    shown = {name for name, score in [*person.actions.items(), *without.items()] if score >= _LEAST_SHOWN}
    draw_attention_strip(
        path,
        frame=VideoFile(prediction.video).clip(np.array([at]))[0],
        box=person.box,
        second=at,
        thumbnails=[_outlined(jpeg, prediction, weights, time) for time, jpeg in thumbnails],
        thumbnail_seconds=[time for time, _ in thumbnails],
        attention=(
            np.array([prediction.seconds[number] for number in inside]),
            np.bincount(prediction.moment, weights, minlength=len(prediction))[inside],
        ),
        empty=float(prediction.attention.empty[row].mean()),
        without=[(name, score) for name, score in without.items() if name in shown],
        with_memory=[(name, score) for name, score in person.actions.items() if name in shown],
        title=f"{prediction.video_id}, second {at:g}, person {track}" if title is None else title,
    )


def _weights(prediction: Prediction, row: int) -> Float[np.ndarray, " N"]:
    """The attention of a row's decision to each row of the video, in the mean of the layers."""
    assert prediction.attention is not None
    rows, weights = prediction.attention.rows[row], prediction.attention.weights[row]
    listed = rows >= 0
    return np.bincount(rows[listed], weights[listed], minlength=len(prediction.moment)) / len(rows)


def _outlined(
    jpeg: bytes, prediction: Prediction, weights: Float[np.ndarray, " N"], second: float
) -> UInt8[np.ndarray, "h w 3"]:
    """Decode a thumbnail and outline in it whom the model looked at."""
    image = Image.open(io.BytesIO(jpeg)).convert("RGB")
    moment = int(np.abs(np.array(prediction.seconds) - second).argmin())
    for row in np.flatnonzero((prediction.moment == moment) & (weights >= _OUTLINED)):
        corners = prediction.boxes[row] * [image.width, image.height, image.width, image.height]
        ImageDraw.Draw(image).rectangle(corners.tolist(), outline=VERMILION, width=2)
    return np.asarray(image)
