"""A prediction on an exported detector is that of the checkpoint."""

import numpy as np
import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.exporting import open_detector
from lfb_lightning.exporting.exporting import export_detector
from lfb_lightning.models import InferenceDetector, load_detector
from lfb_lightning.models.loading import load_with_config
from lfb_lightning.prediction import LFBPredictor
from tests.prediction.conftest import Walkers, video  # noqa: F401  # a fixture

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("fbo", ["nl", "none"])
def test_detections_are_those_of_the_checkpoint(fbo, checkpoints, onnx_folders, video):  # noqa: F811
    expected = LFBPredictor.from_checkpoint(checkpoints[fbo], persons=Walkers(), attention=5)(video)
    made = LFBPredictor.from_checkpoint(onnx_folders[fbo], persons=Walkers(), attention=5)(video)
    np.testing.assert_array_equal(made.boxes, expected.boxes)
    np.testing.assert_array_equal(made.ticks, expected.ticks)
    np.testing.assert_allclose(made.scores, expected.scores, atol=1e-4)
    assert expected.scores.std() > 0.05
    assert made.actions == expected.actions == {1: "stand", 2: "sit <b>", 4: "answer phone"}
    assert made.window == expected.window
    if fbo == "nl":
        np.testing.assert_allclose(made.attention.weights, expected.attention.weights, atol=1e-5)
        np.testing.assert_allclose(made.attention.empty, expected.attention.empty, atol=1e-5)


def test_an_exported_bank_maker_and_a_checkpoint_know_each_other(checkpoints, onnx_folders, video):  # noqa: F811
    both = LFBPredictor.from_checkpoint(
        checkpoints["nl"], bank_checkpoint=onnx_folders["nl"], compare=onnx_folders["none"], persons=Walkers()
    )
    made = both(video)
    alone = LFBPredictor.from_checkpoint(checkpoints["nl"], compare=checkpoints["none"], persons=Walkers())(video)
    np.testing.assert_allclose(made.scores, alone.scores, atol=1e-4)
    np.testing.assert_allclose(made.without, alone.without, atol=1e-4)


def test_what_prediction_asks_of_a_detector_both_have(checkpoints, onnx_folders):
    exported, _ = open_detector(onnx_folders["nl"])
    loaded = load_detector(checkpoints["nl"])
    assert isinstance(exported, InferenceDetector)
    assert isinstance(loaded, InferenceDetector)
    for name in ("channels", "bank_channels", "num_classes", "reads_bank", "attends", "reads_identity", "fbo_name"):
        assert getattr(exported, name) == getattr(loaded, name)
    assert exported.backbone_digest() == loaded.backbone_digest()
    assert exported.describe_backbone() == loaded.describe_backbone()
    assert exported.describe_features() != loaded.describe_features()  # a journal of one is not taken for the other's


def test_programs_of_torch_are_not_run(checkpoints, tmp_path):
    detector, config = load_with_config(checkpoints["none"])
    export_detector(detector, config, tmp_path / "a", format="safetensors")
    text = (tmp_path / "a" / "config.json").read_text().replace('"format": "safetensors"', '"format": "torch_export"')
    (tmp_path / "a" / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"is of the format torch_export, which is for programs of your own"):
        LFBPredictor.from_checkpoint(tmp_path / "a")
