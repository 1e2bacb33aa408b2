"""`lfb-bank` as a user runs it, on a real bank."""

import json

import pytest
import torch

from lfb_lightning.bank import FeatureBank

pytestmark = pytest.mark.slow


@pytest.fixture
def bank(here):
    def run(action, *overrides, fails=False):
        return here("bank", action, *overrides, fails=fails)

    return run


def test_inspect_prints_and_draws_what_is_in_it(pipeline, bank, tmp_path):
    folder = pipeline.bank_dir / "val"
    done = bank("inspect", f"folder={folder}", f"out={tmp_path / 'deep' / 'report'}")
    bank = FeatureBank.open(folder)
    manifest = bank.manifest
    assert f"{manifest.num_rows} features of 3 videos, 64 channels" in done.stdout
    report = json.loads((tmp_path / "deep" / "report.json").read_text())
    assert sum(int(count) * seconds for count, seconds in report["persons_per_second"].items()) == manifest.num_rows
    assert list(report["coverage"]) == sorted(bank.videos)
    assert (tmp_path / "deep" / "report.png").read_bytes().startswith(b"\x89PNG")


def test_verify_tells_good_from_bad_and_fit_from_unfit(pipeline, bank, tmp_path):
    folder = pipeline.bank_dir / "val"
    assert "0 bad" in bank("verify", f"folder={folder}", f"ckpt_path={pipeline.checkpoint}").stdout
    bank("convert", f"folder={folder}", "precision=int8", f"to={tmp_path / 'int8' / 'val'}")
    assert "0 bad" in bank("verify", f"folder={tmp_path / 'int8' / 'val'}").stdout
    spoilt = next((tmp_path / "int8" / "val").glob("*.safetensors"))
    content = bytearray(spoilt.read_bytes())
    content[-1] ^= 1
    spoilt.write_bytes(content)
    done = bank("verify", f"folder={tmp_path / 'int8' / 'val'}", fails=True)
    assert done.returncode == 1
    assert "its content has changed since it was written" in done.stdout
    other = torch.load(pipeline.checkpoint, weights_only=True)
    key = next(key for key in other["state_dict"] if "backbone" in key and key.endswith("weight"))
    other["state_dict"][key] = other["state_dict"][key] + 1
    torch.save(other, tmp_path / "other.ckpt")
    unfit = bank("verify", f"folder={folder}", f"ckpt_path={tmp_path / 'other.ckpt'}", fails=True)
    assert "does not fit: backbone" in unfit.stderr


def test_a_trained_detector_reads_the_bank_in_any_precision(pipeline, bank, here, tmp_path):
    for split in ("train", "val"):
        folder = pipeline.bank_dir / split
        bank("convert", f"folder={folder}", "precision=int8", f"to={tmp_path / 'banks' / split}")
    overrides = [*pipeline.overrides[:2], *pipeline.overrides[3:], f"bank.dir={tmp_path / 'banks'}"]
    run_dir = tmp_path / "run"
    short = ["trainer.max_epochs=1", "trainer.limit_train_batches=2"]
    here("train", *overrides, "fbo=nl", "fbo.latent_channels=16", *short, f"hydra.run.dir={run_dir}")
    assert 0 < json.loads((run_dir / "metrics.json").read_text())["best_mAP"] < 1


def test_parts_and_there_and_back_through_the_file_of_mmaction2(pipeline, bank, tmp_path):
    folder = pipeline.bank_dir / "val"
    bank("split", f"folder={folder}", f"to={tmp_path / 'parts'}", "parts=2")
    bank("merge", f"folders=[{tmp_path / 'parts/part_0'},{tmp_path / 'parts/part_1'}]", f"to={tmp_path / 'again'}")
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }
    (tmp_path / "no_ids.txt").write_text("not there, with a comma\n")
    unknown = bank("split", f"folder={folder}", f"to={tmp_path / 'x'}", f"videos={tmp_path / 'no_ids.txt'}", fails=True)
    assert "has no video 'not there, with a comma'" in unknown.stderr
    missing = bank("split", f"folder={folder}", f"to={tmp_path / 'x'}", f"videos={tmp_path / 'none.txt'}", fails=True)
    assert "none.txt: cannot be read" in missing.stderr
    names = sorted(FeatureBank.open(folder).videos)
    (tmp_path / "ids.txt").write_text(f"{names[0]}\n\n{names[2]}\n")
    done = bank("split", f"folder={folder}", f"to={tmp_path / 'two'}", f"videos={tmp_path / 'ids.txt'}", "split=few")
    assert "of 2 videos" in done.stdout
    assert FeatureBank.open(tmp_path / "two").manifest.provenance.split == "few"
    bank("export", f"folder={folder}", f"to={tmp_path / 'lfb_val.pkl'}")
    bank("import", f"file={tmp_path / 'lfb_val.pkl'}", f"to={tmp_path / 'back' / 'val'}", "split=val")
    ours, back = FeatureBank.open(folder), FeatureBank.open(tmp_path / "back" / "val")
    assert ours.keyframes() == back.keyframes()
    for keyframe in ours.keyframes():
        assert torch.equal(ours.rows_at(keyframe)[2], back.rows_at(keyframe)[2])


def test_a_bank_of_another_clock_is_imported_and_named(bank, tmp_path):
    torch.save({"v": {11: [torch.ones(4)], 23: [torch.ones(4)], 47: [torch.ones(4)]}}, tmp_path / "charades.pkl")
    arguments = [f"file={tmp_path / 'charades.pkl'}", f"to={tmp_path / 'val'}", "split=val", "ticks_per_second=24"]
    bank("import", *arguments, "entries=clips", "spacing=[12,11]")
    made = FeatureBank.open(tmp_path / "val").manifest.provenance
    assert (made.ticks_per_second, made.entries, made.spacing) == ("24", "clips", (12, 11))
    shown = bank("inspect", f"folder={tmp_path / 'val'}").stdout
    assert "entries            clips" in shown
    assert "clock              24 per second, an entry every 12 from 11" in shown
    assert "last tick" in shown
    assert "75.0%" in shown  # of 11, 23, 35 and 47


def test_mistakes_are_explained(pipeline, bank, here, tmp_path):
    folder = f"folder={pipeline.bank_dir / 'val'}"
    assert "expected lfb-bank inspect|verify" in here("bank", fails=True).stderr
    assert "unknown action 'look'" in bank("look", fails=True).stderr
    assert "did you mean folder?" in bank("verify", "foldr=x", fails=True).stderr
    assert "precision is not set" in bank("convert", folder, f"to={tmp_path}", fails=True).stderr
    assert "expected one of fp32, fp16" in bank("convert", folder, "precision=x", f"to={tmp_path}", fails=True).stderr
    assert "give either parts=N" in bank("split", folder, f"to={tmp_path}", fails=True).stderr
    assert "one action at a time" in bank("verify", folder, "-m", fails=True).stderr
    assert "does not exist" in bank("inspect", f"folder={tmp_path / 'none'}", fails=True).stderr
    assert "Usage: lfb-bank" in here("bank", "--help").stdout


def test_strict_refuses_a_bank_of_another_backbone(pipeline, here, tmp_path):
    overrides = [
        *pipeline.overrides,
        "fbo=max",
        "bank.strict=true",
        "trainer.max_epochs=1",
        f"hydra.run.dir={tmp_path}",
    ]
    done = here("train", *overrides, fails=True)
    assert "does not fit: backbone" in done.stderr
    assert "lfb-extract split=train" in done.stderr
    assert "init_from=FILE" in done.stderr  # the usual cause: a frozen backbone that was not begun with
