"""Seconds become ticks of one clock in every reader; what is out of bounds or between ticks is refused by row or key."""

import json
import pickle

import numpy as np
import pytest
import torch

from lfb_lightning.ava.annotations import read_annotations
from lfb_lightning.ava.evaluation_csv import KEYS_PER_VIDEO, read_evaluation_csv
from lfb_lightning.ava.excluded import read_excluded
from lfb_lightning.ava.keyframe_rows import KeyframeRows, keyframe_keys
from lfb_lightning.ava.label_map import LabelMap
from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.bank import BankWriter, FeatureBank, Provenance
from lfb_lightning.bank.manifest import finish_bank
from lfb_lightning.clock import SECOND_LIMIT, SECONDS, TICK_LIMIT, Clock
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe

LAST = SECOND_LIMIT - 1
HUNDREDTHS = Clock.parse(100)
BOX = "0.1,0.2,0.5,0.6"
VIDEOS = ["a", "b"]  # a second that overflows one video's keys lands in the other's


def annotations_csv(folder, second, clock=SECONDS):
    (folder / "t.csv").write_text(f"a,{second},{BOX},1,0\nb,902,{BOX},1,0\n")
    return lambda: read_annotations(folder / "t.csv", LabelMap({1: "one"}), clock=clock).keyframes


def empty_keyframe_csv(folder, second, clock=SECONDS):
    (folder / "t.csv").write_text(f"a,{second}\nb,902,{BOX},1,0\n")
    return lambda: read_annotations(folder / "t.csv", LabelMap({1: "one"}), clock=clock).keyframes


def excluded_csv(folder, second, clock=SECONDS):
    (folder / "t.csv").write_text(f"a,{second}\nb,902\n")
    return lambda: sorted(read_excluded(folder / "t.csv", clock=clock))


def proposals_csv(folder, second, clock=SECONDS):
    (folder / "t.csv").write_text(f"a,{second},{BOX},-1,0.9\nb,902,{BOX},-1,0.9\n")
    return lambda: read_proposals(folder / "t.csv", clock=clock).keyframes


def proposals_of_val_csv(folder, second, clock=SECONDS):
    (folder / "t.csv").write_text(f"a,{second},{BOX},,0.9\nb,902,{BOX},,0.9\n")
    return lambda: read_proposals(folder / "t.csv", clock=clock).keyframes


def dense_pickle(folder, second, clock=SECONDS):
    boxes = np.array([[0.1, 0.2, 0.5, 0.6, 0.9]])
    (folder / "t.pkl").write_bytes(pickle.dumps({f"a,{second}": boxes, "b,902": boxes}))
    return lambda: read_proposals(folder / "t.pkl", clock=clock).keyframes


def acar_pickle(folder, second, clock=SECONDS):
    labels = [{"bounding_box": [0.1, 0.2, 0.5, 0.6]}]
    clips = [{"video": "a", "time": second, "labels": labels}, {"video": "b", "time": 902, "labels": labels}]
    (folder / "t.pkl").write_bytes(pickle.dumps((clips, {})))
    return lambda: read_proposals(folder / "t.pkl", clock=clock).keyframes


def coco_json(folder, second, clock=SECONDS):
    images = [
        {"id": 1, "movie": "a", "timestamp": second, "width": 9, "height": 9},
        {"id": 2, "movie": "b", "timestamp": 902, "width": 9, "height": 9},
    ]
    found = [{"image_id": number, "bbox": [1, 1, 2, 2], "score": 0.9} for number in (1, 2)]
    (folder / "t.json").write_text(json.dumps({"images": images, "annotations": found}))
    return lambda: read_proposals(folder / "t.json", clock=clock).keyframes


def file_names_json(folder, second, clock=SECONDS):
    images = [
        {"id": 1, "file_name": f"a/{second}.jpg", "width": 9, "height": 9},
        {"id": 2, "file_name": "b/902.jpg", "width": 9, "height": 9},
    ]
    found = [{"image_id": number, "bbox": [1, 1, 2, 2], "score": 0.9} for number in (1, 2)]
    (folder / "t.json").write_text(json.dumps({"images": images, "annotations": found}))
    return lambda: read_proposals(folder / "t.json", clock=clock).keyframes


def evaluation_csv(folder, second):
    (folder / "t.csv").write_text(f"a,{second},{BOX},1,0.9\nb,902,{BOX},1,0.9\n")

    def read():
        table = read_evaluation_csv(folder / "t.csv")
        videos, moments = np.divmod(table.keys, KEYS_PER_VIDEO)
        seconds = (moments - KEYS_PER_VIDEO // 2) // 1_000_000
        return sorted(Keyframe(table.video_ids[video], second) for video, second in zip(videos, seconds, strict=True))

    return read


READERS = [
    annotations_csv,
    empty_keyframe_csv,
    excluded_csv,
    proposals_csv,
    proposals_of_val_csv,
    dense_pickle,
    acar_pickle,
    coco_json,
    file_names_json,
    evaluation_csv,
]


@pytest.mark.parametrize("write", READERS, ids=lambda write: write.__name__)
def test_seconds_up_to_the_bound_are_read_and_one_more_is_refused(tmp_path, write):
    assert write(tmp_path, LAST)() == [Keyframe("a", LAST), Keyframe("b", 902)]
    for second in (SECOND_LIMIT, 2**31, 2**32, 8589934593, 2**63, 10**30):
        read = write(tmp_path, second)
        with pytest.raises(InputError, match=r"t\.(csv|pkl|json).*less than 8,000,000"):
            read()


@pytest.mark.parametrize("write", READERS, ids=lambda write: write.__name__)
def test_a_negative_second_stays_in_its_video_or_is_refused(tmp_path, write):
    if write is not file_names_json:  # a minus is a part of the name there
        assert write(tmp_path, -LAST)() == [Keyframe("a", -LAST), Keyframe("b", 902)]
        with pytest.raises(InputError, match="less than 8,000,000"):
            write(tmp_path, -SECOND_LIMIT)()


WITH_FRACTIONS = [one for one in READERS if one not in (evaluation_csv, file_names_json)]


@pytest.mark.parametrize("write", WITH_FRACTIONS, ids=lambda write: write.__name__)
def test_whole_seconds_may_be_written_with_decimals_and_true_fractions_are_told_what_to_do(tmp_path, write):
    assert write(tmp_path, "17.000000")()[0] == Keyframe("a", 17)
    with pytest.raises(InputError, match=r"t\.(csv|pkl|json).*17\.010000.*set data\.ticks_per_second=.*100 for 17\.01"):
        write(tmp_path, "17.010000")()


@pytest.mark.parametrize("write", WITH_FRACTIONS, ids=lambda write: write.__name__)
def test_fractions_are_ticks_of_a_finer_clock(tmp_path, write):
    assert write(tmp_path, "17.010000", HUNDREDTHS)() == [Keyframe("a", 1701), Keyframe("b", 90200)]
    assert write(tmp_path, "17.533333", Clock.parse(30))()[0] == Keyframe("a", 526)  # 17 s and 16 frames
    with pytest.raises(
        InputError, match=r"t\.(csv|pkl|json).*17\.015.*multiple of 1/100 s; the nearest is 17\.0[12]0000"
    ):
        write(tmp_path, "17.015", HUNDREDTHS)()
    with pytest.raises(InputError, match=r"t\.(csv|pkl|json).*less than 8,000,000"):
        write(tmp_path, SECOND_LIMIT, HUNDREDTHS)()
    with pytest.raises(InputError, match=r"t\.(csv|pkl|json).*less than 2,147,483,648 ticks of 1000 per second"):
        write(tmp_path, 2147484, Clock.parse(1000))()


def test_fractions_as_numbers_are_not_cut_off(tmp_path):
    for write in (acar_pickle, coco_json):
        assert write(tmp_path, 17.0)()[0] == Keyframe("a", 17)
        with pytest.raises(InputError, match=r"17\.5"):
            write(tmp_path, 17.5)()


@pytest.mark.parametrize("text", ["", "nan", "inf", "9_02", "9" * 5000, "x", "٣٤x"])
def test_texts_that_name_no_second(tmp_path, text):
    with pytest.raises(ValueError, match=r"second .*expected"):
        SECONDS.tick(text)
    with pytest.raises(InputError, match=r"t\.pkl: key .*expected 'VIDEO,0902'"):
        dense_pickle(tmp_path, text)()


def test_keys_of_two_videos_never_meet():
    seconds = np.array([-LAST, LAST, -LAST, LAST])
    rows = KeyframeRows(VIDEOS, keyframe_keys(np.array([0, 0, 1, 1]), seconds))
    assert rows.keyframes == [Keyframe(name, second) for name in VIDEOS for second in (-LAST, LAST)]
    with pytest.raises(AssertionError):
        keyframe_keys(np.array([0]), np.array([TICK_LIMIT]))


def provenance():
    return Provenance(
        checkpoint_digest="c",
        backbone_digest="b",
        backbone="x",
        channels=2,
        precision="fp32",
        compute_precision="32",
        clip={},
        keyframes="proposals",
        score_threshold=0.9,
        split="val",
        package_version="0",
    )


def write_bank(folder, second):
    writer = BankWriter(folder, provenance())
    writer.write(
        "a",
        timestamps=torch.tensor([second, 902]),
        boxes=torch.zeros(2, 4, dtype=torch.float64),
        scores=torch.ones(2, dtype=torch.float64),
        features=torch.ones(2, 2),
    )
    finish_bank(folder, writer.provenance, ["a"])
    return FeatureBank.open(folder).keyframes()


def test_bank_rows_have_the_same_bound(tmp_path):
    assert write_bank(tmp_path / "good", LAST) == [Keyframe("a", 902), Keyframe("a", LAST)]
    for number, second in enumerate((SECOND_LIMIT, -SECOND_LIMIT, 2**31, 2**32 + 902)):
        with pytest.raises(InputError, match=rf"video a: .*{abs(second)}.*less than 8,000,000"):
            write_bank(tmp_path / str(number), second)
        assert not list((tmp_path / str(number)).glob("*.safetensors"))
