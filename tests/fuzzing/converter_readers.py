"""The readers of annotation tools' files, with right files and what they become."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lfb_lightning.ava.annotations import read_annotations
from lfb_lightning.ava.label_map import read_label_map
from lfb_lightning.converters.command_line import main as convert
from lfb_lightning.errors import InputError
from tests.converters import test_coco, test_cvat, test_label_studio, test_via
from tests.fuzzing import forms
from tests.fuzzing.cases import Reader, one
from tests.fuzzing.text_readers import FOUND, proposals


def _conversion(form: str, name: str, *options: str) -> Callable[[Path], Any]:
    def read(folder: Path) -> Any:
        errors, out = io.StringIO(), folder / "out"
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            status = convert([form, str(folder / name), str(out), *options])
        said = errors.getvalue()
        if status:
            assert said.count("\n") == 1, said
            assert not out.exists() or not list(out.iterdir()), "a refused file left something behind"
            raise InputError(said)
        try:
            if form == "boxes":
                return proposals("out/proposals.csv")(folder)
            read_annotations(out / "annotations.csv", names := read_label_map(out / "action_list.pbtxt"))
        except InputError as error:
            raise AssertionError(f"wrote what it does not read: {error}") from error
        return [names.names, (out / "annotations.csv").read_text().splitlines()]

    return read


_CVAT = test_cvat.annotations(
    test_cvat.track(
        0, test_cvat.box(25, test_cvat.WALKS), test_cvat.box(50, test_cvat.WALKS, outside=1), extra='task_id="1"'
    ),
    meta=test_cvat.project(test_cvat.task(extra=test_cvat.extent(99)), test_cvat.task("b.mp4", test_cvat.extent(9), 2)),
)
_BOXES = "video_id,second,x1,y1,x2,y2,score\na,902,0,0,1,1,0.5\na,902,0.125,0.25,0.5,0.75,0.75\n"
CONVERTERS = [
    Reader(
        "CVAT",
        [_conversion("cvat", "a.xml", "--fps", "25")],
        lambda: [one("a.xml", _CVAT, [{1: "walk"}, ["cam_a,0001,0.100,0.100,0.300,0.900,1,0"]], forms.XML)],
    ),
    Reader(
        "COCO",
        [_conversion("coco", "a.json", "--fps", "25")],
        lambda: [
            one(
                "a.json",
                json.dumps(test_coco.RIGHT),
                [{1: "walk"}, ["cam_a,0000,0.100,0.100,0.500,0.500,1,0"]],
                forms.JSON,
            )
        ],
    ),
    Reader(
        "Label Studio",
        [_conversion("label-studio", "a.json")],
        lambda: [
            one(
                "a.json",
                json.dumps(test_label_studio.RIGHT),
                [{1: "walk"}, [f"cam_a,000{s},0.100,0.100,0.300,0.900,1,1" for s in range(1, 10)]],
                forms.JSON,
            )
        ],
    ),
    Reader(
        "VIA",
        [_conversion("via", "a.json", "--size", "200x100")],
        lambda: [
            one(
                "a.json",
                json.dumps(test_via.RIGHT),
                [{1: "walk"}, ["cam_a,0001,0.100,0.100,0.500,0.500,1,1"]],
                forms.JSON,
            )
        ],
    ),
    Reader(
        "csv of boxes",
        [_conversion("boxes", "a.csv")],
        lambda: [one("a.csv", _BOXES, FOUND[:1], forms.CSV, equal=False)],
    ),
]
