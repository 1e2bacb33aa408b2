"""Which seconds the bank describes and whose features it stores, against mmaction2's real bank and by hand."""

import pytest
import torch

from lfb_lightning.clock import Clock
from lfb_lightning.datasets import AvaDataset
from lfb_lightning.datasets.ava.bank_keyframes import BankKeyframes
from lfb_lightning.datasets.video_batches import refuse_outside
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Item, Keyframe
from tests.models import golden

E2E = golden.GOLDEN / "e2e"


def split_of(mini_dir, tmp_path, proposals, **changes):
    path = tmp_path / "proposals.csv"
    path.write_text("".join(f"{row}\n" for row in proposals))
    content = {
        "video_dir": str(mini_dir / "videos"),
        "label_map": str(mini_dir / "mini_ava_action_list.pbtxt"),
        "annotations": str(mini_dir / "mini_ava_{split}.csv"),
        "proposals": str(path),
        "last_second": 930,
        "bank_threshold": 0.8,
    }
    return AvaDataset(**{**content, **changes}).split("val").tables


@pytest.fixture
def video_id(mini_dir):
    return (mini_dir / "mini_ava_val.csv").read_text().split(",", 1)[0]


def test_proposals_give_their_seconds_and_persons_above_the_threshold(mini_dir, tmp_path, video_id):
    rows = [f"{video_id},905,0,0,0.5,0.5,,0.9", f"{video_id},905,0,0,0.4,0.4,,0.7", f"{video_id},906,0,0,0.5,0.5,,0.7"]
    chosen = BankKeyframes(split_of(mini_dir, tmp_path, rows), "proposals")
    assert chosen.keyframes() == [Keyframe(video_id, 905)]
    assert chosen.persons(Keyframe(video_id, 905)).scores.tolist() == [0.9]
    assert len(chosen.persons(Keyframe(video_id, 906))) == 0


def test_every_second_runs_to_the_videos_end_and_always_stores_someone(mini_dir, tmp_path, video_id):
    rows = [f"{video_id},905,0,0,0.5,0.5,,0.9", f"{video_id},906,0,0,0.5,0.5,,0.7", f"{video_id},906,0,0,0.2,0.2,,0.6"]
    chosen = BankKeyframes(split_of(mini_dir, tmp_path, rows), "every_second")
    keyframes = [keyframe for keyframe in chosen.keyframes() if keyframe.video_id == video_id]
    assert [keyframe.timestamp for keyframe in keyframes] == list(range(902, 921))  # 20 seconds from 900
    assert chosen.persons(Keyframe(video_id, 905)).scores.tolist() == [0.9]
    assert chosen.persons(Keyframe(video_id, 906)).scores.tolist() == [0.7]  # the best one below the threshold
    nobody = chosen.persons(Keyframe(video_id, 907))
    assert nobody.boxes.tolist() == [[0.0, 0.0, 1.0, 1.0]]
    assert nobody.scores.tolist() == [0.0]


def test_annotations_are_needed_by_name(mini_dir, tmp_path, video_id):
    split = split_of(mini_dir, tmp_path, [f"{video_id},905,0,0,0.5,0.5,,0.9"], annotations="none/{split}.csv")
    with pytest.raises(InputError, match=r"none/val\.csv: no such file; bank\.keyframes=proposals"):
        BankKeyframes(split, "annotations").keyframes()


def test_a_word_that_is_none_of_the_three_is_refused():
    split = AvaDataset(video_dir="", label_map="", annotations="", proposals="").split("val")
    for asked in (split.bank_keyframes, lambda choice: split.bank_regions(Keyframe("v", 902), choice)):
        with pytest.raises(
            InputError, match=r"bank\.keyframes is some, expected one of proposals, annotations, every_second"
        ):
            asked("some")


def test_annotated_seconds_are_those_of_mmaction2s_bank():
    proposals = E2E / "prop.pkl"
    data = AvaDataset(
        video_dir=str(E2E / "rawframes"),
        source="frames",
        label_map=str(E2E / "labels.pbtxt"),
        annotations=str(E2E / "ava_{split}.csv"),
        excluded=str(E2E / "excl.csv"),
        proposals=str(proposals),
        bank_threshold=0.9,
    )
    chosen = BankKeyframes(data.split("train").tables, "annotations")
    bank = torch.load(E2E / "lfb_train.pkl", weights_only=True)
    theirs = {Keyframe(video, second): len(rows) for video, seconds in bank.items() for second, rows in seconds.items()}
    assert {keyframe: len(chosen.persons(keyframe)) for keyframe in chosen.keyframes()} == theirs


def test_keyframes_outside_of_the_video_are_counted_and_the_remedies_named():
    def refuse(*seconds, length=20.0):
        items = [Item(number, Keyframe("v", second)) for number, second in enumerate(seconds)]
        refuse_outside(items, Clock.parse(1, 900), length)

    with pytest.raises(InputError, match=r"it covers 900 to 920\.0 s\); look at the boxes\.$"):
        refuse_outside([Item(0, Keyframe("v", 930))], Clock.parse(1, 900), 20.0, "look at the boxes.")
    refuse(900, 920)
    refuse(900, 920, 5000, length=0.0)  # length not known
    with pytest.raises(InputError, match=r"video v: 1 of 3 keyframes.*921 s; it covers 900 to 920\.0 s.*clamp"):
        refuse(900, 920, 921)
    with pytest.raises(InputError, match="the first at 899 s"):
        refuse(899, 900, 920)
