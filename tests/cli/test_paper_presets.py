"""Presets of the paper's other data sets say what their sources say: values of the sources' configurations, by hand."""

import re

import pytest

from lfb_lightning.bank import BankConfig
from lfb_lightning.models.imports.layouts import CAFFE2
from tests.cli.test_config import CONF, EXPERIMENTS, OF_CLIPS, check_binds, compose
from tests.conftest import ROOT

FBOS = {"baseline": "FBONone", "lfb_avg": "FBOAvg", "lfb_max": "FBOMax", "lfb_nl": "FBONonLocal"}
CHARADES = {  # README of the release: mAP
    "r50": {"baseline": 38.3, "lfb_avg": 38.4, "lfb_max": 38.6, "lfb_nl": 40.3},
    "r101": {"baseline": 40.4, "lfb_avg": 40.8, "lfb_max": 41.0, "lfb_nl": 42.5},
}
EPIC = {  # top-1, top-5
    "verbs": {"baseline": (50.7, 81.1), "lfb_avg": (52.9, 82.5), "lfb_max": (53.3, 81.0), "lfb_nl": (52.3, 81.8)},
    "nouns": {"baseline": (26.2, 51.0), "lfb_avg": (29.1, 56.3), "lfb_max": (32.0, 56.5), "lfb_nl": (29.5, 55.4)},
}
RECIPE = {  # rate, weight decay, where the rate falls and the last step, window: seconds, slots
    "verbs": (0.001, 1e-6, [28_000, 32_000], 36_000, 40, 40),
    "nouns": (0.0003, 1e-5, [40_000, 45_000], 50_000, 12, 120),
}


def window_of(cfg, *, training=True):
    return BankConfig(**cfg["bank"]).window_spec(training=training)


def check_shared(cfg, kind, batches):
    """What all configurations of the release have; `batches`: of 16 in an epoch."""
    data, optim, model, trainer = cfg["data"], cfg["optim"], cfg["model"], cfg["trainer"]
    assert cfg["fbo"]["_target_"].endswith(FBOS[kind])
    if kind == "lfb_nl":
        assert (cfg["fbo"]["num_layers"], cfg["fbo"]["latent_channels"], cfg["fbo"]["dropout"]) == (2, 512, 0.2)
    assert not cfg["fbo"].get("mask_padding")  # zeros of empty slots take part
    assert model["roi_features"] == {"_target_": "lfb_lightning.models.GlobalMean"}
    assert (model["dropout"], model["backbone"]["freeze_batch_norm"]) == (0.3, True)
    assert (data["num_frames"], data["train_crop"], data["train_short_side"]) == (32, 224, [256, 320])
    assert (8 * data["batch_size"], data["eval_short_side"], data["eval_crop"]) == (16, 256, "center")
    assert (data["mean"], data["std"], data["resize"]) == ([0.45] * 3, [0.225] * 3, "opencv")
    assert (optim["base_batch_size"], optim["warmup_epochs"], optim["gamma"]) == (16, 0.0, 0.1)
    assert (optim["optimizer"]["momentum"], optim["optimizer"]["nesterov"]) == (0.9, True)
    assert trainer["gradient_clip_val"] is None
    assert (trainer["max_epochs"] - 1) * batches < trainer["max_steps"] <= trainer["max_epochs"] * batches
    window = window_of(cfg)
    assert (window.layout, window.before) == ("packed", window.after)
    return [round(epoch * batches, -1) for epoch in optim["milestones"]], trainer["max_steps"], window


def check_import_agrees(cfg, classes, depth):
    """What `lfb-import` makes of the release's file of the same name has the preset's architecture and clips."""
    said = CAFFE2.clip_sets[classes]
    assert (cfg["model"]["backbone"]["spatial_dilations"][3] == 2) == (depth in said.depths_dilated)
    if cfg["fbo"]["_target_"].endswith("NonLocal"):
        assert cfg["fbo"]["pre_act"] is said.pre_act
    clips = {**CAFFE2.clips, **said.clips}
    assert {key: cfg["data"][key] for key in clips} == clips
    return said


@pytest.mark.parametrize(("backbone", "kind"), [(backbone, kind) for backbone in CHARADES for kind in FBOS])
def test_charades_preset(backbone, kind):
    cfg = compose("train", f"experiment=charades_{backbone}_{kind}")
    check_binds(cfg)
    batches = 489  # 7,811 videos
    falls, last, window = check_shared(cfg, kind, batches)
    assert (falls, last) == (([20_000], 24_000) if kind == "baseline" else ([10_000], 12_000))
    assert (window.before, window.slots, window.per_tick) == (5, 20, 2)
    assert cfg["model"]["frozen_backbone"] is (kind != "baseline")
    assert (cfg["optim"]["lr"], cfg["optim"]["optimizer"]["weight_decay"]) == (0.02, 1.25e-5)
    assert (cfg["loss"]["_target_"].rsplit(".", 1)[1], cfg["loss"]["empty_rows"]) == ("MultiLabelLoss", True)
    data = cfg["data"]
    assert (data["frame_stride"], data["bank_step"], data["fps"]) == (4, 12, 24.0)
    assert (data["test_segments"], data["test_crops"], data["test_reduce"]) == (10, 3, "max")
    assert data["evaluated"] == "logits"
    depth = {"r50": 50, "r101": 101}[backbone]
    assert cfg["model"]["backbone"]["depth"] == depth
    assert cfg["model"]["backbone"]["spatial_dilations"] == [1, 1, 1, 2 if depth == 50 else 1]
    said = check_import_agrees(cfg, 157, depth)
    assert said.preset.format(depth=depth, kind=kind) == f"charades_{backbone}_{kind}"
    assert said.clips["fps"] == data["fps"]
    if kind == "lfb_nl":
        assert cfg["fbo"]["pre_act"] is False


@pytest.mark.parametrize(("heads", "kind"), [(heads, kind) for heads in EPIC for kind in FBOS])
def test_epic55_preset(heads, kind):
    cfg = compose("train", f"experiment=epic55_{heads}_r50_{kind}")
    check_binds(cfg)
    rate, decay, wanted, steps, seconds, slots = RECIPE[heads]
    falls, last, window = check_shared(cfg, kind, 1_450)  # 23,191 segments
    assert (falls, last) == (wanted, steps)
    assert (window.before + window.after, window.slots, window.per_tick) == (seconds, slots, slots // seconds)
    assert (cfg["optim"]["lr"], cfg["optim"]["optimizer"]["weight_decay"]) == (rate, decay)
    assert cfg["loss"]["_target_"].endswith("SingleLabelLoss")
    assert cfg["model"]["frozen_backbone"] is False
    data = cfg["data"]
    assert (data["heads"], data["frame_stride"], data["fps"], data["bank_step"]) == ([heads[:-1]], 2, 30.0, 30)
    assert (data["test_clips"], data["test_crops"]) == (1, 1)
    assert (data["with_replacement"], data["frame_spacing"], data["clips_inside"]) == (True, "stride", False)
    assert cfg["model"]["backbone"]["spatial_dilations"] == [1, 1, 1, 1]
    said = check_import_agrees(cfg, {"verbs": 125, "nouns": 352}[heads], 50)
    assert said.preset.format(depth=50, kind=kind) == f"epic55_{heads}_r50_{kind}"
    assert said.loss["_target_"] == cfg["loss"]["_target_"]
    if kind != "baseline":
        assert cfg["fbo"]["banks"] == (None if heads == "verbs" else [said.bank_name])
    if heads == "nouns":
        assert cfg["bank"]["others"] == {said.bank_name: "banks/objects"}
        assert {window_of(cfg, training=training).selection for training in (True, False)} == {"top_score"}


def test_epic100_preset_has_the_baselines_recipe():
    cfg = compose("train", "experiment=epic100_slowfast_r50")
    check_binds(cfg)
    data, optim, backbone, trainer = cfg["data"], cfg["optim"], cfg["model"]["backbone"], cfg["trainer"]
    assert (data["heads"], cfg["loss"]["reduce"]) == (["verb", "noun"], "mean")
    assert (data["num_frames"], data["frame_stride"], data["fps"], data["clips_inside"]) == (32, 2, 60.0, True)
    assert (data["train_short_side"], data["train_crop"], data["eval_short_side"]) == ([256, 320], 224, 256)
    assert (data["test_clips"], data["test_crops"], 8 * data["batch_size"]) == (10, 1, 32)
    assert (data["frame_spacing"], data["test_places"], data["with_replacement"]) == ("even", "beginnings", False)
    assert (data["mean"], data["std"]) == ([0.45] * 3, [0.225] * 3)
    assert (optim["lr"], optim["base_batch_size"], optim["milestones"], optim["gamma"]) == (0.01, 32, [20, 25], 0.1)
    assert (optim["warmup_epochs"], optim["warmup_start"] * optim["lr"]) == (1.0, pytest.approx(0.001))
    assert (optim["optimizer"]["weight_decay"], optim["optimizer"]["nesterov"]) == (1e-4, True)
    assert (trainer["max_epochs"], trainer["gradient_clip_val"], cfg["model"]["dropout"]) == (30, None, 0.5)
    assert (backbone["alpha"], backbone["fusion_kernel"], backbone["depth"]) == (4, 7, 50)
    assert (backbone["slow_frames"], backbone["lateral_norm"], backbone["freeze_batch_norm"]) == (
        "linspace",
        True,
        True,
    )
    assert (backbone["spatial_strides"], backbone["spatial_dilations"]) == ([1, 2, 2, 2], [1, 1, 1, 1])
    assert (backbone["slow_temporal_kernels"], backbone["fast_temporal_kernels"]) == ([1, 1, 3, 3], [3, 3, 3, 3])


def test_the_bank_on_top_of_epic100_reads_its_own_clips():
    one, two = (compose("train", f"experiment=epic100_slowfast_r50{more}") for more in ("", "_lfb_nl"))
    check_binds(two)
    assert [one[name] for name in ("data", "backbone", "loss", "bank")] == [
        two[name] for name in ("data", "backbone", "loss", "bank")
    ]
    assert (two["fbo"]["_target_"].rsplit(".", 1)[1], two["fbo"]["banks"]) == ("FBONonLocal", None)
    assert (two["model"]["frozen_backbone"], two["fbo"]["norm_inputs"], two["trainer"]["max_epochs"]) == (
        True,
        True,
        10,
    )


def test_every_preset_of_clips_is_tested_here():
    tested = {f"charades_{backbone}_{kind}" for backbone in CHARADES for kind in FBOS}
    tested |= {f"epic55_{heads}_r50_{kind}" for heads in EPIC for kind in FBOS}
    tested |= {"epic100_slowfast_r50", "epic100_slowfast_r50_lfb_nl", "charades_frozen", "epic55_original"}  # and bases
    assert tested == {name for name in EXPERIMENTS if name.startswith(OF_CLIPS)}


def test_the_page_and_the_presets_have_the_releases_figures():
    wanted = {
        f"charades_{backbone}_{kind}": (value,) for backbone, of in CHARADES.items() for kind, value in of.items()
    }
    wanted |= {f"epic55_{heads}_r50_{kind}": pair for heads, of in EPIC.items() for kind, pair in of.items()}
    page = (ROOT / "docs" / "models.md").read_text()
    for name, figures in wanted.items():
        (row,) = re.findall(rf"^\| `{name}` \| ([^|]*) \|", page, re.MULTILINE)
        assert tuple(map(float, row.split(" / "))) == figures, name
        said = (CONF / "experiment" / f"{name}.yaml").read_text().splitlines()[1]
        assert all(str(figure) in said for figure in figures), name
