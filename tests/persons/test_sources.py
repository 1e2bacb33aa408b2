"""The sources of persons beside the ONNX one."""

import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import detection, get_model

from lfb_lightning.errors import InputError
from lfb_lightning.persons import (
    BoxesBySecond,
    GivenBoxes,
    HuggingfacePersons,
    PersonSource,
    TorchvisionPersons,
    WholeFrame,
)
from lfb_lightning.persons.keeping import Keeping

FRAMES = [np.random.default_rng(number).integers(0, 256, (48, 80, 3), np.uint8) for number in range(2)]


def test_what_is_kept():
    keeping = Keeping(0.5, 3, 0.1)
    boxes = np.array(
        [
            [10, 10, 20, 30],
            [-5, -5, 15, 400],  # reaches outside
            [50, 50, 50, 90],  # no area
            [np.nan, 0, 10, 90],
            [10, 10, 20, 15],  # too low
            [0, 0, 90, 90],  # too unlikely
            [30, 10, 40, 30],
            [40, 10, 50, 30],  # one too many
        ],
        np.float32,
    )
    scores = np.array([0.6, 0.9, 0.99, 0.99, 0.99, 0.4, 0.6, 0.5], np.float32)
    kept = keeping.keep(boxes, scores, width=200, height=100)
    np.testing.assert_allclose(kept.boxes, [[0, 0, 0.075, 1], [0.05, 0.1, 0.1, 0.3], [0.15, 0.1, 0.2, 0.3]])
    np.testing.assert_allclose(kept.scores, [0.9, 0.6, 0.6], atol=1e-6)
    assert kept.boxes.dtype == kept.scores.dtype == np.float64
    nobody = keeping.keep(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    assert nobody.boxes.shape == (0, 4)


def test_the_whole_frame():
    source = WholeFrame()
    assert isinstance(source, PersonSource)
    first, second = source.find(FRAMES, [0.0, 1.0], "v")
    assert first.boxes.tolist() == second.boxes.tolist() == [[0, 0, 1, 1]]
    assert first.scores.tolist() == [1]


@pytest.fixture
def boxes_file(tmp_path):
    rows = ["v,0902,0.1,0.1,0.2,0.5,,0.9", "v,0902,0.3,0.1,0.4,0.5,,0.95", "v,0902,0.5,0.1,0.6,0.5,,0.2"]
    (tmp_path / "boxes.csv").write_text("\n".join([*rows, "v,0904,0.7,0.1,0.8,0.5,,0.6", "w,0902,0,0,1,1,,0.9"]) + "\n")
    return str(tmp_path / "boxes.csv")


def test_given_boxes_are_those_of_the_nearest_tick_by_the_files_clock(boxes_file):
    source = GivenBoxes(proposals=boxes_file, origin_second=900.0)
    seconds = [1.49, 1.5, 2.49, 2.5, 3.5, 4.4]
    found = source.find([FRAMES[0]] * 6, seconds, "v")
    assert [len(persons) for persons in found] == [0, 2, 2, 0, 1, 1]
    assert found[1].scores.tolist() == [0.95, 0.9]
    assert found[1].boxes.tolist() == [[0.3, 0.1, 0.4, 0.5], [0.1, 0.1, 0.2, 0.5]]
    assert len(GivenBoxes(proposals=boxes_file).find([FRAMES[0]], [902.0], "v")[0]) == 2
    low = GivenBoxes(proposals=boxes_file, threshold=0.1, max_persons=2)
    assert low.find([FRAMES[0]], [902.0], "v")[0].scores.tolist() == [0.95, 0.9]


def test_given_boxes_are_found_by_the_videos_name(boxes_file):
    source = GivenBoxes(proposals=boxes_file)
    assert [len(source.find([FRAMES[0]], [902.0], name)[0]) for name in ("w", "sport/w", "w.mp4")] == [1, 1, 1]
    assert len(source.find([FRAMES[0]], [902.0], "sport/w.MKV")[0]) == 1
    for other in ("w.1", "w.1.mp4"):
        with pytest.raises(InputError, match=f"no boxes for video {other}; there"):
            source.find([FRAMES[0]], [902.0], other)
    with pytest.raises(InputError, match=r"no boxes for video x; there are some for v, w\. Name the video"):
        source.find([FRAMES[0]], [902.0], "x")
    with pytest.raises(InputError, match=r"persons\.proposals is not set"):
        GivenBoxes(proposals=None)
    with pytest.raises(InputError, match=r"persons\.ticks_per_second is 'never'"):
        GivenBoxes(proposals=boxes_file, ticks_per_second="never")


def test_given_boxes_say_what_they_are(boxes_file, tmp_path):
    first = GivenBoxes(proposals=boxes_file).describe()
    (tmp_path / "other.csv").write_text(Path(boxes_file).read_text().replace("0.95", "0.94"))
    other = GivenBoxes(proposals=str(tmp_path / "other.csv")).describe()
    assert first["digest"] != other["digest"]
    assert first == GivenBoxes(proposals=boxes_file).describe()


def test_boxes_by_second():
    source = BoxesBySecond({2: [[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]], 0.5: np.array([[0, 0, 0.5, 1]]), 3: []})
    assert isinstance(source, PersonSource)
    found = source.find([FRAMES[0]] * 4, [0.5, 1.0, 2.04, 3.0], "v")
    rows = [persons.boxes.tolist() for persons in found]
    assert rows == [[[0, 0, 0.5, 1]], [], [[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]], []]
    assert [len(persons) for persons in BoxesBySecond({}).find([FRAMES[0]], [0.0], "v")] == [0]


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ({1: [[0.1, 0.1, 0.2, 0.2, 0.9]] * 4}, r"boxes of second 1: shape \[4, 5\], expected \[P, 4\]"),
        ({1: [0.1, 0.1, 0.2, 0.2]}, r"boxes of second 1: shape \[4\], expected \[P, 4\]"),
        ({1: None}, r"boxes of second 1: shape \[\], expected"),
        ({1: [[0.1, 0.1, 0.2, 0.2], [0.1, 0.2]]}, r"boxes of second 1: expected rows of four numbers"),
        ({1: [["a", "b", "c", "d"]]}, r"boxes of second 1: expected rows of four numbers"),
        ({1: [[0.1, 0.1, float("nan"), 0.2]]}, r"boxes of second 1: \[0.1, 0.1, nan, 0.2\], expected x1, y1"),
        ([[0.1, 0.1, 0.2, 0.2]], "boxes are a list, expected a mapping"),
        ({float("nan"): []}, "boxes of second nan, expected a number of seconds"),
        ({1: [], float("inf"): []}, "boxes of second inf, expected a number of seconds"),
        ({"first": []}, "boxes of second first, expected a number of seconds"),
        ({1: [], None: []}, "boxes of second None, expected a number of seconds"),
    ],
)
def test_boxes_by_second_that_are_none_are_one_line(boxes, message):
    with pytest.raises(InputError, match=message):
        BoxesBySecond(boxes)


SMALL = "ssdlite320_mobilenet_v3_large"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights of which the class 'person' is likely, as a file of torch.save."""
    torch.manual_seed(0)
    model = get_model(SMALL, weights=None, weights_backbone=None, num_classes=91)
    for name, value in model.named_parameters():
        if "classification_head" in name and name.endswith("bias") and len(value) % 91 == 0:
            value.data.view(-1, 91)[:, 1] += 6
    path = tmp_path_factory.mktemp("weights") / "ssd.pth"
    torch.save(model.state_dict(), path)
    return path


def test_torchvision_equals_its_own_detector_run_by_hand(weights):
    source = TorchvisionPersons(model=SMALL, weights=str(weights), device="cpu", threshold=0.3, max_persons=5)
    found = source.find(FRAMES, [0.0, 1.0], "v")
    model = detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=91).eval()
    model.load_state_dict(torch.load(weights))
    for frame, persons in zip(FRAMES, found, strict=True):
        with torch.inference_mode():
            (wanted,) = model([torch.from_numpy(frame).permute(2, 0, 1) / 255])
        boxes = wanted["boxes"][wanted["labels"] == 1][:5].numpy() / [80, 48, 80, 48]
        assert len(persons) == 5
        np.testing.assert_allclose(persons.boxes, boxes.clip(0, 1), atol=1e-4)
        np.testing.assert_allclose(persons.scores, wanted["scores"][wanted["labels"] == 1][:5].numpy(), atol=1e-4)
    assert source.find([], [], "v") == []
    assert source.describe()["model"] == SMALL


@pytest.mark.parametrize(
    "name", ["fasterrcnn_mobilenet_v3_large_320_fpn", "fasterrcnn_resnet50_fpn_v2", "fcos_resnet50_fpn"]
)
def test_batch_norms_without_weights_are_what_torchvision_freezes_with_them(name, monkeypatch, tmp_path):
    """torchvision's builders choose other norms when they load weights: features must be equal for a file's weights."""
    import torchvision.models._api as api

    torch.manual_seed(0)
    plain = get_model(name, weights=None, weights_backbone=None, num_classes=91)
    for key, value in plain.state_dict().items():
        if key.endswith("running_var"):
            value.uniform_(0.5, 2)
    torch.save(plain.state_dict(), tmp_path / "w.pth")
    state = {key: value for key, value in plain.state_dict().items() if not key.endswith("num_batches_tracked")}
    monkeypatch.setattr(api.WeightsEnum, "get_state_dict", lambda *rest, **options: state)
    theirs = get_model(name, weights="DEFAULT").eval()
    source = TorchvisionPersons(model=name, weights=str(tmp_path / "w.pth"), device="cpu")
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ours, wanted = source._detector.backbone(image), theirs.backbone(image)
    assert ours.keys() == wanted.keys()
    for key in wanted:
        torch.testing.assert_close(ours[key], wanted[key], rtol=1e-4, atol=1e-5)


def test_without_a_network_one_line_says_what_to_fetch_and_where_it_goes(monkeypatch, tmp_path):
    def offline(*rest, **options):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError) as refused:
        TorchvisionPersons(device="cpu")
    line = str(refused.value)
    assert "cannot fetch fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth" in line
    assert "https://download.pytorch.org/models/fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth" in line
    assert f"put it into {tmp_path}/checkpoints" in line


def test_weights_in_the_cache_are_taken_without_a_network(monkeypatch, tmp_path, weights):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    name = detection.SSDLite320_MobileNet_V3_Large_Weights.DEFAULT.url.rpartition("/")[2]
    (tmp_path / "checkpoints" / name).write_bytes(weights.read_bytes())
    digests = [
        TorchvisionPersons(model=SMALL, weights=one, device="cpu").describe()["digest"] for one in (None, str(weights))
    ]
    assert digests[0] == digests[1]


def test_wrong_weights_and_devices_are_one_line(weights, tmp_path):
    with pytest.raises(InputError, match=r"ssd\.pth: are not those of fasterrcnn_mobilenet_v3_large_320_fpn \("):
        TorchvisionPersons(weights=str(weights), device="cpu")
    with pytest.raises(InputError, match=r"none\.pth: no such file"):
        TorchvisionPersons(weights=str(tmp_path / "none.pth"))
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(InputError, match=r"persons\.weights .*text\.pth: "):
        TorchvisionPersons(model=SMALL, weights=str(tmp_path / "text.pth"), device="cpu")
    with pytest.raises(InputError, match=r"persons\.device is abacus, which is not there"):
        TorchvisionPersons(model=SMALL, weights=str(weights), device="abacus")
    with pytest.raises(InputError, match=r"persons\.device is meta, which is not there \(.+\); take cpu"):
        TorchvisionPersons(model=SMALL, weights=str(weights), device="meta")


@pytest.fixture(scope="module")
def yolos(tmp_path_factory):
    """A tiny object detector of random weights with its image processor, as `save_pretrained` writes them."""
    import transformers  # takes seconds

    torch.manual_seed(0)
    config = transformers.YolosConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=[32, 32],
        num_detection_tokens=6,
        id2label={0: "cat", 1: "person"},
        label2id={"cat": 0, "person": 1},
    )
    folder = tmp_path_factory.mktemp("yolos")
    transformers.YolosForObjectDetection(config).save_pretrained(folder)
    transformers.YolosImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_huggingface_equals_the_model_run_by_hand(yolos):
    import transformers

    source = HuggingfacePersons(model=str(yolos), device="cpu", threshold=0.0)
    found = source.find(FRAMES, [0.0, 1.0], "v")
    processor = transformers.YolosImageProcessor.from_pretrained(yolos)
    model = transformers.YolosForObjectDetection.from_pretrained(yolos).eval()
    number = 0
    for frame, persons in zip(FRAMES, found, strict=True):
        with torch.inference_mode():
            output = model(**processor(images=frame, return_tensors="pt"))
        scores, labels = output.logits[0].softmax(-1)[:, :-1].max(-1)
        x, y, w, h = output.pred_boxes[0].double().unbind(-1)
        corners = torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], dim=-1).clamp(0, 1)[labels == 1]
        order = scores[labels == 1].argsort(descending=True)
        np.testing.assert_allclose(persons.boxes, corners[order].numpy(), atol=1e-5)
        np.testing.assert_allclose(persons.scores, scores[labels == 1][order].numpy(), atol=1e-5)
        number += len(persons)
    assert number > 0
    assert source.find([], [], "v") == []


def test_huggingface_models_that_cannot_be_had_are_one_line(yolos, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # no minutes of waiting for a network
    with pytest.raises(InputError, match=r"has no label 'dog'; some that it has: cat, person; set persons\.label"):
        HuggingfacePersons(model=str(yolos), label="dog", device="cpu")
    with pytest.raises(InputError, match=r"cannot be loaded \(.*hf download .* persons\.model=FOLDER"):
        HuggingfacePersons(model=str(tmp_path), device="cpu")
    with pytest.raises(InputError, match=r"persons\.model nobody/nothing: cannot be loaded"):
        HuggingfacePersons(model="nobody/nothing", device="cpu")
    with pytest.raises(InputError, match=r"persons\.model is not set"):
        HuggingfacePersons(model=None)
