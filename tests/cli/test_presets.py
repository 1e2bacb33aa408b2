"""Presets say what their sources say: every value from the sources' configurations, by hand."""

import pytest

from tests.cli.test_config import compose
from tests.models.backbones.golden import layout

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


@pytest.mark.parametrize(("source", "size"), [("videomae", 7), ("pyslowfast", 7), ("none", 8), ("as_set", 8)])
def test_the_head_of_a_code_base_is_one_switch(source, size):
    cfg = compose("test", "backbone=vit_b", "fbo=none", f"reproduce={source}")
    roi = cfg["model"]["roi_features"]
    is_videomae = source == "videomae"
    assert (roi["output_size"], roi["aligned"], roi["enlarge"]) == (
        size,
        not is_videomae,
        [0.1, 0.05] if is_videomae else None,
    )
    assert cfg["task"]["times_person_score"] is is_videomae
    one = compose(
        "test", "experiment=videomae_vit_b", "model.roi_features.enlarge=null", "task.times_person_score=false"
    )
    assert (one["model"]["roi_features"]["enlarge"], one["task"]["times_person_score"]) == (None, False)


def test_infer_preset_writes_a_half_precision_bank_of_confident_persons():
    cfg = compose("extract", "experiment=lfb_infer_slowonly_r50_4x16x1")
    assert (cfg["bank"]["precision"], cfg["data"]["bank_threshold"]) == ("fp16", 0.9)


SLOWFAST = {  # epochs, clips of 8 GPUs, rate, warm-up, AVA
    "slowfast_r50_4x16": (20, 128, 0.2, 5.0, "v2.1"),
    "slowfast_r50_8x8": (20, 64, 0.1, 5.0, "v2.1"),
    "slowfast_r50_8x8_cosine": (10, 48, 0.075, 2.0, "v2.2"),
    "lfb_nl_slowfast_r50_4x16": (20, 96, 0.15, 5.0, "v2.1"),
}


@pytest.mark.parametrize("name", SLOWFAST)
def test_slowfast_preset(name):
    epochs, batch, rate, warmup, release = SLOWFAST[name]
    cfg = compose("train", f"experiment={name}")
    optim, data = cfg["optim"], cfg["data"]
    assert (cfg["trainer"]["max_epochs"], optim["base_batch_size"], optim["lr"]) == (epochs, batch, rate)
    assert (8 * data["batch_size"], data["num_frames"], data["frame_stride"]) == (batch, 32, 2)
    assert (optim["warmup_epochs"], optim["warmup_start"]) == (warmup, 0.1)
    assert (optim["optimizer"]["momentum"], optim["optimizer"]["weight_decay"]) == (0.9, 1e-5)
    assert data["annotations"].endswith(f"ava_{{split}}_{release}.csv")
    if "cosine" in name:
        assert optim["schedule"]["scheduler"]["_target_"].endswith("CosineAnnealingLR")
    else:
        assert (optim["schedule"], optim["milestones"], optim["gamma"]) == (None, [10, 15], 0.1)
    assert cfg["model"]["backbone"]["_target_"].endswith("SlowFast")
    assert (cfg["model"]["backbone"]["alpha"], cfg["model"]["backbone"]["fusion_kernel"]) == (
        (4, 7) if "8x8" in name else (8, 5)
    )
    assert cfg["trainer"]["gradient_clip_val"] == (20.0 if "lfb" in name else 40.0)


VIDEOMAE = {"videomae_vit_b": (768, 30, 0.75), "videomae_vit_l": (1024, 20, 0.8)}


@pytest.mark.parametrize("name", VIDEOMAE)
def test_videomae_preset(name):
    channels, epochs, decay = VIDEOMAE[name]
    cfg = compose("train", f"experiment={name}")
    optim, data = cfg["optim"], cfg["data"]
    assert cfg["model"]["backbone"]["embed_dims"] == channels
    assert cfg["model"]["backbone"]["drop_path_rate"] == 0.2
    assert cfg["trainer"]["max_epochs"] == epochs
    assert (optim["lr"], optim["base_batch_size"]) == (5e-4 * 128 / 256, 128) == (2.5e-4, 32 * data["batch_size"])
    assert optim["optimizer"]["_target_"] == "torch.optim.AdamW"
    assert optim["optimizer"]["weight_decay"] == 0.05
    assert optim["parameter_groups"]["layer_decay"] == decay
    assert optim["warmup_epochs"] == 5.0
    assert optim["schedule"]["scheduler"]["_target_"].endswith("CosineAnnealingLR")
    assert cfg["trainer"]["gradient_clip_val"] is None
    assert (data["num_frames"], data["frame_stride"], data["train_crop"]) == (16, 4, 224)
    assert (data["train_short_side"], data["eval_short_side"], data["eval_threshold"]) == ([256, 256], 256, 0.8)
    assert data["train_threshold"] > 1  # annotated persons only
    assert [round(255 * value, 2) for value in data["mean"]] == [122.77, 115.95, 102.98]
    assert {round(255 * value, 3) for value in data["std"]} == {57.375}
    roi = cfg["model"]["roi_features"]
    assert (roi["output_size"], roi["aligned"], roi["enlarge"]) == (7, False, [0.1, 0.05])
    assert (cfg["model"]["dropout"], cfg["task"]["times_person_score"]) == (
        0.0,
        True,
    )  # its head is a linear layer alone
    assert data["annotations"].endswith("ava_{split}_v2.2.csv")


@pytest.mark.parametrize(("size", "rate", "decay"), [("b", 1.25e-4, 0.75), ("l", 2.5e-4, 0.8)])
def test_ava_kinetics_preset(size, rate, decay):
    cfg = compose("train", f"experiment=videomae_vit_{size}_ava_kinetics")
    optim, data = cfg["optim"], cfg["data"]
    assert cfg["model"]["backbone"]["embed_dims"] == {"b": 768, "l": 1024}[size]
    assert cfg["model"]["backbone"]["drop_path_rate"] == 0.2
    assert (optim["lr"], optim["base_batch_size"], 8 * data["batch_size"]) == (rate, 64, 64)
    assert (optim["optimizer"]["_target_"], optim["optimizer"]["weight_decay"]) == ("torch.optim.AdamW", 0.05)
    assert optim["parameter_groups"]["layer_decay"] == decay
    assert (optim["warmup_epochs"], optim["warmup_start"], cfg["trainer"]["max_epochs"]) == (5.0, 0.1, 20)
    assert optim["schedule"]["scheduler"]["_target_"].endswith("CosineAnnealingLR")
    assert (optim["schedule"]["scheduler"]["eta_min"], cfg["trainer"]["gradient_clip_val"]) == (0.0, 40.0)
    assert (data["num_frames"], data["frame_stride"]) == (16, 4)
    assert (data["train_short_side"], data["train_crop"], data["eval_short_side"]) == ([256, 320], 256, 256)
    assert (data["train_threshold"], data["eval_threshold"]) == (0.9, 0.9)
    assert [round(255 * value, 3) for value in data["mean"]] == [123.675, 116.28, 103.53]
    roi = cfg["model"]["roi_features"]
    assert (roi["output_size"], roi["aligned"], cfg["model"]["dropout"]) == (8, True, 0.5)
    assert data["_target_"].endswith("AvaKineticsDataset")
    assert data["annotations"].endswith("ava_{split}_v2.2.csv")
    assert (data["kinetics_splits"], data["key_step"]) == (["train"], data["ticks_per_second"])


@pytest.mark.parametrize("name", ["videomae_vit_b", "lfb_nl_videomae_vit_b", "slowonly_r50_4x16x1"])
def test_a_preset_on_ava_kinetics_differs_in_the_data_set_alone(name):
    one, two = (compose("train", f"experiment={name}", f"data={data}") for data in ("ava_v2_2", "ava_kinetics"))
    own = [key for key in two["data"] if key.startswith("kinetics_")]
    for key in (*own, "_target_", "ticks_per_second", "key_step"):
        one["data"].pop(key, None)
        two["data"].pop(key)
    assert len(own) == 6
    assert one == two


UMT = {"umt_vit_b": (768, 8, 30, 0.75, 0.2), "umt_vit_l": (1024, 4, 25, 0.85, 0.4)}


@pytest.mark.parametrize("name", UMT)
def test_umt_preset(name):
    """The figures of its scripts of action detection; 16 GPUs for B, 32 for L."""
    channels, batch, epochs, decay, drop_path = UMT[name]
    cfg = compose("train", f"experiment={name}")
    optim, data, backbone = cfg["optim"], cfg["data"], cfg["model"]["backbone"]
    assert (backbone["embed_dims"], backbone["drop_path_rate"], backbone["tubelet"]) == (channels, drop_path, 1)
    assert (data["batch_size"], optim["base_batch_size"], optim["lr"]) == (batch, 128, 2.5e-4 * 128 / 256)
    assert (cfg["trainer"]["max_epochs"], optim["parameter_groups"]["layer_decay"]) == (epochs, decay)
    assert (backbone["num_frames"], data["num_frames"], data["frame_stride"]) == (8, 8, 300 // 8)
    shared = ("mean", "std", "train_crop", "train_short_side", "train_threshold", "eval_threshold")
    videomae = compose("train", "experiment=videomae_vit_b")
    assert [data[key] for key in shared] == [videomae["data"][key] for key in shared]
    assert cfg["model"]["roi_features"] == videomae["model"]["roi_features"]


def test_pyslowfasts_r101_has_the_published_files_form_and_its_r50s_recipe():
    cfg = compose("train", "experiment=slowfast_r101_8x8")
    optim, data, backbone = cfg["optim"], cfg["data"], cfg["model"]["backbone"]
    shapes = layout("pyslowfast_slowfast_r101_50_50_ava")
    for path, kernels in (("0", backbone["slow_temporal_kernels"]), ("1", backbone["fast_temporal_kernels"])):
        for stage, number in enumerate((3, 4, 23, 3)):
            names = [f"s{stage + 2}.pathway{path}_res{block}.branch2.a.weight" for block in range(number)]
            expected = kernels[stage] if isinstance(kernels[stage], list) else [kernels[stage]] * number
            assert [shapes[name][2] for name in names] == expected
    assert shapes["s1_fuse.conv_f2s.weight"][2] == backbone["fusion_kernel"]
    assert all(f"s4.pathway0_nonlocal{block}.conv_g.weight" in shapes for block in backbone["nonlocal_after"][2])
    assert (backbone["depth"], backbone["nonlocal_after"]) == (101, [[], [], [6, 13, 20], []])
    assert (backbone["alpha"], backbone["slow_frames"], backbone["lateral_norm"]) == (4, "linspace", True)
    roi = cfg["model"]["roi_features"]
    assert (roi["output_size"], roi["aligned"], roi["enlarge"], cfg["model"]["dropout"]) == (7, False, None, 0.5)
    assert (data["num_frames"], data["frame_stride"], data["train_crop"], 8 * data["batch_size"]) == (32, 2, 224, 64)
    assert (data["train_threshold"], data["eval_threshold"], data["eval_short_side"]) == (0.8, 0.8, 256)
    assert (data["mean"], data["std"]) == ([0.45] * 3, [0.225] * 3)
    assert (optim["lr"], optim["base_batch_size"], optim["optimizer"]["weight_decay"]) == (0.1, 64, 1e-7)
    assert (optim["warmup_epochs"], optim["warmup_start"]) == (5.0, 1.25e-4 / 0.1)
    assert (optim["milestones"], optim["gamma"], cfg["trainer"]["max_epochs"]) == ([10, 15], 0.1, 20)
    assert cfg["trainer"]["gradient_clip_val"] is None


def test_mvit_preset_has_memvits_recipe():
    cfg = compose("train", "experiment=mvit_v2_s")
    optim, data, backbone = cfg["optim"], cfg["data"], cfg["model"]["backbone"]
    assert (backbone["embed_dims"], sum(backbone["stage_blocks"]), backbone["drop_path_rate"]) == (96, 16, 0.4)
    assert (data["num_frames"], data["frame_stride"], data["train_crop"], 8 * data["batch_size"]) == (16, 4, 224, 16)
    assert (data["train_threshold"], data["eval_threshold"]) == (0.9, 0.9)
    assert (optim["lr"], optim["base_batch_size"], optim["warmup_epochs"]) == (0.075, 16, 5.0)
    assert optim["warmup_start"] == pytest.approx(1e-6 / 0.075, rel=1e-4)
    assert optim["optimizer"]["_target_"] == "torch.optim.SGD"
    assert (optim["optimizer"]["momentum"], optim["optimizer"]["weight_decay"]) == (0.9, 1e-8)
    assert optim["parameter_groups"]["decays_biases_and_norms"] is False
    assert optim["schedule"]["scheduler"]["_target_"].endswith("CosineAnnealingLR")
    roi = cfg["model"]["roi_features"]
    assert (roi["output_size"], roi["aligned"], cfg["trainer"]["max_epochs"]) == (7, True, 30)


ON_TOP = ["videomae_vit_b", "videomae_vit_l", "umt_vit_b", "umt_vit_l", "mvit_v2_s", "slowfast_r101_8x8"]


@pytest.mark.parametrize("name", ON_TOP)
def test_the_bank_on_top_of_a_frozen_backbone_learns_from_banks_alone(name):
    cfg = compose("train", f"experiment=lfb_nl_{name}")
    assert (cfg["optim"]["optimizer"]["_target_"], cfg["optim"]["lr"]) == ("torch.optim.AdamW", 1e-3)
    assert (cfg["optim"]["base_batch_size"], cfg["trainer"]["max_epochs"], cfg["data"]["batch_size"]) == (512, 10, 64)
    assert (cfg["fbo"]["norm_inputs"], cfg["fbo"]["mask_padding"]) == (True, True)
    assert cfg["optim"]["schedule"]["scheduler"]["_target_"].endswith("CosineAnnealingLR")
    assert cfg["fbo"]["_target_"].endswith("FBONonLocal")
    assert (cfg["data"]["short_term"], cfg["model"]["frozen_backbone"]) == ("bank", True)
    assert cfg["optim"]["parameter_groups"] is None
    baseline = compose("train", f"experiment={name}")
    assert cfg["model"]["roi_features"] == baseline["model"]["roi_features"]
    clips = ("num_frames", "frame_stride", "mean", "std", "eval_short_side", "annotations")
    assert [cfg["data"][key] for key in clips] == [baseline["data"][key] for key in clips]
    alike = {"gradient_checkpointing": None, "drop_path_rate": None}  # of no meaning where it is frozen
    assert {**cfg["model"]["backbone"], **alike} == {**baseline["model"]["backbone"], **alike}


@pytest.mark.parametrize("command", ["extract", "test"])
@pytest.mark.parametrize(
    "name", [*VIDEOMAE, "lfb_nl_videomae_vit_b", "umt_vit_l", "lfb_nl_slowfast_r101_8x8", "slowfast_r50_8x8_cosine"]
)
def test_every_command_takes_a_preset(name, command):
    assert compose(command, f"experiment={name}")["data"]["annotations"].endswith("ava_{split}_v2.2.csv")


OF_V2_1 = [name for name, (*_, release) in SLOWFAST.items() if release == "v2.1"]
PUBLISHED = [*MMACTION2, *OF_V2_1, *(f"ava_{name}" for name in ORIGINAL), "lfb_infer_slowonly_r50_4x16x1"]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        *((name, "train") for name in PUBLISHED),
        *((PUBLISHED[-1], command) for command in ("extract", "test")),
        *(
            pytest.param(name, command, marks=pytest.mark.thorough)
            for name in PUBLISHED[:-1]
            for command in ("extract", "test")
        ),
    ],
)
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
