"""mini-AVA is what it says: deterministic, in AVA's formats, and undecidable without memory."""

import av
import numpy as np
import pytest

from lfb_lightning.ava.annotations import read_annotations
from lfb_lightning.ava.label_map import read_label_map
from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.errors import InputError
from lfb_lightning.mini_ava import LONG_TERM_IDS, MiniAVA, generate
from lfb_lightning.mini_ava.drawing import draw_frame
from lfb_lightning.mini_ava.files import scenario_of
from lfb_lightning.mini_ava.scenario import WINDOW_HALF, Actor, Event

MANY = MiniAVA(seed=3, seconds=60)
ACTORS = [actor for number in range(60) for actor in scenario_of(MANY, "train", number)[0]]


def test_exactly_one_own_cue_decides_each_pulse():
    pulses = 0
    for actor in ACTORS:
        cues = [event for event in actor.events if event.is_cue]
        for pulse in (event for event in actor.events if not event.is_cue):
            # A cue is labeled on three keyframes: any of them inside [t-8, t+7] counts as in the window.
            seen = [
                cue
                for cue in cues
                if any(-WINDOW_HALF <= cue.second + shift - pulse.second < WINDOW_HALF for shift in (-1, 0, 1))
            ]
            assert [cue.kind for cue in seen] == [pulse.kind]
            assert 3 <= abs(seen[0].second - pulse.second) <= 7
            pulses += 1
    assert pulses > 500


def test_the_kinds_are_balanced_and_pulses_stand_on_both_sides():
    events = [event for actor in ACTORS for event in actor.events]
    share = np.bincount([event.kind for event in events if not event.is_cue]) / sum(
        not event.is_cue for event in events
    )
    assert np.abs(share - 1 / 3).max() < 0.06


@pytest.mark.parametrize("seconds", [0.0, 0.3, -0.5])
def test_pulses_of_different_kinds_are_the_same_picture(seconds):
    def picture(kind):
        actor = Actor(cell=2, color=1, motion=1, phase=0.3, radius=11.0, events=(Event(20, kind, False),))
        return draw_frame([actor], 20 + seconds)

    assert np.array_equal(picture(0), picture(1))
    assert np.array_equal(picture(0), picture(2))


def test_cues_of_different_kinds_are_not():
    def picture(kind):
        return draw_frame(
            [Actor(cell=0, color=1, motion=0, phase=0.0, radius=11.0, events=(Event(20, kind, True),))], 20.0
        )

    assert not np.array_equal(picture(0), picture(1))


def test_equal_recipes_make_equal_files_and_another_is_refused(mini_dir, tmp_path):
    recipe = MiniAVA(seed=7, num_train=6, num_val=3, seconds=20)
    generate(tmp_path, recipe, processes=2)
    for path in mini_dir.rglob("*"):
        if path.is_file():
            assert (tmp_path / path.relative_to(mini_dir)).read_bytes() == path.read_bytes(), path
    with pytest.raises(InputError, match="choose another folder"):
        generate(tmp_path, MiniAVA(seed=8))


def test_videos_have_b_frames_and_a_gop_longer_than_a_second(mini_dir):
    with av.open(str(mini_dir / "videos" / "mini-train-000.mp4")) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        assert (stream.codec_context.name, len(frames)) == ("h264", 200)
    keys = [frame.time for frame in frames if frame.key_frame]
    assert np.diff(keys).max() > 1
    assert any(frame.pict_type == av.video.frame.PictureType.B for frame in frames)


def test_tables_agree_with_each_other(mini_dir):
    label_map = read_label_map(mini_dir / "mini_ava_action_list.pbtxt")
    annotations = read_annotations(mini_dir / "mini_ava_train.csv", label_map)
    proposals = read_proposals(mini_dir / "mini_ava_train_proposals.pkl")
    assert label_map.ids == list(range(1, 15))
    assert set(annotations.keyframes) == set(proposals.keyframes)
    labels = np.concatenate([annotations[keyframe].labels for keyframe in annotations.keyframes])
    assert labels[:, LONG_TERM_IDS].any(axis=0).all()
