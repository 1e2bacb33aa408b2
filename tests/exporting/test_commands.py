"""`lfb-export` as a user runs it, and what other commands and other programs do with what it writes."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from lfb_lightning.bank import BankConfig, FeatureBank
from lfb_lightning.cli.building import take_clips
from lfb_lightning.cli.sections import adopt
from lfb_lightning.errors import InputError
from lfb_lightning.models import load_detector
from lfb_lightning.structures import BankWindow
from tests.cli.in_process import run
from tests.cli.test_config import compose
from tests.conftest import ROOT
from tests.exporting.test_onnx import SHAPES, inputs
from tests.prediction.conftest import video  # noqa: F401  # a fixture

pytestmark = pytest.mark.slow


def test_the_command_says_what_it_wrote_and_how_far_it_differs(onnx_folders):
    lines = onnx_folders["nl"].with_suffix(".txt").read_text().splitlines()
    found = [re.fullmatch(r".*/(\w+)\.onnx: differs from the detector by at most (\S+)", line) for line in lines[:3]]
    assert [one[1] for one in found] == ["features", "scores", "detector"]
    assert all(0 < float(one[2]) < 1e-5 for one in found)
    assert lines[3:] == [
        f"wrote {onnx_folders['nl']}: README.md, config.json, detector.onnx, features.onnx, scores.onnx"
    ]


def test_a_program_of_torch_gives_the_same_values(checkpoints, onnx_folders):
    detector = load_detector(checkpoints["nl"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.load(str(onnx_folders["nl"].with_suffix(".pt2") / "detector.pt2")).module()
    for name in ("another size and slots", "an empty window", "nobody", "other frames"):
        clips, rois, window, mask = map(torch.from_numpy, inputs(*SHAPES[name]))
        with torch.no_grad():
            logits, features = program(clips, rois, window, mask)
            expected = detector(clips, rois, BankWindow(window, mask))
            short_term = detector.short_term_features(clips, rois)
        torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(features, short_term, atol=1e-5, rtol=1e-5)


def test_predict_runs_on_the_exported_folder(checkpoints, onnx_folders, video, tmp_path):  # noqa: F811
    found = {}
    for name, path in (("torch", checkpoints["nl"]), ("onnx", onnx_folders["nl"])):
        done = run(
            "predict",
            f"video={video}",
            f"ckpt_path={path}",
            "persons=none",
            "overlay=false",
            "page=false",
            "least_score=0",
            f"out={tmp_path / name}",
            f"bank.dir={tmp_path / 'banks' / name}",
            folder=tmp_path,
        )
        assert done.status == 0, done.stderr
        found[name] = pd.read_csv(tmp_path / name / "detections.csv", header=None)
    banks = {name: FeatureBank.open(tmp_path / "banks" / name / "videos") for name in found}
    one, other = (bank.read_video(video.stem) for bank in banks.values())
    np.testing.assert_allclose(one.features.float(), other.features.float(), atol=1e-4)
    digests = [bank.manifest.provenance for bank in banks.values()]
    assert digests[0].backbone_digest == digests[1].backbone_digest
    assert digests[0].checkpoint_digest != digests[1].checkpoint_digest
    assert len(found["onnx"]) > 50
    np.testing.assert_array_equal(found["onnx"][[0, 1, 2, 3, 4, 5, 6]], found["torch"][[0, 1, 2, 3, 4, 5, 6]])
    np.testing.assert_allclose(found["onnx"][7], found["torch"][7], atol=1e-4)


def test_a_test_of_the_folder_is_that_of_the_checkpoint(here, pipeline, tmp_path):
    folder = tmp_path / "exported"
    here("export", f"ckpt_path={pipeline.checkpoint}", f"out={folder}")
    here("test", f"ckpt_path={pipeline.checkpoint}", f"hydra.run.dir={tmp_path / 'a'}")
    here("test", f"ckpt_path={folder}", *pipeline.overrides, f"hydra.run.dir={tmp_path / 'b'}")
    assert (tmp_path / "a" / "results.csv").read_bytes() == (tmp_path / "b" / "results.csv").read_bytes()


def test_clips_and_windows_are_the_folders_unless_typed():
    stored = {
        "made_by": "lfb-lightning",
        "clips": {"num_frames": 7, "mean": [0.1, 0.2, 0.3], "resize": "opencv", "fps": 12.0},
        "bank": {"window_seconds": 16, "precision": "int8"},
    }
    cfg = compose("test", "data=ava_custom", "bank.dir=mine", plain=False)
    fps = cfg.data.fps
    take_clips(cfg, stored, ["data=ava_custom", "data.resize=torchvision"], source="checkpoint x")
    assert (cfg.data.num_frames, list(cfg.data.mean), cfg.data.resize) == (7, [0.1, 0.2, 0.3], "torchvision")
    assert cfg.data.fps == fps  # the data's own
    sections = adopt(cfg, stored, ["bank.dir=mine"], ("bank",), source="checkpoint x")
    bank = sections.make("bank", BankConfig)
    assert (bank.dir, bank.window_seconds, bank.precision) == ("mine", 16, "int8")


@pytest.mark.parametrize(
    "clips",
    [{"num_frames": "4"}, {"resize": "${oc.env:HOME}"}, {"mean": ["a", "b", "c"]}, {"_target_": "os.system"}, [1]],
)
def test_clips_of_a_folder_are_data(clips):
    cfg = compose("test", "data=ava_custom", plain=False)
    with pytest.raises(InputError, match=r"checkpoint x: clips"):
        take_clips(cfg, {"clips": clips}, [], source="checkpoint x")


def test_what_cannot_be_exported_is_told_in_a_line(here, checkpoints, tmp_path):
    for arguments, message in [
        ([], "ckpt_path is not set: lfb-export ckpt_path="),
        ([f"ckpt_path={checkpoints['nl']}"], "out is not set"),
        ([f"ckpt_path={tmp_path / 'x.ckpt'}", f"out={tmp_path / 'a'}"], "no such file"),
        ([f"ckpt_path={checkpoints['nl']}", f"out={checkpoints['nl']}"], "is a file, expected a folder"),
        ([f"ckpt_path={checkpoints['nl']}", f"out={tmp_path / 'a'}", "format=tflite"], "format is"),
    ]:
        done = here("export", *arguments, fails=True)
        assert message in done.message
        assert done.message.count("\n") == 0
    assert not (tmp_path / "a").exists()


def test_the_programs_in_the_documentation_run(onnx_folders, checkpoints, here, tmp_path, monkeypatch):
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "nl_onnx").symlink_to(onnx_folders["nl"])
    here("export", f"ckpt_path={checkpoints['nl']}", f"out={tmp_path / 'exported' / 'nl'}")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "export.md").read_text(), re.DOTALL)
    assert len([block for block in blocks if "push_to_hub" in block]) == 1  # test_hub.py uploads to a hub of its own
    blocks = [block for block in blocks if "push_to_hub" not in block]
    assert len(blocks) == 2
    for block in blocks:
        names = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            exec(compile(block, "docs/export.md", "exec"), names)
    assert (tmp_path / "exported" / "again" / "model.safetensors").is_file()
    detector = load_detector(checkpoints["nl"])
    with torch.no_grad():
        expected = detector(
            *(torch.from_numpy(names[name]) for name in ("clips", "rois")),
            BankWindow(torch.from_numpy(names["window"]), torch.from_numpy(names["mask"])),
        )
    np.testing.assert_allclose(names["probabilities"], expected.sigmoid().numpy(), atol=1e-5)
