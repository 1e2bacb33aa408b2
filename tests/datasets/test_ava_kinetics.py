"""AVA-Kinetics as a data set: rows find their clip and their moment in it, and nothing of one clip reaches another."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from lfb_lightning.bank import FeatureBank, WindowSpec
from lfb_lightning.bank.memory import BankRows
from lfb_lightning.clips import ClipSampling
from lfb_lightning.clock import Clock
from lfb_lightning.datasets import AvaDataset, AvaKineticsDataset
from lfb_lightning.datasets.bank_split import spacing_of
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Detections, Keyframe
from tests.conftest import GOLDEN
from tests.kinetics_set import CLIPS, GONE, NAMES

MOMENTS = [(0, 5.25), (0, 9.9), (1, 5.0), (2, 0.004), (3, 5.125)]  # clip, and seconds since its first frame
KEYFRAMES = [Keyframe(NAMES[clip], 900_000 + round(1000 * second)) for clip, second in MOMENTS]


def kinetics(kinetics_set, **changes):
    return AvaKineticsDataset(**{**kinetics_set.section, **changes})


def own_set(folder, csv, clips=(), **changes):
    """A data set whose Kinetics part is a csv and some names of clips."""
    (folder / "clips").mkdir(exist_ok=True)
    for name in clips:
        (folder / "clips" / f"{name}.mp4").touch()
    (folder / "kinetics.csv").write_text(csv)
    section = {
        "video_dir": str(folder / "movies"),
        "label_map": str(GOLDEN / "ava" / "ava_action_list_v2.1_for_activitynet_2018.pbtxt"),
        "annotations": str(folder / "ava.csv"),
        "proposals": str(folder / "proposals.csv"),
        "kinetics_annotations": str(folder / "kinetics.csv"),
        "kinetics_video_dir": str(folder / "clips"),
        "ticks_per_second": 1000,
        "key_step": 1000,
    }
    return AvaKineticsDataset(**{**section, **changes})


def clip_items(split):
    return [item for item in split.training_items() if item.keyframe.video_id in NAMES]


def test_rows_find_their_clip_and_the_moment_in_it(kinetics_set):
    split = kinetics(kinetics_set).split("train")
    assert [item.keyframe for item in clip_items(split)] == KEYFRAMES
    assert [split.clock.seconds_in_video(one.timestamp) for one in KEYFRAMES] == [second for _, second in MOMENTS]
    movies = [item.keyframe for item in split.training_items() if item.keyframe.video_id not in NAMES]
    plain = {key: value for key, value in kinetics_set.section.items() if not key.startswith("kinetics")}
    ava = AvaDataset(**{**plain, "ticks_per_second": 1, "key_step": 1}).split("train")
    assert movies == [Keyframe(one.keyframe.video_id, 1000 * one.keyframe.timestamp) for one in ava.training_items()]
    assert {len(kinetics(kinetics_set).split("val").parts)} == {1}, "validated on AVA"


def test_frames_are_those_of_mmaction2_where_it_is_right(tmp_path):
    """Its samples get the range of the csv's last row, 1 to 121, which clamps the second one; ours get their own clip's."""
    recorded = json.loads((GOLDEN / "backbones" / "ava_kinetics_dataset.json").read_text())
    (tmp_path / "merged.csv").write_text(recorded["csv"])
    names = [sample["video_id"] for sample in recorded["samples"]]
    (tmp_path / "proposals.csv").write_text(
        "-5KQ66BBWC4,902,0.07,0.15,0.28,0.81,,0.99\no3lCwWyyc_s,17,0.1,0.2,0.5,0.9,,0.95\n"
    )
    files = {key: str(tmp_path / "merged.csv") for key in ("annotations", "kinetics_annotations")}
    files |= {key: str(tmp_path / "proposals.csv") for key in ("proposals", "kinetics_proposals")}
    split = own_set(tmp_path, "", names, match_iou=0.5, **files).split("train")
    samples = {sample["video_id"]: sample for sample in recorded["samples"]}
    assert sorted(names) == sorted(item.keyframe.video_id for item in split.training_items())
    for item in split.training_items():
        sample = samples[item.keyframe.video_id]
        second = split.clock.seconds_in_video(item.keyframe.timestamp)
        frames = np.rint(ClipSampling(16, 4, 30.0).times(second) * 30).astype(int).tolist()
        right = list(range(118, 180, 4)) if second == 5 else sample["frame_inds_16x4_test"]
        assert frames == right
        found = split.training_regions(item, torch.Generator())
        assert found.boxes[: len(sample["gt_bboxes"])].tolist() == sample["gt_bboxes"]
        assert [np.flatnonzero(row).tolist() for row in found.labels[: len(sample["labels"])]] == sample["labels"]
        if sample["scores"] != [1]:  # no proposal: mmaction2 takes the whole frame for one, which here is none
            assert found.scores.tolist() == [1.0, *sample["scores"]]
            assert found.boxes[-1].tolist() == sample["proposals"][0]
        else:
            assert found.scores.tolist() == [1.0]


def test_a_clip_at_the_end_repeats_its_own_last_frame(kinetics_set):
    split = kinetics(kinetics_set).split("train")
    video = split.video(NAMES[0])
    times = ClipSampling(16, 4, 10.0).times(split.clock.seconds_in_video(KEYFRAMES[1].timestamp))
    clip, last = video.clip(times), video.clip(np.array([9.9]))[0]
    assert (clip[8:] == last).all()
    assert not (clip[0] == last).all()
    assert not (split.video(NAMES[2]).clip(np.array([9.9]))[0] == last).all(), "another clip ends otherwise"


def test_mmaction2_files_say_the_same_without_the_fraction(kinetics_set):
    merged = str(kinetics_set.folder / "merged_{split}.csv")
    both = str(kinetics_set.folder / "merged_{split}_proposals.pkl")
    dataset = kinetics(kinetics_set, annotations=merged, kinetics_annotations=merged, proposals=both)
    split, official = dataset.split("train"), kinetics(kinetics_set).split("train")
    assert [item.keyframe for item in clip_items(split)] == [
        Keyframe(video_id, tick - tick % 1000) for video_id, tick in KEYFRAMES
    ]
    for mine, theirs in zip(split.training_items(), official.training_items(), strict=True):
        one, other = (of.training_regions(item, torch.Generator()) for of, item in ((split, mine), (official, theirs)))
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.labels, other.labels)
    assert split.bank_keyframes("proposals")[:5] == official.bank_keyframes("proposals")[:5]
    assert {one.video_id for one in split.bank_keyframes("proposals")} == {
        one.video_id for one in official.bank_keyframes("proposals")
    }, "the clips' proposals are none of a movie"
    (finding,) = [one for one in split.check().findings if "whole" in one.what]
    assert finding.level == "warning"


def test_what_is_missing_is_counted_named_skipped_or_refused(kinetics_set, caplog):
    split = kinetics(kinetics_set).split("train")
    figures = split.check().figures
    assert figures["kinetics_missing_videos"] == [GONE[0]]
    assert (figures["kinetics_keyframes_of_missing_videos"], figures["kinetics_rows_without_people"]) == (1, 1)
    assert "1 of 4 videos have no clip" in caplog.text
    with pytest.raises(InputError, match=r"1 of 4 videos have no clip .*ddddddddddd.*data.kinetics_missing=skip"):
        kinetics(kinetics_set, kinetics_missing="refuse").split("train").training_items()
    with pytest.raises(InputError, match="kinetics_missing"):
        kinetics(kinetics_set, kinetics_missing="ask")


def test_a_clock_of_seconds_makes_banks_as_ava_s(kinetics_set):
    merged = str(kinetics_set.folder / "merged_{split}.csv")
    of_seconds = kinetics(kinetics_set, kinetics_annotations=merged, ticks_per_second=1, key_step=1)
    assert spacing_of(of_seconds.split("train")) == ()
    assert [item.keyframe.timestamp for item in clip_items(of_seconds.split("train"))] == [905, 909, 905, 900, 905]
    assert spacing_of(kinetics(kinetics_set).split("val")) == (1000, 901_000)
    with pytest.raises(InputError, match="no such file"):
        kinetics(kinetics_set, kinetics_annotations="no.csv").split("train")


@pytest.mark.parametrize(
    ("csv", "clips", "message"),
    [
        ("aaaaaaaaaaa,5.5,.1,.1,.5,.5,80\n", [], "none of 1 videos has a clip in .*aaaaaaaaaaa_000012_000022"),
        ("aaaaaaaaaaa,5.5\n", ["aaaaaaaaaaa_000000_000010"], "none of 1 rows is a person"),
        ("aaaaaaaaaaa,5.5,.1,.1,.5,.5,80\naaaaaaaaaaa,x,.1,.1,.5,.5,80\n", ["aaaaaaaaaaa_000000_000010"], "row 2"),
        ("aaaaaaaaaaa,5.5\naaaaaaaaaaa,5,10,10,50,50,80\n", ["aaaaaaaaaaa_000000_000010"], "row 2: box"),
        ("aaaaaaaaaaa,9e9,.1,.1,.5,.5,80\n", ["aaaaaaaaaaa_000000_000010"], "row 1: timestamp"),
    ],
)
def test_odd_files_are_one_line(tmp_path, csv, clips, message):
    with pytest.raises(InputError, match=message) as caught:
        own_set(tmp_path, csv, clips).split("train").parts[1].split.training_items()
    assert "\n" not in str(caught.value)


def test_a_timestamp_between_ticks_is_moved_and_counted(tmp_path):
    row = "aaaaaaaaaaa,6.039367,.1,.1,.5,.5,80\n"
    clips = ["aaaaaaaaaaa_000003_000013"]
    for rate, tick, between in ((1000, 903_039, 1), (100_000, 90_303_937, 1), ("30000/1001", 26_990, None)):
        part = own_set(tmp_path, row, clips, ticks_per_second=rate, key_step=1).split("train").parts[1]
        assert [item.keyframe.timestamp for item in part.split.training_items()] == [
            tick if between else round((900 + 3.039367) * 30000 / 1001)
        ]


def test_clips_lie_in_folders_per_class_and_as_frames_too(kinetics_set, tmp_path):
    split = kinetics(kinetics_set).split("train")
    assert split.video(NAMES[3]).path.parent.name == "washing hands"
    (tmp_path / "sneezing" / NAMES[1]).mkdir(parents=True)
    (tmp_path / f"{NAMES[0]}.mp4").touch()
    dataset = kinetics(kinetics_set, kinetics_source="frames", kinetics_video_dir=str(tmp_path))
    assert {item.keyframe.video_id for item in clip_items(dataset.split("train"))} == {NAMES[1]}
    assert dataset.split("train").video(NAMES[1]).path == tmp_path / "sneezing" / NAMES[1]
    with pytest.raises(InputError, match="kinetics_video_dir"):
        kinetics(kinetics_set, kinetics_video_dir=str(tmp_path / "no")).split("train").training_items()


def test_what_lfb_detect_writes_of_clips_is_read_back(kinetics_set, tmp_path):
    split = kinetics(kinetics_set).split("train")
    rows = [
        f"{one.video_id},{split.clock.text(one.timestamp)},0.1,0.1,0.4,0.4,,0.9{number}"
        for number, one in enumerate(one for one in split.annotated_keyframes() if one.video_id in NAMES)
    ]
    (tmp_path / "found.csv").write_text("\n".join(rows) + "\n")
    found = kinetics(kinetics_set, kinetics_proposals=str(tmp_path / "found.csv")).split("train")
    kept = [one for one in found.bank_keyframes("proposals") if one.video_id in NAMES]
    assert kept == KEYFRAMES
    assert [found.bank_regions(one, "proposals").scores.tolist() for one in kept] == [
        [0.9],
        [0.91],
        [0.92],
        [0.93],
        [0.94],
    ]


def test_without_proposals_annotated_persons_are_trained_on(kinetics_set):
    split = kinetics(kinetics_set, kinetics_proposals=None).split("train")
    scores = [split.training_regions(item, torch.Generator()).scores for item in clip_items(split)]
    assert len(scores) == len(MOMENTS)
    assert all((one == 1).all() for one in scores)
    assert not [one for one in split.bank_keyframes("proposals") if one.video_id in NAMES]
    assert [finding.level for finding in split.check().findings if "kinetics" in finding.what] == ["note"]


def test_checks_say_seconds_and_not_ticks(kinetics_set):
    (unused,) = [
        one.what for one in kinetics(kinetics_set).split("train").check().findings if "no used second" in one.what
    ]
    assert unused.endswith("keyframes are on no used second, the first is 'mini-train-000,905.000000'")


def test_a_bank_of_every_second_has_each_clip_s_own_ten_and_its_persons(kinetics_set):
    split = kinetics(kinetics_set).split("train")
    ticks = [one.timestamp for one in split.bank_keyframes("every_second") if one.video_id == NAMES[0]]
    assert ticks == sorted([*range(900_000, 911_000, 1000), 905_250, 909_900])
    assert split.bank_regions(Keyframe(NAMES[0], 903_000), "every_second").boxes.tolist() == [[0, 0, 1, 1]]


def bank(moments, **options):
    """A bank in memory with one feature per moment, which is its number."""
    rows = {}
    for number, (video, tick) in enumerate(moments):
        rows.setdefault(video, []).append((tick, number))
    videos = {
        video: BankRows(
            timestamps=torch.tensor([tick for tick, _ in own]),
            boxes=torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(len(own), 1),
            scores=torch.ones(len(own)),
            features=torch.tensor([[float(number)] for _, number in own]),
        )
        for video, own in rows.items()
    }
    return FeatureBank.from_rows(videos, channels=1, **options)


def filled(made, keyframe):
    """The features in the slots of an 8 s window of two slots per second: four seconds before the key frame, three after."""
    window = made.window(keyframe, WindowSpec.of_seconds(8, 2))
    return {slot: window.features[0, slot, 0].item() for slot in torch.nonzero(window.mask[0])[:, 0].tolist()}


def test_windows_reach_a_clip_s_own_seconds_and_ava_banks_serve_its_movies(kinetics_set):
    split = kinetics(kinetics_set).split("train")
    of_clip, of_end, *_, of_other = KEYFRAMES
    moments = [Keyframe("movie", 902_000), of_clip, Keyframe(NAMES[0], 907_000), of_end, Keyframe("movie", 904_000)]
    own = bank(moments, ticks_per_second=1000, spacing=split.bank_spacing, clock=split.clock)
    assert filled(own, of_clip) == {8: 1.0, 10: 2.0}  # 1.75 s later, and 4.65
    assert filled(own, of_end) == {2: 2.0, 8: 3.0}  # 2.9 s before
    assert filled(own, of_other) == {}
    assert filled(own, Keyframe("movie", 902_000)) == {8: 0.0, 12: 4.0}
    ava = bank([Keyframe("movie", second) for second in (899, 902, 905)], clock=split.clock)
    assert filled(ava, Keyframe("movie", 902_000)) == {2: 0.0, 8: 1.0, 14: 2.0}
    assert filled(ava, of_clip) == {}


def test_parts_are_measured_apart(kinetics_set, tmp_path):
    split = kinetics(kinetics_set).split("train")
    evaluator = split.evaluator(action_threshold=None)
    assert evaluator.figures[0] == "mAP"
    assert "kinetics_mAP" in evaluator.figures
    for item in split.evaluation_items():
        own = next(part.split for part in split.parts if part.holds(item.keyframe.video_id))
        truth = own.tables.annotations[item.keyframe]
        right = truth.labels if item.keyframe.video_id in NAMES else np.zeros_like(truth.labels)
        evaluator.update(
            Detections(
                keyframes=[Keyframe("elsewhere", 1), item.keyframe],
                clip_of_roi=torch.ones(len(truth), dtype=torch.long),
                boxes=torch.from_numpy(truth.boxes),
                scores=torch.from_numpy(right).float(),
                items=(0, item.number),
            )
        )
    figures = evaluator.compute()
    assert figures["kinetics_mAP"] == pytest.approx(1.0)
    assert figures["mAP"] < 0.9
    assert list(figures) == list(evaluator.figures)
    summary = evaluator.summary()
    assert (summary["mAP"], summary["kinetics"]["mAP"]) == (figures["mAP"], figures["kinetics_mAP"])
    written = evaluator.write(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in written] == ["results.csv", "kinetics/results.csv"]
    assert {row.split(",")[0] for row in written[1].read_text().splitlines()} == set(NAMES)
    nobody = torch.zeros(0)
    evaluator.update(Detections([], nobody.long(), torch.zeros(0, 4).double(), nobody[:, None].expand(0, 15), ()))
    assert evaluator.compute()["kinetics_mAP"] == 0.0, "what was evaluated is forgotten"


def test_actions_of_items_are_those_of_their_part(kinetics_set):
    split = kinetics(kinetics_set).split("train")
    items = split.training_items()
    order = [items[index] for index in torch.randperm(len(items), generator=torch.Generator().manual_seed(0)).tolist()]
    shown = split.item_actions(order)
    for item, row in zip(order, shown, strict=True):
        assert (split.training_regions(item, torch.Generator()).labels.any(axis=0) == row).all()


def test_a_split_is_copied_to_a_loader_s_process(kinetics_set):
    split = kinetics(kinetics_set).split("train")
    items = split.training_items()
    copy = pickle.loads(pickle.dumps(split))
    for item in items[::7]:
        one, other = split.training_regions(item, torch.Generator()), copy.training_regions(item, torch.Generator())
        np.testing.assert_array_equal(one.labels, other.labels)
    assert copy.video(NAMES[3]).path == split.video(NAMES[3]).path
    assert copy.check().figures == split.check().figures


def test_cached_moments_are_the_annotated_ones_of_a_clip(kinetics_set):
    dataset = kinetics(kinetics_set)
    assert dataset.clip_moments(NAMES[0]) == [5.25, 9.9]
    assert dataset.clip_moments("mini-train-000") == [1.0, 2.0, 3.0, 4.0]
    fewer = kinetics(kinetics_set, kinetics_annotations=str(kinetics_set.folder / "merged_{split}.csv"))
    assert dataset.describe_moments() != fewer.describe_moments()
    assert dataset.videos.open(NAMES[3]).path.parent.name == "washing hands"
    assert len(CLIPS) == len([one for one in dataset.video_ids("train") if one in NAMES])
    assert replace(dataset, fps=12.0).fps == 12.0
    assert dataset.clock == Clock.parse(1000, 900)
