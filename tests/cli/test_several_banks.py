"""`fbo.banks`: a detector beside whose own bank another backbone's is read, by the commands that a user types."""

import json

import pytest
import torch
import yaml

from lfb_lightning.bank import BankWriter, FeatureBank, Provenance, WindowSpec, finish_bank
from lfb_lightning.models import load_detector
from lfb_lightning.structures import Keyframe

pytestmark = pytest.mark.slow
WIDTH = 12
SMALL = ["fbo=nl_small", "fbo.latent_channels=8", "trainer.max_epochs=1", "trainer.limit_train_batches=2"]


def write_other(source, folder, *, backbone="b" * 64):
    """Write a bank of the same persons by a clock of half seconds, with other features of another width."""
    theirs = torch.linspace(-9, 9, 64 * WIDTH).view(64, WIDTH).sin()
    bank = FeatureBank.open(source)
    made = Provenance.unknown(
        channels=WIDTH, precision="fp16", keyframes="given", split=source.name, origin="a test", ticks_per_second="2",
        spacing=(2, 0),
    )  # fmt: skip
    writer = BankWriter(folder / source.name, Provenance(**{**made.content(), "backbone_digest": backbone}))
    for video_id in bank.videos:
        rows = bank.read_video(video_id)
        writer.write(
            video_id,
            timestamps=rows.timestamps * 2,
            boxes=rows.boxes.double(),
            scores=rows.scores.double(),
            features=rows.decoded @ theirs,
        )
    finish_bank(writer.folder, writer.provenance, list(bank.videos))


@pytest.fixture(scope="module")
def other(pipeline, tmp_path_factory):
    folder = tmp_path_factory.mktemp("other")
    for split in ("train", "val"):
        write_other(pipeline.bank_dir / split, folder)
    return folder


@pytest.fixture(scope="module")
def overrides(pipeline, other):
    frozen = ["experiment=mini_ava_lfb", *pipeline.overrides[1:], f"init_from={pipeline.checkpoint}"]
    return [*frozen, *SMALL, f"+bank.others.theirs={other}", "logger=none"]


@pytest.fixture(scope="module")
def run_dir(overrides, here, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("several")
    here("train", *overrides, "fbo.banks=[main,theirs]", f"hydra.run.dir={run_dir}")
    return run_dir


def test_the_checkpoint_knows_widths_statistics_and_backbones_and_loads_without_banks(run_dir, pipeline, other):
    stored = yaml.safe_load((run_dir / "config.yaml").read_text())
    own = FeatureBank.open(pipeline.bank_dir / "train").manifest
    widths = {"main": own.provenance.channels, "theirs": WIDTH}
    assert stored["model"]["fbo"]["banks"] == widths
    detector = load_detector(run_dir / "checkpoints" / "best.ckpt")
    assert (detector.banks, detector.bank_channels) == (widths, sum(widths.values()))
    assert detector.stored_config["trained_on"]["bank_backbones"] == {
        "main": own.provenance.backbone_digest,
        "theirs": "b" * 64,
    }
    assert detector.stored_config["trained_on"]["bank_backbone"] is None
    theirs = FeatureBank.open(other / "train").manifest
    for name, manifest in (("main", own), ("theirs", theirs)):
        torch.testing.assert_close(detector.fbo.part(name).get_buffer("mean"), torch.tensor(manifest.mean))
    changed = [name for name, value in detector.fbo.state_dict().items() if name.endswith("out.weight") and value.any()]
    assert len(changed) == 4, "two layers of each bank's operator have learned"


def test_it_is_tested_from_its_checkpoint_alone_and_on_the_videos(run_dir, here, tmp_path):
    here("test", f"ckpt_path={run_dir}/checkpoints/best.ckpt", "data.test_flip=true", f"hydra.run.dir={tmp_path}/views")
    here("test", f"ckpt_path={run_dir}/checkpoints/best.ckpt", f"hydra.run.dir={tmp_path}/test")
    trained, tested = (json.loads((at / "metrics.json").read_text()) for at in (run_dir, tmp_path / "test"))
    # Validation reads the persons' features from the bank, in half precision; the test computes them.
    assert tested["mAP"] == pytest.approx(trained["mAP"], abs=1e-3)


def test_banks_of_other_clocks_show_the_same_seconds(pipeline, other):
    clock = FeatureBank.open(pipeline.bank_dir / "val").clock
    ours, theirs = FeatureBank.open(pipeline.bank_dir / "val"), FeatureBank.open(other / "val", clock=clock)
    spec, keyframe = WindowSpec.of_seconds(16), ours.keyframes()[5]
    assert ours.window(keyframe, spec).mask.any()
    assert torch.equal(ours.window(keyframe, spec).mask, theirs.window(keyframe, spec).mask)
    assert theirs.keyframes() == ours.keyframes()
    assert isinstance(keyframe, Keyframe)


def test_a_bank_of_another_backbone_than_the_one_of_training_is_refused(
    run_dir, overrides, other, pipeline, here, tmp_path
):
    write_other(pipeline.bank_dir / "val", tmp_path / "newer", backbone="c" * 64)
    test = ["test", f"ckpt_path={run_dir}/checkpoints/best.ckpt", f"hydra.run.dir={tmp_path}/test"]
    done = here(*test, f"+bank.others.theirs={tmp_path}/newer", fails=True)
    told = "backbone cccccccccccc made it, that of the bank of training is bbbbbbbbbbbb"
    assert told in done.stderr
    assert "or set bank.others.theirs" in done.stderr
    (tmp_path / "newer" / "train").symlink_to(other / "train")
    train = ["train", *overrides, "fbo.banks=[main,theirs]", f"hydra.run.dir={tmp_path}/run"]
    assert told in here(*train, f"bank.others.theirs={tmp_path}/newer", fails=True).stderr


def test_predictions_and_programs_are_refused_in_a_line_before_any_work(run_dir, mini_dir, here, tmp_path):
    checkpoint = f"ckpt_path={run_dir}/checkpoints/best.ckpt"
    done = here("predict", f"video={mini_dir}/videos", checkpoint, f"out={tmp_path}/predicted", fails=True)
    assert "reads the banks main, theirs, but a prediction makes one, by one backbone; test it" in done.stderr
    done = here("export", checkpoint, "format=torch_export", f"out={tmp_path}/program", fails=True)
    assert "the detector reads the banks main, theirs, and a program reads one; format=safetensors" in done.stderr
    assert not any(tmp_path.iterdir())
    here("export", checkpoint, f"out={tmp_path}/folder")
    card = (tmp_path / "folder" / "README.md").read_text()
    assert "It reads the banks `main`, `theirs`" in card
    code = card.split("```python\n")[1].split("```")[0].replace('"folder"', repr(str(tmp_path / "folder")))
    made = {}
    exec(code, made)
    assert made["logits"].shape == (1, made["detector"].num_classes)


@pytest.mark.thorough
def test_each_bank_has_tracks_of_its_own(overrides, here, tmp_path):
    identity = ["fbo=xattn", "fbo.num_heads=2", "fbo.identity=true", "fbo.banks=[main,theirs]", "bank.window_seconds=8"]
    here("train", *overrides, *identity, f"hydra.run.dir={tmp_path}")
    detector = load_detector(tmp_path / "checkpoints" / "best.ckpt")
    assert detector.reads_identity
    assert detector.window_slots == 40
    assert [detector.fbo.part(name).reads_identity for name in detector.banks] == [True, True]


def test_one_name_is_one_bank_whose_width_need_not_be_said(overrides, other, pipeline, mini_dir, here, tmp_path):
    here("train", *overrides, "fbo.banks=[theirs]", f"hydra.run.dir={tmp_path}/listed")
    both = ["model.bank_name=theirs", f"model.bank_channels={WIDTH}"]
    here("train", *overrides, *both, f"hydra.run.dir={tmp_path}/named")
    listed, named = (load_detector(tmp_path / name / "checkpoints" / "best.ckpt") for name in ("listed", "named"))
    assert (listed.banks, listed.bank_name, listed.bank_channels) == (None, "theirs", WIDTH)
    assert listed.digest() == named.digest()
    for suffix, bank in (("", other), ("short_term_", pipeline.bank_dir)):
        manifest = FeatureBank.open(bank / "train").manifest
        torch.testing.assert_close(listed.fbo.get_buffer(f"{suffix}mean"), torch.tensor(manifest.mean))
        torch.testing.assert_close(listed.fbo.get_buffer(f"{suffix}std"), torch.tensor(manifest.std))
    here("train", *overrides, *both, "trainer.max_epochs=2", f"hydra.run.dir={tmp_path}/whole")
    here("train", *overrides, *both, "trainer.max_epochs=2", "ckpt_path=last", f"hydra.run.dir={tmp_path}/named")
    whole, parts = (load_detector(tmp_path / name / "checkpoints" / "last.ckpt") for name in ("whole", "named"))
    assert whole.digest() == parts.digest() != named.digest()
    checkpoint = f"ckpt_path={tmp_path}/listed/checkpoints/best.ckpt"
    done = here("predict", f"video={mini_dir}/videos", checkpoint, f"out={tmp_path}/predicted", fails=True)
    assert (
        "reads the bank 'theirs', but a prediction makes a bank of the regions that it scores; test it" in done.stderr
    )
    done = here("export", checkpoint, "format=torch_export", f"out={tmp_path}/program", fails=True)
    assert "the detector reads the bank 'theirs', which no prediction makes, and a program does not" in done.stderr


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["fbo.banks=[main,nobodys]"], r"but the model reads bank 'nobodys'; set +bank.others.nobodys=<its folder"),
        (["fbo.banks={main:64,theirs:13}"], f"fbo.banks.theirs is 13, but the features of bank {{other}}/train have {WIDTH}"),
        (["fbo.banks=[main,main]"], "expected each name once"),
        (["fbo.banks=[]"], "fbo.banks is [], expected 1 to 16 names of bank.others (main: the bank of bank.dir)"),
        (["fbo.banks=theirs"], "fbo.banks is theirs, expected a list"),
        (["fbo.banks=[main,theirs]", "model.bank_name=theirs"], "set model.bank_name=null and model.bank_channels=null"),
        (["fbo.banks=[main,theirs]", "+bank.others.main=elsewhere"], "main is the bank of bank.dir, but bank.others has one"),
        (["fbo.banks=[main,theirs]", "bank.others.theirs=gone"], "with what makes it (a bank of objects: objects="),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(typed, message, overrides, other, here, tmp_path):
    done = here("train", *overrides, *typed, f"hydra.run.dir={tmp_path}", fails=True)
    assert message.format(other=other) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "checkpoints").exists()
