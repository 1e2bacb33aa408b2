"""Clips of EPIC-Kitchens 100 within their segments, as epic-kitchens-slowfast has them, and draws with replacement."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
import torch
from PIL import Image

from lfb_lightning.bank import BankConfig
from lfb_lightning.clips import ClipSampling, ClipSettings
from lfb_lightning.clips.sampling import ClipPart
from lfb_lightning.datasets import EpicDataset
from lfb_lightning.epic import official_frame_rate
from lfb_lightning.lightning import ActionDataModule
from lfb_lightning.lightning.datamodules.batching import DealtBatches
from lfb_lightning.lightning.datamodules.class_balance import training_weights
from lfb_lightning.lightning.datamodules.loading import Loading
from lfb_lightning.structures import Item, Keyframe

SOURCE = ClipSampling(32, 2, 60.0, spacing="even")
HEADER = "narration_id,participant_id,video_id,start_timestamp,stop_timestamp,verb_class,noun_class\n"
VERBS = 3


def write(folder, segments):
    """Write segments (video, start, stop), with frames at the official rates whose gray says their number."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"{video}_{n},P01,{video},{a},{b},{n % VERBS},0\n" for n, (video, a, b) in enumerate(segments)]
    (folder / "EPIC_100_train.csv").write_text(HEADER + "".join(rows))
    for head in ("verb", "noun"):
        lines = [f"{number},{head}{number}\n" for number in range(VERBS)]
        (folder / f"EPIC_100_{head}_classes.csv").write_text("id,key\n" + "".join(lines))
    for video in {video for video, _, _ in segments}:
        (folder / "videos" / video).mkdir(parents=True)
        for number in range(1, 201):
            image = Image.new("L", (16, 16), number).convert("RGB")
            image.save(folder / "videos" / video / f"frame_{number:010}.jpg", quality=100)
    return folder


def data(folder, **settings):
    given = {
        "video_dir": str(folder / "videos"),
        "annotations": str(folder / "EPIC_100_train.csv"),
        "verb_classes": str(folder / "EPIC_100_verb_classes.csv"),
        "noun_classes": str(folder / "EPIC_100_noun_classes.csv"),
        "heads": ["verb"],
        **{"source": "frames", "fps": 60.0, "bank_step": 60, "test_clips": 10, "test_places": "beginnings"},
        **{"clips_inside": True, "frame_spacing": "even"},
    }
    return EpicDataset(**{**given, **settings})


def frames(split, item, part):
    """The numbers from 0 of the frames of a clip, at the official rate of its video."""
    times = SOURCE.times(split.clock.seconds_in_video(item.keyframe.timestamp), part)
    return np.rint(times * official_frame_rate(item.keyframe.video_id)).astype(int).tolist()


TIMES = ("00:00:01.00", "00:00:03.00")  # 120 frames of 60, of which a clip takes 64: 56 are left


@pytest.mark.parametrize(
    ("segment", "place", "expected"),
    [
        (("P01_01", *TIMES), 0, [60 + 2 * i for i in range(31)] + [123]),
        (("P01_01", *TIMES), 5, [88 + 2 * i for i in range(31)] + [151]),
        (("P01_01", *TIMES), 1, [65 + 2 * i for i in range(13)] + [66 + 2 * i for i in range(13, 32)]),  # 5.6 frames in
        (("P01_01", "00:00:01.00", "00:00:01.50"), 0, [min(60 + 2 * i, 88) for i in range(32)]),  # 30 frames
        (("P01_101", *TIMES), 0, [50 + i * 157 // 93 for i in range(32)]),  # 53 1/3 frames of 50, 52 1/3 apart
    ],
    ids=["first", "middle", "between", "short", "50 fps"],
)
def test_frames_of_a_test_clip_by_hand(tmp_path, segment, place, expected):
    split = data(write(tmp_path, [segment])).split("train")
    item = split.test_items()[place]
    assert frames(split, item, split.clip_part(item)) == expected


def by_the_rule(start, stop, rate, place, clips):
    """The source's rule in exact numbers: linspace over the clip's length, cut to whole frames, within the segment."""
    first, count, span = round(start * rate), round(stop * rate) - round(start * rate), Fraction(64 * rate, 60)
    begin = max(count - span, Fraction(0)) * place / clips
    ways = [begin + 1 + (span - 1) * i / 31 for i in range(32)]
    return [first - 1 + floor(min(max(way, Fraction(0)), Fraction(count - 1))) for way in ways]


@pytest.mark.parametrize("video", ["P01_01", "P01_101"])
def test_test_clips_follow_the_rule_for_all_lengths(tmp_path, video):
    lengths = [0.1, 0.77, 1.06, 1.07, 1.2, 1.63, 2.51, 3.3]
    split = data(write(tmp_path, [(video, "00:00:00.41", f"00:00:0{0.41 + one:.2f}") for one in lengths])).split(
        "train"
    )
    rate, compared = int(official_frame_rate(video)), 0
    for item in split.test_items():
        stop = 0.41 + lengths[item.number]
        mine = [one for one in split.test_items() if one.number == item.number]
        if len(mine) not in (1, 10):
            continue  # fewer frames of room than clips: those of one middle are one
        place = mine.index(item)
        found = np.array(frames(split, item, split.clip_part(item)))
        expected = np.array(by_the_rule(0.41, round(stop, 2), rate, place, 10))
        differ = np.flatnonzero(found != expected)
        assert len(differ) <= 2, "where a frame is whole to the 24th bit"
        assert np.abs(found - expected).max() <= 1
        compared += 1
    assert compared >= 23


def test_training_clips_begin_anywhere_in_the_room_of_their_segment(tmp_path):
    split = data(write(tmp_path, [("P01_01", *TIMES), ("P01_01", "00:00:01.00", "00:00:01.50")])).split("train")
    long, short = split.training_items()
    found = [split.training_regions(long, torch.Generator().manual_seed(seed)) for seed in range(400)]
    begins = np.array([regions.part.begin for regions in found])
    assert 0 <= begins.min() < 1 < 55 < begins.max() <= 56
    assert abs(begins.mean() - 28) < 4 * 56 / 12**0.5 / 20
    for regions in found[:50]:
        assert regions.keyframe.timestamp == 60 + 32 + round(regions.part.begin), "the middle of what is shown"
        shown = frames(split, long._replace(keyframe=regions.keyframe), regions.part)
        assert 60 <= shown[0] <= shown[-1] <= 178
    again = split.training_regions(long, torch.Generator().manual_seed(3))
    assert (again.keyframe, again.part) == (found[3].keyframe, found[3].part)
    drawn = split.training_regions(short, torch.Generator().manual_seed(1))
    assert (drawn.part, drawn.keyframe.timestamp) == (ClipPart(60, 30, 0.0, 60.0), 75)


def test_even_spacing_without_a_part_covers_the_length_around_the_moment():
    assert (ClipSampling(4, 16, 30.0, spacing="even").times(2.0) * 30).tolist() == pytest.approx([28, 49, 70, 91])
    assert (SOURCE.times(0.0) * 60)[[0, 1, 30, 31]].tolist() == pytest.approx([-32, -30, 28, 31])
    assert ClipSettings(frame_spacing="even").describe()["frame_spacing"] == "even"
    assert "frame_spacing" not in ClipSettings().describe(), "banks that were made before are described as they were"


def datamodule(folder, *, rank=0, world_size=1, replacement=True, **settings):
    made = ActionDataModule(
        data(folder, **settings),
        clips=ClipSettings(
            **{"fps": 60.0, "num_frames": 32, "frame_stride": 2, "frame_spacing": "even", "eval_short_side": None},
            **{"train_short_side": None, "train_crop": None, "mean": [0.0] * 3, "std": [1.0] * 3},
        ),
        loading=Loading(batch_size=4 // world_size, num_workers=0, with_replacement=replacement),
        bank=BankConfig(dir=str(folder)),
        **{"seed": 4, "channels": 1, "reads_bank": False, "test_split": "train"},
    )
    made._rank_and_world_size = lambda: (rank, world_size)
    return made


SEGMENTS = [("P01_01", f"00:00:0{one}.10", f"00:00:0{one + 1}.{one}9") for one in range(2)] * 3 + [("P01_101", *TIMES)]


def test_what_is_read_are_the_files_of_these_frames(tmp_path):
    made = datamodule(
        write(tmp_path, [("P01_01", *TIMES), ("P01_01", "00:00:01.00", "00:00:01.50"), ("P01_101", *TIMES)])
    )
    split = made.split("train")
    read = 0
    for batch in made.test_dataloader():
        for keyframe, number, clip in zip(batch.keyframes, batch.items, batch.clips, strict=True):
            item = next(one for one in split.test_items() if one == (number, keyframe))
            expected = [frame + 1 for frame in frames(split, item, split.clip_part(item))]
            assert clip[0, :, 8, 8].tolist() == expected
            read += 1
    assert read == len(split.test_items()) == 21


def batches(module, epoch=0, state=None):
    loader = module.train_dataloader()
    loader.batch_sampler.set_epoch(epoch)
    if state is not None:
        loader.load_state_dict(state)
    return loader, [(batch.items, batch.keyframes, batch.clips) for batch in loader]


def test_an_epoch_drawn_with_replacement_is_the_same_resumed_and_for_any_number_of_ranks(tmp_path):
    folder = write(tmp_path, SEGMENTS)
    _, whole = batches(datamodule(folder))
    _, rest = batches(datamodule(folder), state={"epoch": 0, "batches": 1})
    assert len(rest) == len(whole) - 1
    assert rest[0][:2] == whole[1][:2]
    assert torch.equal(rest[0][2], whole[1][2])
    ranks = [batches(datamodule(folder, rank=rank, world_size=2))[1] for rank in range(2)]
    for step in range(len(whole)):
        shown = [ranks[rank][step] for rank in range(2)]
        for rank in range(2):
            assert shown[rank][0] == whole[step][0][rank::2]
            assert torch.equal(shown[rank][2], whole[step][2][rank::2])
    drawn = [items for epoch in range(4) for batch in batches(datamodule(folder), epoch)[1] for items in batch[0]]
    assert len(drawn) == 4 * len(SEGMENTS)
    once = [items for batch in batches(datamodule(folder, replacement=False))[1] for items in batch[0]]
    assert sorted(once) == [*range(7)] != sorted(drawn[:7])


def test_drawing_with_replacement_draws_all_alike(tmp_path):
    split = data(tmp_path).split("train")
    items = [Item(number, Keyframe("P01_01", number)) for number in range(50)]
    weights = training_weights(split, items, 0.0, with_replacement=True)
    dealt = DealtBatches(50, batch_size=8, seed=1, shuffle=True, weights=weights)
    counts = np.zeros(50)
    for epoch in range(200):
        dealt.set_epoch(epoch)
        for batch in dealt:
            for key in batch:
                counts[key.index] += 1
    assert counts.sum() == 10_000
    assert ((counts - 200) ** 2 / 200).sum() < 49 + 5 * 98**0.5, "chi squared of 49"
    assert training_weights(split, items, 0.0) is None
