"""Which persons and frames are served, in which order, and that boxes move with pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lfb_lightning.boxes import iou_matrix
from lfb_lightning.clips import ClipSampling, ClipTransform, collate
from lfb_lightning.clips.normalize import normalize
from lfb_lightning.errors import InputError
from lfb_lightning.lightning.datamodules.batching import DealtBatches, SampleKey, deal_longest_first
from lfb_lightning.lightning.datamodules.loading import Loading
from lfb_lightning.lightning.datamodules.streamed_clips import StreamedClips
from lfb_lightning.lightning.datamodules.training_clips import TrainingClips
from lfb_lightning.structures import Keyframe, VideoFailure
from tests.factories import ava_data


def mini_data(folder, **changes):
    settings = {
        "video_dir": str(folder / "videos"),
        "label_map": str(folder / "mini_ava_action_list.pbtxt"),
        "annotations": str(folder / "mini_ava_{split}.csv"),
        "proposals": str(folder / "mini_ava_{split}_proposals.pkl"),
        "excluded": str(folder / "mini_ava_{split}_excluded_timestamps.csv"),
        "fps": 10.0,
        "origin_second": 900.0,
        "first_second": 901,
        "last_second": 920,
        "frame_stride": 3,
        "match_iou": 0.75,
        "train_short_side": None,
        "train_crop": None,
        "eval_short_side": None,
    }
    return ava_data(**{**settings, **changes})


def training_clips(folder, *, seed=0, **changes):
    dataset, clips = mini_data(folder, **changes)
    return TrainingClips(dataset.split("train"), clips, seed=seed)


def streamed(folder, *, rank=0, world_size=1, on_error="stop", **changes):
    dataset, clips = mini_data(folder, **changes)
    split = dataset.split("val")
    return StreamedClips(
        split,
        split.evaluation_items(),
        split.evaluation_regions,
        sampling=clips.sampling,
        views=[clips.eval_view],
        batch_size=4,
        rank=rank,
        world_size=world_size,
        on_error=on_error,
    )


def test_four_by_sixteen_at_thirty_frames():
    times = ClipSampling(num_frames=4, stride=16, fps=30.0).times(2.0)
    np.testing.assert_allclose(times * 30, [28, 44, 60, 76])


def painted(height, width, box):
    """A clip with a white rectangle exactly where the normalized box is."""
    frames = np.zeros((2, height, width, 3), dtype=np.uint8)
    x1, y1, x2, y2 = (np.array(box) * [width, height, width, height]).round().astype(int)
    frames[:, y1:y2, x1:x2] = 255
    return frames


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    short=st.one_of(st.none(), st.just((32, 48))),
    crop=st.one_of(st.none(), st.just(28)),
    flip=st.sampled_from([0.0, 1.0]),
)
def test_boxes_move_with_pixels(seed, short, crop, flip):
    box = [0.25, 0.25, 0.75, 0.625]
    transform = ClipTransform(short_side=short, crop=crop, flip=flip)
    clip, rois, kept = transform(painted(40, 64, box), np.array([box]), torch.Generator().manual_seed(seed))
    bright = clip[0, 0] > 127
    x1, y1, x2, y2 = rois[0].tolist()
    if not kept[0]:
        assert bright.float().mean() < 0.05
        return
    rows, columns = torch.nonzero(bright.any(dim=1)), torch.nonzero(bright.any(dim=0))
    seen = [columns.min().item(), rows.min().item(), columns.max().item() + 1, rows.max().item() + 1]
    np.testing.assert_allclose(seen, [x1, y1, x2, y2], atol=1.01)


def test_persons_outside_the_crop_leave_with_their_labels(mini_dir):
    dataset = training_clips(mini_dir, train_crop=40)
    sizes = set()
    for index in range(12):
        sample = dataset[SampleKey(index, 0)]
        assert len(sample.rois) == len(sample.boxes) == len(sample.labels) == len(sample.scores)
        assert (sample.rois[:, 2:] > sample.rois[:, :2]).all()
        sizes.add(len(sample.rois))
    assert len(sizes) > 1


def test_samples_depend_on_seed_epoch_and_index_only(mini_dir):
    def draw(seed, epoch):
        dataset = training_clips(mini_dir, seed=seed, train_flip=0.5, train_crop=64)
        return torch.stack([dataset[SampleKey(index, epoch)].clip for index in range(6)])

    assert torch.equal(draw(0, 0), draw(0, 0))
    assert not torch.equal(draw(0, 0), draw(0, 1))
    assert not torch.equal(draw(0, 0), draw(1, 0))


def test_training_persons_are_ground_truth_and_matching_proposals(mini_dir):
    split = mini_data(mini_dir)[0].split("train")
    for item in split.training_items()[:20]:
        persons = split.training_regions(item)
        truth = split.tables.annotations[item.keyframe]
        assert persons.keyframe == item.keyframe
        np.testing.assert_array_equal(persons.boxes[: len(truth)], truth.boxes)
        assert (persons.scores[: len(truth)] == 1).all()
        iou = iou_matrix(persons.boxes[len(truth) :], truth.boxes)
        assert (iou.max(axis=1, initial=0) >= 0.75).all()
        for row, labels in zip(iou, persons.labels[len(truth) :], strict=True):
            np.testing.assert_array_equal(labels, truth.labels[row.argmax()])


def test_excluded_and_out_of_range_keyframes_are_not_used(mini_dir, tmp_path):
    (tmp_path / "excluded.csv").write_text("mini-train-000,0905\n")
    split = mini_data(mini_dir, excluded=str(tmp_path / "excluded.csv"), last_second=910)[0].split("train")
    for items in (split.training_items(), split.evaluation_items()):
        assert [item.number for item in items] == list(range(len(items)))
        keyframes = [item.keyframe for item in items]
        assert Keyframe("mini-train-000", 905) not in keyframes
        assert Keyframe("mini-train-000", 906) in keyframes
        assert max(keyframe.timestamp for keyframe in keyframes) == 910


def test_proposals_that_match_nothing_show_one_key_of_each_side(mini_dir, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("other-video,0902,0,0,1,1,,0.99\n")
    with pytest.raises(InputError, match=r"none of 1 keyframes.*'other-video,0902'.*'mini-train-000,0901'"):
        _ = mini_data(mini_dir, proposals=str(path))[0].split("train").tables.proposals


@pytest.mark.parametrize(("num_samples", "batch", "world"), [(24, 3, 2), (25, 3, 2), (7, 2, 3), (5, 8, 2), (1, 4, 2)])
@pytest.mark.parametrize("shuffle", [True, False])
def test_ranks_see_together_what_one_rank_sees(num_samples, batch, world, shuffle):
    def batches(rank, world_size, batch_size):
        sampler = DealtBatches(
            num_samples, batch_size=batch_size, seed=3, shuffle=shuffle, rank=rank, world_size=world_size
        )
        sampler.set_epoch(2)
        assert len(sampler) == max(len(list(sampler)), 0 if shuffle else 1)
        return [[key.index for key in keys] for keys in sampler]

    one = batches(0, 1, batch * world)
    ranks = [batches(rank, world, batch) for rank in range(world)]
    if shuffle:
        assert len({len(rank) for rank in ranks}) == 1  # nobody waits for a step that another does not take
        for step in range(len(ranks[0])):
            assert sorted(index for rank in ranks for index in rank[step]) == sorted(one[step])
    else:
        assert sorted(index for rank in ranks for keys in rank for index in keys) == list(range(num_samples))
    assert all(keys for rank in ranks for keys in rank)


def test_order_changes_with_the_epoch():
    sampler = DealtBatches(50, batch_size=5, seed=0, shuffle=True)
    first = [key.index for keys in sampler for key in keys]
    sampler.set_epoch(1)
    second = [key.index for keys in sampler for key in keys]
    assert first != second
    assert sorted(first) == sorted(second) == list(range(50))


def test_longest_videos_are_dealt_first_and_evenly():
    lengths = {f"v{index}": length for index, length in enumerate([9, 1, 5, 5, 2, 8])}
    hands = deal_longest_first(lengths, 2)
    assert sorted(name for hand in hands for name in hand) == sorted(lengths)
    assert [sum(lengths[name] for name in hand) for hand in hands] == [15, 15]
    assert deal_longest_first({"v": 1}, 3) == [["v"], [], []]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_streamed_batches_do_not_depend_on_workers_and_ranks(mini_dir, workers):
    items = mini_data(mini_dir)[0].split("val").evaluation_items()
    numbers = {item.keyframe: item.number for item in items}
    expected = {batch.keyframes[0]: batch for batch in streamed(mini_dir)}
    seen = []
    for rank in range(2):
        clips = streamed(mini_dir, rank=rank, world_size=2)
        batches = list(torch.utils.data.DataLoader(clips, batch_size=None, num_workers=workers))
        assert len(batches) == len(clips)
        for batch in batches:
            assert len({keyframe.video_id for keyframe in batch.keyframes}) == 1
            assert torch.equal(batch.clips, expected[batch.keyframes[0]].clips)
            assert torch.equal(batch.rois, expected[batch.keyframes[0]].rois)
            assert batch.items == tuple(numbers[keyframe] for keyframe in batch.keyframes)
            seen += batch.keyframes
    assert sorted(seen) == sorted(numbers)


def test_broken_video_is_reported_and_the_others_go_on(mini_dir, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for path in (mini_dir / "videos").glob("mini-val-*.mp4"):
        content = path.read_bytes()
        (videos / path.name).write_bytes(content[:500] if path.stem == "mini-val-001" else content)
    clips = streamed(mini_dir, video_dir=str(videos), on_error="skip")
    failures = [batch for batch in clips if isinstance(batch, VideoFailure)]
    assert [failure.video_id for failure in failures] == ["mini-val-001"]
    assert "mini-val-001.mp4" in failures[0].reason
    with pytest.raises(InputError, match="mini-val-001"):
        list(streamed(mini_dir, video_dir=str(videos)))


def test_clips_of_unequal_size_are_padded_with_the_mean_color(mini_dir):
    from lfb_lightning.structures import Sample

    def sample(height, width):
        return Sample(
            keyframe=Keyframe("v", 1),
            clip=torch.zeros(3, 2, height, width, dtype=torch.uint8),
            rois=torch.zeros(1, 4),
            boxes=torch.zeros(1, 4, dtype=torch.float64),
            scores=torch.ones(1, dtype=torch.float64),
        )

    batch = normalize(collate([sample(4, 6), sample(5, 3)]), mean=[0.45] * 3, std=[0.225] * 3)
    assert batch.clips.shape == (2, 3, 2, 5, 6)
    assert batch.clips[0, :, :, 4:].abs().max() < 0.01
    assert batch.clips[0, :, :, :4].max() == pytest.approx(-2.0)
    assert batch.rois[:, 0].tolist() == [0, 1]


def test_sample_without_persons_keeps_its_place():
    from lfb_lightning.structures import Sample

    def sample(persons):
        return Sample(
            keyframe=Keyframe("v", persons),
            clip=torch.zeros(3, 1, 2, 2, dtype=torch.uint8),
            rois=torch.zeros(persons, 4),
            boxes=torch.zeros(persons, 4, dtype=torch.float64),
            scores=torch.ones(persons, dtype=torch.float64),
            labels=torch.zeros(persons, 3),
        )

    batch = collate([sample(2), sample(0), sample(1)])
    assert batch.clip_of_roi.tolist() == [0, 0, 2]
    empty = collate([sample(0)])
    assert (empty.rois.shape, empty.labels.shape) == ((0, 5), (0, 3))


@pytest.mark.parametrize("changes", [{"source": "tape"}, {"resize": "bigger"}, {"std": [0.0, 1.0, 1.0]}])
def test_bad_settings_are_named(mini_dir, changes):
    with pytest.raises(InputError, match=f"data.{next(iter(changes))}"):
        mini_data(mini_dir, **changes)


@pytest.mark.parametrize("changes", [{"short_term": "memory"}, {"batch_size": 0}, {"num_workers": -1}])
def test_bad_loading_is_named(changes):
    with pytest.raises(InputError, match=f"data.{next(iter(changes))}"):
        Loading(**changes)
