"""A bank is whole or refused: durable files, atomic manifest, provenance checked, statistics exact."""

import json
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lfb_lightning.bank import BankWriter, FeatureBank, finish_bank
from lfb_lightning.bank.fit import refuse_unfit
from lfb_lightning.bank.layout import file_name, video_id_of
from lfb_lightning.bank.stored_video import read_video
from lfb_lightning.bank.video_table import read_videos, write_videos
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe
from tests.bank.test_window import provenance, write_bank

ROWS = [(902, 0.5), (901, 0.9), (902, 0.8)]


def test_rows_are_sorted_by_time_and_keep_their_order_within_a_second(tmp_path):
    bank, features = write_bank(tmp_path, {"v": ROWS})
    boxes, scores, stored = bank.rows_at(bank.keyframes()[1])
    assert [keyframe.timestamp for keyframe in bank.keyframes()] == [901, 902]
    assert torch.equal(stored, features["v"][[0, 2]])
    assert scores.tolist() == pytest.approx([0.5, 0.8])
    assert boxes.shape == (2, 4)


def test_equal_input_makes_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_bank(tmp_path / name, {"v": ROWS, "w": ROWS[:1]})
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize(
    "video_id", ["../../evil", "a/b", ".hidden", "with space", "..", "ümläut", "a,b", "%2F", "x" * 70]
)
def test_video_ids_are_encoded_and_stay_in_the_folder(tmp_path, video_id):
    bank, features = write_bank(tmp_path / "bank", {video_id: ROWS})
    path = tmp_path / "bank" / file_name(video_id)
    assert path.parent == tmp_path / "bank"
    assert path.is_file()
    assert video_id_of(path) == video_id
    assert torch.equal(bank.rows_at(bank.keyframes()[0])[2], features[video_id][[1]])


def test_statistics_are_those_of_the_stored_features(tmp_path):
    bank, features = write_bank(tmp_path, {"v": ROWS, "w": ROWS[:2]})
    everything = torch.cat(list(features.values())).double().numpy()
    np.testing.assert_allclose(bank.manifest.mean, everything.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(bank.manifest.std, everything.std(axis=0), rtol=1e-9)


def test_half_precision_rounds_to_the_nearest_and_saturates(tmp_path):
    writer = BankWriter(tmp_path, provenance(precision="fp16"))
    values = torch.tensor([[1 / 3, -2.7, 1e6, 0.0]])
    writer.write(
        "v",
        timestamps=torch.tensor([1]),
        boxes=torch.zeros(1, 4, dtype=torch.float64),
        scores=torch.ones(1, dtype=torch.float64),
        features=values,
    )
    finish_bank(tmp_path, writer.provenance, ["v"])
    bank = FeatureBank.open(tmp_path)
    stored = bank.rows_at(bank.keyframes()[0])[2][0]
    assert stored[2] == torch.finfo(torch.float16).max
    assert ((stored[:2].float() - values[0, :2]).abs() <= values[0, :2].abs() * 2**-11).all()


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16", "int8"])
def test_statistics_are_of_what_is_stored_in_any_precision(tmp_path, precision):
    bank, _ = write_bank(tmp_path, {"v": ROWS}, precision=precision)
    read = torch.cat([bank.rows_at(keyframe)[2] for keyframe in bank.keyframes()]).double()
    np.testing.assert_allclose(bank.manifest.mean, read.mean(dim=0).numpy(), rtol=1e-9)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_refused_with_their_second(tmp_path, bad):
    writer = BankWriter(tmp_path, provenance())
    features = torch.ones(3, 4)
    features[1, 2] = bad
    zeros = torch.zeros(3, 4, dtype=torch.float64)
    with pytest.raises(InputError, match=r"video v: .* second 905 are not finite"):
        writer.write("v", timestamps=torch.tensor([904, 905, 903]), boxes=zeros, scores=zeros[:, 0], features=features)
    assert not writer.is_finished("v")


def test_unfinished_bank_names_the_command_that_makes_it(tmp_path):
    folder = tmp_path / "val"
    with pytest.raises(InputError, match=r"does not exist.*lfb-extract split=val"):
        FeatureBank.open(folder)
    writer = BankWriter(folder, provenance())
    zeros = torch.zeros(1, 4, dtype=torch.float64)
    writer.write("v", timestamps=torch.tensor([1]), boxes=zeros, scores=zeros[:, 0], features=zeros.float())
    with pytest.raises(InputError, match=r"unfinished"):
        FeatureBank.open(folder)


def test_another_checkpoint_is_refused(tmp_path):
    write_bank(tmp_path, {"v": ROWS})
    with pytest.raises(InputError, match=r"checkpoint_digest: 'c' there, 'other' here"):
        BankWriter(tmp_path, provenance(checkpoint_digest="other"))
    (tmp_path / "manifest.json").unlink()
    writer = BankWriter(tmp_path, provenance(checkpoint_digest="other"))
    with pytest.raises(InputError, match="made by another checkpoint"):
        writer.is_finished("v")


def test_the_package_version_alone_is_no_difference(tmp_path):
    write_bank(tmp_path, {"v": ROWS})
    assert BankWriter(tmp_path, provenance(package_version="9")).is_finished("v")


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_cut_off_file_is_refused_by_name(tmp_path, keep):
    write_bank(tmp_path, {"v": ROWS})
    path = tmp_path / file_name("v")
    path.write_bytes(path.read_bytes()[:keep])
    bank = FeatureBank.open(tmp_path)
    with pytest.raises(InputError, match=r"v\.safetensors.*not a whole bank file"):
        bank.keyframes()


def test_manifest_of_another_format_is_refused(tmp_path):
    write_bank(tmp_path, {"v": ROWS})
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(InputError, match="format"):
        FeatureBank.open(tmp_path)


def test_manifest_of_an_unknown_precision_is_refused(tmp_path):
    write_bank(tmp_path, {"v": ROWS})
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace('"precision": "fp32"', '"precision": "fp8"'))
    with pytest.raises(InputError, match=r"bank manifest .*manifest\.json: .*precision is 'fp8', expected one of fp32"):
        FeatureBank.open(tmp_path)


@pytest.mark.parametrize("video_id", ["", "x" * 241])
def test_a_table_of_videos_that_no_file_can_hold_is_refused(tmp_path, video_id):
    bank, _ = write_bank(tmp_path, {"v": ROWS})
    checksum = write_videos(tmp_path, {video_id: bank.videos["v"]})
    with pytest.raises(InputError, match=r"bank file .*videos\.json: .*makes a file name of"):
        read_videos(tmp_path, checksum)


def test_missing_video_keeps_the_manifest_from_being_written(tmp_path):
    writer = BankWriter(tmp_path, provenance())
    with pytest.raises(InputError, match="is missing"):
        finish_bank(tmp_path, writer.provenance, ["never written"])
    assert not (tmp_path / "manifest.json").exists()


def test_failed_videos_are_listed(tmp_path):
    writer = BankWriter(tmp_path, provenance())
    manifest = finish_bank(tmp_path, writer.provenance, ["broken"], {"broken": "cut off"})
    assert manifest.num_videos == 0
    assert FeatureBank.open(tmp_path).manifest.failed == {"broken": "cut off"}


def test_a_video_that_failed_here_but_that_another_run_has_finished_has_not_failed(tmp_path):
    write_bank(tmp_path, {"v": ROWS, "w": ROWS[:1]})
    manifest = finish_bank(tmp_path, provenance(), ["v", "w", "x"], {"v": "disk error", "x": "cut off"})
    assert manifest.failed == {"x": "cut off"}
    assert manifest.num_videos == 2


def test_unfit_bank_says_what_differs(tmp_path):
    bank, _ = write_bank(tmp_path, {"v": ROWS})
    refuse_unfit(bank, split="val", channels=4, backbone_digest="b")
    with pytest.raises(InputError, match=r"split 'val', expected 'train'.*4 channels, the detector's 64.*lfb-extract"):
        refuse_unfit(bank, split="train", channels=64)
    with pytest.raises(InputError, match="backbone b made it"):
        refuse_unfit(bank, split="val", channels=4, backbone_digest="x")


def test_bank_without_features_or_of_other_videos_does_not_fit(tmp_path):
    bank, _ = write_bank(tmp_path / "one", {"v": ROWS})
    refuse_unfit(bank, split="val", channels=4, video_ids=["a", "v"])
    with pytest.raises(InputError, match="none of the split's 2 videos, such as a"):
        refuse_unfit(bank, split="val", channels=4, video_ids=["b", "a"])
    empty, _ = write_bank(tmp_path / "none", {})
    with pytest.raises(InputError, match="it holds no features"):
        refuse_unfit(empty, split="val", channels=4)


def test_a_finished_video_knows_whose_rows_it_holds(tmp_path):
    _, _ = write_bank(tmp_path, {"v": ROWS})
    stored = FeatureBank.open(tmp_path).read_video("v")
    persons = {"timestamps": stored.timestamps.long().numpy(), "boxes": stored.boxes.double().numpy()}
    persons["scores"] = stored.scores.double().numpy()
    writer = BankWriter(tmp_path, provenance())
    assert writer.is_of("v", **persons)
    for name, change in (("timestamps", 1), ("boxes", 0.01), ("scores", 0.01)):
        assert not writer.is_of("v", **(persons | {name: persons[name] + change})), name
    assert not writer.is_of("v", **{name: value[:-1] for name, value in persons.items()})


@pytest.mark.parametrize("number", [30, 30.0])
def test_equal_numbers_make_one_digest(number):
    assert provenance(clip={"fps": number}).digest == provenance(clip={"fps": 30}).digest
    assert provenance(clip={"fps": 29.97}).digest != provenance(clip={"fps": 30}).digest


def _write_forever(folder):
    writer = BankWriter(folder, provenance(channels=512))
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(400, 512, generator=generator)
    for number in range(10_000):
        writer.write(
            f"v{number}",
            timestamps=torch.arange(400),
            boxes=torch.zeros(400, 4, dtype=torch.float64),
            scores=torch.ones(400, dtype=torch.float64),
            features=features,
        )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_killed_writer_leaves_whole_files_only(tmp_path):
    context = multiprocessing.get_context("fork")
    for trial in range(3):
        folder = tmp_path / str(trial)
        process = context.Process(target=_write_forever, args=(folder,))
        process.start()
        while not list(folder.glob("*.safetensors")):
            time.sleep(0.01)
        time.sleep(0.05 + 0.03 * trial)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        writer = BankWriter(folder, provenance(channels=512))
        files = list(folder.glob("*.safetensors"))
        assert files
        assert all(writer.is_finished(video_id_of(path)) for path in files)
        assert len({path.stat().st_size for path in files}) <= 5  # names of five lengths, contents alike


def test_opening_costs_milliseconds_and_windows_survive_pickling(tmp_path):
    import pickle

    bank, _ = write_bank(tmp_path, {f"v{number}": ROWS for number in range(299)})
    started = time.perf_counter()
    FeatureBank.open(tmp_path)
    assert time.perf_counter() - started < 0.5  # 50 ms on a quiet machine: see benchmarks
    assert pickle.loads(pickle.dumps(bank)).keyframes() == bank.keyframes()


def with_tensors(path, **tensors):
    """The bank file with other tensors, or without those that are None, under the header that it had."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    changed = {**load_file(path), **tensors}
    save_file({name: value for name, value in changed.items() if value is not None}, path, metadata)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"channel_sum": None},
        {"channel_square_sum": torch.zeros(5, dtype=torch.float64)},
        {"channel_sum": torch.zeros(4)},
        {name: torch.zeros(5, dtype=torch.float64) for name in ("channel_sum", "channel_square_sum")}
        | {"features": torch.zeros(3, 5)},
    ],
)
def test_a_finished_file_that_is_not_as_it_was_written_is_named_when_extraction_goes_on(tmp_path, spoilt):
    write_bank(tmp_path, {"v": [(902, 0.5), (903, 0.9), (903, 0.8)]})
    with_tensors(tmp_path / file_name("v"), **spoilt)
    with pytest.raises(InputError, match=r"bank file .*v\.safetensors.*run lfb-extract again"):
        finish_bank(tmp_path, provenance(), ["v"])


def test_scales_beside_features_that_need_none_are_not_read(tmp_path):
    bank, features = write_bank(tmp_path, {"v": [(902, 0.5)]})
    with_tensors(tmp_path / file_name("v"), scales=torch.tensor(2.0))
    assert torch.equal(bank.rows_at(Keyframe("v", 902))[2], features["v"])
    assert torch.equal(read_video(tmp_path / file_name("v"))[1].decoded, features["v"])
