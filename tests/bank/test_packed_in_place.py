"""A bank is packed in its own folder to the end, whatever was killed before, and whoever else is at it."""

import multiprocessing
import os
import shutil
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from types import SimpleNamespace

import pytest

from lfb_lightning.bank import BankWriter, FeatureBank
from lfb_lightning.bank.claims import ending
from lfb_lightning.bank.collecting import finish
from lfb_lightning.bank.packed.packing import pack
from lfb_lightning.bank.packed.place import PackedPlace
from lfb_lightning.bank.shard import Shard
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import place_of
from tests.bank.packed_banks import IDS, files, random_bank
from tests.bank.test_packed import TINY

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def expected(tmp_path):
    """The files of the packed bank, as they are where nothing is interrupted."""
    pack(random_bank(tmp_path / "other"), tmp_path / "expected", shard_mb=TINY)
    return tmp_path / "expected"


def killed_at_the_end(tmp_path, expected, removed=()):
    """A folder as packing leaves it that is killed after its manifest is written, when it has removed some files."""
    folder = tmp_path / "bank"
    random_bank(folder)
    for name in removed:
        (folder / name).unlink()
    shutil.copytree(expected, folder, dirs_exist_ok=True)
    return folder


def plan_of(writer, video_ids=IDS):
    return SimpleNamespace(writer=writer, shard=Shard(), todo={}, video_ids=video_ids, own_video_ids=video_ids)


@pytest.mark.parametrize("removed", [(), ("videos.json", "v0.safetensors")])
def test_packing_that_was_killed_at_its_end_is_ended(tmp_path, expected, removed):
    folder = killed_at_the_end(tmp_path, expected, removed)
    (folder / "notes.txt").write_text("the user's own")
    for _ in range(2):
        manifest = pack(FeatureBank.open(folder), folder, shard_mb=TINY)
        assert manifest == FeatureBank.open(expected).manifest
        assert files(folder) == {**files(expected), "notes.txt": b"the user's own"}


def test_no_file_is_removed_whose_shard_is_damaged(tmp_path, expected):
    folder = killed_at_the_end(tmp_path, expected)
    shard = max(folder.glob("*.shard"))
    shard.write_bytes(shard.read_bytes()[:-1])
    before = files(folder)
    with pytest.raises(
        InputError, match=rf"bank shard .*{shard.name}: it is \d+ bytes long, the index says \d+; "
    ) as told:
        pack(FeatureBank.open(folder), folder)
    assert "\n" not in str(told.value)
    assert files(folder) == before


def test_several_that_pack_one_folder_at_once_all_end_well(tmp_path, expected):
    for number in range(5):
        folder = tmp_path / f"bank_{number}"
        banks = [random_bank(folder) for _ in range(4)]  # each opened before the others pack it
        with ThreadPoolExecutor(4) as threads:
            packed = list(threads.map(lambda bank, to=folder: pack(bank, to, shard_mb=TINY), banks))
        assert packed == [FeatureBank.open(expected).manifest] * 4
        assert files(folder) == files(expected)


def test_a_run_that_ends_while_another_one_packs_leaves_the_packed_bank(tmp_path, expected):
    folder = tmp_path / "bank"
    slower = BankWriter(folder, random_bank(folder).manifest.provenance)
    with ThreadPoolExecutor(1) as threads:
        with ending(folder):  # as the other run holds it
            ended = threads.submit(finish, plan_of(slower), {})
            with pytest.raises(TimeoutError):
                ended.result(timeout=1)
            shutil.copytree(expected, folder, dirs_exist_ok=True)
        assert ended.result(timeout=60) == (FeatureBank.open(expected).manifest, {})
    assert (folder / "manifest.json").read_bytes() == (expected / "manifest.json").read_bytes()
    pack(FeatureBank.open(folder), folder)
    assert files(folder) == files(expected)
    assert all(slower.is_finished(video_id) for video_id in IDS)  # none is to be made again


def test_a_run_with_more_videos_than_another_one_has_packed_meanwhile_is_refused(tmp_path):
    folder = tmp_path / "bank"
    bank = random_bank(folder)
    slower = BankWriter(folder, bank.manifest.provenance)
    pack(bank, folder)
    before = files(folder)
    with pytest.raises(InputError, match="is packed, and what is packed is not changed"):
        finish(plan_of(slower, [*IDS, "one more"]), {"one more": "no such file"})
    assert files(folder) == before


def test_a_run_that_ends_after_another_one_has_uploaded_and_removed_the_files_writes_nothing(tmp_path):
    """A manifest in which every video failed would replace the bank at the URL."""
    there = place_of((tmp_path / "there").as_uri())
    bank = random_bank(tmp_path / "work")
    slower = BankWriter(tmp_path / "work", bank.manifest.provenance)
    uploaded = pack(bank, there)
    shutil.rmtree(tmp_path / "work")
    (tmp_path / "work").mkdir()
    manifest, failed = finish(plan_of(slower), {}, PackedPlace(there, slower.provenance))
    assert (manifest, failed) == (uploaded, {})
    assert list((tmp_path / "work").iterdir()) == []


def holds_and_dies(folder, held):
    with ending(folder):
        held.set()
        os._exit(9)


def test_the_claim_on_the_end_goes_with_its_holder(tmp_path):
    held = FORK.Event()
    process = FORK.Process(target=holds_and_dies, args=(tmp_path, held))
    process.start()
    process.join(30)
    assert held.is_set()
    with ending(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".ending.claim.tmp"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"bank .*file: cannot be written \(.*\); choose another folder") as told:
        pack(random_bank(tmp_path / "bank", ids=["v"]), tmp_path / "file")
    assert "\n" not in str(told.value)


def test_finishing_a_bank_leaves_no_claim(tmp_path):
    bank = random_bank(tmp_path / "bank")
    before = files(tmp_path / "bank")
    (tmp_path / "bank" / "manifest.json").unlink()
    writer = BankWriter(tmp_path / "bank", bank.manifest.provenance)
    assert finish(plan_of(writer), {})[0] == bank.manifest
    assert files(tmp_path / "bank") == before
