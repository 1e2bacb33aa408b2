import builtins

import numpy as np
import pytest
from onnx import TensorProto
from PIL import Image

from lfb_lightning.errors import InputError
from lfb_lightning.persons import OnnxPersons, PersonSource
from lfb_lightning.persons.letterbox import Letterbox
from lfb_lightning.video import VideoFile
from tests.conftest import SHARED
from tests.persons.onnx_models import color_detector, picture

FRAME = picture(64, 64, red=(8, 4, 24, 60), green=(40, 10, 50, 40))
NORMS = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4)}
BY_HAND = np.array([[8, 4, 24, 60], [40, 10, 50, 40]]) / 64


def found(path, frame=FRAME, **settings):
    (persons,) = OnnxPersons(weights=str(path), **settings).find([frame], [0.0], "v")
    return persons


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ({}, {}),
        ({"batched": False}, {}),
        ({"white": 1.0}, {"scale": 1.0}),
        ({"white": 1.0, **NORMS}, {"scale": 1.0, **NORMS}),
        ({"bgr": True}, {"colors": "bgr"}),
        ({"normalized": True}, {"box_units": "normalized"}),
        ({"free": True}, {"input_size": [64, 64]}),
        ({"labels": (1, 1, 3)}, {"person_label": 1}),
        ({"classes": True}, {"person_label": 1}),
        ({"names": ("out_a", "out_b", "")}, {}),
        ({"names": ("det_boxes", "det_scores", "det_classes"), "labels": (0, 0, 0)}, {"person_label": 0}),
    ],
)  # fmt: skip
def test_every_kind_of_model_finds_the_boxes_worked_out_by_hand(tmp_path, model, settings):
    persons = found(color_detector(tmp_path / "m.onnx", **model), **settings)
    np.testing.assert_allclose(persons.boxes, BY_HAND, atol=1e-6)
    np.testing.assert_allclose(persons.scores, [0.9, 0.7], atol=1e-6)


def test_the_order_of_colors_decides_who_is_red(tmp_path):
    path = color_detector(tmp_path / "m.onnx")
    red, wrong = picture(64, 64, red=(8, 4, 24, 60)), picture(64, 64, blue=(8, 4, 24, 60))
    assert found(path, red).scores == pytest.approx([0.9])
    assert found(path, wrong).scores == pytest.approx([0.6])
    assert found(path, red, colors="bgr").scores == pytest.approx([0.6])


def test_a_model_for_values_up_to_1_finds_nothing_in_values_up_to_255_and_the_other_way_round(tmp_path):
    assert len(found(color_detector(tmp_path / "m.onnx"), scale=1.0)) == 0


def test_labels_leave_others_than_persons_out(tmp_path):
    persons = found(color_detector(tmp_path / "m.onnx", labels=(1, 18, 1)), person_label=1)
    np.testing.assert_allclose(persons.boxes, BY_HAND[:1], atol=1e-6)


@pytest.mark.parametrize("position", ["top_left", "center"])
@pytest.mark.parametrize(("height", "width"), [(128, 64), (64, 128), (32, 16), (16, 48)])
def test_a_frame_of_another_shape_is_letterboxed_and_its_boxes_lead_back(tmp_path, position, height, width):
    path = color_detector(tmp_path / "m.onnx")
    box = (width // 4, height // 4, width // 2, height // 2)
    persons = found(path, picture(height, width, red=box), position=position)
    pixels = persons.boxes * [width, height, width, height]
    scale = max(height, width) / 64  # of the frame per pixel of the input; an edge blurs by one
    np.testing.assert_allclose(pixels, [box], atol=scale)


@pytest.mark.parametrize("position", ["top_left", "center"])
def test_a_square_stays_one_and_the_rest_is_padding(position):
    letterbox = Letterbox(
        height=64, width=64, position=position, pad=114.0, scale=255.0, mean=(0.0,) * 3, std=(1.0,) * 3, colors="rgb"
    )
    shown, _ = letterbox.show(picture(32, 128, red=(32, 8, 48, 24)))
    rows, columns = np.nonzero(shown[0, 0] > 200)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (8, 8)
    first = 0 if position == "top_left" else 24
    padding = np.delete(shown[0], np.s_[first : first + 16], axis=1)
    assert (padding == 114).all()
    assert padding.shape == (3, 48, 64)


def test_a_box_that_reaches_into_the_padding_ends_at_the_frames_edge(tmp_path):
    path = color_detector(tmp_path / "m.onnx", mean=(0.0, 0.0, 0.0))
    persons = found(path, picture(32, 64, red=(0, 0, 64, 32)), position="center")
    np.testing.assert_array_equal(persons.boxes, [[0, 0, 1, 1]])


def test_thresholds_choose(tmp_path):
    path = color_detector(tmp_path / "m.onnx")
    frame = picture(64, 64, red=(0, 0, 8, 8), green=(20, 0, 28, 40), blue=(40, 0, 48, 40))
    assert found(path, frame).scores == pytest.approx([0.9, 0.7, 0.6])
    assert found(path, frame, threshold=0.65).scores == pytest.approx([0.9, 0.7])
    assert found(path, frame, max_persons=1).scores == pytest.approx([0.9])
    assert found(path, frame, min_height=0.5).scores == pytest.approx([0.7, 0.6])
    assert len(found(path, picture(64, 64))) == 0


def test_it_is_a_source_of_persons_and_takes_no_frames_at_all(tmp_path):
    source = OnnxPersons(weights=str(color_detector(tmp_path / "m.onnx")))
    assert isinstance(source, PersonSource)
    assert source.find([], [], "v") == []
    assert [len(persons) for persons in source.find([FRAME, FRAME], [0.0, 1.0], "v")] == [2, 2]
    assert len(source.describe()["digest"]) == 64


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        ({"kind": TensorProto.FLOAT16}, {}, "is no ONNX model that can be run"),
        ({"labels": (1, 1, 1)}, {}, "has labels, output labels int64 [1, 3]; say which is a person's"),
        ({"classes": True}, {}, "scores 2 classes; say which is a person"),
        ({"free": True}, {"input_size": [32, 32]}, "the model failed"),
        ({}, {"threshold": 1.5}, "persons.threshold is 1.5, expected 0 to 1."),
        ({}, {"device": "cuda"}, "persons.device is cuda, but onnxruntime has no GPU here"),
    ],
)
def test_a_wrong_model_or_key_is_one_line(tmp_path, model, settings, message):
    path = color_detector(tmp_path / "m.onnx", **model)
    with pytest.raises(InputError) as refused:
        found(path, **settings)
    assert message in str(refused.value)


def test_models_of_other_shapes_say_what_they_are(tmp_path):
    import onnx
    from onnx import helper

    def save(name, inputs, outputs):
        nodes = [helper.make_node("Identity", [inputs[0][0]], [out[0]]) for out in outputs]
        infos = [
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in side] for side in (inputs, outputs)
        ]
        graph = helper.make_graph(nodes, "g", *infos)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / name)
        return tmp_path / name

    with pytest.raises(InputError, match=r"its inputs are sound float \[1, 16000\], expected one image"):
        found(save("sound.onnx", [("sound", [1, 16000])], [("text", [1, 16000])]))
    with pytest.raises(InputError, match=r"its outputs are mask float \[1, 3, 8, 8\], expected boxes \[N, 4\]"):
        found(save("mask.onnx", [("image", [1, 3, 8, 8])], [("mask", [1, 3, 8, 8])]))


def test_files_that_are_no_model_are_one_line(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(InputError, match=r"m\.onnx: is no ONNX model that can be run"):
        found(tmp_path / "m.onnx")
    with pytest.raises(InputError, match=r"none\.onnx: no such file"):
        found(tmp_path / "none.onnx")
    with pytest.raises(InputError, match=r"persons.weights is not set"):
        OnnxPersons(weights=None)


def test_without_onnxruntime_the_extra_is_named(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **options):
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"persons=onnx needs onnxruntime.*pip install 'lfb-lightning\[onnx\]'"):
        OnnxPersons(weights="m.onnx")


REAL = SHARED / "models" / "person_nanodet_g_416.onnx"
CLIP = SHARED / "video" / "sports2d_demo.mp4"


@pytest.mark.skipif(not (REAL.is_file() and CLIP.is_file()), reason="the originals are not beside the project")
def test_a_real_detector_equals_itself_run_by_hand_as_its_page_says():
    import onnxruntime

    (frame,) = VideoFile(CLIP).clip(np.array([3.0]))
    height, width = frame.shape[:2]
    r = 416 / max(height, width)
    small = Image.fromarray(frame).resize((round(width * r), round(height * r)), Image.Resampling.BILINEAR)
    image = np.full((416, 416, 3), 114, np.float32)
    image[: small.height, : small.width] = np.asarray(small)
    session = onnxruntime.InferenceSession(str(REAL), providers=["CPUExecutionProvider"])
    boxes, scores = session.run(["boxes", "scores"], {"images": image.transpose(2, 0, 1)[None]})
    wanted = (boxes / r).clip(0, [width, height, width, height])[scores >= 0.5]
    persons = found(REAL, frame)
    assert len(persons) == len(wanted) > 0
    np.testing.assert_allclose(persons.boxes * [width, height, width, height], wanted, atol=1e-3)
    np.testing.assert_allclose(persons.scores, scores[scores >= 0.5], atol=1e-6)
