"""Packed banks as a user makes and reads them."""

import json

import pytest

from tests import moto_server
from tests.bank.packed_banks import files

pytestmark = pytest.mark.slow


def test_extraction_packs_what_training_reads_and_unpack_gives_back(pipeline, here, tmp_path):
    banks = tmp_path / "banks"
    common = [*pipeline.overrides[:2], *pipeline.overrides[3:]]  # without the folder of its banks
    for split in ("train", "val"):
        extract = [*common, f"split={split}", f"ckpt_path={pipeline.checkpoint}", f"bank.dir={banks}"]
        here("extract", *extract, "bank.pack=true", f"hydra.run.dir={tmp_path / split}")
        assert {path.suffix for path in (banks / split).iterdir()} == {".shard", ".idx", ".json"}
    here("extract", *extract, "bank.pack=true", f"hydra.run.dir={tmp_path / 'again'}")  # nothing is left to do
    refused = here("extract", *extract, f"hydra.run.dir={tmp_path / 'again'}", fails=True)
    assert "is packed, and what is packed is not changed" in refused.stderr
    assert "0 bad" in here("bank", "verify", f"folder={banks / 'val'}", f"ckpt_path={pipeline.checkpoint}").stdout
    here("bank", "inspect", f"folder={banks / 'val'}")
    done = here("bank", "unpack", f"folder={banks / 'val'}", f"to={tmp_path / 'folder'}")
    assert "features of 3 videos in" in done.stdout
    assert files(tmp_path / "folder") == files(pipeline.bank_dir / "val")
    done = here("bank", "pack", f"folder={tmp_path / 'folder'}", f"to={tmp_path / 'packed'}")
    assert ", packed" in done.stdout
    assert files(tmp_path / "packed") == files(banks / "val")
    nowhere = here("bank", "unpack", f"folder={banks / 'val'}", "to=s3://bucket/val", fails=True)
    assert "to=s3://bucket/val: is no folder; write into one, then `lfb-bank pack" in nowhere.stderr
    train = [*common, f"bank.dir={banks}", "fbo=nl", "fbo.latent_channels=16", "trainer.max_epochs=1"]
    here("train", *train, f"hydra.run.dir={tmp_path / 'run'}")
    assert 0 < json.loads((tmp_path / "run" / "metrics.json").read_text())["best_mAP"] < 1


@pytest.mark.parametrize("scheme", ["s3", pytest.param("gs", marks=pytest.mark.thorough)])
def test_extraction_uploads_its_bank_and_unpacking_fetches_it(pipeline, here, tmp_path, monkeypatch, scheme):
    url, work = f"{scheme}://bucket/banks", tmp_path / "work"
    monkeypatch.setenv("LFB_CACHE_DIR", str(tmp_path / "cache"))
    extract = [*pipeline.overrides[:2], *pipeline.overrides[3:], "split=val", f"ckpt_path={pipeline.checkpoint}"]
    extract += [f"bank.dir={url}", f"bank.work_dir={work}", f"hydra.run.dir={tmp_path / 'run'}"]
    with moto_server.serving() as server:
        server.make_bucket("bucket")
        for name, value in {**server.environment(), **server.google_environment(tmp_path)}.items():
            monkeypatch.setenv(name, value)
        refused = here("extract", *extract, fails=True)
        assert "an object store takes packed banks; set bank.pack=true" in refused.stderr
        here("extract", *extract, "bank.pack=true")
        assert list((work / "val").iterdir()) == []
        again = here("extract", *extract, "bank.pack=true")
        assert "is extracted and packed already" in again.stdout + again.stderr
        assert "0 bad" in here("bank", "verify", f"folder={url}/val").stdout
        here("bank", "unpack", f"folder={url}/val", f"to={tmp_path / 'folder'}")
    assert files(tmp_path / "folder") == files(pipeline.bank_dir / "val")
