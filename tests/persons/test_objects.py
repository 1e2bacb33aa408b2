"""Boxes of objects, and the features that detectors have of them."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from torchvision.models import get_model

from lfb_lightning.clock import Clock
from lfb_lightning.datasets import BankSplit, ObjectSplit
from lfb_lightning.errors import InputError
from lfb_lightning.models import RegionModel
from lfb_lightning.persons import (
    CheckpointObjects,
    HuggingfaceObjects,
    HuggingfacePersons,
    ObjectBoxes,
    ObjectSource,
    TorchvisionObjects,
    TorchvisionPersons,
)
from lfb_lightning.structures import Keyframe

SMALL = "fasterrcnn_mobilenet_v3_large_320_fpn"
BOXES = ObjectBoxes(file="boxes.csv")
CLIPS = torch.rand(2, 3, 3, 48, 80, generator=torch.Generator().manual_seed(0))
ROIS = torch.tensor([[1.0, 10, 5, 50, 40], [0, 0, 0, 80, 48]])


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights of a Faster R-CNN with four classes of its own."""
    torch.manual_seed(0)
    model = get_model(SMALL, weights=None, weights_backbone=None, num_classes=4)
    path = tmp_path_factory.mktemp("weights") / "own.pth"
    torch.save(model.state_dict(), path)
    return path


def test_the_box_heads_features_are_those_that_torchvision_classifies(weights):
    source = TorchvisionObjects(boxes=BOXES, model=SMALL, weights=str(weights))
    assert isinstance(source, ObjectSource)
    assert isinstance(source, RegionModel)
    with torch.inference_mode():
        found = source.model(None).short_term_features(CLIPS, ROIS)
    model = get_model(SMALL, weights=None, weights_backbone=None, num_classes=4).eval()
    model.load_state_dict(torch.load(weights))
    seen = []
    model.roi_heads.box_head.register_forward_hook(lambda module, inputs, output: seen.append(output))
    for roi in ROIS:  # one at a time: the detector's own path, whose proposals are the box
        picture = CLIPS[int(roi[0]), :, 1]

        class OneProposal(torch.nn.Module):
            def __init__(self, box):
                super().__init__()
                self.box = box

            def forward(self, images, features, targets=None):
                height, width = images.image_sizes[0]
                return [self.box[None] * torch.tensor([width / 80, height / 48, width / 80, height / 48])], {}

        model.rpn = OneProposal(roi[1:])
        with torch.inference_mode():
            model([picture])
    torch.testing.assert_close(found, torch.cat(seen), rtol=1e-4, atol=1e-4)
    assert found.shape == (2, source.channels) == (2, 1024)
    assert source.short_term_features(CLIPS, torch.zeros(0, 5)).shape == (0, 1024)


def test_weights_that_are_no_two_stage_detectors_are_one_line(weights, tmp_path):
    torch.save({"roi_heads.box_predictor.cls_score.weight": torch.zeros(4, 1024)}, tmp_path / "part.pth")
    torch.save(torch.zeros(3), tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"part\.pth: are not those of fasterrcnn"):
        TorchvisionObjects(boxes=BOXES, model=SMALL, weights=str(tmp_path / "part.pth"))
    with pytest.raises(InputError, match=r"other\.pth: no tensor roi_heads"):
        TorchvisionObjects(boxes=BOXES, model=SMALL, weights=str(tmp_path / "other.pth"))
    torch.save(
        {"roi_heads.box_predictor.cls_score.weight": torch.zeros(4, 1024), 1: torch.zeros(2)}, tmp_path / "numbered.pth"
    )
    with pytest.raises(InputError, match=r"numbered\.pth: are not those of fasterrcnn"):
        TorchvisionObjects(boxes=BOXES, model=SMALL, weights=str(tmp_path / "numbered.pth"))
    with pytest.raises(InputError, match=r"objects\.weights .*none\.pth: no such file"):
        TorchvisionObjects(boxes=BOXES, model=SMALL, weights=str(tmp_path / "none.pth"))


@pytest.fixture(scope="module")
def yolos(tmp_path_factory):
    """A tiny object detector of random weights with its image processor, as `save_pretrained` writes them."""
    import transformers  # takes seconds

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    names = {0: "cat", 1: "person"}
    config = transformers.YolosConfig(
        **sizes, image_size=[32, 32], num_detection_tokens=6, id2label=names, label2id={"cat": 0, "person": 1}
    )
    folder = tmp_path_factory.mktemp("yolos")
    model = transformers.YolosForObjectDetection(config)
    for value in model.parameters():
        value.data.normal_(0, 0.3)  # the queries of a new one are all alike
    model.save_pretrained(folder)
    transformers.YolosImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_a_box_that_the_detector_found_has_the_feature_of_the_query_that_found_it(yolos):
    import transformers

    frame = np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8)
    everything = HuggingfacePersons(model=str(yolos), label=None, device="cpu", threshold=0.0)
    (found,) = everything.find([frame], [0.0], "v")
    persons = HuggingfacePersons(model=str(yolos), device="cpu", threshold=0.0)
    assert len(found) > len(persons.find([frame], [0.0], "v")[0])
    assert everything.describe() == persons.describe() | {"label": None}
    source = HuggingfaceObjects(boxes=BOXES, model=str(yolos))
    assert isinstance(source, ObjectSource)
    clips = torch.from_numpy(frame).permute(2, 0, 1)[None, :, None] / 255
    boxes = torch.from_numpy(found.boxes * [80, 48, 80, 48]).float()
    rois = torch.cat([torch.zeros(len(boxes), 1), boxes], dim=1)
    with torch.inference_mode():
        features = source.model(None).short_term_features(clips, rois)
        processor = transformers.YolosImageProcessor.from_pretrained(yolos)
        model = transformers.YolosForObjectDetection.from_pretrained(yolos).eval()
        output = model(**processor(images=frame, return_tensors="pt"))
    by_box = {}
    for (x, y, w, h), query in zip(output.pred_boxes[0].tolist(), output.last_hidden_state[0, -6:], strict=True):
        by_box[tuple(np.clip([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 0, 1).round(4))] = query
    for box, feature in zip(found.boxes, features, strict=True):
        torch.testing.assert_close(feature, by_box[tuple(box.round(4))], rtol=1e-4, atol=1e-4)
    assert features.shape[1] == source.channels == 32
    assert source.short_term_features(clips, torch.zeros(0, 5)).shape == (0, 32)


def test_labels_of_coco():
    with pytest.raises(
        InputError, match=r"persons\.label is 'unicorn', expected a label of COCO such as person, bicycle"
    ):
        TorchvisionPersons(label="unicorn", device="cpu")
    with pytest.raises(InputError, match=r"persons\.label is '__background__'"):
        TorchvisionPersons(label="__background__", device="cpu")


class Videos:
    """What an object bank asks a split for: the videos of its own bank."""

    name, clock, bank_threshold = "val", Clock(Fraction(30)), 0.0

    def bank_regions(self, keyframe, choice):
        raise AssertionError("objects are asked for")

    def bank_keyframes(self, choice):
        return [Keyframe("v", 30), Keyframe("w", 60)]

    def video(self, video_id):
        return f"video {video_id}"

    def describe(self):
        return {"source": "video"}


@pytest.fixture
def rows(tmp_path):
    listed = ["v,0000.5,0.1,0.1,0.3,0.5,,0.6", "v,0000.5,0.3,0.1,0.4,0.5,,0.9", "v,0000.5,0.5,0.1,0.6,0.5,,0.8"]
    listed += ["v,0001.0,0.5,0.1,0.6,0.5,,0.4", "w,0002.0,0.5,0.1,0.6,0.5,,0.5", "x,0002.0,0,0,1,1,,0.9"]
    (tmp_path / "val_boxes.csv").write_text("\n".join(listed) + "\n")
    return str(tmp_path / "{split}_boxes.csv")


def test_a_split_of_objects_has_the_best_boxes_of_each_moment_in_its_own_videos(rows):
    split = ObjectSplit(Videos(), ObjectBoxes(file=rows, rate=2, per_moment=2))
    assert isinstance(split, BankSplit)
    assert split.bank_keyframes("proposals") == [Keyframe("v", 1), Keyframe("w", 4)]
    assert (split.clock.ticks_per_second, split.bank_entries, split.bank_threshold) == (2, "objects", 0.5)
    assert split.clock.seconds_in_video(1) == 0.5
    found = split.bank_regions(Keyframe("v", 1), "proposals")
    assert found.scores.tolist() == [0.9, 0.8]
    assert found.boxes.tolist() == [[0.3, 0.1, 0.4, 0.5], [0.5, 0.1, 0.6, 0.5]]
    low = ObjectSplit(Videos(), ObjectBoxes(file=rows, rate=2, threshold=0.4))
    assert len(low.bank_keyframes("proposals")) == 3
    with pytest.raises(InputError, match=r"no object of a score of 0\.95 or more in the 2 videos of split val"):
        ObjectSplit(Videos(), ObjectBoxes(file=rows, rate=2, threshold=0.95)).bank_keyframes("proposals")


def test_settings_that_say_no_boxes_are_one_line(rows):
    with pytest.raises(InputError, match=r"objects\.boxes\.file is not set: .*lfb-detect persons\.label=null"):
        ObjectBoxes(file=None)
    with pytest.raises(InputError, match=r"objects\.boxes\.per_moment is 0"):
        ObjectBoxes(file=rows, per_moment=0)
    with pytest.raises(InputError, match=r"objects\.boxes\.rate is 'often'"):
        ObjectBoxes(file=rows, rate="often")
    with pytest.raises(InputError, match="objects=checkpoint needs ckpt_path"):
        CheckpointObjects(boxes=ObjectBoxes(file=rows)).model(None)
