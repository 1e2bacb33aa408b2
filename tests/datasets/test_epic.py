"""EPIC-Kitchens as a data set: whose segments are a split, which clips are read of them, and what they are labeled with."""

import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from lfb_lightning.bank import BankConfig, BankRows, FeatureBank
from lfb_lightning.bank.importing import import_bank
from lfb_lightning.bank.pickled_bank import PickledBank
from lfb_lightning.clips.frame_sampling import frames_around
from lfb_lightning.clock import Clock
from lfb_lightning.datasets import EpicDataset
from lfb_lightning.epic import official_frame_rate
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Detections, Item, Keyframe
from tests.conftest import GOLDEN
from tests.epic_set import TRAIN, VAL, seconds_of, write_epic55, write_epic100

FOLDER = GOLDEN / "paper_datasets"
SAMPLING = json.loads((FOLDER / "sampling" / "epic.json").read_text())["cases"]
FILES = FOLDER / "files"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = tmp_path_factory.mktemp("epic")
    return write_epic55(made / "epic55"), write_epic100(made / "epic100")


def epic55(folder, **settings):
    return EpicDataset(
        **{
            "video_dir": str(folder / "videos"),
            "annotations": str(folder / "EPIC_train_action_labels.csv"),
            "verb_classes": str(folder / "EPIC_verb_classes.csv"),
            "noun_classes": str(folder / "EPIC_noun_classes.csv"),
            "participants": {"train": [1, 25], "val": [26, 31]},
            "frames_fps": 30.0,
            "prior": True,
            **settings,
        }
    )


def epic100(folder, **settings):
    return EpicDataset(
        **{
            "video_dir": str(folder / "videos"),
            "annotations": str(folder / "EPIC_100_{split}.csv"),
            "verb_classes": str(folder / "EPIC_100_verb_classes.csv"),
            "noun_classes": str(folder / "EPIC_100_noun_classes.csv"),
            "split_files": {"val": "validation", "test": "test_timestamps"},
            "video_info": str(folder / "EPIC_100_video_info.csv"),
            "tail_verbs": str(folder / "EPIC_100_tail_verbs.csv"),
            "tail_nouns": str(folder / "EPIC_100_tail_nouns.csv"),
            "unseen": str(folder / "EPIC_100_unseen_participant_ids_{split}.csv"),
            "fps": 60.0,
            "bank_step": 60,
            "clips_inside": True,
            **settings,
        }
    )


def all_segments(videos):
    return [(one, *segment) for one, (_, _, segments) in videos.items() for segment in segments]


def drawn(split, item, seeds=range(60)):
    return [split.training_regions(item, torch.Generator().manual_seed(seed)) for seed in seeds]


def test_participants_make_the_papers_split_of_one_csv(folders):
    for data, videos in ((epic55(folders[0]).split("train"), TRAIN), (epic55(folders[0]).split("val"), VAL)):
        assert [item.keyframe.video_id for item in data.training_items()] == [one for one, *_ in all_segments(videos)]
    expected = json.loads((FILES / "expected.json").read_text())["epic55/EPIC_train_action_labels.csv"]
    official = epic55(FILES / "epic55", heads=["verb", "noun"])
    for name in ("train", "val"):
        tables = official.split(name).tables
        rows = zip(tables.segments, tables.frames.tolist(), *tables.labels.values(), strict=True)
        found = [[one.participant, one.video_id, *frames, verb, noun] for one, frames, verb, noun in rows]
        assert found == expected[name]
    columns = official.split("val").columns()
    assert (columns.number, columns.blocks, columns.has_background) == (477, {"verb": 125, "noun": 352}, False)
    assert (columns.names[124], columns.names[125]) == ("verb verb124", "noun noun0")


@pytest.mark.parametrize("case", SAMPLING, ids=lambda case: f"{case['num_frames']} {case['start']}")
def test_clips_are_the_papers(case, tmp_path):
    header = "uid,participant_id,video_id,start_timestamp,stop_timestamp,verb_class,noun_class\n"
    (tmp_path / "EPIC_train_action_labels.csv").write_text(
        header + f"7,P01,P01_01,{case['start']},{case['stop']},0,0\n"
    )
    split = epic55(tmp_path, heads=["verb"], verb_classes=str(FILES / "epic55" / "EPIC_verb_classes.csv")).split(
        "train"
    )
    assert split.tables.frames.tolist() == [[case["start_frame"], case["stop_frame"]]]
    item = Item(0, Keyframe("P01_01", case["test_center"]))
    assert split.test_items() == split.evaluation_items() == [item]
    frames = frames_around(case["test_center"], num_frames=case["num_frames"], length=32, stride=2)
    assert frames.tolist() == case["test_frames"]
    first, last = case["train_center_min"], case["train_center_max"]
    centers = {one.keyframe.timestamp for one in drawn(split, item, range(200))}
    assert first <= min(centers) <= max(centers) <= last
    if last - first < 12:
        assert centers == {*range(first, last + 1)}


def test_a_training_clip_lies_around_a_frame_of_its_segment_and_has_its_verb_and_first_noun(folders):
    split = epic55(folders[0]).split("train")
    for item, (one, start, stop, verb, nouns) in zip(split.training_items(), all_segments(TRAIN), strict=True):
        found = drawn(split, item)
        times = [regions.keyframe.timestamp for regions in found]
        assert round(start * 30) <= min(times) < max(times) <= round(stop * 30)
        expected = [column == verb for column in range(3)] + [column == nouns[0] for column in range(4)]
        assert {regions.keyframe.video_id for regions in found} == {one}
        assert all(regions.labels.tolist() == [expected] for regions in found)
        assert found[0].boxes.tolist() == [[0, 0, 1, 1]]
    again = drawn(split, split.training_items()[0], [0, 1, 2])
    assert [one.keyframe for one in again] == [
        one.keyframe for one in drawn(split, split.training_items()[0], [0, 1, 2])
    ]


@pytest.mark.parametrize(
    ("heads", "columns"), [(["verb"], [0, 1, 2]), (["noun"], [3, 4, 5, 6]), (["noun", "verb"], [0, 1, 2, 3, 4, 5, 6])]
)
def test_heads_choose_the_columns_and_verbs_come_first(folders, heads, columns):
    split, both = (epic55(folders[0], heads=given).split("val") for given in (heads, ["verb", "noun"]))
    items = split.test_items()
    assert split.item_actions(items).tolist() == both.item_actions(items)[:, columns].tolist()
    names = [both.columns().names[column] for column in columns]
    expected = names if len(heads) == 2 else [name.split()[1] for name in names]
    assert [*split.columns().names.values()] == expected
    assert list(split.columns().blocks) == [head for head in ("verb", "noun") if head in heads]
    figures = split.evaluator(action_threshold=None).figures
    assert figures[0] == ("all_action_accuracy_at_1" if len(heads) == 2 else f"all_{heads[0]}_accuracy_at_1")


@pytest.mark.parametrize("make", [0, 1])
def test_a_bank_has_a_clip_a_second_from_the_first_second_on(folders, make):
    split = (epic55, epic100)[make](folders[make]).split("val")
    step = (30, 60)[make]
    seconds = {one: int(seconds_of(VAL, one)) for one in VAL}  # 3.0 s: its end is an entry, whose clip is clamped
    assert seconds == {"P26_01": 3, "P31_101": 2}
    expected = [Keyframe(one, second * step) for one in VAL for second in range(1, seconds[one] + 1)]
    assert split.bank_keyframes("any word") == expected
    assert (split.bank_spacing, split.bank_entries, split.clock.ticks_per_second) == ((step, step), "clips", step)


def test_frames_are_counted_by_length_whatever_rate_a_video_or_folder_has(folders, tmp_path):
    for rate, videos in ((30, TRAIN), (60, TRAIN), (30, VAL)):
        tables = epic55(folders[0], fps=float(rate)).split("train" if videos is TRAIN else "val").tables
        for one in videos:
            exactly = seconds_of(videos, one) * rate
            assert exactly - 1 < tables.num_frames(one) <= exactly + 1e-9
    for one, (rate, count, _) in VAL.items():
        for number in range(1, count + 1):
            (tmp_path / one[:3] / one).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 6)).save(tmp_path / one[:3] / one / f"frame_{number:010}.jpg")
        assert official_frame_rate(one) == rate
    given = {"source": "frames", "video_dir": str(tmp_path), "video_path": "{participant}/{video_id}"}
    official = epic100(folders[1], **given, frames_fps="official").split("val").tables
    assert [official.num_frames(one) for one in VAL] == [180, 132]
    listed = epic100(folders[1], **given, frames_fps="listed").split("val").tables
    assert [listed.num_frames(one) for one in VAL] == [180, 132]
    assert [epic55(folders[0], **given).split("val").tables.num_frames(one) for one in VAL] == [180, 110]
    gone = {"video_dir": str(tmp_path / "gone")}
    assert epic100(folders[1], **gone).split("val").tables.num_frames("P31_101") == 132, "by the list of videos"
    assert epic55(folders[0], **gone).split("val").tables.num_frames("P31_101") == round(1.7 * 30), "by its segments"
    with pytest.raises(InputError, match="gone: no such folder"):
        epic55(folders[0], **gone).split("val").video("P31_101").clip(np.zeros(1))


@pytest.mark.parametrize(
    ("seconds", "clips", "inside", "expected"),
    [
        ((0.0, 1.0), 1, False, [30]),
        ((0.0, 1.0), 3, False, [10, 30, 50]),
        ((0.0, 1.0), 3, True, [12, 30, 47]),  # clips of 8 frames: thirds of the middles 4 to 56
        ((2.0, 2.05), 3, True, [121]),  # shorter than a clip: its middle, once
        ((0.5, 0.5), 10, False, [30]),
    ],
)
def test_clips_of_a_test_are_middles_of_equal_parts(folders, tmp_path, seconds, clips, inside, expected):
    rows = f'P01_01_0,P01,P01_01,,00:00:0{seconds[0]},00:00:0{seconds[1]},0,0,x,v,1,n,2,"[]",[2]\n'
    header = (folders[1] / "EPIC_100_train.csv").read_text().splitlines()[0]
    (tmp_path / "one.csv").write_text(f"{header}\n{rows}")
    given = {"num_frames": 4, "frame_stride": 2, "clips_inside": inside, "test_clips": clips}
    split = epic100(folders[1], annotations=str(tmp_path / "one.csv"), **given).split("train")
    assert [item.keyframe.timestamp for item in split.test_items()] == expected


def test_windows_of_its_bank_are_the_papers(folders):
    golden = json.loads((FOLDER / "windows" / "epic_verb.json").read_text())
    split = epic55(folders[0]).split("train")
    config = BankConfig(dir="banks", layout="packed", window_seconds=40, features_per_second=1)
    for case in golden["cases"]:
        split.tables.video_ids, split.tables._lengths = ["P01_01"], {"P01_01": case["num_frames"]}
        entries = [keyframe.timestamp for keyframe in split.bank_keyframes("any word")]
        rows = BankRows(
            timestamps=torch.tensor(entries, dtype=torch.int64),
            boxes=torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(len(entries), 1),
            scores=torch.ones(len(entries)),
            features=torch.tensor(entries).float()[:, None],
        )
        rate = str(split.clock.ticks_per_second)
        bank = FeatureBank.from_rows({"P01_01": rows}, channels=1, ticks_per_second=rate, entries=split.bank_entries)
        window = bank.window(Keyframe("P01_01", case["center"]), config.window_spec(training=True))
        read = window.features[window.mask][:, 0].int().tolist()
        assert (read, 40 - len(read)) == (case["entries_read"], case["zero_slots"]), case


def test_windows_of_an_imported_file_of_objects_are_the_papers(tmp_path):
    cases = json.loads((FOLDER / "windows" / "epic_noun.json").read_text())["cases"]
    content = {
        number: {
            frame: np.array([(frame, place) for place in range(count)], dtype=np.float32) if count else []
            for frame, count in case["objects_per_frame"]
        }
        for number, case in enumerate(cases)
    }
    (tmp_path / "objects.pkl").write_bytes(pickle.dumps(content, protocol=2))
    names = [f"P01_{number:02}" for number in range(len(cases))]
    source = PickledBank(tmp_path / "objects.pkl", video_names=names)
    import_bank(source, tmp_path / "val", split="val", ticks_per_second=30, entries="objects")
    bank = FeatureBank.open(tmp_path / "val", clock=Clock.parse(30))
    for name, case in zip(names, cases, strict=True):
        size, most = case["window_size"], case["max_per_frame"]
        seconds = {"window_seconds": size // most} if size % most == 0 else {"window_before": f"{size}/{2 * most}"}
        if "window_before" in seconds:
            seconds["window_after"] = seconds["window_before"]
        given = {"layout": "packed", "features_per_second": most, "slots": size, "train_selection": "top_score"}
        spec = BankConfig(dir="banks", **given, **seconds).window_spec(training=True)
        window = bank.window(Keyframe(name, case["center"]), spec)
        expected = [[frame, place] for frame, count in case["read_frame_and_first_k"] for place in range(count)]
        assert window.features[window.mask].int().tolist() == expected, case["what"]
        assert size - int(window.mask.sum()) == case["zero_slots"]


def detections(items, scores):
    count = len(items)
    return Detections(
        [item.keyframe for item in items],
        torch.arange(count),
        torch.zeros(count, 4, dtype=torch.float64),
        torch.tensor(scores, dtype=torch.float32),
        tuple(item.number for item in items),
    )


def test_segments_that_share_a_middle_are_scored_apart(folders):
    split = epic55(folders[0], heads=["verb"]).split("val")
    items = split.test_items()
    assert items[0].keyframe == items[1].keyframe
    truth = [verb for _, _, _, verb, _ in all_segments(VAL)]
    evaluator = split.evaluator(action_threshold=None)
    right = np.full((5, 3), 0.1)
    right[range(5), truth] = 0.8
    evaluator.update(detections(items, right[[0, 2, 2, 3, 4]]))  # the second one is wrong, as the first one's twin
    evaluator.update(detections(items[:1], right[1:2]))  # a repeated view does not count again
    assert evaluator.compute() == {"all_verb_accuracy_at_1": 100.0, "all_verb_accuracy_at_5": 100.0}
    evaluator.update(detections(items, right[[0, 0, 2, 3, 4]]))
    assert evaluator.compute()["all_verb_accuracy_at_1"] == 80.0


def test_actions_of_55_have_the_training_prior(folders):
    split = epic55(folders[0]).split("val")
    counts = np.zeros((3, 4))
    for _, _, _, verb, nouns in all_segments(TRAIN):
        counts[verb, nouns[0]] += 1
    shares = counts / counts.sum()
    np.testing.assert_allclose(split.tables.prior(), shares / (shares.sum(axis=1, keepdims=True) + 1e-5), rtol=1e-12)
    even = np.tile([1 / 3] * 3 + [1 / 4] * 4, (5, 1))
    evaluator = split.evaluator(action_threshold=None)
    evaluator.update(detections(split.test_items(), even))
    # of equal scores the prior decides: verb 0 has noun 1 always; verb 2, noun 3 too; verb 1 has noun 2
    assert evaluator.compute()["all_action_accuracy_at_5"] == 80.0, "the pair (1, 3) was never trained"
    assert epic55(folders[0], prior=False).split("val").tables.prior() is None


def test_rare_classes_and_unseen_participants_of_100(folders):
    split = epic100(folders[1]).split("val")
    items = split.evaluation_items()
    scores = np.full((5, 397), 1e-3)
    for row, (_, _, _, verb, nouns) in enumerate(all_segments(VAL)):
        scores[row, verb] = scores[row, 97 + nouns[0]] = 0.5
    scores[4, 97 + 3] = 1e-4  # the noun of the only unseen segment, which is rare
    evaluator = split.evaluator(action_threshold=None)
    evaluator.update(detections(items, scores))
    found = evaluator.compute()
    assert (found["all_verb_accuracy_at_1"], found["all_noun_accuracy_at_1"]) == (100.0, 80.0)
    assert (found["tail_verb_accuracy_at_1"], found["tail_noun_accuracy_at_1"]) == (100.0, 50.0)
    assert (found["unseen_verb_accuracy_at_1"], found["unseen_action_accuracy_at_1"]) == (100.0, 0.0)
    without = epic100(folders[1], tail_verbs=None, tail_nouns=None, unseen=None).split("val")
    assert {name.split("_")[0] for name in without.evaluator(action_threshold=None).figures} == {"all"}
    trained = epic100(folders[1]).split("train").evaluator(action_threshold=None)
    assert not any(name.startswith("unseen") for name in trained.figures)


def test_a_split_without_labels_is_tested_and_not_trained(folders):
    split = epic100(folders[1]).split("test")
    assert len(split.test_items()) == 5
    assert split.tables.segments[1].segment_id == "P26_01_1", "whose narration has no time stamp"
    with pytest.raises(InputError, match=r"no columns verb_class and noun_class, without which split test cannot be"):
        split.training_items()
    evaluator = split.evaluator(action_threshold=None)
    evaluator.update(detections(split.test_items(), np.full((5, 397), 0.1)))
    assert evaluator.compute() == {}
    assert evaluator.summary()["no_all_action_accuracy_at_1_because"] == "the split has no labels"
    assert [finding.level for finding in split.check().findings] == ["note", "note"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": []}, r"data.heads is \[\], expected \[verb\], \[noun\] or \[verb,noun\]"),
        ({"heads": ["verb", "action"]}, "data.heads is"),
        ({"frames_fps": "any"}, "data.frames_fps is 'any', expected one of official, listed"),
        ({"frames_fps": "listed"}, "data.frames_fps=listed needs data.video_info"),
        ({"frames_fps": 0.0}, "data.frames_fps is 0.0"),
        ({"tail_verbs": "v.csv"}, "data.tail_verbs and data.tail_nouns belong together"),
        ({"video_path": "videos"}, "data.video_path is 'videos', expected a path below data.video_dir with {video_id}"),
        ({"participants": {"val": [31, 26]}}, r"data.participants.val is \[31, 26\]"),
        ({"source": "cache"}, "data.source is 'cache'"),
        ({"test_clips": 0}, "data.test_clips is 0"),
    ],
)
def test_settings_out_of_range_are_refused(folders, settings, message):
    with pytest.raises(InputError, match=message):
        epic55(folders[0], **settings)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("00:00:01.50", "00:00:00.10", r"segment '10' stops at 0.1 s, before its start at 0.5 s"),
        (",noun3,3,", ",noun9,9,", r"noun class 9 of segment '12', expected 0 to 3; is data.noun_classes the list"),
        (",P26,", ",26,", "participant_id is '26'"),
        (",P", ",P9", "no segment of split val; see data.participants"),
    ],
)
def test_rows_that_cannot_be_are_named_in_one_line(folders, tmp_path, old, new, message):
    text = (folders[0] / "EPIC_train_action_labels.csv").read_text()
    (tmp_path / "labels.csv").write_text(text.replace(old, new))
    split = epic55(folders[0], annotations=str(tmp_path / "labels.csv")).split("val")
    with pytest.raises(InputError, match=message) as raised:
        split.evaluator(action_threshold=None)
    assert "\n" not in str(raised.value)
