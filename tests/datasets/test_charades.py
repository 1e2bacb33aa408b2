"""Charades as a data set: which clips are read for what, what they are labeled with, and how their views become one."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from lfb_lightning.clips import ClipSettings
from lfb_lightning.clips.frame_sampling import shifted_crops
from lfb_lightning.datasets import CharadesDataset
from lfb_lightning.errors import InputError
from lfb_lightning.lightning.datamodules.batching import SampleKey
from lfb_lightning.lightning.datamodules.training_clips import TrainingClips
from lfb_lightning.structures import Detections, Keyframe, ViewBatch
from tests.charades_set import FPS, TEST, TRAIN, intervals, write_charades_set
from tests.conftest import GOLDEN

SAMPLING = json.loads((GOLDEN / "paper_datasets" / "sampling" / "charades.json").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_charades_set(tmp_path_factory.mktemp("charades"))


def dataset(folder, **settings):
    return CharadesDataset(
        **{
            "video_dir": str(folder / "videos"),
            "annotations": str(folder / "Charades_v1_{split}.csv"),
            "label_map": str(folder / "Charades_v1_classes.txt"),
            "split_files": {"val": "test"},
            "num_frames": 4,
            "frame_stride": 4,
            **settings,
        }
    )


def test_videos_without_an_action_are_in_the_bank_but_neither_trained_nor_evaluated(folder):
    train, val = (dataset(folder).split(name) for name in ("train", "val"))
    assert [item.keyframe.video_id for item in train.training_items()] == ["TR001", "TR002", "TR004"]
    assert sorted({item.number for item in val.test_items()}) == [0, 1, 3]
    expected = [Keyframe(one, i) for one, (count, _) in TEST.items() for i in range(count) if (i + 1) % 12 == 0]
    assert val.bank_keyframes("any word") == expected
    assert (train.bank_spacing, train.bank_entries) == ((12, 11), "clips")
    all_scored = dataset(folder, unlabeled="negative").split("val").test_items()
    assert sorted({item.number for item in all_scored}) == [0, 1, 2, 3]


def test_validations_and_tests_read_the_middles_of_equal_parts(folder):
    split = dataset(folder).split("val")
    for items, parts in ((split.evaluation_items(), 3), (split.test_items(), 10)):
        for number, (count, _) in enumerate(TEST.values()):
            found = [item.keyframe.timestamp for item in items if item.number == number]
            assert found == ([] if number == 2 else [round(count / parts * (k + 0.5)) for k in range(parts)])


@pytest.mark.parametrize("case", SAMPLING["lfb_train_center_range"], ids=lambda case: str(case["num_frames"]))
def test_training_clips_are_drawn_from_the_papers_range(folder, case):
    split = dataset(folder, num_frames=32, frame_stride=4).split("train")
    split.tables._lengths = {0: case["num_frames"]}
    item = split.training_items()[0]
    drawn = {
        split.training_regions(item, torch.Generator().manual_seed(seed)).keyframe.timestamp for seed in range(200)
    }
    assert case["center_min"] <= min(drawn) <= max(drawn) <= case["center_max"]
    assert len(drawn) >= min(case["distinct"], 20) - 5 * (case["distinct"] > 1)


def test_a_training_clip_has_what_happens_from_its_first_to_its_last_frame(folder):
    split = dataset(folder).split("train")
    seen = set()
    for item in split.training_items():
        count, actions = TRAIN[item.keyframe.video_id]
        for seed in range(40):
            regions = split.training_regions(item, torch.Generator().manual_seed(seed))
            center = regions.keyframe.timestamp
            frames = [min(max(center - 8 + 4 * i, 0), count - 1) for i in range(4)]
            expected = [
                any(
                    action == one and start < index / FPS < end
                    for index in range(frames[0], frames[-1] + 1)
                    for action, start, end in intervals(actions)
                )
                for one in range(2)
            ]
            assert regions.labels.tolist() == [expected]
            assert regions.boxes.tolist() == [[0, 0, 1, 1]]
            seen.add(tuple(expected))
    assert seen == {(False, False), (True, False), (False, True), (True, True)}


def test_a_sample_depends_on_seed_epoch_and_place_alone(folder):
    settings = ClipSettings(fps=24.0, num_frames=4, frame_stride=4, train_short_side=None, train_crop=20)

    def drawn(seed, epoch):
        clips = TrainingClips(dataset(folder).split("train"), settings, seed=seed)
        return clips[SampleKey(0, epoch)]

    first, again, later = drawn(0, 1), drawn(0, 1), drawn(0, 2)
    assert first.keyframe == again.keyframe
    assert torch.equal(first.clip, again.clip)
    assert len({one.keyframe for one in (first, later, drawn(1, 1), drawn(0, 3))}) > 2


def test_frames_are_counted_in_folders_and_videos_of_another_rate(folder, tmp_path):
    frames = tmp_path / "frames"
    for one, (count, _) in TEST.items():
        (frames / one).mkdir(parents=True)
        for number in range(1, count + 1):
            Image.new("RGB", (8, 6)).save(frames / one / f"{one}-{number:06}.jpg")
    of_frames = dataset(folder, source="frames", video_dir=str(frames)).split("val")
    assert [of_frames.tables.num_frames(number) for number in range(4)] == [count for count, _ in TEST.values()]
    at_half = dataset(folder, fps=12.0).split("val")  # the same seconds are half as many frames
    assert [at_half.tables.num_frames(number) for number in range(4)] == [36, 30, 24, 25]
    missing = dataset(folder, video_dir=str(tmp_path)).split("val")
    assert missing.tables.num_frames(0) == 72, "by the csv; who reads it says what is wrong"


def test_entries_of_the_bank_are_labeled_with_what_happens_in_their_clips(folder):
    """`data.short_term=bank`: every entry of the videos with an action, labeled by all frames of its clip."""
    split = dataset(folder).split("train")
    items = split.stored_items(training=True)
    labeled = {one: count for one, (count, actions) in TRAIN.items() if actions}
    assert [item.keyframe for item in items] == [(one, i) for one in labeled for i in range(11, labeled[one], 12)]
    assert all(list(TRAIN)[item.number] == item.keyframe.video_id for item in items)
    for item in items:
        count, actions = TRAIN[item.keyframe.video_id]
        first, last = (min(max(item.keyframe.timestamp + offset, 0), count - 1) for offset in (-8, 4))
        moments = [i / FPS for i in range(first, last + 1)]
        shown = [
            any(one == action and start < moment < end for one, start, end in intervals(actions) for moment in moments)
            for action in (0, 1)
        ]
        labels, kept = split.stored_labels(item.keyframe, np.array([[0.0, 0.0, 1.0, 1.0]]))
        assert (labels.tolist(), kept.tolist()) == ([shown], [True]), item
    val = dataset(folder).split("val")
    assert {item.keyframe.video_id for item in val.stored_items(training=False)} == {"TE001", "TE002", "TE004"}
    assert val.stored_scored(np.ones(3)).all()


def test_a_frame_list_says_frames_and_labels_of_clips(folder, tmp_path):
    rows = [f'TR001 0 {i} TR001/TR001-{i + 1:06}.jpg "{"1" if i < 40 else "0,1"}"\n' for i in range(80)]
    (tmp_path / "train.csv").write_text("original_vido_id video_id frame_id path labels\n" + "".join(rows))
    split = dataset(folder, frame_list=str(tmp_path / "{split}.csv")).split("train")
    assert split.tables.num_frames(0) == 80
    assert split.tables.clip_labels(0, 10, 39).tolist() == [False, True]
    assert split.tables.clip_labels(0, 10, 40).tolist() == [True, True]
    with pytest.raises(InputError, match="no video TR002"):
        split.tables.clip_labels(1, 0, 5)


@pytest.mark.parametrize(("height", "width"), [(40, 75), (40, 76), (75, 40), (40, 40)])
def test_crops_are_the_papers(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    settings = ClipSettings(eval_short_side=None, test_crops=3, eval_crop="center", crop_rounding="up")
    box = np.array([[0.0, 0.0, 1.0, 1.0]])
    expected = [
        torch.from_numpy(pixels[:, top : top + 40, left : left + 40].copy()).permute(3, 0, 1, 2)
        for top, left in shifted_crops(height, width, 40)
    ]
    for view, crop in zip(settings.test_views, expected, strict=True):
        clip, rois, inside = view(pixels, box)
        assert torch.equal(clip, crop)
        assert rois.tolist() == [[0, 0, 40, 40]]
        assert inside.all()
    assert torch.equal(settings.eval_view(pixels, box)[0], expected[1])


def test_the_maximum_of_views_is_of_those_that_show_a_region():
    scores = torch.tensor([[[1.0, -5.0], [2.0, 2.0], [9.0, 9.0]], [[-1.0, -3.0], [7.0, 7.0], [9.0, 9.0]]])
    inside = torch.tensor([[True, True, False], [True, False, False]])
    batch = ViewBatch(views=(), inside=inside, groups=[0, 0], reduce="max")
    assert batch.reduced(scores).tolist() == [[1.0, -3.0], [2.0, 2.0], [0.0, 0.0]]
    mean = ViewBatch(views=(), inside=inside, groups=[0, 0]).reduced(scores)
    assert mean.tolist() == [[0.0, -4.0], [2.0, 2.0], [0.0, 0.0]]


def test_a_score_that_is_no_number_ends_the_evaluation(folder):
    split = dataset(folder).split("val")
    evaluator = split.evaluator(action_threshold=None)
    assert evaluator.reads_logits
    items = split.evaluation_items()
    scores = torch.zeros(len(items), 2)
    scores[0, 1] = torch.nan
    evaluator.update(
        Detections(
            [item.keyframe for item in items],
            torch.arange(len(items)),
            torch.zeros(len(items), 4, dtype=torch.float64),
            scores,
            tuple(item.number for item in items),
        )
    )
    with pytest.raises(InputError, match="NaN"):
        evaluator.compute()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ties": "any"}, "data.ties is 'any'"),
        ({"evaluated": "ranks"}, "data.evaluated is 'ranks'"),
        ({"bank_step": 0}, "data.bank_step is 0"),
        ({"test_segments": 0}, "data.test_segments is 0"),
        ({"source": "cache"}, "a cache would hold every frame; extract the frames"),
    ],
)
def test_settings_out_of_range_are_refused(folder, settings, message):
    with pytest.raises(InputError, match=message):
        dataset(folder, **settings)


def test_a_frame_list_of_classes_that_there_are_not_is_refused(folder, tmp_path):
    rows = "original_vido_id video_id frame_id path labels\n" + 'TR001 0 0 x "1,2"\n'
    (tmp_path / "frames.csv").write_text(rows)
    split = dataset(folder, frame_list=str(tmp_path / "frames.csv")).split("train")
    with pytest.raises(
        InputError, match=r"frame list \S+frames\.csv: a frame of video TR001 has class 2, expected 0 to 1"
    ):
        split.training_regions(split.training_items()[0], torch.Generator())
