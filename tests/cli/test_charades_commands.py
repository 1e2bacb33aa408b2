"""The whole path on a few generated videos in the files of Charades: train, extract, train on the bank, test, evaluate."""

import json

import av
import numpy as np
import pytest
import torch

from lfb_lightning.bank import FeatureBank
from lfb_lightning.metrics import video_mean_ap
from lfb_lightning.models import load_detector
from lfb_lightning.structures import BankWindow, Keyframe
from tests.charades_set import TEST, TRAIN, intervals, write_charades_set

CLIPS = ["data.num_frames=4", "data.frame_stride=4", "data.train_short_side=null", "data.train_crop=32"]
SMALL = ["data.eval_short_side=null", "backbone=tiny", "data.num_workers=0", "trainer.accelerator=cpu", "num_threads=1"]
SHORT = ["trainer.max_epochs=2", "trainer.max_steps=-1", "callbacks.pictures=null"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, here):
    """The baseline's run, its banks, and a detector that reads them, made with real commands."""
    folder = tmp_path_factory.mktemp("charades")
    write_charades_set(folder / "data")
    given = [*CLIPS, *SMALL, f"paths.data_dir={folder / 'data'}", f"paths.bank_dir={folder / 'banks'}"]

    def train(name, *more):
        here("train", f"experiment={name}", *given, *SHORT, *more, f"hydra.run.dir={folder / name}")
        return folder / name / "checkpoints" / "last.ckpt"

    baseline = train("charades_r50_baseline")
    for split in ("train", "val"):
        here(
            "extract",
            f"ckpt_path={baseline}",
            f"split={split}",
            f"bank.dir={folder / 'banks' / 'fp16'}",
            "trainer.accelerator=cpu",
            f"hydra.run.dir={folder / f'extract_{split}'}",
        )
    train("charades_r50_lfb_nl", f"init_from={baseline}", "fbo.latent_channels=16")
    return folder


def test_the_bank_has_a_clip_every_twelve_frames(runs):
    manifest = json.loads((runs / "banks" / "fp16" / "val" / "manifest.json").read_text())
    made = manifest["provenance"]
    assert (made["ticks_per_second"], made["entries"], made["spacing"]) == ("24", "clips", [12, 11])
    for split, videos in (("train", TRAIN), ("val", TEST)):
        found = FeatureBank.open(runs / "banks" / "fp16" / split).keyframes()
        expected = [(one, i) for one, (count, _) in videos.items() for i in range(count) if (i + 1) % 12 == 0]
        assert sorted(found) == sorted(expected)


@torch.no_grad()
def maximum_of_logits(detector, bank, path):
    """Score a video as the paper does: 10 clips x 3 crops, each with the entries within 5 s of it, the first 20."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    count, found = len(frames), []
    for part in range(10):
        center = round(count / 10 * (part + 0.5))
        clip = np.stack([frames[min(max(center - 8 + 4 * i, 0), count - 1)] for i in range(4)])
        entries = [i for i in range(count) if (i + 1) % 12 == 0 and abs(i - center) <= 120][:20]
        features, mask = torch.zeros(1, 20, detector.channels), torch.zeros(1, 20, dtype=torch.bool)
        for slot, entry in enumerate(entries):
            features[0, slot], mask[0, slot] = bank.rows_at(Keyframe(path.stem, entry))[2].float(), True
        for left in (0, 6, 12):  # of 48 x 36 pixels
            crop = (torch.from_numpy(clip[:, :, left : left + 36]).permute(3, 0, 1, 2)[None] / 255 - 0.45) / 0.225
            found.append(detector(crop, torch.tensor([[0.0, 0, 0, 36, 36]]), BankWindow(features, mask))[0])
    return torch.stack(found).amax(dim=0).numpy()


def test_the_test_scores_thirty_views_and_lfb_eval_gives_the_same(runs, here):
    run = runs / "test"
    checkpoint = runs / "charades_r50_lfb_nl" / "checkpoints" / "last.ckpt"
    here("test", f"ckpt_path={checkpoint}", "trainer.accelerator=cpu", f"hydra.run.dir={run}")
    metrics = json.loads((run / "metrics.json").read_text())
    lines = [line.split() for line in (run / "results.txt").read_text().splitlines()]
    assert [line[0] for line in lines] == ["TE001", "TE002", "TE004"], "a video without an action is not evaluated"
    scores = np.array([line[1:] for line in lines], dtype=float)
    detector = load_detector(checkpoint).eval()
    bank = FeatureBank.open(runs / "banks" / "fp16" / "val")
    expected = [maximum_of_logits(detector, bank, runs / "data" / "videos" / f"{line[0]}.mp4") for line in lines]
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    files = [f"annotations={runs / 'data' / 'Charades_v1_test.csv'}", f"detections={run / 'results.txt'}"]
    here("eval", "protocol=charades", *files, f"out={run / 'eval.json'}")
    evaluated = json.loads((run / "eval.json").read_text())
    assert evaluated["mAP"] == metrics["mAP"]
    assert evaluated["per_class"] == metrics["per_class"]


def test_the_check_counts_what_the_files_hold(runs, here):
    out = runs / "check"
    done = here("check", "data=charades", *CLIPS, f"paths.data_dir={runs / 'data'}", f"out={out}")
    assert "1 intervals end where they start or before, such as c001 of TR004" in " ".join(done.stdout.split())
    assert "videos that show an action" in done.stdout
    content = json.loads((out / "check.json").read_text())
    counted = ("videos", "videos_without_action", "intervals", "intervals_that_end_after_the_video", "videos_found")
    assert [content["splits"]["train"][name] for name in counted] == [4, 1, 7, 1, 4]
    assert content["classes"]["val"] == {"0 Showing red": 2, "1 Showing blue, or nearly": 2}


@pytest.fixture(scope="module")
def from_bank(runs, here):
    """A detector that was trained from the bank alone, by one run and by two that follow each other."""
    baseline = runs / "charades_r50_baseline" / "checkpoints" / "last.ckpt"
    given = [*CLIPS, *SMALL, f"paths.data_dir={runs / 'data'}", f"paths.bank_dir={runs / 'banks'}"]
    given += [
        "experiment=charades_r50_lfb_nl",
        "data.short_term=bank",
        "fbo.latent_channels=16",
        f"init_from={baseline}",
    ]
    given += ["trainer.max_steps=-1", "callbacks.pictures=null", "data.batch_size=4", "fbo.mask_padding=true"]
    here("train", *given, "trainer.max_epochs=3", f"hydra.run.dir={runs / 'whole'}")
    here("train", *given, "trainer.max_epochs=1", f"hydra.run.dir={runs / 'parts'}")
    here("train", *given, "trainer.max_epochs=3", "ckpt_path=last", f"hydra.run.dir={runs / 'parts'}")
    return given


def checkpoint_of(run):
    return run / "checkpoints" / "last.ckpt"


@torch.no_grad()
def test_the_bank_takes_the_place_of_clips_in_training(runs, from_bank):
    found = json.loads((runs / "whole" / "metrics.json").read_text())
    entries = sum(len(range(11, count, 12)) for count, actions in TRAIN.values() if actions)
    assert found["steps"] == 3 * -(-entries // 4)
    detector, bank = load_detector(checkpoint_of(runs / "whole")).eval(), FeatureBank.open(runs / "banks/fp16/val")
    scores, labels = [], []
    for name, (count, actions) in TEST.items():
        if not actions:
            continue
        rows = torch.cat([bank.rows_at(Keyframe(name, i))[2] for i in range(11, count, 12)]).float()
        at = torch.arange(11, count, 12)
        seen = [(abs(at - center) <= 120).nonzero()[:20, 0] for center in at]
        features = torch.stack([torch.cat([rows[one], rows.new_zeros(20 - len(one), rows.shape[1])]) for one in seen])
        mask = torch.stack([torch.arange(20) < len(one) for one in seen])
        logits = detector.classify(rows, BankWindow(features, mask), torch.arange(len(at)))
        scores.append(logits.amax(dim=0).double().numpy())
        labels.append([any(one == action for one, _, _ in intervals(actions)) for action in (0, 1)])
    assert found["mAP"] == pytest.approx(video_mean_ap(np.stack(scores), np.array(labels))[1], abs=1e-12)


def test_a_resumed_run_ends_with_the_same_bits(runs, from_bank):
    whole, parts = (load_detector(checkpoint_of(runs / name)).state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())


def test_a_video_of_ones_own_is_asked_as_often_as_the_bank_has_entries(runs, from_bank, here, tmp_path):
    video = runs / "data" / "videos" / "TE001.mp4"
    baseline = checkpoint_of(runs / "charades_r50_baseline")
    given = [f"video={video}", f"ckpt_path={checkpoint_of(runs / 'whole')}", f"compare={baseline}"]
    said = here("predict", *given, "overlay=false", f"out={tmp_path}").stdout  # without a detector of persons
    assert "6 moments, whole clips" in said
    assert "person" not in said
    told = json.loads((tmp_path / "detections.json").read_text())
    moments = [one["second"] for one in told["moments"]]
    assert moments == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert (tmp_path / "page.html").is_file()


def test_a_loss_of_one_right_action_and_other_data_are_refused(runs, here, tmp_path):
    given = [*CLIPS, *SMALL, f"paths.data_dir={runs / 'data'}", "data=charades", "fbo=none", "backbone=tiny"]
    told = here("train", *given, "loss=softmax", f"hydra.run.dir={tmp_path}", fails=True).stderr
    assert "SingleLabelLoss lets 2 actions compete" in told
    assert told.strip().endswith("any number of them: set loss=multilabel.")
    (tmp_path / "classes.txt").write_text("c000 Red\nc001 Blue\nc002 Green\n")
    checkpoint = checkpoint_of(runs / "charades_r50_baseline")
    other = [f"data.label_map={tmp_path / 'classes.txt'}", "trainer.accelerator=cpu", f"hydra.run.dir={tmp_path}"]
    told = here("test", f"ckpt_path={checkpoint}", *other, fails=True).stderr
    assert f"checkpoint {checkpoint}: scores 2 actions (such as 'Showing red', 'Showing blue, or nearly'" in told
    assert "trained with CharadesDataset on " in told
    assert "split val of the data that was chosen has 3: test it on the actions that it was trained on" in told
    told = here("cache", *given[2:3], "data=charades", fails=True).stderr
    assert "which has no frame cache: training clips lie anywhere in a video" in told
    told = here("extract", f"ckpt_path={checkpoint}", "shard=2", fails=True).stderr
    assert "shard is 2, expected i/n, the i-th of n equal parts of the videos with i from 1 to n, such as 2/4" in told


def test_a_report_has_the_test_of_charades(runs, from_bank, here, tmp_path):
    run = tmp_path / "test"
    here("test", f"ckpt_path={checkpoint_of(runs / 'whole')}", "trainer.accelerator=cpu", f"hydra.run.dir={run}")
    here("report", f"run=[{runs / 'whole'},{run}]", f"out={tmp_path / 'report.html'}")
    page = (tmp_path / "report.html").read_text()
    assert "Showing blue, or nearly" in page


@pytest.mark.parametrize(
    ("precision", "error"),
    [
        ("int8", 1 / 254),
        pytest.param("bf16", 1 / 256, marks=pytest.mark.thorough),
        pytest.param("fp32", 1 / 2048, marks=pytest.mark.thorough),  # that of fp16, which it is compared with
    ],
)
def test_a_bank_of_any_precision_has_the_same_entries(runs, here, tmp_path, precision, error):
    baseline = checkpoint_of(runs / "charades_r50_baseline")
    given = [
        f"ckpt_path={baseline}",
        "split=val",
        f"bank={precision}",
        f"bank.dir={tmp_path}",
        "trainer.accelerator=cpu",
    ]
    here("extract", *given, f"hydra.run.dir={tmp_path / 'run'}")
    found, usual = FeatureBank.open(tmp_path / "val"), FeatureBank.open(runs / "banks" / "fp16" / "val")
    assert found.manifest.provenance.precision == precision
    assert found.keyframes() == usual.keyframes()
    for keyframe in usual.keyframes():
        ours, theirs = (bank.rows_at(keyframe)[2].float() for bank in (found, usual))
        assert (ours - theirs).abs().max() <= 1.01 * error * theirs.abs().max() + 2e-3 * theirs.abs().max()


@pytest.mark.thorough
def test_two_processes_give_what_one_gives(runs, from_bank, console, tmp_path):
    two = ["trainer.devices=2", "trainer.strategy=ddp"]
    checkpoint = checkpoint_of(runs / "whole")
    for name, more in (("one", []), ("two", two)):
        given = [f"ckpt_path={checkpoint}", "trainer.accelerator=cpu", f"hydra.run.dir={tmp_path / name}"]
        console("test", *given, *more)
    assert (tmp_path / "one" / "results.txt").read_bytes() == (tmp_path / "two" / "results.txt").read_bytes()
    # Plain SGD without dropout: what remains is the arithmetic of the loss and of averaging gradients.
    plain = [*from_bank, "fbo.dropout=0.0", "model.dropout=0.0", "trainer.max_epochs=1", "optim.base_batch_size=4"]
    console("train", *plain, f"hydra.run.dir={tmp_path / 'train_one'}")
    console("train", *plain, "data.batch_size=2", *two, f"hydra.run.dir={tmp_path / 'train_two'}")
    one, other = (load_detector(checkpoint_of(tmp_path / name)).state_dict() for name in ("train_one", "train_two"))
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.thorough
def test_a_sweep_over_operators_is_compared_by_the_mean_over_videos(runs, from_bank, console, tmp_path):
    given = [one for one in from_bank if not one.startswith(("fbo.", "experiment="))]
    given += ["experiment=charades_r50_baseline", "model.frozen_backbone=true", "trainer.max_epochs=1"]
    done = console("train", "-m", "fbo=avg,max", *given, f"hydra.sweep.dir={tmp_path}")
    assert len(list(tmp_path.glob("*/metrics.json"))) == 2
    assert "mAP" in done.stdout
