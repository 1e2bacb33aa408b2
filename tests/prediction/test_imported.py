"""Checkpoints of mmaction2, which are predicted with as they are."""

import numpy as np
import pytest
import torch

from lfb_lightning.models import load_detector
from lfb_lightning.prediction import LFBPredictor
from tests.models import golden
from tests.models.imports.test_mmaction2 import tiny_weights


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("mmaction2") / "lfb_nl.pth"
    torch.save({"meta": {}, "state_dict": tiny_weights("nl")}, path)
    return path


def test_clips_are_made_as_mmaction2_makes_them(checkpoint, video, walkers):
    predictor = LFBPredictor.from_checkpoint(checkpoint, persons=walkers)
    clips = predictor.trained.recipe.clips
    assert (clips.num_frames, clips.frame_stride, clips.frame_shift, clips.resize) == (4, 16, 1.0, "opencv")
    np.testing.assert_allclose(np.array(clips.mean) * 255, [123.675, 116.28, 103.53])  # of its configurations
    np.testing.assert_allclose(np.array(clips.std) * 255, [58.395, 57.12, 57.375])
    made = predictor(video)
    assert made.window == (30.0, 29.0)
    assert made.seconds == list(range(20))
    assert "does not say which backbone made the bank" in predictor.notes[0]
    assert made.scores.shape[1] == load_detector(checkpoint).num_classes
    assert np.isfinite(made.scores).all()


def test_81_columns_are_avas_actions(checkpoint, tmp_path, video, walkers):
    weights = dict(tiny_weights("baseline"))
    name = "roi_head.bbox_head.fc_cls"
    width = weights[f"{name}.weight"].shape[1]
    weights |= {f"{name}.weight": torch.zeros(81, width), f"{name}.bias": torch.zeros(81)}
    torch.save({"meta": {}, "state_dict": weights}, tmp_path / "ava.pth")
    made = LFBPredictor.from_checkpoint(tmp_path / "ava.pth", persons=walkers)(video)
    assert (made.actions[1], made.actions[80], len(made.actions)) == ("bend/bow (at the waist)", "watch (a person)", 80)
    assert golden.load("tiny_c4_io")["mid.roi_feats"].shape[1] == width


@pytest.mark.gpu
def test_a_gpu_says_the_same(checkpoint, video, walkers):
    cpu, gpu = (
        LFBPredictor.from_checkpoint(checkpoint, persons=walkers, device=name)(video) for name in ("cpu", "cuda")
    )
    np.testing.assert_allclose(gpu.scores, cpu.scores, atol=1e-3)
    np.testing.assert_array_equal(gpu.tracks, cpu.tracks)
