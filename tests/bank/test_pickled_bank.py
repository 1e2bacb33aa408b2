"""mmaction2's banks: windows equal those that mmaction2 itself made, whatever the form; anything but features is refused."""

import json
import os
import pickle

import numpy as np
import pytest
import torch

from lfb_lightning.bank import FeatureBank, WindowSpec
from lfb_lightning.bank.importing import import_bank
from lfb_lightning.bank.pickled_bank import PickledBank, export_bank, read_video_names
from lfb_lightning.bank.window import window_generator
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe
from tests.bank.test_window import write_bank
from tests.models import golden

GOLDEN = golden.GOLDEN / "bank"


def imported(path, to, **options):
    import_bank(PickledBank(path, options.pop("video_names", None)), to, split="val", **options)
    return FeatureBank.open(to)


def keyframe_of(query):
    video_id, second = query.rsplit(",", 1)
    return Keyframe(video_id, int(second))


def test_windows_are_those_of_mmaction2(tmp_path):
    recorded = json.loads((GOLDEN / "golden_windows.json").read_text())
    # Their three files are one bank, given to three splits.
    banks = [imported(GOLDEN / "window_bank" / f"lfb_{name}.pkl", tmp_path / name) for name in ("train", "val", "test")]
    crowd = recorded["crowd"]["query"]
    checked = 0
    for query, slots in recorded["queries"].items():
        keyframe = keyframe_of(query)
        (bank,) = [bank for bank in banks if keyframe.video_id in bank.videos] or banks[:1]
        window = bank.window(keyframe, WindowSpec.of_seconds(seconds=60, features_per_second=5))
        ids = window.padded(torch.float32)[0, :, 0].view(60, 5)  # channel 0 is each feature's number
        for slot in range(60):
            expected = slots.get(str(slot), [])
            found = [int(value) for value in ids[slot].tolist() if value]
            if query == crowd and len(expected) > 5:
                assert len(found) == 5
                assert set(found) <= set(expected)
            else:
                assert sorted(found) == sorted(expected), (query, slot)
            assert ids[slot, len(found) :].eq(0).all()  # zero rows last
            checked += len(found)
    assert checked > 500


def test_crowded_second_and_odd_window_are_as_mmaction2s(tmp_path):
    recorded = json.loads((GOLDEN / "golden_windows.json").read_text())
    banks = [imported(GOLDEN / "window_bank" / f"lfb_{name}.pkl", tmp_path / name) for name in ("train", "val", "test")]
    crowd, odd = recorded["crowd"], recorded["odd_window"]
    keyframe = keyframe_of(crowd["query"])
    (bank,) = [bank for bank in banks if keyframe.video_id in bank.videos]
    drawn = set()
    for epoch in range(200):
        spec = WindowSpec(selection="random")
        window = bank.window(keyframe, spec, window_generator(0, epoch, keyframe))
        ids = window.padded(torch.float32)[0, 150:155, 0].int().tolist()
        assert set(ids) <= set(crowd["slot_30_ids_available"])
        drawn.add(frozenset(ids))
    assert abs(len(drawn) - crowd["distinct_subsets_in_200_draws"]) < 15  # uniform: 100.5 of 126 expected
    keyframe = keyframe_of(odd["query"])
    (bank,) = [bank for bank in banks if keyframe.video_id in bank.videos]
    window = bank.window(keyframe, WindowSpec.of_seconds(seconds=odd["window_size"], features_per_second=odd["K"]))
    assert window.mask[0].view(-1, odd["K"]).sum(dim=1).tolist() == odd["n_nonzero"]


@pytest.mark.parametrize("form", ["0x_fp16", "0x_fp32", "1x_fp16", "1x_fp32"])
@pytest.mark.parametrize("split", ["train", "val"])
def test_every_release_and_precision_keeps_each_value_and_exports_to_the_same(tmp_path, form, split):
    path = GOLDEN / form / f"lfb_{split}.pkl"
    theirs = torch.load(path, weights_only=True)
    bank = imported(path, tmp_path / "bank")
    assert bank.manifest.provenance.precision == form[3:]
    export_bank(bank, tmp_path / "out" / "lfb.pkl")
    exported = torch.load(tmp_path / "out" / "lfb.pkl", weights_only=True)
    assert exported.keys() == {video for video, seconds in theirs.items() if seconds}
    for video, seconds in exported.items():
        assert seconds.keys() == theirs[video].keys()
        for second, rows in seconds.items():
            assert type(second) is int
            assert isinstance(rows, list)
            assert [row.dtype for row in rows] == [row.dtype for row in theirs[video][second]]
            torch.testing.assert_close(torch.stack(rows), torch.stack(theirs[video][second]), rtol=0, atol=0)


def test_stacked_tensors_of_the_older_file_form_are_read(tmp_path):
    theirs = torch.load(GOLDEN / "lfb_unittest.pkl", weights_only=True)
    bank = imported(GOLDEN / "lfb_unittest.pkl", tmp_path / "bank")
    assert bank.keyframes() == [Keyframe("video_1", second) for second in sorted(theirs["video_1"])]
    assert torch.equal(bank.rows_at(Keyframe("video_1", 930))[2], theirs["video_1"][930])


@pytest.mark.parametrize("protocol", [2, 4])
def test_pickle_of_the_original_release_with_numbered_videos(tmp_path, protocol):
    rng = np.random.default_rng(0)
    features = rng.standard_normal((3, 8)).astype(np.float32)
    content = {1: {905: [features[0], features[1]], np.int64(904): [features[2]]}, 0: {902: [features[0]]}}
    (tmp_path / "val_lfb.pkl").write_bytes(pickle.dumps(content, protocol))
    heading = "original_vido_id video_id frame_id path labels\n"
    (tmp_path / "val.csv").write_text(f'{heading}first 0 0 a/1.jpg ""\nfirst 0 1 a/2.jpg ""\nsecond 1 0 b/1.jpg ""\n')
    names = read_video_names(tmp_path / "val.csv")
    assert names == ["first", "second"]
    bank = imported(tmp_path / "val_lfb.pkl", tmp_path / "bank", video_names=names)
    assert torch.equal(bank.rows_at(Keyframe("second", 905))[2], torch.from_numpy(features[:2]))
    assert torch.equal(bank.rows_at(Keyframe("second", 904))[2], torch.from_numpy(features[2:]))
    with pytest.raises(InputError, match=r"videos are numbers.*video_names="):
        PickledBank(tmp_path / "val_lfb.pkl")
    with pytest.raises(InputError, match="video 1, but video_names has 1 names"):
        PickledBank(tmp_path / "val_lfb.pkl", ["only"])


def test_pickle_of_the_original_release_with_a_feature_a_frame(tmp_path):
    (tmp_path / "lfb.pkl").write_bytes(pickle.dumps({"v": {30: np.ones(4, np.float32), 0: np.zeros(4, np.float32)}}, 2))
    bank = imported(tmp_path / "lfb.pkl", tmp_path / "bank")
    assert bank.rows_at(Keyframe("v", 30))[2].tolist() == [[1.0] * 4]


class Evil:
    def __reduce__(self):
        return os.system, ("echo run > was_run",)


@pytest.mark.parametrize("form", ["torch", "old torch", "pickle"])
def test_malicious_pickle_is_refused_by_name_and_not_run(tmp_path, monkeypatch, form):
    monkeypatch.chdir(tmp_path)
    content = {"v": {902: [torch.ones(4)]}, "w": Evil()}
    path = tmp_path / "lfb_val.pkl"
    if form == "pickle":
        path.write_bytes(pickle.dumps({"v": {902: [np.ones(4)]}, "w": Evil()}))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "torch")
    with pytest.raises(InputError, match=r"lfb_val\.pkl: .*posix\.system"):
        PickledBank(path)
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "found a list"),
        ({}, "no features"),
        ({"v": {}}, "no features"),
        ({"v": 3}, "mapping of int"),
        ({1.5: {902: [torch.ones(4)]}}, "a video is 1.5"),
        ({"v": {"902": [torch.ones(4)]}}, "a second is '902'"),
        ({"v": {902: ["text"]}}, "video v, second 902"),
        ({"v": {902: [torch.ones(2, 2, 2)]}}, "video v, second 902"),
        ({"v": {902: [torch.ones(4, dtype=torch.int64)]}}, "int64"),
        ({"v": {902: [torch.ones(4)], 903: [torch.ones(5)]}}, "differ in width"),
        ({"v": {902: [torch.ones(4)], 903: [torch.ones(4).half()]}}, "differ in width or dtype"),
    ],
)
def test_other_content_is_refused_with_its_place(tmp_path, content, said):
    torch.save(content, tmp_path / "lfb.pkl")
    with pytest.raises(InputError, match=said):
        PickledBank(tmp_path / "lfb.pkl")


def test_cut_off_file_and_missing_file_are_named(tmp_path):
    torch.save({"v": {902: [torch.ones(400)]}}, tmp_path / "lfb.pkl")
    (tmp_path / "lfb.pkl").write_bytes((tmp_path / "lfb.pkl").read_bytes()[:900])
    with pytest.raises(InputError, match=r"lfb\.pkl"):
        PickledBank(tmp_path / "lfb.pkl")
    with pytest.raises(InputError, match="no such file"):
        PickledBank(tmp_path / "none.pkl")


def test_export_of_quantized_banks_is_float32_and_of_what_they_stand_for(tmp_path):
    bank, features = write_bank(tmp_path / "bank", {"v": [(902, 1.0), (903, 0.5)]}, precision="int8")
    assert export_bank(bank, tmp_path / "lfb.pkl") == 2
    rows = torch.load(tmp_path / "lfb.pkl", weights_only=True)["v"]
    torch.testing.assert_close(rows[902][0], features["v"][0], rtol=0.01, atol=0.02)


@pytest.mark.parametrize("value", [1.0, None, "text", torch.tensor(1.0), {902: 1.0}])
def test_a_second_that_holds_no_features_is_named(tmp_path, value):
    torch.save({"v": {902: value}}, tmp_path / "lfb.pkl")
    with pytest.raises(InputError, match=r"video v, second 902: expected \[C\] or \[n, C\] floats"):
        PickledBank(tmp_path / "lfb.pkl")


def test_a_second_beyond_the_files_numbers_is_refused(tmp_path):
    torch.save({"v": {10**12: torch.ones(1, 4)}}, tmp_path / "lfb.pkl")
    with pytest.raises(InputError, match="a second is 1000000000000, expected an integer of 32 bits"):
        PickledBank(tmp_path / "lfb.pkl")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
def test_a_damaged_file_of_the_older_form_is_one_clear_error(tmp_path):
    path = tmp_path / "lfb.pkl"
    torch.save({"v": {902: torch.ones(2, 4)}}, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = []
    for trial in range(150):
        spoilt = bytearray(whole[: rng.integers(40, len(whole))] if trial % 2 else whole)
        for place in rng.integers(32, len(spoilt), 3):
            spoilt[place] = rng.integers(256)
        path.write_bytes(spoilt)
        try:
            PickledBank(path)  # some changes leave a readable file
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 75, "every truncated file at the least"
    assert all(str(path) in message for message in refused)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"": {902: [np.ones(4)]}}, r"video id '' makes a file name of 0"),
        ({"v": {2**31 - 1: [np.ones(4)]}}, r"video v: second 2147483647"),
        ({"v": {902: [np.full(4, np.nan)]}}, r"video v: the features of second 902 are not finite"),
        ({"v": {902: [np.ones(4, np.complex64)]}}, r"it holds an array of 'c8'"),
        ({"v": {902: [[np.ones(4)], [np.ones(3)]]}}, r"video v, second 902: expected"),
    ],
)
def test_what_no_bank_can_hold_is_refused_by_the_name_of_the_file_that_holds_it(tmp_path, content, message):
    (tmp_path / "lfb.pkl").write_bytes(pickle.dumps(content, 2))
    with pytest.raises(InputError, match=rf"bank .*lfb\.pkl: {message}"):
        imported(tmp_path / "lfb.pkl", tmp_path / "bank")
