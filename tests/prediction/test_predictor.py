"""Predictions against the same made by hand: clips by random access, one bank of the whole video, window by window."""

import csv
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lfb_lightning.bank import BankRows, FeatureBank, WindowSpec, finish_bank
from lfb_lightning.boxes import rois_from_boxes
from lfb_lightning.clips import ClipSettings
from lfb_lightning.errors import InputError
from lfb_lightning.exporting.exporting import export_detector
from lfb_lightning.exporting.onnx_detector import bank_name_in
from lfb_lightning.files.safetensors_header import read_safetensors_header
from lfb_lightning.models import load_detector
from lfb_lightning.models.loading import load_with_config
from lfb_lightning.prediction import LFBPredictor
from lfb_lightning.prediction import predictor as module
from lfb_lightning.prediction.keeping import bank_writer, keep_video
from lfb_lightning.structures import Keyframe
from lfb_lightning.video import VideoFile
from tests.prediction.conftest import DATA, FBOS

CLIPS = ClipSettings(num_frames=4, frame_stride=4, fps=25.0, eval_short_side=64)


def features(detector, video, second, boxes):
    """Short-term features of the persons at a second, from a clip that is read alone."""
    pixels, rois, _ = CLIPS.eval_view(VideoFile(video).clip(CLIPS.sampling.times(second)), boxes)
    clip = (pixels.float() / 255 - 0.45) / 0.225
    with torch.no_grad():
        return detector.short_term_features(clip[None], rois_from_boxes([rois]))


def by_hand(video, walkers, *, detector, memory, bank_threshold=0.0, after=Fraction(5, 2)):
    """Scores of every person, moment by moment (20 seconds, 2 ticks each), and the row of the video in each slot."""
    found = {tick: walkers.at(tick / 2) for tick in range(40)}
    ticks = np.repeat(list(found), [len(one) for one in found.values()])
    boxes = torch.from_numpy(np.concatenate([one.boxes for one in found.values()]))
    scores = torch.from_numpy(np.concatenate([one.scores for one in found.values()]))
    own = {tick: features(detector, video, tick / 2, one.boxes) for tick, one in found.items() if len(one)}
    stored = torch.cat([features(memory, video, tick / 2, one.boxes) for tick, one in found.items() if len(one)])
    kept = scores >= bank_threshold
    bank = FeatureBank.from_rows(
        {"v": BankRows(torch.from_numpy(ticks)[kept], boxes[kept], scores[kept], stored[kept])},
        channels=stored.shape[1],
        ticks_per_second=2,
    )
    spec = WindowSpec(before=3, after=after, slots=36, per_tick=3)
    result = []
    walker = np.concatenate([np.arange(len(one)) for one in found.values()])[kept.numpy()]
    for tick, short_term in own.items():
        window = bank.windows([Keyframe("v", tick)], spec)
        if detector.reads_identity:
            rows = bank.window_rows([Keyframe("v", tick)], spec)[0]
            same = [[row >= 0 and walker[row] == person for row in rows] for person in range(len(short_term))]
            window = replace(window, same_person=torch.tensor(same))
        with torch.no_grad():
            logits = detector.classify(short_term, window, torch.zeros(len(short_term), dtype=torch.int64))
        result.append(torch.sigmoid(logits))
    return torch.cat(result).numpy()


@pytest.fixture
def short_stretches(monkeypatch):
    monkeypatch.setattr(module, "_STRETCH", 7)  # of 40 moments: most windows reach into other stretches


@pytest.mark.parametrize("bank_threshold", [0.0, 0.8])
def test_scores_are_those_of_clips_and_windows_read_one_by_one(
    checkpoint, video, walkers, short_stretches, bank_threshold
):
    path = checkpoint("nl", seed=1)
    made = LFBPredictor.from_checkpoint(path, persons=walkers, batch_size=3, bank_threshold=bank_threshold)(video)
    detector = load_detector(path)
    expected = by_hand(video, walkers, detector=detector, memory=detector, bank_threshold=bank_threshold)
    assert made.scores.shape == expected.shape == (64, 6)
    np.testing.assert_allclose(made.scores, expected, atol=2e-6)
    assert expected.std(axis=0).min() > 5e-4  # a prediction that is always the same would show nothing


def test_the_bank_and_the_comparison_come_from_other_checkpoints(checkpoint, video, walkers, short_stretches):
    nl, memory, baseline = checkpoint("nl", seed=2), checkpoint("none", seed=3), checkpoint("none", seed=4)
    predictor = LFBPredictor.from_checkpoint(nl, bank_checkpoint=memory, compare=baseline, persons=walkers)
    made = predictor(video)
    expected = by_hand(video, walkers, detector=load_detector(nl), memory=load_detector(memory))
    alone = by_hand(video, walkers, detector=load_detector(baseline), memory=load_detector(baseline))
    np.testing.assert_allclose(made.scores, expected, atol=2e-6)
    np.testing.assert_allclose(made.without, alone, atol=2e-6)


def test_tracks_tell_a_detector_with_identity_which_slots_are_the_same_person(
    checkpoint, video, walkers, short_stretches
):
    path = checkpoint("identity", seed=1)
    made = LFBPredictor.from_checkpoint(path, persons=walkers, batch_size=3, bank_threshold=0.8)(video)
    detector = load_detector(path)
    expected = by_hand(video, walkers, detector=detector, memory=detector, bank_threshold=0.8)
    np.testing.assert_allclose(made.scores, expected, atol=2e-6)
    assert made.attention.rows.shape[0] == 64
    for layer in detector.fbo.layers:
        torch.nn.init.zeros_(layer.same)
        torch.nn.init.zeros_(layer.same_key)
    without = by_hand(video, walkers, detector=detector, memory=detector, bank_threshold=0.8)
    changed = np.abs(without - expected).max(axis=1) > 1e-6
    np.testing.assert_array_equal(changed, made.tracks == 0)  # the second walker, of confidence .7, is not in the bank


def test_a_detector_without_memory_has_neither_window_nor_attention(checkpoint, video, walkers):
    made = LFBPredictor.from_checkpoint(checkpoint("none", seed=5), persons=walkers)(video)
    assert made.window is None
    assert made.attention is None
    assert made.without is None


def test_scores_are_times_the_persons_where_the_detector_was_tested_so(checkpoint, video, walkers):
    plain = LFBPredictor.from_checkpoint(checkpoint("none"), persons=walkers)(video)
    task = {"_target_": "lfb_lightning.lightning.DetectionTask", "times_person_score": True}
    found = LFBPredictor.from_checkpoint(checkpoint("none", task=task), persons=walkers)(video)
    assert set(found.confidences.tolist()) == {0.9, 0.7}
    np.testing.assert_allclose(found.scores, plain.scores * plain.confidences[:, None], rtol=1e-6)


def test_tracks_go_on_and_moments_without_persons_are_there(checkpoint, video, walkers):
    made = LFBPredictor.from_checkpoint(checkpoint("none", seed=5), persons=walkers)(video)
    assert made.seconds == [tick / 2 for tick in range(40)]
    assert [len(persons) for persons in made] == [0 if int(second) % 5 == 4 else 2 for second in made.seconds]
    assert set(made.tracks.tolist()) == {0, 1}
    first = made.at(1.4)  # the nearest moment is 1.5
    assert first[0].second == 1.5
    assert first[0].box == pytest.approx((0.13, 0.1, 0.43, 0.9))
    assert list(first[0].actions.values()) == sorted(first[0].actions.values(), reverse=True)


def test_persons_between_the_moments_tell_tracks_and_change_no_score(checkpoint, video, walkers, short_stretches):
    path = checkpoint("nl", seed=1)
    once = LFBPredictor.from_checkpoint(path, persons=walkers, batch_size=3)(video)
    often = LFBPredictor.from_checkpoint(path, persons=walkers, batch_size=3, detection_rate=6)(video)
    np.testing.assert_array_equal(often.scores, once.scores)
    assert once.glimpses.seconds.size == 0
    expected = [
        tick / 2 + part / 6 for tick in range(40) for part in (1, 2) for _ in walkers.at(tick / 2 + part / 6).scores
    ]
    np.testing.assert_allclose(often.glimpses.seconds, expected)
    np.testing.assert_allclose(
        often.glimpses.boxes,
        np.concatenate([walkers.at(second).boxes for second in sorted(set(often.glimpses.seconds.tolist()))]),
    )
    assert set(often.glimpses.tracks.tolist()) == {0, 1}
    with pytest.raises(InputError, match="detection_rate is 3, expected a whole multiple of the detector's 2"):
        LFBPredictor.from_checkpoint(path, persons=walkers, detection_rate=3)


def test_attention_names_rows_of_the_window_and_adds_up_to_one(checkpoint, video, walkers, short_stretches):
    predictor = LFBPredictor.from_checkpoint(checkpoint("nl", seed=1), persons=walkers, attention=4)
    made = predictor(video)
    attention = made.attention
    assert attention.rows.shape == (64, 2, 4)
    total = attention.weights.sum(axis=2) + attention.empty + attention.rest
    np.testing.assert_allclose(total, 1, atol=1e-5)
    ticks = made.ticks[made.moment]
    seen = ticks[np.maximum(attention.rows, 0)]
    off = seen - ticks[:, None, None]
    named = attention.rows >= 0
    assert named.all()
    assert off[named].min() >= -6
    assert off[named].max() <= 5
    assert np.unique(off[named]).size > 6
    whole = LFBPredictor.from_checkpoint(checkpoint("nl", seed=1), persons=walkers, attention=36)(video).attention
    np.testing.assert_allclose(whole.rest, 0, atol=1e-6)
    np.testing.assert_allclose(whole.weights[:, :, :4], attention.weights, atol=1e-7)


class Stopped(Exception):
    pass


@pytest.mark.parametrize("detection_rate", [2, 6])
def test_an_interrupted_prediction_goes_on_and_gives_the_same(
    detection_rate, checkpoint, video, walkers, short_stretches, tmp_path, monkeypatch
):
    predictor = LFBPredictor.from_checkpoint(
        checkpoint("nl", seed=1), persons=walkers, batch_size=3, detection_rate=detection_rate
    )
    expected = predictor(video)

    def stop(done, total):
        assert total == 40
        if done >= 21:
            raise Stopped

    with pytest.raises(Stopped):
        predictor(video, journal=predictor.journal(video, tmp_path / "kept"), progress=stop)
    assert len(list((tmp_path / "kept").iterdir())) == 3
    (tmp_path / "kept" / "stretch-000002.safetensors").write_bytes(b"cut off")
    walkers.asked.clear()
    journal = predictor.journal(video, tmp_path / "kept")
    made = predictor(video, journal=journal)
    assert walkers.asked[0] == 7.0  # two stretches of 7 moments, half a second each, were kept
    for name in ("ticks", "moment", "boxes", "confidences", "tracks", "scores"):
        np.testing.assert_array_equal(getattr(made, name), getattr(expected, name))
    np.testing.assert_array_equal(made.glimpses.tracks, expected.glimpses.tracks)
    assert made.thumbnails == expected.thumbnails
    journal.remove()
    assert not (tmp_path / "kept").exists()


def test_what_other_settings_have_left_is_not_taken(checkpoint, video, walkers, short_stretches, tmp_path):
    first = LFBPredictor.from_checkpoint(checkpoint("none", seed=5), persons=walkers)
    first(video, journal=first.journal(video, tmp_path / "kept"))
    other = LFBPredictor.from_checkpoint(checkpoint("none", seed=6), persons=walkers)
    walkers.asked.clear()
    other(video, journal=other.journal(video, tmp_path / "kept"))
    assert walkers.asked[0] == 0.0
    assert len(walkers.asked) == 40


def test_given_boxes(checkpoint, video):
    made = LFBPredictor.from_checkpoint(checkpoint("none", seed=5))(video, boxes={0.5: [[0, 0, 0.5, 1]], 3: []})
    assert [len(persons) for persons in made] == [0, 1, *[0] * 38]
    with pytest.raises(InputError, match=r"boxes of second 2: .*0\.\.1"):
        LFBPredictor.from_checkpoint(checkpoint("none", seed=5))(video, boxes={2: [[0, 0, 320, 200]]})


def test_a_video_without_persons_has_empty_tables(checkpoint, video, tmp_path):
    made = LFBPredictor.from_checkpoint(checkpoint("nl", seed=1))(video, boxes={})
    made.to_csv(tmp_path / "a.csv")
    made.to_json(tmp_path / "a.json")
    assert (tmp_path / "a.csv").read_text() == ""
    assert len(json.loads((tmp_path / "a.json").read_text())["moments"]) == 40


def test_names_come_from_the_checkpoint_the_label_map_or_ava(checkpoint, video, tmp_path):
    trained_on = {"actions": {1: "walk", 4: "eat"}, "ticks_per_second": "2", "bank_backbone": None}
    path = checkpoint("none", seed=5, trained_on=trained_on)
    assert LFBPredictor.from_checkpoint(path)(video, boxes={}).actions == {1: "walk", 4: "eat"}
    (tmp_path / "map.pbtxt").write_text('item { name: "sit" id: 2 }')
    assert LFBPredictor.from_checkpoint(path, labels=tmp_path / "map.pbtxt")(video, boxes={}).actions == {2: "sit"}
    (tmp_path / "map.pbtxt").write_text('item { name: "sit" id: 6 }')
    with pytest.raises(InputError, match="largest id is 6, but the detector has 6 score columns"):
        LFBPredictor.from_checkpoint(path, labels=tmp_path / "map.pbtxt")


def test_a_bank_of_another_backbone_is_refused(checkpoint):
    trained_on = {"actions": {1: "walk"}, "ticks_per_second": "2", "bank_backbone": "0" * 64}
    path = checkpoint("nl", seed=1, trained_on=trained_on)
    with pytest.raises(InputError, match=r"trained on a bank of backbone 000000000000.*bank_ckpt_path="):
        LFBPredictor.from_checkpoint(path)
    silent = LFBPredictor.from_checkpoint(checkpoint("nl", seed=1))
    assert len(silent.notes) == 1
    assert "does not say which backbone" in silent.notes[0]
    assert (
        LFBPredictor.from_checkpoint(checkpoint("nl", seed=1), bank_checkpoint=checkpoint("none", seed=2)).notes == []
    )


def test_the_tables_say_what_the_prediction_says(checkpoint, video, walkers, tmp_path):
    predictor = LFBPredictor.from_checkpoint(
        checkpoint("nl", seed=1), compare=checkpoint("none", seed=5), persons=walkers, attention=3
    )
    made = predictor(video)
    made.to_csv(tmp_path / "a.csv", least_score=0.2)
    made.to_json(tmp_path / "a.json", least_score=0.2)
    rows = list(csv.reader((tmp_path / "a.csv").read_text().splitlines()))
    content = json.loads((tmp_path / "a.json").read_text())
    assert (content["format"], content["version"]) == ("lfb-lightning detections", 1)
    persons = [(moment["second"], person) for moment in content["moments"] for person in moment["persons"]]
    assert [person["row"] for _, person in persons] == list(range(64))
    from_json = [
        (round(second, 6), int(action), score)
        for second, person in persons
        for action, score in sorted(person["actions"].items(), key=lambda pair: int(pair[0]))
    ]
    from_csv = [(float(row[1]), int(row[6]), pytest.approx(float(row[7]), abs=1e-6)) for row in rows]
    assert from_json == from_csv
    expected = [
        (float(made.seconds[made.moment[row]]), column)
        for row in range(64)
        for column in range(1, 6)
        if made.scores[row, column] >= 0.2
    ]
    assert [(second, action) for second, action, _ in from_json] == expected
    assert 50 < len(expected) < 320
    last = persons[-1][1]
    assert last["box"] == pytest.approx(made.boxes[-1].tolist(), abs=1e-6)
    assert last["without"]["1"] == pytest.approx(float(made.without[-1, 1]), abs=1e-6) or made.without[-1, 1] < 0.2
    assert [seen for seen, _ in last["attention"][1]["rows"]] == made.attention.rows[-1, 1].tolist()


def test_moments_lie_a_step_apart(checkpoint, video, walkers):
    fine = checkpoint("none", seed=5, data={**DATA, "ticks_per_second": 100, "key_step": 50})
    made = LFBPredictor.from_checkpoint(fine, persons=walkers, detection_rate=4)(video)
    assert made.ticks.tolist() == list(range(0, 2000, 50))
    assert made.seconds == [number / 2 for number in range(40)]
    assert sorted(set(made.glimpses.seconds.tolist()))[:3] == [0.25, 0.75, 1.25]
    usual = LFBPredictor.from_checkpoint(checkpoint("none", seed=5), persons=walkers)(video)
    np.testing.assert_array_equal(made.scores, usual.scores)


def test_weights_that_are_not_finite_are_refused(checkpoint, video, walkers):
    predictor = LFBPredictor.from_checkpoint(checkpoint("nl", seed=1), persons=walkers)
    torch.nn.init.constant_(predictor.trained.detector.head.weight, float("nan"))
    with pytest.raises(InputError, match="scores are not finite"):
        predictor(video)


def test_boxes_have_no_journal(checkpoint, video, walkers, tmp_path):
    predictor = LFBPredictor.from_checkpoint(checkpoint("none", seed=5), persons=walkers)
    with pytest.raises(ValueError, match="give boxes or a journal"):
        predictor(video, boxes={}, journal=predictor.journal(video, tmp_path))


class Heard:
    def __init__(self):
        self.seconds = []

    def link(self, second, boxes, scores):
        self.seconds.append(second)
        return np.arange(len(boxes))


def test_a_linker_hears_of_moments_without_persons_again(
    checkpoint, video, walkers, short_stretches, tmp_path, monkeypatch
):
    predictor = LFBPredictor.from_checkpoint(checkpoint("none", seed=5), persons=walkers, detection_rate=6)
    journal = predictor.journal(video, tmp_path / "kept")
    heard = Heard()
    monkeypatch.setattr(predictor.tracking, "begin", lambda aspect: heard)
    predictor(video, journal=journal)
    whole, heard.seconds = heard.seconds, []
    assert len(whole) == 120
    predictor(video, journal=journal)
    assert heard.seconds == whole


@pytest.mark.parametrize(
    "spoil",
    [
        lambda tensors: tensors.pop("boxes"),
        lambda tensors: tensors.pop("thumbnail_bytes"),
        lambda tensors: tensors.update(moment=tensors["moment"] + 100),
        lambda tensors: tensors.update(boxes=tensors["boxes"][:, :2].contiguous()),
        lambda tensors: tensors.update(scores=tensors["scores"][1:]),
        lambda tensors: tensors.update({"features.0": tensors["features.0"][1:]}),
        lambda tensors: tensors.update({"glimpses.boxes": torch.zeros(3, 4)}),
        lambda tensors: tensors.update(thumbnails=torch.zeros(2, 2)),
    ],
)
def test_a_spoilt_journal_is_observed_again(checkpoint, video, walkers, short_stretches, tmp_path, spoil):
    predictor = LFBPredictor.from_checkpoint(checkpoint("none", seed=5), persons=walkers)
    journal = predictor.journal(video, tmp_path / "kept")
    expected = predictor(video, journal=journal)
    path = tmp_path / "kept" / "stretch-000000.safetensors"
    metadata, tensors = dict(read_safetensors_header(path)[0]), load_file(path)
    spoil(tensors)
    save_file(tensors, path, metadata)
    walkers.asked.clear()
    made = predictor(video, journal=journal)
    assert len(walkers.asked) in (0, 40)
    np.testing.assert_array_equal(made.scores, expected.scores)


@pytest.mark.parametrize("name", ["overlay.mp4", "video.mp4"])
def test_a_video_is_never_written_over(checkpoint, video, walkers, tmp_path, name):
    own = tmp_path / name
    own.write_bytes(video.read_bytes())
    made = LFBPredictor.from_checkpoint(checkpoint("none", seed=5), persons=walkers)(own)
    with pytest.raises(InputError, match="would be written over it"):
        made.save_page(tmp_path) if name == "video.mp4" else made.save_overlay(own)
    assert own.read_bytes() == video.read_bytes()


def test_a_kept_bank_has_the_clock_of_its_reader(checkpoint, video, walkers, tmp_path):
    memory = checkpoint("none", seed=3, data={**DATA, "ticks_per_second": 1})
    predictor = LFBPredictor.from_checkpoint(checkpoint("nl", seed=1), bank_checkpoint=memory, persons=walkers)
    journal = predictor.journal(video, tmp_path / "kept")
    predictor(video, journal=journal)
    writer = bank_writer(
        tmp_path, predictor.memory, clock=predictor.trained.recipe.clock, precision="fp32", bank_threshold=0.8
    )
    keep_video(writer, "v", journal.stored(), look=predictor.bank_look, bank_threshold=0.8)
    finish_bank(writer.folder, writer.provenance, ["v"])
    bank = FeatureBank.open(tmp_path / "videos")
    assert bank.clock.ticks_per_second == 2
    assert bank.timestamps("v").tolist() == [tick for tick in range(40) if len(walkers.at(tick / 2))]  # one of the two


def test_a_detector_of_another_bank_is_refused_in_a_line(checkpoint, walkers, tmp_path):
    objects = checkpoint("nl", model={"bank_name": "objects"})
    said = r"nl_0_\d+\.ckpt reads the bank 'objects', but a prediction makes a bank of the regions that it scores"
    with pytest.raises(InputError, match=said):
        LFBPredictor.from_checkpoint(objects, persons=walkers)
    with pytest.raises(InputError, match=said):  # also where a detector is given to make its bank
        LFBPredictor.from_checkpoint(objects, bank_checkpoint=objects, persons=walkers)
    with pytest.raises(InputError, match=said):
        LFBPredictor.from_checkpoint(checkpoint("none"), compare=objects, persons=walkers)
    listed = {"fbo": {**FBOS["nl"], "banks": {"objects": None}}}
    with pytest.raises(InputError, match="reads the bank 'objects'"):
        LFBPredictor.from_checkpoint(checkpoint("nl", model=listed), persons=walkers)
    LFBPredictor.from_checkpoint(checkpoint("none", model={"bank_name": "objects"}), persons=walkers)  # it reads none
    with pytest.raises(
        InputError, match="format=onnx: the detector reads the bank 'objects', which no prediction makes"
    ):
        export_detector(*load_with_config(objects), tmp_path / "out", format="onnx")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ({"bank_name": "objects"}, "objects"),
        ({"fbo": {"banks": {"objects": 64}}}, "objects"),
        ({"fbo": {"banks": ["main"]}}, None),
        ({"fbo": {"banks": None}, "bank_name": None}, None),
        (None, None),
    ],
)
def test_a_program_of_an_earlier_version_says_in_its_folder_which_bank_it_reads(model, name):
    assert bank_name_in({"model": model}) == name
