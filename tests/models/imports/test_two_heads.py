"""epic-kitchens-slowfast's checkpoints: SlowFast with a classifier of verbs and one of nouns."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn.functional import linear

from lfb_lightning.clips import ClipSettings
from lfb_lightning.errors import InputError
from lfb_lightning.models import FBONone, GlobalMean, SlowFast, assemble_detector, load_detector
from lfb_lightning.models.imports import import_weights
from lfb_lightning.video import VideoFile
from tests.epic_set import write_epic100
from tests.models.backbones import golden
from tests.models.backbones.test_slowfast import PYSLOWFAST
from tests.models.imports.test_modern_layouts import SMALL, pyslowfast_name

FORM = {**SMALL, **PYSLOWFAST, "spatial_strides": (1, 2, 2, 2), "spatial_dilations": (1, 1, 1, 1)}


def made():
    """A small one with filled weights, ours and as their file names them."""
    ours = assemble_detector(
        backbone=SlowFast(**FORM), roi_features=GlobalMean(), fbo=partial(FBONone), num_classes=397
    )
    filled = {name: golden.fill(name, tuple(value.shape)) for name, value in ours.state_dict().items()}
    ours.load_state_dict(filled)
    theirs = {}
    for name, value in filled.items():
        if name.startswith("head."):
            leaf = name.removeprefix("head.")
            theirs[f"head.projection_verb.{leaf}"], theirs[f"head.projection_noun.{leaf}"] = value.split([97, 300])
        else:
            theirs[pyslowfast_name(name)] = value
    return ours.eval(), theirs


def test_each_weight_comes_home_and_scores_are_those_of_two_linear_layers(tmp_path):
    ours, theirs = made()
    torch.save({"model_state": theirs, "epoch": 3, "cfg": "MODEL: {}"}, tmp_path / "checkpoint_best.pyth")
    result = import_weights(tmp_path / "checkpoint_best.pyth")
    assert (result.report.layout, result.report.unexplained, result.has_head) == ("epic-kitchens-slowfast", [], True)
    assert result.report.model == (
        "EPIC-Kitchens 100, verbs and nouns: whole clips, 397 classes, R14, baseline; experiment=epic100_slowfast_r14"
    )
    for name, value in ours.state_dict().items():
        assert torch.equal(result.weights[name], value), name
    backbone = result.spec["backbone"]
    assert (backbone["alpha"], backbone["spatial_strides"], backbone.get("spatial_dilations")) == (
        4,
        [1, 2, 2, 2],
        None,
    )
    assert "CC-BY-NC-SA" in result.license
    clips = ClipSettings(**result.clips)
    assert (clips.fps, clips.num_frames, clips.frame_stride, clips.frame_spacing) == (60.0, 32, 2, "even")
    assert result.loss["widths"] == {"verb": 97, "noun": 300}

    result.save(tmp_path / "ours.ckpt", source="x")
    read = load_detector(tmp_path / "ours.ckpt")
    pixels = torch.randn(2, 3, 8, 64, 64, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[0, 0.0, 0, 64, 64], [1, 0.0, 0, 64, 64]])
    with torch.inference_mode():
        logits = read(pixels, rois, None)
        pooled = ours.backbone(pixels).mean(dim=(2, 3, 4))  # their average pools reach over whole maps
    for head, columns in (("verb", slice(0, 97)), ("noun", slice(97, 397))):
        expected = linear(pooled, theirs[f"head.projection_{head}.weight"], theirs[f"head.projection_{head}.bias"])
        torch.testing.assert_close(logits[:, columns], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.thorough
def test_it_is_tested_on_its_data_by_its_preset(tmp_path, here):
    write_epic100(tmp_path / "data")
    ours, theirs = made()
    torch.save({"model_state": theirs}, tmp_path / "their.pyth")
    told = here("import_weights", f"src={tmp_path / 'their.pyth'}", f"out={tmp_path / 'ours.ckpt'}").stdout
    assert "EPIC-Kitchens 100, verbs and nouns: whole clips, 397 classes" in told
    given = [f"ckpt_path={tmp_path / 'ours.ckpt'}", "experiment=epic100_slowfast_r50", "trainer.accelerator=cpu"]
    given += [f"paths.data_dir={tmp_path / 'data'}", "data.eval_short_side=null", "data.num_workers=0"]
    here("test", *given, f"hydra.run.dir={tmp_path / 'test'}")
    with np.load(tmp_path / "test" / "results.npz") as found:
        assert (found["verb_output"].shape, found["noun_output"].shape) == ((5, 97), (5, 300))
        scores = np.exp(found["verb_output"])
    video = VideoFile(tmp_path / "data" / "videos" / "P31_101.MP4")
    clips = []
    for place in range(10):  # .3 to 1.7 s are 70 frames of 50, 53 1/3 of which are shown
        begin = (70 - 64 * 50 / 60) * place / 10
        frames = torch.linspace(begin + 1, begin + 64 * 50 / 60, 32).clamp(0, 69).long().numpy()
        clips.append(video.clip((15 + frames - 1) / 50)[:, :, 6:42])
    pixels = (torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3) / 255 - 0.45) / 0.225
    with torch.inference_mode():
        pooled = ours.backbone(pixels).mean(dim=(2, 3, 4))
    logits = linear(pooled, theirs["head.projection_verb.weight"], theirs["head.projection_verb.bias"])
    np.testing.assert_allclose(scores[4], logits.softmax(dim=1).mean(dim=0).numpy(), rtol=1e-4)


def without(name):
    return lambda weights: weights.pop(name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda w: w.update(
                {f"head.projection_noun.{one}": w[f"head.projection_noun.{one}"][:299] for one in LEAVES}
            ),
            r"its classifiers have 97 verbs and 299 nouns, expected EPIC-Kitchens 100's 97 and 300",
        ),
        (without("head.projection_noun.weight"), "not every weight is accounted for: 'head.projection_"),
        (without("head.projection_verb.bias"), "not every weight is accounted for: 'head.projection_"),
        (
            lambda w: w.update({"head.projection_action.weight": torch.zeros(1)}),
            r"'head.projection_action.weight' is unus",
        ),
        (without("s5.pathway1_res0.branch2.c.weight"), "s not|not a whole|accounted"),
        (lambda w: [w.pop(name) for name in list(w) if "pathway1" in name], "its weights are not a whole model's"),
    ],
    ids=["other classes", "no nouns", "no bias", "third head", "a layer", "one pathway"],
)
def test_what_is_unknown_is_refused_in_one_line(change, message, tmp_path):
    weights = made()[1]
    change(weights)
    torch.save({"model_state": weights}, tmp_path / "their.pyth")
    with pytest.raises(InputError, match=message) as raised:
        import_weights(tmp_path / "their.pyth")
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(f"checkpoint {tmp_path / 'their.pyth'}")


LEAVES = ("weight", "bias")
