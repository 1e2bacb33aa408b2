"""Windows equal a naive reference that loops over seconds."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lfb_lightning.bank import BankWriter, FeatureBank, Provenance, WindowSpec, finish_bank
from lfb_lightning.bank.window import choose_rows, window_generator
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe


def provenance(**changes):
    content = {
        "checkpoint_digest": "c",
        "backbone_digest": "b",
        "backbone": "tiny",
        "channels": 4,
        "precision": "fp32",
        "compute_precision": "32",
        "clip": {"num_frames": 4},
        "keyframes": "proposals",
        "score_threshold": 0.9,
        "split": "val",
        "package_version": "0",
    }
    return Provenance(**{**content, **changes})


def write_bank(folder, videos, **changes):
    """`videos`: id -> list of (timestamp, score); features are unique numbers."""
    made = provenance(**changes)
    writer = BankWriter(folder, made)
    features = {}
    for number, (video_id, rows) in enumerate(videos.items()):
        values = torch.arange(len(rows) * 4, dtype=torch.float32).view(-1, 4) + 1000 * number + 1
        writer.write(
            video_id,
            timestamps=torch.tensor([row[0] for row in rows], dtype=torch.int64),
            boxes=torch.zeros(len(rows), 4, dtype=torch.float64),
            scores=torch.tensor([row[1] for row in rows], dtype=torch.float64),
            features=values,
        )
        features[video_id] = values
    finish_bank(folder, made, list(videos))
    return FeatureBank.open(folder), features


def naive_window(rows, features, timestamp, seconds, limit, placement):
    """Top scores, second by second, in plain loops; the chosen ones in stored order."""
    first = timestamp - seconds // 2 if placement == "centered" else timestamp - seconds + 1
    out = torch.zeros(seconds * limit, features.shape[1])
    mask = torch.zeros(seconds * limit, dtype=torch.bool)
    for offset in range(seconds):
        here = [index for index, row in enumerate(rows) if row[0] == first + offset]
        here.sort(key=lambda index: -np.float32(rows[index][1]))
        for rank, index in enumerate(sorted(here[:limit])):
            out[offset * limit + rank] = features[index]
            mask[offset * limit + rank] = True
    return out, mask


forms = st.tuples(st.integers(1, 9), st.integers(1, 4), st.sampled_from(["centered", "causal"]))


def spec_of(form, selection="top_score"):
    seconds, limit, placement = form
    return WindowSpec.of_seconds(seconds, limit, placement=placement, selection=selection)


rows_of_video = st.lists(st.tuples(st.integers(900, 912), st.floats(0, 1, width=32)), min_size=0, max_size=40)


@settings(max_examples=60, deadline=None)
@given(rows=rows_of_video, form=forms, timestamp=st.integers(895, 917))
def test_top_score_window_equals_the_naive_one(tmp_path_factory, rows, form, timestamp):
    bank, features = write_bank(tmp_path_factory.mktemp("bank"), {"v": rows})
    window = bank.window(Keyframe("v", timestamp), spec_of(form))
    expected, mask = naive_window(rows, features["v"], timestamp, *form)
    assert torch.equal(window.mask[0], mask)
    assert torch.equal(window.features[0], expected)


def test_sixty_second_window_covers_t_minus_30_to_t_plus_29(tmp_path):
    bank, features = write_bank(tmp_path, {"v": [(second, 1.0) for second in range(800, 1000)]})
    window = bank.window(Keyframe("v", 902), WindowSpec.of_seconds(seconds=60, features_per_second=1))
    assert torch.equal(window.features[0], features["v"][902 - 30 - 800 : 902 + 30 - 800])


def test_odd_window_is_symmetric(tmp_path):
    bank, features = write_bank(tmp_path, {"v": [(second, 1.0) for second in range(20)]})
    window = bank.window(Keyframe("v", 10), WindowSpec.of_seconds(seconds=7, features_per_second=1))
    assert torch.equal(window.features[0], features["v"][7:14])


def test_causal_window_ends_with_the_keyframe(tmp_path):
    bank, features = write_bank(tmp_path, {"v": [(second, 1.0) for second in range(20)]})
    window = bank.window(Keyframe("v", 10), WindowSpec.of_seconds(seconds=3, features_per_second=1, placement="causal"))
    assert torch.equal(window.features[0], features["v"][8:11])


def test_random_window_takes_k_distinct_features_of_each_second(tmp_path):
    rows = [(second, 1.0) for second in range(10) for _ in range(7)]
    bank, features = write_bank(tmp_path, {"v": rows})
    spec = WindowSpec.of_seconds(seconds=4, features_per_second=3, selection="random")
    window = bank.window(Keyframe("v", 5), spec, window_generator(0, 0, Keyframe("v", 5)))
    assert window.mask.all()
    for offset, second in enumerate(range(3, 7)):
        taken = {tuple(row) for row in window.features[0, offset * 3 : offset * 3 + 3].tolist()}
        there = {tuple(row) for row in features["v"][second * 7 : second * 7 + 7].tolist()}
        assert len(taken) == 3
        assert taken <= there


def test_random_window_depends_on_seed_epoch_and_keyframe_only():
    seconds = np.repeat(np.arange(5), 9)
    spec = WindowSpec.of_seconds(seconds=5, features_per_second=2, selection="random")

    def draw(seed, epoch, video_id, timestamp):
        keys = window_generator(seed, epoch, Keyframe(video_id, timestamp)).random(45)
        return choose_rows(spec, seconds, keys, 5)[0].tolist()

    base = draw(1, 2, "a", 3)
    assert draw(1, 2, "a", 3) == base
    assert base not in (draw(2, 2, "a", 3), draw(1, 3, "a", 3), draw(1, 2, "b", 3), draw(1, 2, "a", 4))


def test_random_choice_is_uniform():
    spec = WindowSpec.of_seconds(seconds=1, features_per_second=2, selection="random")
    rng = np.random.default_rng(0)
    counts = np.zeros(5)
    for _ in range(4000):
        rows, _ = choose_rows(spec, np.zeros(5, dtype=np.int64), rng.random(5), 1)
        counts[rows] += 1
    assert np.abs(counts / 4000 - 2 / 5).max() < 0.03


@settings(max_examples=60, deadline=None)
@given(rows=rows_of_video, form=forms, timestamp=st.integers(895, 917), seed=st.integers(0, 5))
def test_random_window_holds_as_many_of_each_second_as_fit_and_only_those(
    tmp_path_factory, rows, form, timestamp, seed
):
    bank, features = write_bank(tmp_path_factory.mktemp("bank"), {"v": rows})
    keyframe = Keyframe("v", timestamp)
    window = bank.window(keyframe, spec_of(form, "random"), window_generator(seed, 0, keyframe))
    seconds, limit, placement = form
    first = timestamp - seconds // 2 if placement == "centered" else timestamp - seconds + 1
    for offset in range(seconds):
        there = {tuple(features["v"][index].tolist()) for index, row in enumerate(rows) if row[0] == first + offset}
        slots = slice(offset * limit, (offset + 1) * limit)
        filled = window.mask[0, slots]
        taken = {tuple(row) for row in window.features[0, slots][filled].tolist()}
        assert len(taken) == filled.sum() == min(len(there), limit)
        assert taken <= there
        assert not window.features[0, slots][~filled].any()


def test_random_window_without_a_generator_is_a_mistake(tmp_path):
    bank, _ = write_bank(tmp_path, {"v": [(900, 1.0)]})
    with pytest.raises(ValueError, match="generators"):
        bank.window(Keyframe("v", 900), WindowSpec(selection="random"))


@settings(max_examples=40, deadline=None)
@given(
    rows=rows_of_video,
    others=rows_of_video,
    form=forms,
    times=st.lists(st.tuples(st.sampled_from("vwx"), st.integers(895, 917)), min_size=1, max_size=6),
    precision=st.sampled_from(["fp32", "int8"]),
)
def test_windows_of_any_batch_are_the_naive_ones(tmp_path_factory, rows, others, form, times, precision):
    bank, features = write_bank(tmp_path_factory.mktemp("bank"), {"v": rows, "w": others}, precision=precision)
    batch = bank.windows([Keyframe(*time) for time in times], spec_of(form))
    content = {"v": rows, "w": others, "x": []}
    decoded = batch.padded(torch.float32)
    for index, (video, timestamp) in enumerate(times):
        expected, mask = naive_window(content[video], features.get(video, torch.zeros(0, 4)), timestamp, *form)
        assert torch.equal(batch.mask[index], mask)
        bound = expected.abs().amax(dim=1, keepdim=True) / 250 if precision == "int8" else 0.0
        assert ((decoded[index] - expected).abs() <= bound).all()


def test_more_runs_than_one_system_call_takes(tmp_path):
    bank, features = write_bank(tmp_path, {"v": [(second, float(k == 1)) for second in range(1500) for k in range(3)]})
    window = bank.window(Keyframe("v", 750), WindowSpec.of_seconds(seconds=1500, features_per_second=1))
    assert torch.equal(window.features[0], features["v"][1::3])


def test_unknown_video_and_empty_second_give_an_empty_window(tmp_path):
    bank, _ = write_bank(tmp_path, {"v": [(900, 1.0)]})
    spec = WindowSpec.of_seconds(seconds=3, features_per_second=2)
    for keyframe in (Keyframe("unknown", 900), Keyframe("v", 950)):
        window = bank.window(keyframe, spec)
        assert not window.mask.any()
        assert not window.features.any()


def test_windows_of_a_batch_are_the_single_windows(tmp_path):
    bank, _ = write_bank(tmp_path, {"a": [(901, 0.5), (902, 0.7)], "b": [(902, 0.1)]}, precision="fp16")
    spec = WindowSpec.of_seconds(seconds=4, features_per_second=2)
    keyframes = [Keyframe("a", 902), Keyframe("b", 903), Keyframe("a", 901)]
    batch = bank.windows(keyframes, spec)
    for index, keyframe in enumerate(keyframes):
        assert torch.equal(batch.features[index], bank.window(keyframe, spec).features[0])
    assert batch.features.dtype == torch.float16


@pytest.mark.parametrize("changes", [{"seconds": 0}, {"features_per_second": 0}])
def test_window_without_slots_is_refused(changes):
    with pytest.raises(InputError, match="at least 1"):
        WindowSpec.of_seconds(**changes)
