"""Tracks of a bank's persons: two who cross, regions that match no row, other clocks, and windows slot by slot."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lfb_lightning.bank import BankRows, FeatureBank, WindowSpec
from lfb_lightning.bank.window import window_generator
from lfb_lightning.clock import Clock
from lfb_lightning.errors import InputError
from lfb_lightning.persons import BankTracks, PersonLinker
from lfb_lightning.persons.linking import link_rows, same_tracks
from lfb_lightning.structures import Keyframe


def box(x, y=0.5, height=0.4, width=0.1):
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def crossing(seconds=9):
    """Two persons who walk past each other, in turns the first and the second row: rows of second, who, box, score."""
    rows = []
    for second in range(seconds):
        both = [(second, "right", box(0.1 + 0.1 * second), 0.9), (second, "left", box(0.9 - 0.1 * second, 0.55), 0.8)]
        rows += both if second % 2 else both[::-1]
    return rows


def bank_of(rows, *, ticks_per_second=1, precision="fp32", clock=None, **more):
    """A bank in memory of rows as `crossing` makes them, in videos v and w; every feature is its row's number."""
    features = torch.arange(len(rows), dtype=torch.float32)[:, None].expand(-1, 4)
    stored = BankRows(
        torch.tensor([row[0] for row in rows], dtype=torch.int64),
        torch.tensor([row[2] for row in rows]).reshape(-1, 4),
        torch.tensor([row[3] for row in rows]),
        features,
    )
    videos = {"v": stored, "w": BankRows(*(part[:1] for part in stored))} if rows else {"v": stored}
    return FeatureBank.from_rows(
        videos, channels=4, ticks_per_second=ticks_per_second, precision=precision, clock=clock, **more
    )


def tracks_of(bank, **more):
    return BankTracks(bank, aspect=lambda _: 16 / 9, **more)


def test_two_who_cross_are_followed_and_every_region_finds_its_own_rows():
    rows = crossing()
    tracks = tracks_of(bank_of(rows))
    of_video = tracks.of_video("v").tolist()
    assert len(set(of_video)) == 2
    number = {who: of_video[[row[1] for row in rows].index(who)] for who in ("right", "left")}
    assert of_video == [number[who] for _, who, _, _ in rows]
    shifted = np.array([box(0.41), box(0.59, 0.55), box(0.2)])  # the two at second 3, as another detector has them
    assert tracks.of_regions(Keyframe("v", 3), shifted).tolist() == [number["right"], number["left"], -1]
    spec = WindowSpec.of_seconds(6, 2)
    slots = np.arange(12)[None] + 0  # second 0 .. 5 around second 3: rows 0 .. 11, two each
    found = tracks_of(bank_of(rows)).same_person(
        [Keyframe("v", 3)], tracks._bank.window_rows([Keyframe("v", 3)], spec), shifted, np.zeros(3, dtype=np.int64)
    )
    expected = [[rows[row][1] == who for row in slots[0]] for who in ("right", "left", None)]
    assert found.tolist() == expected


def test_a_region_without_a_row_or_at_a_moment_that_the_bank_has_not_is_not_known():
    tracks = tracks_of(bank_of(crossing(), clock=Clock.parse("2")))  # key frames count half seconds
    there = np.array([box(0.1 + 0.1 * 3)])
    assert tracks.of_regions(Keyframe("v", 6), there).item() >= 0
    assert tracks.of_regions(Keyframe("v", 7), there).tolist() == [-1]  # 3.5 s: no tick of the bank
    assert tracks.of_regions(Keyframe("v", 100), there).tolist() == [-1]
    assert tracks.of_regions(Keyframe("other", 6), there).tolist() == [-1]
    assert tracks.of_regions(Keyframe("v", 6), np.array([box(0.4, 0.75)])).tolist() == [-1]  # IoU 0.23
    assert tracks.of_regions(Keyframe("v", 6), np.zeros((0, 4))).shape == (0,)
    rows = np.array([[0, 1, -1]])
    nobody = tracks.same_person([Keyframe("v", 7)], rows, there, np.zeros(1, dtype=np.int64))
    assert nobody.tolist() == [[False] * 3]
    none = tracks.same_person([Keyframe("v", 6)], rows, np.zeros((0, 4)), np.zeros(0, dtype=np.int64))
    assert none.shape == (0, 3)
    assert tracks_of(bank_of([])).of_video("v").shape == (0,)


def test_a_region_takes_the_row_that_it_overlaps_best_from_half_on():
    pair = [(0, "a", [0.0, 0.0, 0.4, 0.4], 0.9), (0, "b", [0.2, 0.0, 0.6, 0.4], 0.8)]
    tracks = tracks_of(bank_of(pair))
    regions = np.array([[0.05, 0.0, 0.45, 0.4], [0.12, 0.0, 0.52, 0.4], [0.0, 0.0, 0.4, 0.19], [0.0, 0.0, 0.4, 0.21]])
    assert tracks.of_regions(Keyframe("v", 0), regions).tolist() == [0, 1, -1, 0]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    persons=st.integers(0, 4),
    rate=st.sampled_from([1, 2]),
    precision=st.sampled_from(["fp32", "int8"]),
    form=st.sampled_from(["grid", "packed", "causal", "random"]),
)
def test_windows_say_slot_by_slot_who_is_who(seed, persons, rate, precision, form):
    """Against a loop over slots, with tracks of the rows that one linker is shown moment by moment."""
    random = np.random.default_rng(seed)
    places = random.random((12, persons, 2))
    rows = [(tick, None, box(*places[tick, who], 0.3), random.random()) for tick in range(12) for who in range(persons)]
    rows = [row for row in rows if random.random() < 0.8]
    bank = bank_of(rows, ticks_per_second=rate, precision=precision)
    linker, linked = PersonLinker(aspect=16 / 9), np.full(len(rows), -1)
    for tick in range(12):
        here = sorted((i for i, row in enumerate(rows) if row[0] == tick), key=lambda i: -rows[i][3])
        moment = np.array([rows[i][2] for i in here]).reshape(-1, 4), np.array([rows[i][3] for i in here])
        linked[here] = linker.link(tick / rate, *(part.astype(np.float32).astype(np.float64) for part in moment))
    spec = WindowSpec(before=3, after=0 if form == "causal" else 2, slots=24, per_tick=2)
    spec = replace(spec, layout="packed") if form == "packed" else spec
    spec = replace(spec, selection="random") if form == "random" else spec
    keyframes = [Keyframe("v", int(tick)) for tick in random.integers(0, 12, size=3)]
    generators = [window_generator(0, 0, keyframe) for keyframe in keyframes]
    in_slots = bank.window_rows(keyframes, spec, generators if form == "random" else None)
    regions, clips, whose = [], [], []
    for clip, keyframe in enumerate(keyframes):
        for i in (i for i, row in enumerate(rows) if row[0] == keyframe.timestamp):
            regions.append(rows[i][2])
            clips.append(clip)
            whose.append(linked[i])
    order = random.permutation(len(regions))
    regions, clips = np.array(regions).reshape(-1, 4)[order], np.array(clips, dtype=np.int64)[order]
    found = tracks_of(bank).same_person(keyframes, in_slots, regions, clips)
    assert found.shape == (len(regions), spec.slots)
    for region, (clip, number) in enumerate(zip(clips, np.array(whose, dtype=np.int64)[order], strict=True)):
        for slot, row in enumerate(in_slots[clip]):
            assert found[region, slot] == (row >= 0 and linked[row] == number)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), until=st.integers(1, 11))
def test_tracks_need_neither_the_order_of_a_moments_rows_nor_what_comes_later(seed, until):
    random = np.random.default_rng(seed)
    ticks = np.sort(random.integers(0, 12, size=30))
    boxes = np.array([box(*random.random(2), 0.3) for _ in ticks])
    scores = random.random(30).round(1)  # with ties
    tracks = link_rows(ticks / 1.0, boxes, scores, aspect=1.0)
    order = np.lexsort((random.random(30), ticks))
    np.testing.assert_array_equal(link_rows(ticks / 1.0, boxes[order], scores[order], aspect=1.0), tracks[order])
    past = ticks < until
    np.testing.assert_array_equal(link_rows(ticks[past] / 1.0, boxes[past], scores[past], aspect=1.0), tracks[past])
    for tick in range(12):
        assert len(set(tracks[ticks == tick].tolist())) == (ticks == tick).sum()  # nobody is twice at one moment


def test_a_few_videos_are_kept_and_one_that_has_left_is_linked_alike():
    asked = []

    def aspect(video_id):
        asked.append(video_id)
        return 1.0

    tracks = BankTracks(bank_of(crossing()), aspect=aspect, kept_rows=18)
    first = tracks.of_video("v")
    assert tracks.of_video("v") is first
    tracks.of_video("w")  # 18 + 1 rows: v has to go
    again = tracks.of_video("v")
    assert asked == ["v", "w", "v"]
    np.testing.assert_array_equal(again, first)


def test_an_unknown_track_is_nobodys_and_banks_without_persons_boxes_are_refused():
    slots = np.array([[3, -1, 4], [4, 3, -1]])
    found = same_tracks(slots, np.array([3, -1, 4]), np.array([0, 0, 1]))
    assert found.tolist() == [[True, False, False], [False] * 3, [True, False, False]]
    with pytest.raises(InputError, match=r"its entries are clips, .* train with fbo.identity=false"):
        tracks_of(bank_of(crossing(), entries="clips"))
    without_boxes = tracks_of(bank_of([(second, None, [0.0] * 4, 1.0) for second in range(3)]))
    with pytest.raises(InputError, match=r"video v have no boxes, as in a bank that was imported from a pickle"):
        without_boxes.of_regions(Keyframe("v", 1), np.array([box(0.5)]))


def test_a_crowd_that_nobody_could_follow_is_refused(monkeypatch):
    """Matching takes memory by the square of the persons at a moment, and a bank's file may say any number."""
    monkeypatch.setattr("lfb_lightning.persons.bank_tracks._MOST_AT_ONCE", 3)
    rows = [
        (second, "one", box(0.1 + 0.2 * place), 0.9) for second, persons in ((0, 3), (5, 4)) for place in range(persons)
    ]
    assert len(tracks_of(bank_of(rows[:3])).of_video("v")) == 3
    with pytest.raises(InputError, match="4 persons at one moment of video v, and at most 3 can be followed"):
        tracks_of(bank_of(rows)).of_video("v")
