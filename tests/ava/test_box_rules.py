"""A box that no picture can have is refused where its file is read, in every form of file, by row or key."""

import json
import pickle

import numpy as np
import pytest

from lfb_lightning.ava.annotations import read_annotations
from lfb_lightning.ava.label_map import LabelMap
from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe

GOOD = (0.1, 0.2, 0.5, 0.6)
WIDTH, HEIGHT = 200, 100


def annotations_csv(path, boxes):
    path = path.with_suffix(".csv")
    path.write_text("".join(f"v,0902,{x1},{y1},{x2},{y2},1,0\n" for x1, y1, x2, y2 in boxes))
    return lambda: read_annotations(path, LabelMap({1: "one"})), "row 2"


def proposals_csv(path, boxes):
    path = path.with_suffix(".csv")
    path.write_text("".join(f"v,0902,{x1},{y1},{x2},{y2},-1,0.9\n" for x1, y1, x2, y2 in boxes))
    return lambda: read_proposals(path), "row 2"


def csv_of_val(path, boxes):
    path = path.with_suffix(".csv")
    path.write_text("\n" + "".join(f"v,0902,{x1},{y1},{x2},{y2},,0.9\n" for x1, y1, x2, y2 in boxes))
    return lambda: read_proposals(path), "row 3"  # the first line is blank


def dense_pickle(path, boxes):
    path = path.with_suffix(".pkl")
    arrays = [np.array([[*box, 0.9]]) for box in boxes]
    path.write_bytes(pickle.dumps({"a,0001": np.zeros((0, 5)), "v,0902": arrays[0], "v,0903": arrays[1]}))
    return lambda: read_proposals(path), "key 'v,0903'"


def acar_pickle(path, boxes):
    path = path.with_suffix(".pkl")
    clips = [{"video": "v", "time": 902 + n, "labels": [{"bounding_box": list(box)}]} for n, box in enumerate(boxes)]
    path.write_bytes(pickle.dumps((clips, {1: "one"})))
    return lambda: read_proposals(path), "clip 'v,0903'"


def coco_json(path, boxes):
    path = path.with_suffix(".json")
    found = [
        {"image_id": 7, "bbox": [x1 * WIDTH, y1 * HEIGHT, (x2 - x1) * WIDTH, (y2 - y1) * HEIGHT], "score": 0.9}
        for x1, y1, x2, y2 in boxes
    ]
    images = [{"id": 7, "file_name": "v/0902.jpg", "width": WIDTH, "height": HEIGHT}]
    path.write_text(json.dumps({"images": images, "annotations": found}))
    return lambda: read_proposals(path), "detection 1 "


FORMS = [annotations_csv, proposals_csv, csv_of_val, dense_pickle, acar_pickle, coco_json]


@pytest.mark.parametrize("write", FORMS, ids=lambda write: write.__name__)
@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((64.0, 48.0, 200.0, 300.0), r"not within 0\.\.1"),
        ((0.1, 0.2, 0.5, 1.02), r"not within 0\.\.1"),
        ((-0.02, 0.2, 0.5, 0.6), r"not within 0\.\.1"),
        ((0.5, 0.2, 0.4, 0.6), "x2 < x1 or y2 < y1"),
        ((0.1, 0.6, 0.5, 0.5), "x2 < x1 or y2 < y1"),
        ((float("nan"), 0.2, 0.5, 0.6), "nan"),
        ((0.1, 0.2, 0.5, float("inf")), "inf"),
    ],
)
def test_a_box_that_no_picture_can_have_is_refused_by_row_or_key(tmp_path, write, box, message):
    read, where = write(tmp_path / "boxes", [GOOD, box])
    with pytest.raises(InputError, match=message) as error:
        read()
    assert "boxes." in str(error.value)
    assert where in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("write", FORMS, ids=lambda write: write.__name__)
def test_pixels_are_told_what_to_do(tmp_path, write):
    read, _ = write(tmp_path / "boxes", [GOOD, (64.0, 48.0, 200.0, 300.0)])
    with pytest.raises(InputError, match=r"divide pixels in x by the picture's width|as large as 'images' says"):
        read()


@pytest.mark.parametrize("write", FORMS, ids=lambda write: write.__name__)
@pytest.mark.parametrize(
    "box", [(-0.004, 0.0, 1.0, 1.009), (0.3, 0.3, 0.3, 0.5), (0.0, 0.0, 0.0, 0.0)], ids=["overshoot", "line", "point"]
)
def test_rounded_boxes_are_kept_as_they_are(tmp_path, write, box):
    read, _ = write(tmp_path / "boxes", [GOOD, box])
    table = read()
    rows = [table.boxes[table.persons.rows(keyframe)] for keyframe in table.keyframes]
    assert any(np.allclose(row, box, atol=1e-12) for row in np.concatenate(rows))


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_scores_that_are_no_numbers_are_refused(tmp_path, score):
    forms = {
        "a.pkl": pickle.dumps({"v,0902": np.array([[*GOOD, 0.9], [*GOOD, score]])}),
        "b.pkl": pickle.dumps(([{"video": "v", "time": 902, "labels": [{"bounding_box": GOOD, "score": score}]}], {})),
        "c.json": json.dumps(
            {
                "images": [{"id": 7, "file_name": "v/0902.jpg", "width": 9, "height": 9}],
                "annotations": [{"image_id": 7, "bbox": [1, 1, 2, 2], "score": score}],
            }
        ).encode(),
        "d.csv": f"v,0902,0.1,0.2,0.5,0.6,-1,{score}\n".encode(),
    }
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}.*score is") as error:
            read_proposals(tmp_path / name)
        assert "v,0902" in str(error.value) or "row 1" in str(error.value)


def test_logits_are_scores(tmp_path):
    (tmp_path / "a.csv").write_text("v,0902,0.1,0.2,0.5,0.6,-1,3.5\nv,0902,0.1,0.2,0.5,0.6,-1,-2\n")
    assert read_proposals(tmp_path / "a.csv").scores.tolist() == [3.5, -2.0]


def test_coco_boxes_that_are_fractions_already(tmp_path):
    found = [{"image_id": 7, "bbox": [0.1, 0.1, 0.4, 0.9], "score": 0.9}]
    images = [{"id": 7, "file_name": "v/0902.jpg", "width": WIDTH, "height": HEIGHT}]
    (tmp_path / "a.json").write_text(json.dumps({"images": images, "annotations": found}))
    with pytest.raises(InputError, match=r"a\.json: every bbox lies within 0\.\.1; expected .* pixels"):
        read_proposals(tmp_path / "a.json")


@pytest.mark.parametrize("size", [0, -5, float("nan"), float("inf")])
def test_pictures_without_a_size(tmp_path, size):
    images = [{"id": 7, "file_name": "v/0902.jpg", "width": size, "height": HEIGHT}]
    (tmp_path / "a.json").write_text(json.dumps({"images": images, "annotations": []}))
    with pytest.raises(InputError, match=r"entry 0 .*no size"):
        read_proposals(tmp_path / "a.json")


@pytest.mark.parametrize("box", [[1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 3, "x"], None, [1, 2, 3, 10**400]])
def test_boxes_of_another_length(tmp_path, box):
    (tmp_path / "a.pkl").write_bytes(
        pickle.dumps(([{"video": "v", "time": 902, "labels": [{"bounding_box": box}]}], {}))
    )
    with pytest.raises(InputError, match="clip 0 cannot be read"):
        read_proposals(tmp_path / "a.pkl")


def test_keys_that_hold_no_numbers(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"v,0902": [["a", 1], [2]]}))
    with pytest.raises(InputError, match=r"a\.pkl.*no array of numbers"):
        read_proposals(tmp_path / "a.pkl")


def test_kept_boxes_are_found_at_their_keyframes(tmp_path):
    read, _ = dense_pickle(tmp_path / "boxes", [GOOD, (0.0, 0.0, 1.0, 1.0)])
    assert read().above(Keyframe("v", 903), 0.0).boxes.tolist() == [[0.0, 0.0, 1.0, 1.0]]
