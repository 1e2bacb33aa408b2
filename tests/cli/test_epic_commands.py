"""The whole path on a few generated videos in the files of EPIC-Kitchens: verbs on a bank of clips, nouns on objects."""

import json
import pickle
import zipfile
from functools import cache

import av
import numpy as np
import pytest
import torch

from lfb_lightning.bank import FeatureBank
from lfb_lightning.epic import read_segments
from lfb_lightning.models import load_detector
from lfb_lightning.structures import BankWindow
from tests.epic_set import TRAIN, VAL, write_epic55, write_epic100

CLIPS = ["data.num_frames=4", "data.frame_stride=2", "data.train_short_side=null", "data.train_crop=32"]
SMALL = ["data.eval_short_side=null", "backbone=tiny", "data.num_workers=0", "trainer.accelerator=cpu", "num_threads=1"]
MODEL = ["region_features=global_mean", "loss=softmax_blocks", "callbacks.pictures=null", "trainer.max_epochs=1"]
# As the paper's, but of 2 seconds, so that something is left out: 40 entries in 40 s, and 120 in 12 s.
PACKED = ["bank.layout=packed", "bank.window_seconds=2", "bank.train_selection=top_score"]
VERBS, NOUNS = [*PACKED, "bank.features_per_second=1"], [*PACKED, "bank.features_per_second=3"]
WIDTH = 6


def objects_of(video, frame):
    """What an imported bank has at a frame: up to 4 objects, best first, and none at all at some."""
    count = (video + frame // 30) % 5
    return np.sin(np.arange(count * WIDTH, dtype=np.float32) + 100 * video + frame).reshape(count, WIDTH)


def write_objects(folder, split, videos, here):
    """Write a pickle as the original release has it, its videos' names, and the bank that is made of them."""
    content = {
        number: {
            frame: objects_of(number, frame) if len(objects_of(number, frame)) else [] for frame in range(0, 130, 30)
        }
        for number in range(len(videos))
    }
    (folder / f"{split}_lfb.pkl").write_bytes(pickle.dumps(content, protocol=2))
    (folder / f"{split}.txt").write_text("".join(f"{one}\n" for one in videos))
    here(
        "bank",
        "import",
        f"file={folder}/{split}_lfb.pkl",
        f"video_names={folder}/{split}.txt",
        f"to={folder}/objects/{split}",
        f"split={split}",
        "ticks_per_second=30",
        "entries=objects",
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory, here):
    """Models of verbs, of verbs on their bank, of nouns on a bank of objects and of both, made with real commands."""
    folder = tmp_path_factory.mktemp("epic")
    write_epic55(folder / "epic55")
    write_epic100(folder / "epic100")

    def train(name, data, *more):
        given = [f"data={data}", f"paths.data_dir={folder / data}", f"paths.bank_dir={folder / 'banks'}"]
        here("train", *given, *CLIPS, *SMALL, *MODEL, *more, f"hydra.run.dir={folder / name}")
        return folder / name / "checkpoints" / "last.ckpt"

    baseline = train("baseline", "epic55", *VERBS, "fbo=none")
    for split, videos in (("train", TRAIN), ("val", VAL)):
        to = [f"bank.dir={folder / 'banks' / 'fp16'}", f"hydra.run.dir={folder / f'extract_{split}'}"]
        here("extract", f"ckpt_path={baseline}", f"split={split}", "trainer.accelerator=cpu", *to)
        write_objects(folder, split, videos, here)
    train("verbs", "epic55", *VERBS, "fbo=nl_small", "fbo.latent_channels=8", f"init_from={baseline}")
    objects = ["fbo=max", "fbo.banks=[objects]", f"+bank.others.objects={folder / 'objects'}"]
    train("nouns", "epic55", *NOUNS, "data.heads=[noun]", *objects)
    train("both", "epic100", "fbo=none", "data.test_clips=2")
    return folder


@pytest.fixture(scope="module")
def scored(runs, here):
    """Tests a run, once; gives its figures, its results by the name of the array, and the folder of the test."""

    @cache
    def test(name, *more):
        checkpoint, run = runs / name / "checkpoints" / "last.ckpt", runs / f"test_{name}_{len(more)}"
        here("test", f"ckpt_path={checkpoint}", "trainer.accelerator=cpu", *more, f"hydra.run.dir={run}")
        with np.load(run / "results.npz") as file:
            return json.loads((run / "metrics.json").read_text()), dict(file), run

    return test


def test_the_banks_have_a_clip_a_second_and_the_objects_of_the_file(runs):
    made = json.loads((runs / "banks" / "fp16" / "val" / "manifest.json").read_text())["provenance"]
    assert (made["ticks_per_second"], made["entries"], made["spacing"]) == ("30", "clips", [30, 30])
    found = FeatureBank.open(runs / "banks" / "fp16" / "val").keyframes()
    assert sorted(found) == [("P26_01", 30), ("P26_01", 60), ("P26_01", 90), ("P31_101", 30), ("P31_101", 60)]
    imported = FeatureBank.open(runs / "objects" / "val")
    assert imported.channels == WIDTH
    rows = imported.read_video("P31_101")
    expected = [(frame, row) for frame in range(0, 130, 30) for row in objects_of(1, frame).tolist()]
    assert list(zip(rows.timestamps.tolist(), rows.features.tolist(), strict=True)) == expected


@torch.no_grad()
def scores_of(detector, path, start, stop, entries):
    """Score a segment as the paper does: a clip at 30 per second around its middle, the square in the middle of it.

    `entries` are the bank's frames and features in order, of which the first ones within a second are read.
    """
    center = (round(start * 30) + round(stop * 30)) // 2
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        rate = float(container.streams.video[0].average_rate)
    places = [min(max(round((center - 4 + 2 * i) / 30 * rate), 0), len(frames) - 1) for i in range(4)]
    clip = np.stack([frames[place] for place in places])[:, :, 6:42]
    pixels = (torch.from_numpy(clip).permute(3, 0, 1, 2)[None] / 255 - 0.45) / 0.225
    slots = detector_slots(entries)
    read = [feature for frame, feature in entries if abs(frame - center) <= 30][:slots]
    features, mask = torch.zeros(1, slots, detector.bank_channels), torch.zeros(1, slots, dtype=torch.bool)
    for slot, feature in enumerate(read):
        features[0, slot], mask[0, slot] = torch.as_tensor(feature).float(), True
    logits = detector(pixels, torch.tensor([[0.0, 0, 0, 36, 36]]), BankWindow(features, mask))[0]
    return torch.log_softmax(logits, dim=0).numpy()


def detector_slots(entries):
    """2 entries in 2 seconds of clips, 6 of objects, of which a frame may have several."""
    return 2 if len({frame for frame, _ in entries}) == len(entries) else 6


def test_verbs_are_tested_on_the_clips_of_their_bank(runs, scored):
    metrics, results, _ = scored("verbs")
    bank = FeatureBank.open(runs / "banks" / "fp16" / "val")
    detector = load_detector(runs / "verbs" / "checkpoints" / "last.ckpt").eval()
    expected, truth = [], []
    for one, (_, _, segments) in VAL.items():
        rows = bank.read_video(one)
        entries = list(zip(rows.timestamps.tolist(), rows.features, strict=True))
        for start, stop, verb, _ in segments:
            expected.append(scores_of(detector, runs / "epic55" / "videos" / f"{one}.MP4", start, stop, entries))
            truth.append(verb)
    np.testing.assert_allclose(results["verb_output"], expected, atol=1e-5)
    assert results["narration_id"].tolist() == ["10", "12", "14", "16", "18"]
    right = np.mean([row.argmax() == verb for row, verb in zip(expected, truth, strict=True)])
    assert metrics["all_verb_accuracy_at_1"] == pytest.approx(100 * right)
    assert metrics["segments"] == 5


def test_nouns_are_tested_on_the_bank_of_objects_alone(runs, scored):
    _, results, _ = scored("nouns")
    detector = load_detector(runs / "nouns" / "checkpoints" / "last.ckpt").eval()
    assert (detector.bank_name, detector.bank_channels) == ("objects", WIDTH)
    expected = []
    for number, (one, (_, _, segments)) in enumerate(VAL.items()):
        entries = [(frame, row) for frame in range(0, 130, 30) for row in objects_of(number, frame)[:3]]
        for start, stop, _, _ in segments:
            expected.append(scores_of(detector, runs / "epic55" / "videos" / f"{one}.MP4", start, stop, entries))
    np.testing.assert_allclose(results["noun_output"], expected, atol=1e-5)
    assert "verb_output" not in results


def test_two_runs_make_actions(runs, here, scored):
    verbs, nouns = scored("verbs"), scored("nouns")
    files = [f"detections={verbs[2]}/results.npz", f"annotations={runs}/epic55/EPIC_train_action_labels.csv"]
    done = here("eval", "protocol=epic55", *files, f"nouns={nouns[2]}/results.npz", f"out={runs}/actions.json")
    found = json.loads((runs / "actions.json").read_text())
    for metrics in (verbs[0], nouns[0]):
        assert {name: found[name] for name in metrics if name.startswith("all_")}.items() <= metrics.items()
    counts = np.zeros((3, 4))
    for _, _, segments in TRAIN.values():
        for _, _, verb, classes in segments:
            counts[verb, classes[0]] += 1
    prior = counts / counts.sum() / (counts.sum(axis=1, keepdims=True) / counts.sum() + 1e-5)
    truth = [(verb, classes[0]) for _, _, segments in VAL.values() for _, _, verb, classes in segments]
    right = []
    for verb_row, noun_row, pair in zip(verbs[1]["verb_output"], nouns[1]["noun_output"], truth, strict=True):
        scores = np.exp(verb_row)[:, None] * np.exp(noun_row)[None] * prior
        right.append(np.unravel_index(scores.argmax(), scores.shape) == pair)
    assert found["all_action_accuracy_at_1"] == pytest.approx(100 * np.mean(right))
    assert "Actions:" in done.stdout
    done = here("eval", "protocol=epic55", *files)
    assert "Verbs:" in done.stdout
    assert "Nouns:" not in done.stdout
    told = here("eval", "protocol=epic55", *files, f"nouns={verbs[2]}/results.npz", fails=True).stderr
    assert "no array 'noun_output'; detections gives the verbs, and nouns the nouns" in told
    rows = (runs / "epic55" / "EPIC_train_action_labels.csv").read_text().replace(",verb2,2,", ",verb7,7,")
    (runs / "other.csv").write_text(rows)
    told = here("eval", "protocol=epic55", files[0], f"annotations={runs}/other.csv", fails=True).stderr
    assert (
        f"annotations {runs}/other.csv: verb class 7 of segment '18' has no column in the scores {verbs[2]}/res" in told
    )
    assert "which are of classes 0 to 2; are they of another data set?" in told
    told = here("eval", "protocol=epic55", *files, f"submission={runs}/no.zip", fails=True).stderr
    assert "verbs only; a submission needs both" in told


def test_both_heads_of_100_are_evaluated_as_lfb_eval_does(runs, here, scored):
    metrics, _, run = scored("both")
    lists = ("tail_verbs", "tail_nouns")
    files = [f"detections={run}/results.npz", f"annotations={runs}/epic100/EPIC_100_validation.csv"]
    files += [f"{name}={runs}/epic100/EPIC_100_{name}.csv" for name in lists]
    files += [f"unseen={runs}/epic100/EPIC_100_unseen_participant_ids_validation.csv", f"out={run}/eval.json"]
    here("eval", "protocol=epic100", *files)
    found = json.loads((run / "eval.json").read_text())
    names = [name for name in found if "_accuracy_at_" in name]
    assert len(names) == 12
    assert {name: metrics[name] for name in names} == {name: found[name] for name in names}


def test_a_split_without_labels_becomes_a_submission(runs, scored):
    metrics, results, run = scored("both", "split=test")
    assert metrics["no_all_action_accuracy_at_1_because"] == "the split has no labels"
    with zipfile.ZipFile(run / "test.zip") as archive:
        written = json.loads(archive.read("test.json"))["results"]
    listed = read_segments(runs / "epic100" / "EPIC_100_test_timestamps.csv", labeled=False)
    assert list(written) == [one.segment_id for one in listed] == results["narration_id"].tolist()
    assert [len(written["P31_101_0"][head]) for head in ("verb", "noun")] == [97, 300]
    assert list(written["P26_01_1"]["noun"].values()) == results["noun_output"][1].tolist()


@pytest.mark.parametrize("name", [pytest.param("epic55", marks=pytest.mark.thorough), "epic100"])
def test_the_check_counts_what_the_files_hold(runs, here, name):
    out = runs / f"check_{name}"
    done = here(
        "check", f"data={name}", *CLIPS, f"paths.data_dir={runs / name}", "data.heads=[verb,noun]", f"out={out}"
    )
    assert "segments of a class" in done.stdout
    rows = [line.split()[1:3] for line in done.stdout.splitlines() if line.startswith(("│ verb ", "│ noun "))]
    listed = [(kind, int(number)) for kind, number in rows]
    assert len(listed) > 4
    assert listed == sorted(
        listed, key=lambda row: (row[0] == "noun", row[1])
    )  # classes of val alone stand in their place
    content = json.loads((out / "check.json").read_text())
    figures = content["splits"]["val"]
    counted = (
        "segments",
        "participants",
        "videos_found",
        "segments_with_the_middle_of_another",
        "pairs_of_verb_and_noun",
    )
    assert [figures[key] for key in counted] == [5, 2, 2, 2, 4]
    assert figures["segments_with_several_nouns"] == 1
    assert content["classes"]["val"]["noun 3 noun3"] == 2
    assert figures.get("segments_of_rare_nouns") == (None if name == "epic55" else 2)
    told = [
        finding["what"] for finding in content["findings"] if "stop after the end of their video" in finding["what"]
    ]
    assert [text.split("such as ")[1] for text in told] == ([] if name == "epic55" else ["'P26_01_3'"])


def test_what_does_not_fit_is_one_line(runs, here, tmp_path):
    given = ["data=epic55", f"paths.data_dir={runs / 'epic55'}", *CLIPS, *SMALL, *MODEL, f"hydra.run.dir={tmp_path}"]
    for typed, message in (
        (["data.annotations=gone.csv"], "annotations gone.csv: no such file; set paths.data_dir, or data.annotations"),
        (
            ["data.unseen=gone.csv"],
            "gone.csv: no such file; set paths.data_dir, or data.unseen to the file, or to null",
        ),
        (
            ["loss=multilabel"],
            "MultiLabelLoss scores each action by itself, but what split val shows has one verb of 3: set",
        ),
        (["loss.widths={verb:0}"], "loss.widths is {'verb': 0}, expected how many columns"),
    ):
        kept = [one for one in given if one != "loss=softmax_blocks" or not typed[0].startswith("loss=")]
        done = here("train", *kept, "fbo=none", *typed, fails=True)
        assert message in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.thorough
def test_a_run_that_goes_on_and_two_processes_give_the_same(runs, here, console, tmp_path):
    given = [
        "data=epic55",
        f"paths.data_dir={runs / 'epic55'}",
        *CLIPS,
        *SMALL,
        *MODEL[:-1],
        *NOUNS,
        "data.heads=[noun]",
    ]
    given += ["fbo=max", "fbo.banks=[objects]", f"+bank.others.objects={runs / 'objects'}", "optim.lr=0.01"]
    here("train", *given, "trainer.max_epochs=2", f"hydra.run.dir={tmp_path / 'whole'}")
    here("train", *given, "trainer.max_epochs=1", f"hydra.run.dir={tmp_path / 'parts'}")
    here("train", *given, "trainer.max_epochs=2", "ckpt_path=last", f"hydra.run.dir={tmp_path / 'parts'}")
    whole, parts = (load_detector(tmp_path / name / "checkpoints" / "last.ckpt") for name in ("whole", "parts"))
    assert all(torch.equal(value, parts.state_dict()[name]) for name, value in whole.state_dict().items())
    ranks = ["trainer.devices=2", "trainer.strategy=ddp"]
    for name, more, command in (("one", [], here), ("two", ranks, console)):
        checkpoint = f"ckpt_path={tmp_path / 'whole' / 'checkpoints' / 'last.ckpt'}"
        command("test", checkpoint, "trainer.accelerator=cpu", *more, f"hydra.run.dir={tmp_path / name}")
    found = [json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("one", "two")]
    assert found[0] == found[1]
    results = [dict(np.load(tmp_path / name / "results.npz")) for name in ("one", "two")]
    assert results[0]["narration_id"].tolist() == results[1]["narration_id"].tolist()
    np.testing.assert_allclose(results[0]["noun_output"], results[1]["noun_output"], atol=1e-5)
