"""Mutated files of every form: a conversion or one line, never a traceback."""

import json
import random

import pytest

from lfb_lightning.converters.command_line import main
from tests.converters import test_coco, test_cvat, test_label_studio, test_via

FILES = {
    "cvat": test_cvat.annotations(
        test_cvat.track(0, test_cvat.box(0, test_cvat.WALKS), extra='task_id="1"'),
        meta=test_cvat.project(
            test_cvat.task(extra=test_cvat.extent(9)), test_cvat.task("b.mp4", test_cvat.extent(9), 2)
        ),
    ),
    "coco": json.dumps(test_coco.RIGHT),
    "label-studio": json.dumps(test_label_studio.RIGHT),
    "via": json.dumps(test_via.RIGHT),
    "boxes": "video_id,second,x1,y1,x2,y2,score\na,1,0.1,0.1,0.5,0.5,0.5\n",
}
OPTIONS = {"cvat": ["--fps", "25"], "coco": ["--fps", "25"], "via": ["--size", "200x100"]}
PIECES = [
    "null",
    "[]",
    "{}",
    '"',
    "-1",
    "1e999",
    "NaN",
    "0",
    "9" * 30,
    "true",
    "<",
    ">",
    "/",
    "&x;",
    "\x00",
    "é",
    " ",
    ",",
    ":",
    '"id"',
]
VALUES = [None, [], {}, [[]], "", "x", "1", -1, 0, 1, 2.5, 1e300, 10**40, True, False, [1], {"a": 1}]


def mutated(text, chance):
    """The text with a few of its stretches deleted, doubled or replaced."""
    for _ in range(chance.randint(1, 3)):
        begin = chance.randrange(len(text) + 1)
        end = min(len(text), begin + chance.choice([0, 1, 2, 5, 20]))
        text = text[:begin] + chance.choice([*PIECES, "", text[begin:end] * 2]) + text[end:]
    return text


def replaced(content, chance):
    """The JSON with one of its values replaced or left out."""
    places = []

    def walk(value):
        for key in value if isinstance(value, dict) else range(len(value)):
            places.append((value, key))
            if isinstance(value[key], dict | list):
                walk(value[key])

    walk(content)
    value, key = chance.choice(places)
    if chance.random() < 0.3:
        del value[key]
    else:
        value[key] = chance.choice(VALUES)
    return json.dumps(content)


@pytest.mark.parametrize("form", FILES)
def test_mutated_files_end_in_a_conversion_or_one_line(form, tmp_path, capsys):
    chance = random.Random(form)
    ends = set()
    for _ in range(300):
        structured = FILES[form].startswith(("{", "[")) and chance.random() < 0.7
        content = replaced(json.loads(FILES[form]), chance) if structured else mutated(FILES[form], chance)
        (tmp_path / "file").write_text(content)
        status = main([form, str(tmp_path / "file"), str(tmp_path / "out"), *OPTIONS.get(form, [])])
        errors = capsys.readouterr().err
        assert (status, errors.count("\n")) in ((0, 0), (1, 1)), content
        ends.add(status)
    assert ends == {0, 1}
