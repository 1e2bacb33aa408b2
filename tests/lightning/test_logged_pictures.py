"""Pictures of a training: what is in them, which key frames are chosen, and that a failing one ends nothing."""

import logging
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock
from zlib import crc32

import numpy as np
import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.loggers.logger import DummyLogger

from lfb_lightning.clips.normalize import normalize
from lfb_lightning.datasets import ScoreColumns
from lfb_lightning.lightning import training_pictures
from lfb_lightning.lightning.callbacks.logged_pictures import LoggedPictures
from lfb_lightning.lightning.datamodules.action_data import ActionDataModule
from lfb_lightning.lightning.loggers.media import log_picture
from lfb_lightning.lightning.modules.detection import DetectionTask
from lfb_lightning.structures import ClipBatch, Detections, Keyframe

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
COLUMNS = ScoreColumns(4, has_background=True, names={1: "sit", 2: "walk", 3: "talk"})
KEYS = [Keyframe("v", 902), Keyframe("w", 31)]


class Split:
    """A split of which the pictures ask the names of the columns alone."""

    name, clock, bank_threshold = "val", None, 0.0

    def columns(self):
        return COLUMNS

    def unused(self):
        raise AssertionError

    video = training_items = training_regions = evaluation_items = evaluation_regions = unused
    bank_keyframes = bank_regions = evaluator = describe = unused


class LabeledSplit(Split):
    """One that has annotated persons in the left half of every picture, who walk."""

    def stored_labels(self, keyframe, boxes):
        known = boxes[:, 0] < 0.5
        labels = np.zeros((len(boxes), 4), dtype=bool)
        labels[known, 2] = True
        return labels, known

    def stored_scored(self, scores):
        return scores >= 0


def data(split):
    made = Mock(spec=ActionDataModule)
    made.split.return_value = split
    made.clips = SimpleNamespace(mean=MEAN, std=STD, sampling=None)
    return made


def trainer(folder="nowhere", loggers=(), rank=0):
    made = Mock(spec=Trainer, is_global_zero=rank == 0, default_root_dir=str(folder), global_step=5)
    made.loggers, made.datamodule = list(loggers), data(Split())
    return made


TASK = Mock(spec=DetectionTask)


@pytest.fixture
def batch():
    clips = torch.randint(0, 256, (2, 3, 5, 8, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[0, 0, 0, 8, 4], [0, 4, 2, 16, 8], [1, 8, 0, 12, 8]], dtype=torch.float32)
    labels = torch.tensor([[0, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]], dtype=torch.float32)
    scores = torch.tensor([1.0, 0.9, 1.0], dtype=torch.float64)
    return ClipBatch(KEYS, clips, rois, torch.zeros(3, 4, dtype=torch.float64), scores, labels)


def test_the_contact_sheet_shows_the_pixels_boxes_and_actions_of_the_batch(batch, monkeypatch):
    drawn = []
    monkeypatch.setattr(training_pictures, "draw_contact_sheet", lambda path, tiles, title: drawn.extend(tiles))
    training_pictures.draw_batch(Path("x.png"), normalize(batch, mean=MEAN, std=STD), data(Split()), number=8)
    assert [tile.caption for tile in drawn] == ["v,0902: sit, talk", "w,0031: no action"]
    for tile, clip in zip(drawn, batch.clips, strict=True):
        np.testing.assert_array_equal(tile.frame, clip[:, 2].permute(1, 2, 0).numpy())
    assert drawn[0].annotated.tolist() == [[0, 0, 0.5, 0.5]]
    assert drawn[0].proposed.tolist() == [[0.25, 0.25, 1, 1]]
    assert (drawn[1].annotated.tolist(), len(drawn[1].proposed)) == ([[0.5, 0, 0.75, 1]], 0)


@pytest.mark.parametrize(("split", "actual"), [(LabeledSplit(), [["walk"], None]), (Split(), [None, None])])
def test_an_overlay_compares_what_is_found_with_what_is_known(split, actual, monkeypatch):
    drawn = []
    monkeypatch.setattr(training_pictures, "draw_overlay", lambda path, frame, persons, title: drawn.extend(persons))
    monkeypatch.setattr(
        training_pictures, "probe_frame", lambda split, keyframe, sampling: np.zeros((2, 2, 3), np.uint8)
    )
    boxes = torch.tensor([[0.0, 0.1, 0.4, 0.9], [0.6, 0.1, 1.0, 0.9]], dtype=torch.float64)
    scores = torch.tensor(
        [[0.9, 0.5, 0.75, 0.25, 0.9], [0.9, 0.0, 0.5, 1.0, 0.9]]
    )  # with a background and a spare column
    found = Detections(KEYS[:1], torch.zeros(2), boxes, scores)
    training_pictures.draw_keyframe(Path("x.png"), KEYS[0], found, data(split), threshold=0.5)
    assert [person.predicted for person in drawn] == [[("walk", 0.75)], [("talk", 1.0)]]
    assert [person.actual for person in drawn] == actual
    assert [person.box for person in drawn] == [tuple(row) for row in boxes.tolist()]


@pytest.mark.parametrize("size", [1, 3, 8])
def test_the_choice_of_key_frames_does_not_depend_on_order_or_batches(size):
    keyframes = [Keyframe(f"video {number % 3}", number) for number in range(20)]
    expected = sorted(keyframes, key=lambda keyframe: crc32(str(keyframe).encode()))[:4]
    callback = LoggedPictures(overlays=4)
    shuffled = [keyframes[at] for at in torch.randperm(20, generator=torch.Generator().manual_seed(size)).tolist()]
    for start in range(0, 20, size):
        some = shuffled[start : start + size]
        clips = torch.arange(len(some)).repeat_interleave(2)
        scores = torch.tensor([keyframe.timestamp for keyframe in some]).repeat_interleave(2)[:, None].float()
        found = Detections(some, clips, torch.zeros(len(clips), 4, dtype=torch.float64), scores)
        nobody = torch.zeros(0, 4, dtype=torch.float64)
        read = ClipBatch(some, None, torch.zeros(0, 5), nobody, nobody[:, 0])
        callback.on_validation_batch_end(trainer(), TASK, found, read, 0)
    assert [keyframe for _, keyframe, _ in callback._chosen] == expected
    for _, keyframe, found in callback._chosen:
        assert found.scores.tolist() == [[keyframe.timestamp]] * 2
        assert found.keyframes == [keyframe]


class Diary(DummyLogger):
    """A logger of one's own."""

    def __init__(self, broken=False):
        super().__init__()
        self.broken, self.seen = broken, []


@log_picture.register(Diary)
def note(logger, name, path, step):
    if logger.broken:
        raise RuntimeError("the server\nis away")
    logger.seen.append((name, path.is_file(), step))


def test_a_logger_of_ones_own_gets_pictures_though_another_one_fails(batch, tmp_path, caplog):
    diary = Diary()
    with caplog.at_level(logging.WARNING):
        run = trainer(tmp_path, [Diary(broken=True), DummyLogger(), diary])
        LoggedPictures().on_train_batch_end(run, TASK, None, normalize(batch, mean=MEAN, std=STD), 0)
    assert diary.seen == [("pictures/first_batch", True, 5)]
    assert caplog.messages == ["picture first_batch in Diary is left out: RuntimeError: the server is away"]


def test_a_picture_that_cannot_be_drawn_is_one_warning(batch, tmp_path, caplog):
    (tmp_path / "pictures").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        LoggedPictures().on_train_batch_end(trainer(tmp_path), TASK, None, batch, 0)
    assert len(caplog.messages) == 1
    assert "\n" not in caplog.messages[0]
    assert f"picture {tmp_path}/pictures/first_batch.png is left out: FileExistsError" in caplog.messages[0]


def test_only_the_first_batch_of_the_first_process_is_drawn(batch, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(training_pictures, "draw_contact_sheet", lambda path, tiles, title: drawn.append(path.name))
    clips = normalize(batch, mean=MEAN, std=STD)
    for callback, rank in ((LoggedPictures(), 0), (LoggedPictures(), 1), (LoggedPictures(clips=0), 0)):
        for number in range(3):
            callback.on_train_batch_end(trainer(tmp_path, [Diary()], rank=rank), TASK, None, clips, number)
    assert drawn == ["first_batch.png"]
