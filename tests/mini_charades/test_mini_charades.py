"""mini-Charades is what it says: deterministic, in Charades' formats, and undecidable within a clip."""

from collections import Counter

import numpy as np
import pytest

from lfb_lightning.charades import read_annotations, read_classes
from lfb_lightning.errors import InputError
from lfb_lightning.mini_charades import CLASS_NAMES, LONG_TERM, SHORT_TERM, MiniCharades, generate
from lfb_lightning.mini_charades.drawing import draw_frame
from lfb_lightning.mini_charades.files import scene_of
from lfb_lightning.mini_charades.scenario import Scene, Shown

MANY = MiniCharades(seed=3)
SCENES = [scene_of(MANY, "train", number) for number in range(600)]
FULL = [scene for scene in SCENES if scene.events]
CLIP_REACH, WINDOW_REACH = 1.0, 5.0  # half of 8 x 3 frames at 12 per second, and of the window


def test_one_cue_on_each_side_and_the_one_of_the_pulses_color_decides():
    decides = Counter()
    for scene in FULL:
        first, pulse, last = scene.events
        assert (first.is_cue, pulse.is_cue, last.is_cue) == (True, False, True)
        assert first.kind != last.kind
        assert first.color != last.color
        (own,) = [cue for cue in (first, last) if cue.color == pulse.color]
        assert pulse.kind == own.kind
        assert pulse.classes == [LONG_TERM[own.kind]]
        decides[own is first] += 1
    assert abs(decides[True] / len(FULL) - 0.5) < 0.08
    assert 0.05 < 1 - len(FULL) / len(SCENES) < 0.15, "a tenth has no action"


def test_no_clip_sees_the_pulse_and_a_cue_and_the_window_around_the_pulse_holds_both():
    for scene in FULL:
        first, pulse, last = scene.events
        for cue in (first, last):
            apart = abs(cue.second - pulse.second)
            # A clip shows what is on for half a second around its second, within its reach on either side.
            assert apart > 2 * (CLIP_REACH + 0.5)
            assert apart < WINDOW_REACH
        assert first.second >= 0.5
        assert last.second <= MANY.seconds - 0.5


def test_pulses_that_follow_different_kinds_are_the_same_picture():
    def picture(kind, is_cue=False):
        return draw_frame(Scene((Shown(5.0, kind, 2, is_cue, (40.0, 50.0)),), ()), 5.2)

    assert all(np.array_equal(picture(0), picture(kind)) for kind in (1, 2, 3))
    cues = [picture(kind, is_cue=True) for kind in range(4)]
    assert all(not np.array_equal(cues[one], cues[two]) for one in range(4) for two in range(one))
    nothing = draw_frame(Scene((Shown(5.0, 0, 2, True, (40.0, 50.0)),), ()), 5.6)
    assert len(np.unique(nothing.reshape(-1, 3), axis=0)) == 1


def test_classes_are_balanced():
    counts = Counter(number for scene in FULL for event in scene.events for number in event.classes)
    assert sorted(counts) == [*SHORT_TERM, *LONG_TERM] == list(range(13))
    for group, share in ((LONG_TERM, 1 / 4), (SHORT_TERM[:4], 1 / 2), (SHORT_TERM[4:], 2 / 5)):
        assert all(abs(counts[number] / len(FULL) - share) < 0.07 for number in group)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("mini_charades")
    generate(made, MiniCharades(seed=1, num_train=12, num_test=3, seconds=11))
    return made


def test_files_are_charades(folder):
    assert read_classes(folder / "Charades_v1_classes.txt") == dict(enumerate(CLASS_NAMES))
    text = (folder / "Charades_v1_train.csv").read_bytes()
    assert text.count(b"\r\n") == text.count(b"\n") == 13
    videos = read_annotations(folder / "Charades_v1_train.csv", num_classes=13)
    recipe = MiniCharades(seed=1, num_train=12, num_test=3, seconds=11)
    for number, video in enumerate(videos):
        events = scene_of(recipe, "train", number).events
        assert [one.action for one in video.intervals] == [name for event in events for name in event.classes]
        assert video.length == 11
        assert (folder / "videos" / f"{video.video_id}.mp4").is_file()
    beyond = [one.end > video.length for video in videos for one in video.intervals]
    assert 0 < sum(beyond) < len(beyond)


def test_equal_recipes_give_equal_bytes_and_another_recipe_is_refused(folder, tmp_path):
    generate(tmp_path, MiniCharades(seed=1, num_train=2, num_test=0, seconds=11))
    for path in sorted((tmp_path / "videos").iterdir()):
        assert path.read_bytes() == (folder / "videos" / path.name).read_bytes()
    with pytest.raises(InputError, match="holds a mini-Charades made with"):
        generate(tmp_path, MiniCharades(seed=2, num_train=2, num_test=0, seconds=11))
    with pytest.raises(InputError, match="at least 11"):
        MiniCharades(seconds=10)
