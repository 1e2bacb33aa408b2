"""The windows of a batch: who is who in random slots, one window for all views, and nothing of it where nobody asks."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from lfb_lightning.bank import WindowSpec
from lfb_lightning.errors import InputError
from lfb_lightning.lightning.datamodules.bank_windows import WindowReader, with_windows
from lfb_lightning.structures import ClipBatch, Keyframe, ViewBatch
from tests.persons.test_bank_tracks import bank_of, box, crossing


class Split:
    """Videos of 16:9, unless they are missing."""

    def __init__(self, *, missing=False):
        self.missing, self.opened = missing, []

    def video(self, video_id):
        self.opened.append(video_id)
        if self.missing:
            raise InputError(f"video {video_id}: is not there.")
        return SimpleNamespace(properties=lambda: SimpleNamespace(width=160, height=90))


def batch_of(*regions):
    """A batch of clips at seconds 3 and 5; a region is its clip's number and its box."""
    clips = torch.tensor([clip for clip, _ in regions])
    boxes = torch.tensor([one for _, one in regions], dtype=torch.float64)
    return ClipBatch(
        keyframes=[Keyframe("v", 3), Keyframe("v", 5)],
        clips=None,
        rois=torch.cat([clips[:, None].float(), 99 * boxes.float()], dim=1),  # pixels of some crop: not to be looked at
        boxes=boxes,
        scores=torch.ones(len(regions), dtype=torch.float64),
    )


BATCH = batch_of((1, box(0.4, 0.55)), (0, box(0.4)), (0, box(0.95, 0.2)), (1, box(0.6)))


@pytest.mark.parametrize("selection", ["top_score", "random"])
def test_slots_of_the_same_person_are_marked_in_the_rows_that_were_chosen(selection):
    rows = crossing()
    read = WindowReader(bank_of(rows), Split().video, seed=0, identity=True)
    window = read(BATCH, WindowSpec.of_seconds(6, 1, selection=selection), epoch=1)
    assert window.same_person.shape == (4, 6)
    names = []
    for region, (clip, who) in enumerate([(1, "left"), (0, "right"), (0, None), (1, "right")]):
        in_slots = [rows[int(feature)][1] for feature in window.features[clip, :, 0]]  # a feature is its row's number
        assert window.mask[clip].all()
        assert window.same_person[region].tolist() == [name == who for name in in_slots]
        names += in_slots
    assert (len(set(names)) == 2) == (selection == "random")  # best scores are those of one person


def test_views_share_a_window_and_it_travels_with_who_is_who():
    read = WindowReader(bank_of(crossing()), Split().video, seed=0, identity=True)
    views = ViewBatch(
        views=(BATCH, replace(BATCH, rois=BATCH.rois / 2)), inside=torch.ones(2, 4, dtype=torch.bool), groups=[0, 1]
    )
    first, second = with_windows(views, lambda one: read(one, WindowSpec.of_seconds(6, 2), epoch=0)).views
    assert first.window is second.window
    assert first.window.same_person.any(dim=1).tolist() == [True, True, False, True]
    assert first.to("meta").window.same_person.device.type == "meta"


def test_where_nobody_asks_windows_are_those_of_the_bank_and_no_video_is_opened():
    bank, split = bank_of(crossing()), Split()
    spec = WindowSpec.of_seconds(6, 2)
    window = WindowReader(bank, split.video, seed=0, identity=False)(BATCH, spec, epoch=0)
    assert window.same_person is None
    assert torch.equal(window.features, bank.windows(BATCH.keyframes, spec).features)
    assert split.opened == []


def test_a_bank_without_its_videos_is_linked_as_in_pictures_of_16_9_and_that_is_said_once(caplog):
    spec = WindowSpec.of_seconds(6, 2)
    expected = WindowReader(bank_of(crossing()), Split().video, seed=0, identity=True)(BATCH, spec, epoch=0)
    split = Split(missing=True)
    read = WindowReader(bank_of(crossing()), split.video, seed=0, identity=True)
    assert torch.equal(read(BATCH, spec, epoch=0).same_person, expected.same_person)
    read(replace(BATCH, keyframes=[Keyframe("w", 0), Keyframe("w", 0)]), spec, epoch=0)
    assert split.opened == ["v", "w"]
    assert caplog.text.count("linked as in pictures of 16:9 where there is no video: video v: is not there.") == 1
