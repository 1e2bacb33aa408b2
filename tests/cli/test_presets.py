"""Presets say what their sources say: every value from the sources' configurations, by hand."""

import pytest

from tests.cli.test_config import compose

MMACTION2 = {
    "slowonly_r50_4x16x1": {"fbo": "FBONone", "lr": 0.2, "batch": 16, "clip": 40.0, "warmup": "epoch"},
    "lfb_nl_slowonly_r50_4x16x1": {"fbo": "FBONonLocal", "lr": 0.15, "batch": 12, "clip": 20.0, "warmup": "step"},
    "lfb_avg_slowonly_r50_4x16x1": {"fbo": "FBOAvg", "lr": 0.15, "batch": 12, "clip": 20.0, "warmup": "step"},
    "lfb_max_slowonly_r50_4x16x1": {"fbo": "FBOMax", "lr": 0.15, "batch": 12, "clip": 20.0, "warmup": "step"},
}
ORIGINAL = {
    "r50_baseline": ("FBONone", 50),
    "r50_lfb_avg": ("FBOAvg", 50),
    "r50_lfb_max": ("FBOMax", 50),
    "r50_lfb_nl": ("FBONonLocal", 50),
    "r50_lfb_nl_3l": ("FBONonLocal", 50),
    "r101_baseline": ("FBONone", 101),
    "r101_lfb_nl_3l": ("FBONonLocal", 101),
}


@pytest.mark.parametrize("name", MMACTION2)
def test_mmaction2_preset(name):
    expected = MMACTION2[name]
    cfg = compose("train", f"experiment={name}")
    assert cfg["fbo"]["_target_"].endswith(expected["fbo"])
    optim, data = cfg["optim"], cfg["data"]
    assert (optim["lr"], optim["base_batch_size"]) == (expected["lr"], 8 * expected["batch"])
    assert (optim["optimizer"]["momentum"], optim["optimizer"]["weight_decay"]) == (0.9, 1e-5)
    assert (optim["warmup_epochs"], optim["warmup_start"], optim["warmup_by"]) == (5.0, 0.1, expected["warmup"])
    assert (optim["milestones"], optim["gamma"], cfg["trainer"]["max_epochs"]) == ([10, 15], 0.1, 20)
    assert cfg["trainer"]["gradient_clip_val"] == expected["clip"]
    assert (data["batch_size"], data["num_frames"], data["frame_stride"]) == (expected["batch"], 4, 16)
    assert (data["train_short_side"], data["train_crop"], data["train_flip"]) == ([256, 320], 256, 0.5)
    assert (data["eval_short_side"], data["train_threshold"], data["match_iou"]) == (256, 0.9, 0.9)
    assert [round(255 * value, 3) for value in data["mean"]] == [123.675, 116.28, 103.53]
    assert [round(255 * value, 3) for value in data["std"]] == [58.395, 57.12, 57.375]
    assert data["annotations"].endswith("ava_{split}_v2.1.csv")
    assert (cfg["model"]["dropout"], cfg["model"]["roi_features"]["output_size"]) == (0.5, 8)
    assert (cfg["bank"]["window_seconds"], cfg["bank"]["features_per_second"]) == (60, 5)


@pytest.mark.parametrize("name", ORIGINAL)
def test_original_preset(name):
    fbo, depth = ORIGINAL[name]
    cfg = compose("train", f"experiment=ava_{name}")
    assert cfg["fbo"]["_target_"].endswith(fbo)
    assert cfg["model"]["backbone"]["depth"] == depth
    if fbo == "FBONonLocal":
        assert cfg["fbo"]["num_layers"] == (3 if "3l" in name else 2)
        assert (cfg["fbo"]["latent_channels"], cfg["fbo"]["dropout"]) == (512, 0.2)
    optim, data = cfg["optim"], cfg["data"]
    assert (optim["lr"], optim["base_batch_size"], cfg["trainer"]["max_steps"]) == (0.04, 16, 140_000)
    steps_per_epoch = 193_301 / 16
    assert [round(epoch * steps_per_epoch, -2) for epoch in optim["milestones"]] == [100_000, 120_000]
    assert round(optim["warmup_epochs"] * steps_per_epoch, -2) == 2_000
    assert optim["warmup_start"] * optim["lr"] == pytest.approx(0.01)
    assert optim["optimizer"] | {"_target_": "", "_partial_": ""} == {
        "_target_": "",
        "_partial_": "",
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 1e-6,
    }
    assert (data["num_frames"], data["frame_stride"], data["train_crop"], 8 * data["batch_size"]) == (32, 2, 224, 16)
    assert (data["train_threshold"], data["eval_threshold"], data["bank_threshold"]) == (0.9, 0.85, 0.9)
    assert (cfg["model"]["dropout"], cfg["model"]["roi_features"]["output_size"]) == (0.3, 7)


def test_a_preset_reproduces_its_source_or_nothing():
    for preset, shift in (("lfb_nl_slowonly_r50_4x16x1", 1.0), ("ava_r50_lfb_nl", 0.0)):
        on, off = (
            compose("train", f"experiment={preset}"),
            compose("train", f"experiment={preset}", "reproduce=none"),
        )
        assert (on["fbo"]["mask_padding"], off["fbo"]["mask_padding"]) == (False, True)
        assert (on["bank"]["eval_selection"], off["bank"]["eval_selection"]) == ("random", "top_score")
        assert (on["data"]["frame_shift"], off["data"]["frame_shift"]) == (shift, 0.0)
        assert (on["data"]["resize"], off["data"]["resize"]) == ("opencv", "torchvision")
        assert (on["data"]["assign"], off["data"]["assign"]) == (
            "mmaction2" if shift else "best_overlap",
            "best_overlap",
        )


def test_infer_preset_writes_a_half_precision_bank_of_confident_persons():
    cfg = compose("extract", "experiment=lfb_infer_slowonly_r50_4x16x1")
    assert (cfg["bank"]["precision"], cfg["data"]["bank_threshold"]) == ("fp16", 0.9)


PUBLISHED = [*MMACTION2, *(f"ava_{name}" for name in ORIGINAL), "lfb_infer_slowonly_r50_4x16x1"]


@pytest.mark.parametrize("command", ["train", "extract", "test"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_on_ava_v2_2_differs_in_the_tables_alone(name, command):
    one, two = (compose(command, f"experiment={name}", *more) for more in ([], ["data=ava_v2_2"]))
    tables = ("label_map", "annotations", "excluded", "expected_counts")
    assert [("2.1" in str(one["data"][key]), "2.2" in str(two["data"][key])) for key in tables[:3]] == [
        (True, True)
    ] * 3
    for cfg in (one, two):
        for key in tables:
            del cfg["data"][key]
    assert one == two
