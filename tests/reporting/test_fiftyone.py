"""Folders for FiftyOne: against its format with values computed by hand, and loaded by itself where it is installed."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from lfb_lightning.errors import InputError
from lfb_lightning.reporting.viewers import export_for_viewer
from tests.reporting.example import FIRST, HOSTILE, LONG, write_files, write_test_run, write_videos
from tests.reporting.viewing import write_prediction

LEFT, RIGHT = [0.1, 0.1, 0.3, 0.8], [0.5, 0.1, 0.4, 0.8]  # x, y, width and height


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A run and a prediction, as folders."""
    folder = tmp_path_factory.mktemp("files")
    write_files(folder)
    write_videos(folder / "videos")
    write_test_run(folder / "run", folder, FIRST)
    write_prediction(folder / "walk")
    export(folder / "of_run", runs=[folder / "run"])
    export(folder / "of_prediction", predictions=[folder / "walk"], sources={"videos": folder / "videos"})
    return folder


def export(out, **options):
    said = []
    export_for_viewer(out, viewer="fiftyone", progress=said.append, **options)
    return said


def samples_of(folder):
    return json.loads((folder / "samples.json").read_text())["samples"]


def test_each_key_frame_is_a_sample_with_its_picture(exported):
    samples = samples_of(exported / "of_run")
    places = [(one["video_id"], one["key_frame"], one["timestamp"], one["second"]) for one in samples]
    assert places == [("v", 0, 902, 2), ("v", 1, 910, 10), ("w", 0, 902, 2)]
    assert [one["tags"] for one in samples] == [[], [], ["no picture"]]
    shades = [np.asarray(Image.open(exported / "of_run" / one["filepath"])).mean() for one in samples]
    assert shades == pytest.approx([20 + 8 * 4, 20 + 8 * 20, 128], abs=3)
    assert samples[0]["metadata"] == {"_cls": "ImageMetadata", "mime_type": "image/jpeg", "width": 160, "height": 96}
    assert sorted(path.name for path in exported.joinpath("of_run").iterdir()) == [
        "data",
        "metadata.json",
        "samples.json",
    ]


def test_each_action_is_a_detection(exported):
    sample = samples_of(exported / "of_run")[0]

    def rows(layer, *keys):
        assert sample[layer]["_cls"] == "Detections"
        assert {one["_cls"] for one in sample[layer]["detections"]} == {"Detection"}
        return [tuple(one.get(key) for key in ("label", "bounding_box", *keys)) for one in sample[layer]["detections"]]

    truth = rows("ground_truth", "index", "action_id", "confidence")
    assert sorted(truth, key=str) == sorted(
        [("stand", LEFT, 0, 1, None), (HOSTILE, LEFT, 0, 2, None), ("stand", RIGHT, 1, 1, None)], key=str
    )
    assert rows("predictions", "confidence", "judged", "index") == [
        ("stand", LEFT, 0.9, "found", None), ("talk", LEFT, 0.7, "false", None), (HOSTILE, LEFT, 0.6, "found", None),
        (HOSTILE, RIGHT, 0.8, "false", None), ("talk", RIGHT, 0.1, "false", None),
    ]  # fmt: skip


def test_the_metadata_declares_the_fields(exported):
    metadata = json.loads((exported / "of_run" / "metadata.json").read_text())
    assert metadata["media_type"] == "image"
    assert "version" not in metadata  # with it, FiftyOne expects a dump of its database
    assert metadata["info"]["generator"] == "lfb-report"
    assert metadata["info"]["classes"] == ["stand", HOSTILE, "talk", LONG]
    field = "fiftyone.core.fields.EmbeddedDocumentField(fiftyone.core.labels.Detections)"
    assert [name for name, kind in metadata["sample_fields"].items() if kind == field] == [
        "ground_truth",
        "predictions",
    ]
    used = {name for one in samples_of(exported / "of_run") for name in one}
    assert used == metadata["sample_fields"].keys()


def test_tracks_and_attention_of_a_prediction(exported):
    first, second, third = samples_of(exported / "of_prediction")
    assert [one["index"] for one in first["persons"]["detections"]] == [7, 4]
    (person,) = second["persons"]["detections"]
    looked = {key.removeprefix("attention_"): person[key] for key in person if key.startswith("attention_")}
    assert looked == {
        "weights": pytest.approx([0.4, 0.1]), "seconds": [0, 0], "tracks": [7, 4], "rows": [0, 1],
        "empty": pytest.approx(0.3), "rest": pytest.approx(0.2),
    }  # fmt: skip
    labels = [(one["label"], one["confidence"], one["index"]) for one in second["predictions"]["detections"]]
    assert labels == [("talk", 0.6, 7), ("stand", 0.3, 7)]
    assert [one["label"] for one in second["without_memory"]["detections"]] == ["stand"]
    assert third["predictions"]["detections"] == []


def test_only_folders_of_ours_are_replaced(exported, tmp_path):
    options = {"predictions": [exported / "walk"]}
    mine = tmp_path / "mine"
    for _ in range(2):
        export(mine, **options)
    own = mine / "data" / "own.jpg"
    own.write_text("mine")
    with pytest.raises(InputError, match=r"holds data/own\.jpg"):
        export(mine, **options)
    assert own.read_text() == "mine"
    own.unlink()
    (mine / "notes.txt").write_text("mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "metadata.json").write_text('{"info": {"generator": "another"}}')
    for name, words in (("mine", "holds notes.txt"), ("other", "no data set of lfb-report")):
        with pytest.raises(InputError, match=words):
            export(tmp_path / name, **options)
    assert (mine / "notes.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    export(tmp_path / "empty", **options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "mine", "other"]


def test_a_box_beyond_all_pictures_is_refused_in_one_line(tmp_path):
    one = {"row": 0, "track": 1, "box": [-1.7e308, 0, 1.7e308, 1], "score": 1, "actions": {"1": 0.5}}
    folder = write_prediction(tmp_path / "p", moments=[{"second": 0, "persons": [one]}])
    with pytest.raises(InputError, match="as lfb-predict writes it"):
        export(tmp_path / "out", predictions=[folder])


def test_nothing_is_left_of_an_interrupted_export(exported, tmp_path, monkeypatch):
    def interrupted(self, scene):
        yield None
        raise KeyboardInterrupt

    monkeypatch.setattr("lfb_lightning.reporting.viewers.frames.Pictures.of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(tmp_path / "new", predictions=[exported / "walk"])
    assert list(tmp_path.iterdir()) == []


LOAD = """
import json, sys
import fiftyone as fo
loaded = {}
for path in sys.argv[1:]:
    dataset = fo.Dataset.from_dir(path, dataset_type=fo.types.FiftyOneDataset)
    dataset.add_dynamic_sample_fields()
    dataset.compute_metadata()
    loaded[path.rpartition("/")[2]] = {
        "labels": dataset.values("predictions.detections.label"),
        "boxes": dataset.values("predictions.detections.bounding_box"),
        "index": dataset.values("predictions.detections.index"),
        "seconds": dataset.values("second"),
        "widths": dataset.values("metadata.width"),
        "judged": dataset.values("predictions.detections.judged"),
        "weights": dataset.values("persons.detections.attention_weights") if dataset.has_field("persons") else None,
        "strong": len(dataset.filter_labels("predictions", fo.ViewField("confidence") > 0.55)),
        "groups": len(dataset.group_by("video_id", order_by="second")),
    }
    if dataset.has_field("ground_truth"):
        found = dataset.evaluate_detections("predictions", gt_field="ground_truth", eval_key="eval")
        loaded["report"] = found.report()["stand"]
print("LOADED" + json.dumps(loaded))
"""


@pytest.mark.skipif(importlib.util.find_spec("fiftyone") is None, reason="lfb-lightning[fiftyone] is not installed")
def test_fiftyone_loads_it(exported, tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path), "FIFTYONE_DO_NOT_TRACK": "true"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    folders = [str(exported / name) for name in ("of_run", "of_prediction")]
    done = subprocess.run([sys.executable, "-c", LOAD, *folders], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = json.loads(done.stdout.rpartition("LOADED")[2])
    run, walk = loaded["of_run"], loaded["of_prediction"]
    assert run["labels"][1:] == [["stand"], []]
    assert run["boxes"][0] == [LEFT, LEFT, LEFT, RIGHT, RIGHT]
    assert run["judged"][0] == ["found", "false", "found", "false", "false"]
    assert run["widths"] == [160, 160, 320]  # the last one is the picture that says that there is none
    assert (run["strong"], run["groups"]) == (1, 2)
    assert loaded["report"] == {"precision": 1.0, "recall": 2 / 3, "f1-score": 0.8, "support": 3.0}  # found 2 of 3
    assert walk["index"] == [[7], [7, 7], []]
    assert walk["seconds"] == [0, 2, 4]
    assert walk["weights"][1] == [pytest.approx([0.4, 0.1])]
