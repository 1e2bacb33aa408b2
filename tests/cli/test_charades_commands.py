"""The whole path on a few generated videos in the files of Charades: train, extract, train on the bank, test, evaluate."""

import json

import av
import numpy as np
import pytest
import torch

from lfb_lightning.bank import FeatureBank
from lfb_lightning.models import load_detector
from lfb_lightning.structures import BankWindow, Keyframe
from tests.charades_set import TEST, TRAIN, write_charades_set

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
    content = json.loads((out / "check.json").read_text())
    counted = ("videos", "videos_without_action", "intervals", "intervals_that_end_after_the_video", "videos_found")
    assert [content["splits"]["train"][name] for name in counted] == [4, 1, 7, 1, 4]
    assert content["classes"]["val"] == {"0 Showing red": 2, "1 Showing blue, or nearly": 2}
