"""Every form of a proposal file gives the same persons; what is wrong with one is named."""

import json
import pickle

import numpy as np
import pytest

from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe

KEY = Keyframe("0123", 902)
BOXES = np.array([[0.1, 0.2, 0.5, 0.6], [0.25, 0.0, 0.75, 1.0]])
SCORES = np.array([0.9, 0.95])


def write_csv(path):
    lines = [
        f"0123,902,{','.join(map(str, box))},{label},{score}"
        for box, score in zip(BOXES, SCORES, strict=True)
        for label in (3, 9)
    ]
    path.write_text("\n".join(lines))


def write_unlabeled_csv(path):
    path.write_text(
        "\n".join(f"0123,902,{','.join(map(str, box))},,{score}" for box, score in zip(BOXES, SCORES, strict=True))
    )


def write_dense(path):
    path.write_bytes(pickle.dumps({"0123,0902": np.column_stack([BOXES, SCORES]), "other,0903": np.zeros((0, 5))}))


def write_acar(path):
    labels = [
        {"bounding_box": box.tolist(), "label": [1], "score": score} for box, score in zip(BOXES, SCORES, strict=True)
    ]
    path.write_bytes(
        pickle.dumps(([{"video": "clips/0123", "time": "0902", "labels": labels, "n_frames": 60}], {1: "a"}))
    )


def detections():
    sizes = [200, 100, 200, 100] * BOXES
    return [
        {"image_id": 7, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score, "category_id": 1}
        for (x1, y1, x2, y2), score in zip(sizes.tolist(), SCORES.tolist(), strict=True)
    ]


IMAGES = {"images": [{"id": 7, "movie": "0123", "timestamp": 902, "width": 200, "height": 100}]}
NAMED = {"images": [{"id": 7, "file_name": "0123/0902.jpg", "width": 200, "height": 100}]}


def write_coco(path):
    path.write_text(json.dumps(NAMED | {"annotations": detections()}))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("fair.csv", write_csv),
        ("val.csv", write_unlabeled_csv),
        ("fair.pkl", write_dense),
        ("acar.pkl", write_acar),
        ("coco.json", write_coco),
    ],
)
def test_every_form_gives_the_same_persons(tmp_path, name, write):
    write(tmp_path / name)
    table = read_proposals(tmp_path / name)
    assert table.keyframes == [KEY]
    found = table.above(KEY, 0.0)
    np.testing.assert_allclose(found.boxes, BOXES[::-1], atol=1e-12)
    np.testing.assert_allclose(found.scores, SCORES[::-1])
    assert len(table.above(KEY, 0.92)) == 1
    assert len(table.above(Keyframe("0123", 903), 0.0)) == 0


def test_a_path_without_ending_is_the_file_that_is_there(tmp_path):
    write_csv(tmp_path / "v2.FAIR.recall_93.9.csv")
    assert read_proposals(tmp_path / "v2.FAIR.recall_93.9").keyframes == [KEY]
    write_dense(tmp_path / "v2.FAIR.recall_93.9.pkl")
    assert read_proposals(tmp_path / "v2.FAIR.recall_93.9").keyframes == [KEY]
    with pytest.raises(InputError, match=r"nothing\.pkl: no such file, nor"):
        read_proposals(tmp_path / "nothing")


def test_detections_with_their_images_beside_them(tmp_path):
    (tmp_path / "boxes.json").write_text(json.dumps(detections()))
    (tmp_path / "images.json").write_text(json.dumps(IMAGES))
    table = read_proposals(tmp_path / "boxes.json", images=tmp_path / "images.json")
    np.testing.assert_allclose(table.above(KEY, 0.92).boxes, BOXES[1:], atol=1e-12)
    with pytest.raises(InputError, match=r"image_id '7'.*data\.proposal_images"):
        read_proposals(tmp_path / "boxes.json")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"{", "not a readable json"),
        ("a.json", b'{"images": []}', "expected a list of detections"),
        ("a.json", b"3.5", "expected a list of detections"),
        ("a.pkl", pickle.dumps({"v,0902": np.zeros((1, 5), np.complex64)}), "an array of 'c8'"),
        ("a.pkl", pickle.dumps({"v,0902": np.array([["0", "0", "1", "1", "1"]])}), "holds no array of numbers"),
        ("a.json", b'[{"image_id": 1, "bbox": [1, 2], "score": 1}]', "detection 0 cannot be read"),
        (
            "a.json",
            b'{"images": [{"id": 1, "width": 0, "height": 5, "file_name": "v/1.jpg"}], "annotations": []}',
            "no size",
        ),
        ("a.json", b'{"images": [{"id": 1}], "annotations": []}', "entry 0 cannot be read"),
        ("a.pkl", pickle.dumps([1, 2, 3]), "expected a dict"),
        ("a.pkl", pickle.dumps(([{"video": "v"}], {})), "clip 0 cannot be read"),
        ("a.pkl", pickle.dumps(([{"video": "v", "time": 1, "labels": np.ones(1)}], {})), "clip 0 cannot be read"),
        ("a.pkl", pickle.dumps({"v,0902": np.array([[0, 0, 1, np.nan, 1.0]])}), r"key 'v,0902': box .* finite"),
        ("a.pkl", pickle.dumps({"v-0902": np.zeros((1, 5))}), "expected 'VIDEO,0902'"),
        ("a.txt", b"", "unknown ending"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_proposals(tmp_path / name)
