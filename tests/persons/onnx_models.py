"""A detector of three colors as an ONNX file, whose boxes anybody can work out: it runs where no trained one is at hand.

Its persons are what is red, what is green and what is blue: the smallest box around the pixels of which one channel
exceeds another by more than 64 of 255 (R over G, G over R, B over R), with scores of .9, .7 and .6.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SCORES = (0.9, 0.7, 0.6)
_NOWHERE = 1e6


def color_detector(
    path,
    *,
    height=64,
    width=64,
    free=False,
    white=255.0,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    bgr=False,
    normalized=False,
    labels=None,
    classes=False,
    batched=True,
    names=("boxes", "scores", "labels"),
    kind=TensorProto.FLOAT,
):
    """Write the model; `free` leaves the input's size open, and `labels` gives each color one."""
    red, green, blue = (2, 1, 0) if bgr else (0, 1, 2)
    kernel = np.zeros((3, 3, 1, 1), np.float32)
    for row, (plus, minus) in enumerate([(red, green), (green, red), (blue, red)]):
        kernel[row, plus, 0, 0], kernel[row, minus, 0, 0] = 1, -1
    constants = {
        "mean": np.array(mean, np.float32).reshape(1, 3, 1, 1),
        "std": np.array(std, np.float32).reshape(1, 3, 1, 1),
        "white": np.float32(white / 255),
        "kernel": kernel,
        "limit": np.float32(64),
        "x": np.arange(width, dtype=np.float32).reshape(1, 1, 1, width),
        "y": np.arange(height, dtype=np.float32).reshape(1, 1, height, 1),
        "one": np.float32(1),
        "far": np.float32(_NOWHERE),
        "minus": np.float32(-1),
        "unit": np.array([width, height] * 2 if normalized else [1] * 4, np.float32),
        "all_scores": np.array([SCORES], np.float32),
        "axis2": np.array([2], np.int64),
        "axis0": np.array([0], np.int64),
    }
    nodes = [
        helper.make_node("Mul", ["image", "std"], ["a"]),
        helper.make_node("Add", ["a", "mean"], ["b"]),
        helper.make_node("Div", ["b", "white"], ["c"]),
        helper.make_node("Conv", ["c", "kernel"], ["difference"]),
        helper.make_node("Greater", ["difference", "limit"], ["shown"]),
    ]
    for name, axis in (("x", "x"), ("y", "y")):
        nodes += [
            helper.make_node("Where", ["shown", axis, "far"], [f"{name}_low"]),
            helper.make_node("Add", [axis, "one"], [f"{name}_next"]),
            helper.make_node("Where", ["shown", f"{name}_next", "minus"], [f"{name}_high"]),
            helper.make_node("ReduceMin", [f"{name}_low"], [f"{name}1"], axes=[2, 3], keepdims=0),
            helper.make_node("ReduceMax", [f"{name}_high"], [f"{name}2"], axes=[2, 3], keepdims=0),
        ]
    corners = ["x1", "y1", "x2", "y2"]
    nodes += [helper.make_node("Unsqueeze", [name, "axis2"], [f"{name}_column"]) for name in corners]
    nodes += [
        helper.make_node("Concat", [f"{name}_column" for name in corners], ["pixels"], axis=2),
        helper.make_node("Div", ["pixels", "unit"], ["found"]),
    ]
    if classes:  # a column per class: persons in the second
        constants["all_scores"] = np.array([[[1 - score, score] for score in SCORES]], np.float32)
    last = [("found", names[0], TensorProto.FLOAT), ("all_scores", names[1], TensorProto.FLOAT)]
    if labels is not None:
        constants["all_labels"] = np.array([labels], np.int64)
        last.append(("all_labels", names[2], TensorProto.INT64))
    nodes += [
        helper.make_node("Identity", [inside], [outside])
        if batched
        else helper.make_node("Squeeze", [inside, "axis0"], [outside])
        for inside, outside, _ in last
    ]
    sizes = {"found": [1, 3, 4], "all_scores": [1, 3, 2] if classes else [1, 3], "all_labels": [1, 3]}
    outputs = [
        helper.make_tensor_value_info(outside, dtype, sizes[inside] if batched else sizes[inside][1:])
        for inside, outside, dtype in last
    ]
    shape = ["batch", 3, "height", "width"] if free else [1, 3, height, width]
    graph = helper.make_graph(
        nodes,
        "colors",
        [helper.make_tensor_value_info("image", kind, shape)],
        outputs,
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def picture(height, width, **places):
    """A gray frame with a box of pure color for each of `red`, `green`, `blue`: x1, y1, x2, y2 in pixels."""
    frame = np.full((height, width, 3), 90, np.uint8)
    for color, (x1, y1, x2, y2) in places.items():
        frame[y1:y2, x1:x2] = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}[color]
    return frame
