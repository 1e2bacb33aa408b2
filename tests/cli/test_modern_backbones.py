"""Today's backbones as a user runs them: each option trains, and the bank works on top."""

import csv
import json
import shutil

import pytest
import torch

from lfb_lightning.bank import FeatureBank
from lfb_lightning.models import HuggingFaceVideo, VisionTransformer, load_detector
from lfb_lightning.models.checkpoint import read_checkpoint
from lfb_lightning.models.portable import portable

pytestmark = pytest.mark.slow
VIT = ["backbone.embed_dims=48", "backbone.depth=2", "backbone.num_heads=3"]
SLOWFAST = [
    "backbone.depth=null",
    "+backbone.stage_blocks=[1,1,1,1]",
    "+backbone.base_channels=8",
    "+backbone.fast_base_channels=2",
]
MVIT = ["backbone.embed_dims=8", "backbone.stage_blocks=[1,1,1,1]", "backbone.image_size=96", "backbone.num_frames=4"]
SWIN = ["backbone.embed_dims=8", "backbone.depths=[1,1]", "backbone.num_heads=[1,2]", "backbone.window_size=[2,3,3]"]
OPTIONS = {
    "vit_s": (VIT, 4),
    "vit_b": ([*VIT, "backbone.gradient_checkpointing=true", "parameter_groups=layer_decay"], 4),
    "vit_l": ([*VIT, "trainer.precision=bf16-mixed"], 4),
    "vit_h": ([*VIT, "backbone.learned_positions=true"], 4),
    "umt_b": (VIT, 4),
    "umt_l": (VIT, 4),
    "slowfast_r50_4x16": (SLOWFAST, 8),
    "slowfast_r50_8x8": (SLOWFAST, 8),
    "slowfast_r101_8x8": ([*SLOWFAST, "model.roi_features.context=true"], 8),
    "mvit_v2_s": ([*MVIT, "parameter_groups=layer_decay"], 4),
    "mvit_v2_b": ([*MVIT, "backbone.gradient_checkpointing=true"], 4),
    "swin3d_t": ([*SWIN, "parameter_groups=layer_decay"], 4),
    "swin3d_s": (SWIN, 4),
    "swin3d_b": (SWIN, 4),
    "vjepa2_l": ([*VIT, "parameter_groups=layer_decay"], 4),
    "vjepa2_h": (VIT, 4),
    "vjepa2_g": (VIT, 4),
}


def arguments(option, mini_dir, folder, fbo="none"):
    small, frames = OPTIONS[option]
    if option.startswith(("vit", "umt")):
        small = [*small, f"backbone.num_frames={frames}", "backbone.image_size=96"]
    return [
        *["experiment=mini_ava", f"backbone={option}", f"fbo={fbo}", *small, f"data.num_frames={frames}"],
        *[f"paths.data_dir={mini_dir}", "data.last_second=905", "data.num_workers=0", "data.batch_size=4"],
        *[f"hydra.run.dir={folder}", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "logger=none"],
    ]


FURTHER = ("slowfast_r50_4x16", "mvit_v2_s", "swin3d_t", "vjepa2_l")
OFTEN = ["vit_b", "umt_b", "slowfast_r101_8x8", "mvit_v2_s", "swin3d_t", "vjepa2_l"]  # the others differ in numbers


@pytest.mark.parametrize(
    "option", [*OFTEN, *(pytest.param(name, marks=pytest.mark.thorough) for name in OPTIONS if name not in OFTEN)]
)
def test_each_option_trains(option, here, mini_dir, tmp_path):
    no_validation = ["trainer.limit_val_batches=0", "trainer.num_sanity_val_steps=0"]
    here("train", *arguments(option, mini_dir, tmp_path), *no_validation)
    stored = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert stored["global_step"] == 2
    trained = load_detector(tmp_path / "checkpoints" / "last.ckpt")
    assert all(value.isfinite().all() for value in trained.state_dict().values())
    moments = stored["optimizer_states"][0]["state"].values()
    assert len(moments) == len(list(trained.parameters()))
    assert all(one["exp_avg"].any() for one in moments)  # every weight had a gradient


def test_a_clip_of_another_length_is_one_line(here, mini_dir, tmp_path):
    failed = here("train", *arguments("vit_s", mini_dir, tmp_path), "data.num_frames=6", fails=True)
    assert "backbone.num_frames is 4, and clips have 6 frames (data.num_frames)" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    "option",
    [
        "vit_b",
        *(
            pytest.param(name, marks=pytest.mark.thorough)
            for name in ("slowfast_r50_4x16", "mvit_v2_s", "swin3d_t", "vjepa2_l")
        ),
    ],
)
def test_from_training_over_the_bank_to_the_test(option, here, mini_dir, tmp_path):
    chosen = arguments(option, mini_dir, tmp_path / "baseline")
    here("train", *chosen)
    checkpoint = f"ckpt_path={tmp_path}/baseline/checkpoints/best.ckpt"
    shared = [f"bank.dir={tmp_path / 'banks'}"]
    data = [one for one in chosen if one.startswith(("experiment", "paths", "data."))]
    for split in ("train", "val"):
        here("extract", *data, checkpoint, f"split={split}", *shared, f"hydra.run.dir={tmp_path / split}")
    bank = FeatureBank.open(tmp_path / "banks" / "train")
    detector = load_detector(tmp_path / "baseline" / "checkpoints" / "best.ckpt")
    assert bank.channels == detector.channels
    assert bank.manifest.provenance.backbone == detector.describe_backbone()
    lfb = arguments(option, mini_dir, tmp_path / "lfb", fbo="nl")
    here("train", *lfb, *shared, "fbo.latent_channels=16", f"init_from={checkpoint.removeprefix('ckpt_path=')}")
    here("test", f"ckpt_path={tmp_path}/lfb/checkpoints/best.ckpt", f"hydra.run.dir={tmp_path / 'test'}")
    tested = json.loads((tmp_path / "test" / "metrics.json").read_text())
    trained = json.loads((tmp_path / "lfb" / "metrics.json").read_text())
    assert tested["mAP"] == pytest.approx(trained["mAP"], abs=1e-6)
    frozen = [*arguments(option, mini_dir, tmp_path / "frozen", fbo="nl"), *shared, "fbo.latent_channels=16"]
    frozen += ["model.frozen_backbone=true", "data.short_term=bank"]
    here("train", *frozen, f"init_from={checkpoint.removeprefix('ckpt_path=')}")
    kept = load_detector(tmp_path / "frozen" / "checkpoints" / "best.ckpt")
    assert kept.backbone_digest() == detector.backbone_digest()
    assert kept.fbo.layers[1].out.weight.any()


def test_the_license_of_what_training_starts_from_is_told_and_kept(here, mini_dir, tmp_path):
    backbone = VisionTransformer(embed_dims=48, depth=2, num_heads=3)
    weights = {name: value for name, value in backbone.state_dict().items() if not name.startswith("norm.")}
    torch.save({"module": {**weights, "fc_norm.weight": torch.ones(48)}}, tmp_path / "their.pth")
    chosen = arguments("vit_b", mini_dir, tmp_path / "run")
    no_validation = ["trainer.limit_val_batches=0", "trainer.num_sanity_val_steps=0"]
    done = here("train", *chosen, *no_validation, f"backbone.weights={tmp_path / 'their.pth'}")
    told = [line for line in (done.stdout + done.stderr).splitlines() if "license of the weights: CC-BY-NC-4.0" in line]
    assert len(told) == 1
    stored = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")[0]
    (origin,) = stored["trained_on"]["began_with"]
    assert origin["license"].startswith("CC-BY-NC-4.0")
    assert portable(stored)["trained_on"]["began_with"] == [origin]
    assert "license" not in stored  # that of the new weights is their publisher's to say
    imported = here("import_weights", f"src={tmp_path / 'their.pth'}", f"out={tmp_path / 'our.ckpt'}")
    assert "license of the weights: CC-BY-NC-4.0" in imported.stdout


@pytest.mark.thorough
def test_a_frozen_encoders_bank_beside_a_trained_backbones(here, pipeline, mini_dir, tmp_path):
    one_step = ["trainer.limit_train_batches=1", "trainer.limit_val_batches=0", "model.frozen_backbone=true"]
    here("train", *arguments("vjepa2_l", mini_dir, tmp_path / "vjepa2"), *one_step)
    data = [*pipeline.overrides[:2], "data.last_second=920", "data.num_workers=0"]
    for split in ("train", "val"):
        made_by = [f"ckpt_path={tmp_path}/vjepa2/checkpoints/last.ckpt", f"bank.dir={tmp_path}/banks"]
        here("extract", *data, *made_by, f"split={split}", "data.num_frames=4", f"hydra.run.dir={tmp_path / split}")
    banks = [f"+bank.others.vjepa2={tmp_path}/banks", "fbo.banks=[main,vjepa2]", "fbo=nl", "fbo.latent_channels=8"]
    both = [*pipeline.overrides, *banks, f"init_from={pipeline.checkpoint}", "trainer.max_epochs=1"]
    here("train", *both, "trainer.limit_train_batches=2", f"hydra.run.dir={tmp_path / 'both'}")
    detector = load_detector(tmp_path / "both" / "checkpoints" / "best.ckpt")
    assert detector.banks == {"main": detector.channels, "vjepa2": 48}
    assert all(detector.fbo.part(name).layers[1].out.weight.any() for name in detector.banks)


def test_a_detector_of_videomae_is_tested_as_its_code_tests(here, mini_dir, tmp_path):
    """Scores are times the person's, as the import says; a key that is typed takes that back."""
    weights = VisionTransformer(embed_dims=48, depth=1, num_heads=3).state_dict()
    head = {"head.weight": torch.randn(14, 48), "head.bias": torch.zeros(14)}
    torch.save({"model": {**weights, **head}}, tmp_path / "their.pth")
    told = here("import_weights", f"src={tmp_path / 'their.pth'}", f"out={tmp_path / 'our.ckpt'}").stdout
    assert "note: as its code does in tests, boxes are enlarged (model.roi_features.enlarge=[0.1,0.05])" in told
    chosen = ["data=mini_ava", f"paths.data_dir={mini_dir}", f"ckpt_path={tmp_path / 'our.ckpt'}", "data.num_frames=16"]
    chosen += ["data.last_second=904", "data.num_workers=0", "data.eval_threshold=0.3"]
    tables = []
    for name, more in (("theirs", []), ("plain", ["task.times_person_score=false"])):
        here("test", *chosen, *more, f"hydra.run.dir={tmp_path / name}")
        rows = [row.split(",") for row in (tmp_path / name / "results.csv").read_text().splitlines()]
        tables.append({tuple(row[:7]): float(row[7]) for row in rows})
    proposals = {}
    for row in csv.reader((mini_dir / "mini_ava_val_proposals.csv").read_text().splitlines()):
        proposals[(row[0], int(row[1]), *(round(float(side), 3) for side in row[2:6]))] = float(row[-1])
    theirs, plain = tables
    assert len(plain) > 20
    for key, score in plain.items():
        person = proposals[(key[0], int(key[1]), *(round(float(side), 3) for side in key[2:6]))]
        assert theirs[key] == pytest.approx(score * person, rel=1e-5)


def test_any_video_model_of_transformers_trains_and_is_loaded_without_the_hub(here, mini_dir, tmp_path):
    import transformers  # slow to load, and of one test only

    config = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 48}
    config = {"model_type": "vivit", **config, "image_size": 64, "num_frames": 4, "tubelet_size": [2, 16, 16]}
    transformers.VivitForVideoClassification(transformers.VivitConfig(**config)).save_pretrained(tmp_path / "vivit")
    (tmp_path / "vivit" / "README.md").write_text("---\nlicense: mit\n---\n")
    chosen = [*["experiment=mini_ava", "backbone=hf_video", "fbo=none", f"backbone.name={tmp_path / 'vivit'}"]]
    chosen += [f"backbone.weights={tmp_path / 'vivit'}", "backbone.resize=true", "parameter_groups=layer_decay"]
    chosen += [f"paths.data_dir={mini_dir}", "data.last_second=905", "data.num_workers=0", "data.batch_size=4"]
    chosen += [f"hydra.run.dir={tmp_path / 'run'}", "trainer.max_epochs=1", "trainer.limit_train_batches=2"]
    done = here("train", *chosen, "logger=none", "data.num_frames=4")
    assert "license of the weights: mit (as its card says)" in done.stdout + done.stderr
    shutil.rmtree(tmp_path / "vivit")
    detector = load_detector(tmp_path / "run" / "checkpoints" / "best.ckpt")
    assert isinstance(detector.backbone, HuggingFaceVideo)
    assert detector(torch.zeros(1, 3, 4, 96, 96), torch.tensor([[0.0, 0, 0, 50, 90]])).shape == (1, 15)
