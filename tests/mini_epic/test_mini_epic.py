"""mini-EPIC is what it says: deterministic, in EPIC-Kitchens' formats, and a noun is nowhere near the segment that has it."""

import csv
import json
from collections import Counter

import numpy as np
import pytest

from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.datasets import EpicDataset
from lfb_lightning.datasets.action_dataset import StoredLabels
from lfb_lightning.epic import participant_number, read_classes, read_ids, read_names, read_segments, read_video_info
from lfb_lightning.errors import InputError
from lfb_lightning.mini_epic import NOUNS, TAIL_NOUNS, TAIL_VERBS, VERBS, MiniEPIC, generate
from lfb_lightning.mini_epic.drawing import draw_frame, object_boxes
from lfb_lightning.mini_epic.files import scene_of
from lfb_lightning.mini_epic.scenario import COLORS, Action, Scene
from lfb_lightning.structures import Keyframe
from lfb_lightning.video import VideoFile
from tests.cli.in_process import run

MANY = MiniEPIC(seed=3)
SCENES = [scene_of(MANY, "train", number) for number in range(200)]
SMALL = {"seed": 1, "num_train": 3, "num_val": 2, "seconds": 100, "fps": 2}


def stowed(scene):
    return {action.color: action.noun for action in scene.actions if action.verb == 0}


def test_a_handled_box_has_the_noun_that_was_put_into_the_box_of_its_color():
    for scene in SCENES:
        put = stowed(scene)
        assert len(put) == len(set(put.values())) == 3
        assert sorted(put) == sorted(scene.shelf)
        handled = [action for action in scene.actions if action.start >= 94]
        assert len(handled) == 24
        assert all(action.noun == put[action.color] for action in handled)
        assert all(one.stop <= two.start for one, two in zip(scene.actions, scene.actions[1:], strict=False))
        assert scene.actions[-1].stop < 240


def test_nothing_is_stowed_within_a_window_of_forty_seconds_around_what_is_handled():
    for scene in SCENES:
        last = max(action.stop for action in scene.actions if action.verb == 0)
        assert last <= 60
        assert all(action.start - 20 > last for action in scene.actions if action.start >= 94)


def test_what_is_in_a_closed_box_cannot_be_seen_and_what_is_put_away_can():
    def picture(verb, noun, color):
        scene = Scene((0, 1, 2), (Action(100.0, 104.0, verb, noun, color, (48.0, 48.0)),))
        return draw_frame(scene, 101.3)

    for verb in (1, 2, 3, 4):
        assert all(np.array_equal(picture(verb, 0, 1), picture(verb, noun, 1)) for noun in range(1, 8))
    shown = [picture(verb, 0, color) for verb in (1, 2, 3, 4) for color in range(4)]
    shown += [picture(0, noun, None) for noun in range(8)]
    assert len({one.tobytes() for one in shown}) == len(shown) == 24


def test_pairs_are_skewed_and_each_color_and_noun_is_as_frequent_as_the_others():
    handled = [action for scene in SCENES for action in scene.actions if action.start >= 94]
    share = {noun: Counter(action.verb for action in handled if action.noun == noun) for noun in range(8)}
    for noun, verbs in share.items():
        assert sorted(verbs) == [1, 2, 3, 4]
        assert abs(verbs[1 + noun % 4] / verbs.total() - 0.4) < 0.06
    nouns, colors = (Counter(getattr(action, name) for action in handled) for name in ("noun", "color"))
    assert all(abs(nouns[noun] / len(handled) - 1 / 8) < 0.03 for noun in range(8))
    assert all(abs(colors[color] / len(handled) - 1 / 4) < 0.04 for color in range(len(COLORS)))
    rare = [action for scene in SCENES for action in scene.actions if action.color is None]
    assert {action.verb for action in rare} == set(TAIL_VERBS)
    assert {action.noun for action in rare} == set(TAIL_NOUNS)
    assert abs(len(rare) / len(SCENES) - 0.5) < 0.1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("mini_epic")
    generate(made, MiniEPIC(**SMALL))
    return made


def test_files_are_epic_100s(folder):
    recipe = MiniEPIC(**SMALL)
    assert read_classes(folder / "EPIC_100_verb_classes.csv") == dict(enumerate(VERBS))
    assert read_classes(folder / "EPIC_100_noun_classes.csv") == dict(enumerate(NOUNS))
    assert read_ids(folder / "EPIC_100_tail_verbs.csv", "verb") == [5, 6, 7]
    assert read_ids(folder / "EPIC_100_tail_nouns.csv", "noun") == [8, 9, 10]
    unseen = read_names(folder / "EPIC_100_unseen_participant_ids_validation.csv")
    videos = read_video_info(folder / "EPIC_100_video_info.csv")
    assert set(videos.values()) == {(100.0, 2.0)}
    for split, name in (("train", "train"), ("val", "validation")):
        segments = read_segments(folder / f"EPIC_100_{name}.csv")
        actions = [a for number in range(len(recipe.videos(split))) for a in scene_of(recipe, split, number).actions]
        assert [(round(s.start, 2), round(s.stop, 2), s.verb, s.noun) for s in segments] == [
            (a.start, a.stop, a.verb, a.noun) for a in actions
        ]
        assert list(dict.fromkeys(s.video_id for s in segments)) == recipe.videos(split)
        assert any(s.participant in unseen for s in segments) == (split == "val")
        for video_id in recipe.videos(split):
            found = VideoFile(folder / "videos" / f"{video_id}.mp4").properties()
            assert (found.frames, found.seconds, found.width, found.height) == (200, 100, 96, 96)
    assert not set(recipe.videos("train")) & set(recipe.videos("val"))
    with (folder / "EPIC_100_train.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    start = sum(unit * float(part) for unit, part in zip((3600, 60, 1), row["start_timestamp"].split(":"), strict=True))
    assert int(row["start_frame"]) == int(start * 2)


def test_epic_55_counts_60_frames_per_second_and_tells_its_splits_by_participants(folder, tmp_path):
    recipe = MiniEPIC(**SMALL, flavor="epic55")
    generate(tmp_path, recipe)
    segments = read_segments(tmp_path / "EPIC_train_action_labels.csv")
    val = [segment for segment in segments if participant_number(segment.participant) > 25]
    others = [segment for segment in segments if participant_number(segment.participant) <= 25]
    assert {segment.video_id for segment in val} == set(recipe.videos("val"))
    assert {segment.video_id for segment in others} == set(recipe.videos("train"))
    of_100 = read_segments(folder / "EPIC_100_train.csv")
    assert [(one.start, one.verb, one.noun) for one in others] == [(one.start, one.verb, one.noun) for one in of_100]
    with (tmp_path / "EPIC_train_action_labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, segment in zip(rows, segments, strict=True):
        assert abs(int(row["stop_frame"]) - segment.stop * 60) < 1
    assert read_video_info(tmp_path / "EPIC_video_info.csv").keys() == {segment.video_id for segment in segments}
    assert read_classes(tmp_path / "EPIC_noun_classes.csv") == dict(enumerate(NOUNS))
    clips = ["data.fps=2.0", "data.num_frames=4", "data.frame_stride=1", "data.bank_step=2", "data.heads=[verb,noun]"]
    given = [f"paths.data_dir={tmp_path}", f"data.video_info={tmp_path / 'EPIC_video_info.csv'}", *clips]
    done = run("check", "data=epic55", *given, "data.num_workers=0", f"out={tmp_path / 'out'}", folder=tmp_path)
    assert done.status == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "out" / "check.json").read_text())["splits"]
    assert [figures[name]["segments"] for name in ("train", "val")] == [len(others), len(val)]
    assert [figures[name]["videos_found"] for name in ("train", "val")] == [
        len(recipe.videos(s)) for s in ("train", "val")
    ]
    same = [(tmp_path / "videos" / f"{name}.mp4").read_bytes() for name in recipe.videos("val")]
    of_100 = MiniEPIC(**SMALL).videos("val")
    assert same == [(folder / "videos" / f"{name}.mp4").read_bytes() for name in of_100]


def test_boxes_lie_on_the_objects_and_some_are_missing_or_of_nothing(folder):
    recipe = MiniEPIC(**SMALL)
    table = read_proposals(folder / "mini_epic_train_objects.csv")
    near, missing, extra, total = 0, 0, 0, 0
    for number, video_id in enumerate(recipe.videos("train")):
        scene = scene_of(recipe, "train", number)
        for second in range(1, 100):
            found = table.above(Keyframe(video_id, second), 0.0)
            there = np.array(object_boxes(scene, float(second))).reshape(-1, 4) / 96
            apart = np.abs(found.boxes[:, None] - there[None]).max(axis=2) < 5 / 96
            near += apart.any(axis=0).sum()
            missing += (~apart.any(axis=0)).sum()
            extra += (found.scores < 0.76).sum()
            total += len(there)
            assert (found.scores[:-1] >= found.scores[1:]).all()
    assert near + missing == total
    assert 0.01 < missing / total < 0.06
    assert 0.08 < extra / (3 * 99) < 0.25


def test_equal_recipes_give_equal_bytes_and_another_recipe_is_refused(folder, tmp_path):
    fewer = SMALL | {"num_train": 1, "num_val": 0}
    generate(tmp_path, MiniEPIC(**fewer))
    for path in sorted((tmp_path / "videos").iterdir()):
        assert path.read_bytes() == (folder / "videos" / path.name).read_bytes()
    mine, theirs = ((one / "mini_epic_train_objects.csv").read_text() for one in (tmp_path, folder))
    assert theirs.startswith(mine)
    with pytest.raises(InputError, match="holds a mini-EPIC made with"):
        generate(tmp_path, MiniEPIC(**fewer | {"seed": 2}))
    with pytest.raises(InputError, match="at least 100"):
        MiniEPIC(seconds=99)
    with pytest.raises(InputError, match="flavor"):
        MiniEPIC(flavor="epic")


def test_the_bank_is_trained_on_within_segments_and_each_segment_is_scored_once(folder):
    """`data.short_term=bank` on the generated set, against a loop over its segments and seconds."""
    data = EpicDataset(
        video_dir=str(folder / "videos"),
        annotations=str(folder / "EPIC_100_{split}.csv"),
        verb_classes=str(folder / "EPIC_100_verb_classes.csv"),
        noun_classes=str(folder / "EPIC_100_noun_classes.csv"),
        fps=2.0,
        bank_step=2,
    )
    split = data.split("train")
    assert isinstance(split, StoredLabels)
    segments = read_segments(folder / "EPIC_100_train.csv")
    within = [
        (number, Keyframe(segment.video_id, 2 * second))
        for number, segment in enumerate(segments)
        for second in range(1, 101)
        if round(segment.start * 2) <= 2 * second <= round(segment.stop * 2)
    ]
    assert sorted(split.stored_items(training=True)) == sorted(within)
    assert {keyframe for _, keyframe in within} <= set(split.bank_keyframes("any"))
    for number, keyframe in within:
        labels, kept = split.stored_labels(keyframe, np.array([[0.0, 0, 1, 1]]))
        assert np.flatnonzero(labels[0]).tolist() == [segments[number].verb, len(VERBS) + segments[number].noun]
        assert kept.tolist() == [True]
    first, whole = segments[0], np.array([[0.0, 0, 1, 1]])
    between = Keyframe(
        first.video_id, round(first.start + first.stop) | 1
    )  # its middle, between two entries of the bank
    labels, kept = split.stored_labels(between, whole)
    assert np.flatnonzero(labels[0]).tolist() == [first.verb, len(VERBS) + first.noun]
    assert kept.tolist() == [True]
    labels, kept = split.stored_labels(Keyframe(first.video_id, 0), whole)
    assert (labels.any(), kept.tolist()) == (False, [False])  # before everything
    scored = split.stored_items(training=False)
    assert [item.number for item in scored] == list(range(len(segments)))
    for item in scored:
        middle = (round(segments[item.number].start * 2) + round(segments[item.number].stop * 2)) / 2
        assert abs(item.keyframe.timestamp - middle) <= 1
        assert item.keyframe.timestamp % 2 == 0
