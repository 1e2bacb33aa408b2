"""Exported programs against the detector: equal at any sizes, with nothing in the window, and with nobody there."""

import json
import shutil
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from lfb_lightning.errors import InputError
from lfb_lightning.exporting import open_detector
from lfb_lightning.exporting.comparing import sizes_to_compare
from lfb_lightning.exporting.onnx_file import OnnxFile
from lfb_lightning.models import load_detector
from lfb_lightning.structures import BankWindow
from tests.cli.in_process import run

pytestmark = pytest.mark.slow
SHAPES = {  # clips, persons, slots, frames, height, width, share of the slots that is filled
    "one person": (1, 1, 9, 4, 48, 64, 0.5),
    "another size and slots": (2, 5, 300, 4, 96, 65, 0.3),
    "other frames": (2, 3, 36, 7, 64, 48, 0.5),
    "an empty window": (2, 4, 12, 4, 64, 64, 0.0),
    "a full window": (3, 4, 12, 4, 64, 80, 1.0),
    "nobody": (2, 0, 12, 4, 64, 64, 0.5),
    "one slot": (1, 2, 1, 4, 64, 64, 1.0),
    "no slots": (1, 2, 0, 4, 64, 64, 0.0),
    "no clips": (0, 0, 5, 4, 64, 64, 0.5),
}


def inputs(clips, persons, slots, frames, height, width, filled):
    random = np.random.default_rng(slots)
    corners = np.sort(random.random((persons, 2, 2)), axis=1).reshape(persons, 4)
    clip = random.integers(0, max(clips, 1), (persons, 1))
    rois = np.concatenate([clip, corners * [width, height, width, height]], axis=1).astype(np.float32)
    mask = random.random((clips, slots)) < filled
    window = np.abs(random.standard_normal((clips, slots, 32))).astype(np.float32) * mask[:, :, None]
    return random.standard_normal((clips, 3, frames, height, width)).astype(np.float32), rois, window, mask


def session(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def with_window(fbo, detector, shape):
    """The window of a shape: what programs are given, and what the detector is; nothing where no bank is read."""
    _, _, window, mask = inputs(*shape)
    if not detector.reads_bank:
        return {}, None
    given, tensors = {"window": window, "mask": mask}, (torch.from_numpy(window), torch.from_numpy(mask))
    if not detector.reads_identity:
        return given, BankWindow(*tensors)
    clip_of_roi = inputs(*shape)[1][:, 0].astype(np.int64)
    same = mask[clip_of_roi] & (np.random.default_rng(1).random((len(clip_of_roi), mask.shape[1])) < 0.4)
    return {**given, "same_person": same}, BankWindow(*tensors, same_person=torch.from_numpy(same))


@pytest.mark.parametrize("fbo", ["nl", "none"])
def test_the_programs_equal_the_detector_at_any_sizes(fbo, checkpoints, onnx_folders):
    detector = load_detector(checkpoints[fbo])
    whole, features = (session(onnx_folders[fbo] / f"{name}.onnx") for name in ("detector", "features"))
    for name, shape in SHAPES.items():
        clips, rois, _, _ = inputs(*shape)
        given, bank = with_window(fbo, detector, shape)
        with torch.no_grad():
            pixels, boxes = torch.from_numpy(clips), torch.from_numpy(rois)
            short_term, expected = detector.short_term_features(pixels, boxes), detector(pixels, boxes, bank)
        logits, found = whole.run(["logits", "features"], {"clips": clips, "rois": rois, **given})
        assert logits.shape == (shape[1], 6)
        np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4, err_msg=name)
        np.testing.assert_allclose(found, short_term.numpy(), atol=1e-4, err_msg=name)
        np.testing.assert_array_equal(features.run(None, {"clips": clips, "rois": rois})[0], found)


@pytest.mark.parametrize("fbo", ["nl", "nl_masked", "xattn", "xattn_timed", "xattn_identity", "avg", "max", "none"])
def test_scores_of_given_features_equal_the_detectors_at_any_sizes(fbo, checkpoints, onnx_folders):
    detector, scores = load_detector(checkpoints[fbo]), session(onnx_folders[fbo] / "scores.onnx")
    spread = 0.0
    for name, shape in SHAPES.items():
        if name == "no slots" and fbo in ("avg", "max"):
            continue  # the mean and the maximum of nothing
        if shape[2] != (detector.window_slots or shape[2]):
            shape = (*shape[:2], detector.window_slots, *shape[3:])
        rois = inputs(*shape)[1]
        given, bank = with_window(fbo, detector, shape)
        features = np.abs(np.random.default_rng(0).standard_normal((len(rois), 32))).astype(np.float32)
        clip_of_roi = rois[:, 0].astype(np.int64)
        with torch.no_grad():
            expected = detector.classify(
                torch.from_numpy(features), bank, torch.from_numpy(clip_of_roi), detector.attends
            )
        whose = {"clip_of_roi": clip_of_roi} if given else {}
        found = scores.run(None, {"features": features, **whose, **given})
        wanted = [expected[0], expected[1].weights, expected[1].empty] if detector.attends else [expected]
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other.numpy(), atol=1e-4, err_msg=name)
        spread = max(spread, float(found[0].std()) if found[0].size else 0.0)
    assert spread > 0.3  # logits that are all alike would show nothing


def test_a_detector_under_onnxruntime_is_given_who_is_who(checkpoints, onnx_folders, tmp_path):
    shutil.copytree(onnx_folders["nl"], tmp_path / "made")
    shutil.copy(onnx_folders["xattn_identity"] / "scores.onnx", tmp_path / "made")
    config = json.loads((tmp_path / "made" / "config.json").read_text())
    assert config["exported"]["reads_identity"] is False
    config["exported"]["reads_identity"] = True
    (tmp_path / "made" / "config.json").write_text(json.dumps(config))
    exported, detector = open_detector(tmp_path / "made")[0], load_detector(checkpoints["xattn_identity"])
    assert exported.reads_identity
    shape = (2, 5, detector.window_slots, 4, 64, 64, 0.5)
    _, window = with_window("xattn_identity", detector, shape)
    short_term, clip_of_roi = torch.rand(5, 32), torch.from_numpy(inputs(*shape)[1][:, 0].astype(np.int64))
    with torch.no_grad():
        expected = detector.classify(short_term, window, clip_of_roi)
    torch.testing.assert_close(exported.classify(short_term, window, clip_of_roi), expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="asks which slots show the same person"):
        exported.classify(short_term, BankWindow(window.features, window.mask), clip_of_roi)
    del config["exported"]["reads_identity"]  # as folders of before have it
    shutil.copy(onnx_folders["nl"] / "scores.onnx", tmp_path / "made")
    (tmp_path / "made" / "config.json").write_text(json.dumps(config))
    assert not open_detector(tmp_path / "made")[0].reads_identity


def test_a_file_says_what_its_axes_count_and_nothing_of_who_made_it(onnx_folders):
    model = onnx.load(onnx_folders["nl"] / "detector.onnx")
    axes = {
        one.name: [axis.dim_param or axis.dim_value for axis in one.type.tensor_type.shape.dim]
        for one in [*model.graph.input, *model.graph.output]
    }
    assert axes == {
        "clips": ["clips", 3, "frames", "height", "width"],
        "rois": ["persons", 5],
        "window": ["clips", "slots", 32],
        "mask": ["clips", "slots"],
        "logits": ["persons", 6],
        "features": ["persons", 32],
    }
    assert [one.version for one in model.opset_import if one.domain == ""] == [20]
    for folder in onnx_folders.values():
        for path in folder.iterdir():
            assert b"/home/" not in path.read_bytes()
            assert b".py" not in path.read_bytes()


def model_file(path, *, location=None, inputs=("clips",), operation="Relu", domain=""):
    """An ONNX file of one operation, maybe with a weight that lies in another file."""
    weight = helper.make_tensor("weight", TensorProto.FLOAT, [1], [1.0])
    if location is not None:
        weight.ClearField("float_data")
        weight.data_location = TensorProto.EXTERNAL
        entry = weight.external_data.add()
        entry.key, entry.value = "location", location
    node = helper.make_node(operation, list(inputs), ["features"], domain=domain)
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in inputs],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n"])],
        [weight],
    )
    opsets = [helper.make_opsetid("", 20), *([helper.make_opsetid(domain, 1)] if domain else [])]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())
    return path


@pytest.mark.parametrize("location", ["/etc/hostname", "../secret.bin", "beside.bin"])
def test_a_weight_in_another_file_is_not_looked_for(location, tmp_path):
    path = model_file(tmp_path / "features.onnx", location=location)
    with pytest.raises(InputError, match=r"'weight' lies in another file, which is not opened"):
        OnnxFile(path, inputs={"clips": 1}, outputs=["features"])


def test_other_inputs_operations_and_damaged_files_are_told_in_a_line(tmp_path, onnx_folders):
    right = model_file(tmp_path / "a.onnx")
    assert OnnxFile(right, inputs={"clips": 1}, outputs=["features"])(np.array([-1.0, 2.0]))[0].tolist() == [0, 2]
    with pytest.raises(InputError, match="its inputs are clips and its outputs features, expected rois and features"):
        OnnxFile(right, inputs={"rois": 1}, outputs=["features"])
    with pytest.raises(InputError, match=r"b\.onnx: is no ONNX file that can be run"):
        OnnxFile(
            model_file(tmp_path / "b.onnx", operation="Reach", domain="else.where"),
            inputs={"clips": 1},
            outputs=["features"],
        )
    content = (onnx_folders["nl"] / "features.onnx").read_bytes()
    for number, damaged in enumerate([b"", b"\xff" * 100, content[: len(content) // 2], b"{}"]):
        path = tmp_path / f"{number}.onnx"
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=str(path)):
            OnnxFile(path, inputs={"clips": 5, "rois": 2}, outputs=["features"])
    with pytest.raises(InputError, match=r"the program failed on clips \[1, 3\]"):
        OnnxFile(right, inputs={"clips": 1}, outputs=["features"])(np.zeros((1, 3)))


def test_files_of_two_exports_do_not_run_together(onnx_folders, tmp_path):
    folder = tmp_path / "mixed"
    shutil.copytree(onnx_folders["nl"], folder)
    shutil.copy(onnx_folders["avg"] / "scores.onnx", folder / "scores.onnx")
    with pytest.raises(InputError, match=r"scores\.onnx: its inputs are .* expected"):
        open_detector(folder)
    (folder / "scores.onnx").unlink()
    with pytest.raises(InputError, match=r"scores\.onnx: no such file"):
        open_detector(folder)


def test_a_backbone_that_fixes_a_size_is_exported_with_it(onnx_folders):
    axes = {"clips": ["clips", 3, 4, "height", "width"], "rois": ["persons", 5]}
    assert (onnx_folders["nl"].parent / "fixed.txt").read_text() == f"{axes} {{'frames': 4}}\n"


def test_programs_are_compared_at_lengths_that_the_detector_can_take():
    assert {one.frames for one in sizes_to_compare({}, 8)} == {8, 16}  # a backbone may attend to groups of 8 frames
    assert {one.frames for one in sizes_to_compare({"frames": 8}, 8)} == {8}


def test_outputs_of_other_types_and_sizes_are_told_in_a_line(onnx_folders, tmp_path):
    path = model_file(tmp_path / "a.onnx", operation="IsNaN")
    model = onnx.load(path)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.BOOL
    onnx.save(model, path)
    with pytest.raises(InputError, match=r"its output features is of type tensor\(bool\), expected tensor\(float\)"):
        OnnxFile(path, inputs={"clips": 1}, outputs=["features"])

    folder = tmp_path / "flat"
    shutil.copytree(onnx_folders["nl"], folder)
    model = onnx.load(folder / "scores.onnx")
    (node,) = (one for one in model.graph.node if "attention" in one.output)
    node.output[list(node.output).index("attention")] = "whole"
    model.graph.initializer.append(helper.make_tensor("line", TensorProto.INT64, [1], [-1]))
    model.graph.node.append(helper.make_node("Reshape", ["whole", "line"], ["attention"]))
    model.graph.output[1].type.tensor_type.ClearField("shape")
    onnx.save(model, folder / "scores.onnx")
    detector = open_detector(folder)[0]
    window = BankWindow(torch.zeros(1, 5, detector.bank_channels), torch.ones(1, 5, dtype=torch.bool))
    with pytest.raises(InputError, match=r"made attention of shape \[20\], expected \[2, 'any', 5\]"):
        detector.classify(torch.zeros(2, detector.channels), window, torch.zeros(2, dtype=torch.int64), True)


def test_a_default_of_a_function_may_not_lie_in_another_file(tmp_path):
    path = model_file(tmp_path / "a.onnx", location="beside.bin")
    model = onnx.load(path, load_external_data=False)
    value = model.graph.initializer.pop()
    node = helper.make_node("Constant", [], ["b"])
    node.attribute.add(name="value", ref_attr_name="value", type=onnx.AttributeProto.TENSOR)
    function = helper.make_function("own", "Weight", [], ["b"], [node], [helper.make_opsetid("", 20)])
    function.attribute_proto.append(helper.make_attribute("value", value))
    model.functions.append(function)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"'weight' lies in another file, which is not opened"):
        OnnxFile(path, inputs={"clips": 1}, outputs=["features"])


def test_without_the_extra_nothing_is_begun(checkpoints, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)  # as if it was not installed
    done = run("export", f"ckpt_path={checkpoints['none']}", "out=made", "format=onnx", folder=tmp_path)
    assert (done.status, done.message) == (
        1,
        "lfb-export: format=onnx needs onnxscript, which is not installed: pip install 'lfb-lightning[export]'.",
    )
    assert not (tmp_path / "made").exists()
