"""Packed banks as a user makes and reads them."""

import json
import shutil

import pytest

from lfb_lightning.bank import FeatureBank
from lfb_lightning.bank.packed.packing import pack
from lfb_lightning.bank.rewriting import pick
from lfb_lightning.files.objects.url import place_of
from tests import moto_server
from tests.bank.packed_banks import files
from tests.cli.test_extraction import arguments, copy_of
from tests.forked import ForkedCommand

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


@pytest.fixture(scope="module")
def packed(pipeline, tmp_path_factory):
    """The bank of split val, packed, as a command that is not interrupted makes it."""
    folder = tmp_path_factory.mktemp("packed") / "val"
    pack(FeatureBank.open(pipeline.bank_dir / "val"), folder)
    return folder


def packing(pipeline, bank_dir, tmp_path, *more, data_dir=None):
    command = arguments(pipeline, bank_dir, "bank.pack=true", *more, split="val", data_dir=data_dir)
    return [*command, f"bank.work_dir={tmp_path / 'work'}", f"hydra.run.dir={tmp_path / 'run'}"]


def message(done):
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("lfb-extract:")]
    return line


def with_another_box(pipeline, folder, video_id):
    """The proposals of split val, of which one of the video is a little wider."""
    lines = (pipeline.mini_dir / "mini_ava_val_proposals.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines]
    row = next(row for row in rows if row[0] == video_id and 902 <= int(row[1]) <= 920 and float(row[-1]) >= 0.9)
    row[2] = "0.001" if float(row[2]) > 0.01 else "0.02"
    (folder / "proposals.csv").write_text("".join(",".join(row) + "\n" for row in rows))
    return folder / "proposals.csv"


@pytest.mark.parametrize("at_url", [False, True], ids=["folder", "url"])
def test_a_packed_bank_is_done_only_if_it_holds_what_is_asked_for(
    pipeline, packed, here, tmp_path, monkeypatch, at_url
):
    monkeypatch.setenv("LFB_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "banks" / "val"
    bank_dir = folder.parent.as_uri() if at_url else folder.parent
    command = packing(pipeline, bank_dir, tmp_path)
    whole = FeatureBank.open(pipeline.bank_dir / "val")
    some = sorted(whole.videos)[:2]
    pick(whole, tmp_path / "some", some)
    pack(FeatureBank.open(tmp_path / "some"), place_of(bank_dir) / "val")
    before = files(folder)
    said = message(here("extract", *command, fails=True))
    missing = sorted(whole.videos)[2]
    assert f"is packed and holds 2 of 3 videos of the split ({missing} is missing); unpack it to go on: `" in said
    assert said.endswith("or choose another bank.dir.")
    assert files(folder) == before

    to = tmp_path / "work" / "val" if at_url else tmp_path / "unpacked" / "val"
    here("bank", "unpack", f"folder={bank_dir}/val", f"to={to}")
    if not at_url:
        command = packing(pipeline, to.parent, tmp_path)
        folder = to
    done = here("extract", *command)
    assert "1 of 3 videos to do (2 finished before)" in done.stdout
    assert files(folder) == files(packed)
    done = here("extract", *command)
    assert "is extracted and packed already" in done.stdout
    first = min(whole.videos)
    other = "holds other persons or seconds than are asked for now (data.proposals, data.excluded, data.first_second"
    for changed in ("data.last_second=910", f"data.proposals={with_another_box(pipeline, tmp_path, first)}"):
        said = message(here("extract", *command, changed, fails=True))
        assert f"is packed, and of video {first} {other}" in said
    said = message(here("extract", *command, "data.bank_threshold=0.97", fails=True))
    otherwise = "is another bank (score_threshold: 0.9 there, 0.97 here); choose another bank.dir."
    assert (otherwise if at_url else "is packed, and what is packed is not changed") in said
    assert files(folder) == files(packed)


def test_a_run_that_was_killed_while_it_removed_what_it_had_packed_is_ended_by_the_same_command(
    pipeline, packed, here, tmp_path
):
    folder = tmp_path / "banks" / "val"
    for way in ("extract", "bank"):
        shutil.copytree(pipeline.bank_dir / "val", folder, dirs_exist_ok=True)
        shutil.copytree(packed, folder, dirs_exist_ok=True)
        if way == "extract":
            assert "packed already" in here("extract", *packing(pipeline, folder.parent, tmp_path)).stdout
        else:
            assert "was packed before" in here("bank", "pack", f"folder={folder}", f"to={folder}").stdout
        assert files(folder) == files(packed)


def test_a_bank_is_packed_when_the_video_that_failed_is_mended(pipeline, packed, here, tmp_path):
    data_dir = copy_of(pipeline, tmp_path)
    folder = tmp_path / "banks" / "val"
    (video,) = [path for path in (data_dir / "videos").iterdir() if path.stem == min(FeatureBank.open(packed).videos)]
    whole = video.read_bytes()
    video.write_bytes(b"")
    command = packing(pipeline, folder.parent, tmp_path, data_dir=data_dir)
    done = here("extract", *command, fails=True)
    assert done.returncode == 1
    said = f"not packed: 1 videos failed; the same command does them and packs, `lfb-bank pack folder={folder} to={folder}`"
    assert said in done.stdout
    assert len(list(folder.glob("*.safetensors"))) == 2
    shutil.copytree(folder, tmp_path / "copy")
    video.write_bytes(whole)
    here("extract", *command)
    assert files(folder) == files(packed)
    here("bank", "pack", f"folder={tmp_path / 'copy'}", f"to={tmp_path / 'copy'}")
    without = FeatureBank.open(tmp_path / "copy").manifest
    assert (without.num_videos, list(without.failed), without.packed is not None) == (2, [video.stem], True)


def test_two_runs_at_once_end_with_one_packed_bank(pipeline, packed, tmp_path):
    command = packing(pipeline, tmp_path / "banks", tmp_path)
    runs = [ForkedCommand("extract", [*command, f"hydra.run.dir={tmp_path / name}"], tmp_path) for name in ("a", "b")]
    for run in runs:
        output = run.communicate(timeout=300)[0]
        assert run.returncode == 0, output
    assert files(tmp_path / "banks" / "val") == files(packed)
