"""A folder that FiftyOne loads: a picture for each key frame, and the persons there as detections.

It is FiftyOne's own JSON of a data set in the form that needs no database, with a sample for each key frame. FiftyOne's
`Detection` has one label, so a person of three actions is three detections with one box and one `index`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from lfb_lightning.files.durable import durable_file
from lfb_lightning.reporting.viewers.frames import Frame, Pictures
from lfb_lightning.reporting.viewers.places import APPLICATION, DATA, METADATA, NO_PICTURE, SAMPLES, replaced_folder
from lfb_lightning.reporting.viewers.scenes import PREDICTIONS, TRUTH, Moment, Person, Scene, Scenes
from lfb_lightning.version import __version__

PERSONS = "persons"
_FIELDS = "fiftyone.core.fields"
_DETECTIONS = f"{_FIELDS}.EmbeddedDocumentField(fiftyone.core.labels.Detections)"
_SAMPLE_FIELDS = {
    "filepath": f"{_FIELDS}.StringField",
    "tags": f"{_FIELDS}.ListField({_FIELDS}.StringField)",
    "metadata": f"{_FIELDS}.EmbeddedDocumentField(fiftyone.core.metadata.ImageMetadata)",
    "video_id": f"{_FIELDS}.StringField",
    "key_frame": f"{_FIELDS}.IntField",
    "second": f"{_FIELDS}.FloatField",
    "timestamp": f"{_FIELDS}.FloatField",
}


def write_fiftyone(out: Path, scenes: Scenes, pictures: Pictures) -> int:
    """Write the folder.

    Args:
        out: Where to; an earlier one there is replaced.
        scenes: What is exported.
        pictures: Decodes the pictures.

    Returns:
        The number of key frames.

    Raises:
        InputError: It cannot be written, or a file cannot be read.
    """
    written, names, seen = 0, dict[int, str](), set[str]()
    with replaced_folder(out) as folder:
        (folder / DATA).mkdir()
        with durable_file(folder / SAMPLES) as file:
            file.write(b'{"samples": [')
            for number, scene in enumerate(scenes.scenes):
                names |= scene.names
                for key_frame, (moment, frame) in enumerate(zip(scene.moments, pictures.of(scene), strict=True)):
                    place = _store(folder / DATA, f"{number:04}-{key_frame:05}.jpg", frame)
                    sample = _sample(scene, moment, key_frame, frame, place)
                    seen |= sample.keys()
                    file.write(b"," * (written > 0) + b"\n" + json.dumps(sample, allow_nan=False).encode())
                    written += 1
            file.write(b"\n]}\n")
        with durable_file(folder / METADATA) as file:
            file.write(json.dumps(_metadata(scenes, names, seen), indent=1).encode())
    return written


def _store(folder: Path, name: str, frame: Frame | None) -> str:
    """Write a picture; returns its place in the data set's folder. FiftyOne needs a file where there is no picture, too."""
    if frame is not None:
        (folder / name).write_bytes(frame.jpeg)
        return f"{DATA}/{name}"
    if not (folder / NO_PICTURE).exists():
        Image.new("RGB", (320, 240), (128, 128, 128)).save(folder / NO_PICTURE)
    return f"{DATA}/{NO_PICTURE}"


def _sample(scene: Scene, moment: Moment, key_frame: int, frame: Frame | None, place: str) -> dict[str, Any]:
    size = {} if frame is None else {"width": frame.width, "height": frame.height}
    sample: dict[str, Any] = {
        "filepath": place,
        "tags": [] if frame is not None else ["no picture"],
        "metadata": {"_cls": "ImageMetadata", "mime_type": "image/jpeg", **size} if size else None,
        "video_id": scene.video_id,
        "key_frame": key_frame,
        "second": moment.second,
        "timestamp": moment.stamp,
    }
    for layer, persons in moment.persons.items():
        sample[layer] = _detections(mark for person in persons for mark in _actions(person, scene.names))
    if any(person.row is not None for person in moment.persons.get(PREDICTIONS, ())):
        sample[PERSONS] = _detections(map(_attending, moment.persons[PREDICTIONS]))
    return sample


def _detections(detections: Any) -> dict[str, Any]:
    return {"_cls": "Detections", "detections": list(detections)}


def _actions(person: Person, names: Mapping[int, str]) -> list[dict[str, Any]]:
    """Write a person as a detection for each action."""
    found = []
    for mark in person.marks:
        one = _detection(names.get(mark.action, str(mark.action)), person, mark.score) | {"action_id": mark.action}
        found.append(one if mark.right is None else one | {"judged": "found" if mark.right else "false"})
    return found


def _attending(person: Person) -> dict[str, Any]:
    """Write a person with what the decision looked at, as lists of one length."""
    looks = person.looks
    one = _detection("person", person, person.score) | {"row": person.row}
    if looks is None:
        return one
    return one | {
        "attention_weights": [look.weight for look in looks],
        "attention_seconds": [look.second for look in looks],
        "attention_tracks": [look.track for look in looks],
        "attention_rows": [look.row for look in looks],
        "attention_empty": person.empty,
        "attention_rest": person.rest,
    }


def _detection(label: str, person: Person, confidence: float | None) -> dict[str, Any]:
    x1, y1, x2, y2 = person.box
    box = [round(value, 6) for value in (x1, y1, x2 - x1, y2 - y1)]
    one: dict[str, Any] = {"_cls": "Detection", "label": label, "bounding_box": box}
    if confidence is not None:
        one["confidence"] = confidence
    return one if person.track is None else one | {"index": person.track}


def _metadata(scenes: Scenes, names: Mapping[int, str], seen: set[str]) -> dict[str, Any]:
    layers = [layer for layer in scenes.layers if layer in seen or layer in (TRUTH, PREDICTIONS)]
    layers += [PERSONS] if PERSONS in seen else []
    return {
        "name": scenes.title,
        "media_type": "image",
        "sample_fields": _SAMPLE_FIELDS | dict.fromkeys(layers, _DETECTIONS),
        "info": {
            "generator": APPLICATION,
            "version": __version__,
            "layers": {layer: scenes.layers[layer] for layer in layers if layer in scenes.layers},
            "classes": _classes(names),
        },
    }


def _classes(names: Mapping[int, str]) -> Sequence[str]:
    return [names[action] for action in sorted(names)]
