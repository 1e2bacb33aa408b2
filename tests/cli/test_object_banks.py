"""Object banks by real commands: boxes of a file, features of a checkpoint's backbone or of a detector, read beside clips."""

import json

import av
import numpy as np
import pytest
import torch
from torchvision.models import get_model
from torchvision.ops import roi_align

from lfb_lightning.bank import FeatureBank
from lfb_lightning.models import load_detector
from lfb_lightning.structures import Keyframe
from tests.charades_set import SIZE, TEST, TRAIN, write_charades_set

MODEL = "fasterrcnn_mobilenet_v3_large_320_fpn"
BOXES = [[0.25, 0.25, 0.75, 0.75], [0.0, 0.0, 1.0, 1.0], [0.5, 0.0, 1.0, 0.5]]
GIVEN = ["data.num_frames=4", "data.frame_stride=4", "data.train_short_side=null", "data.train_crop=32"]
GIVEN += ["data.eval_short_side=null", "data.num_workers=0", "trainer.accelerator=cpu", "num_threads=1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, here):
    """A data set with boxes of objects twice a second, a baseline, and its banks of objects."""
    made = tmp_path_factory.mktemp("objects")
    write_charades_set(made / "data")
    for split, videos in (("train", TRAIN), ("val", TEST)):
        rows = [
            f"{video_id},{tick / 2:.6f},{','.join(map(str, box))},,{0.9 - 0.1 * place:.1f}"
            for video_id, (frames, _) in videos.items()
            for tick in range(1, int(frames / 24 * 2))
            for place, box in enumerate(BOXES)
        ]
        (made / f"{split}_boxes.csv").write_text("\n".join(rows) + "\n")
    given = [*GIVEN, f"paths.data_dir={made / 'data'}", "backbone=tiny", "callbacks.pictures=null"]
    short = ["trainer.max_epochs=1", "trainer.max_steps=2"]
    here("train", "experiment=charades_r50_baseline", *given, *short, f"hydra.run.dir={made / 'baseline'}")
    for split in ("train", "val"):
        objects = ["objects=checkpoint", f"objects.boxes.file={made / '{split}_boxes.csv'}", "objects.boxes.rate=2"]
        extract(here, made, split, f"bank.dir={made / 'objects'}", *objects, "objects.boxes.per_moment=2")
    return made


def extract(here, made, split, *more):
    checkpoint = f"ckpt_path={made / 'baseline' / 'checkpoints' / 'last.ckpt'}"
    run = f"hydra.run.dir={made / 'runs' / split}"
    return here("extract", checkpoint, f"split={split}", "trainer.accelerator=cpu", "bank.precision=fp32", *more, run)


def test_the_bank_has_the_best_objects_of_each_moment_by_the_boxes_clock(folder):
    manifest = json.loads((folder / "objects" / "val" / "manifest.json").read_text())["provenance"]
    assert (manifest["entries"], manifest["ticks_per_second"]) == ("objects", "2")
    bank = FeatureBank.open(folder / "objects" / "val")
    expected = [Keyframe(name, tick) for name, (frames, _) in TEST.items() for tick in range(1, int(frames / 24 * 2))]
    assert bank.keyframes() == sorted(expected)
    boxes, scores, features = bank.rows_at(Keyframe("TE001", 2))
    np.testing.assert_allclose(boxes, BOXES[:2])
    np.testing.assert_allclose(scores, [0.9, 0.8], atol=1e-6)
    detector = load_detector(folder / "baseline" / "checkpoints" / "last.ckpt").eval()
    with av.open(str(folder / "data" / "videos" / "TE001.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    clip = torch.from_numpy(np.stack([frames[24 - 8 + 4 * number] for number in range(4)]))
    with torch.inference_mode():
        maps = detector.backbone((clip.permute(3, 0, 1, 2)[None] / 255 - 0.45) / 0.225).mean(dim=2)
        sides = torch.tensor([SIZE[0], SIZE[1]] * 2)
        rois = [torch.tensor(BOXES[:2]) * sides]
        wanted = roi_align(maps, rois, 7, spatial_scale=1 / detector.stride, aligned=True).amax(dim=(2, 3))
    torch.testing.assert_close(features.float(), wanted, rtol=1e-4, atol=1e-4)


def test_objects_after_the_end_of_their_video_name_their_file(folder, here, tmp_path):
    rows = (folder / "val_boxes.csv").read_text() + "TE001,900.500000,0.1,0.1,0.9,0.9,,0.9\n"
    (tmp_path / "boxes.csv").write_text(rows)
    checkpoint = folder / "baseline" / "checkpoints" / "last.ckpt"
    given = [f"ckpt_path={checkpoint}", "split=val", "trainer.accelerator=cpu", f"bank.dir={tmp_path / 'bank'}"]
    objects = ["objects=checkpoint", f"objects.boxes.file={tmp_path / 'boxes.csv'}", "objects.boxes.rate=2"]
    done = here("extract", *given, *objects, f"hydra.run.dir={tmp_path / 'run'}", fails=True)
    told = done.stdout + done.stderr
    assert "video TE001: 1 of" in told
    assert f"objects.boxes.file {tmp_path / 'boxes.csv'} has objects there" in told
    assert "set objects.boxes.origin_second" in told


@pytest.mark.thorough
def test_a_detector_reads_clips_and_objects_side_by_side(folder, here):
    for split in ("train", "val"):
        extract(here, folder, split, f"bank.dir={folder / 'clips'}")
    here(
        "train",
        "experiment=charades_r50_lfb_nl",
        *GIVEN,
        f"paths.data_dir={folder / 'data'}",
        "backbone=tiny",
        "callbacks.pictures=null",
        f"init_from={folder / 'baseline' / 'checkpoints' / 'last.ckpt'}",
        f"bank.dir={folder / 'clips'}",
        f"+bank.others.objects={folder / 'objects'}",
        "fbo=nl_small",
        "fbo.banks=[main,objects]",
        "trainer.max_epochs=1",
        "trainer.max_steps=2",
        f"hydra.run.dir={folder / 'both'}",
    )
    detector = load_detector(folder / "both" / "checkpoints" / "last.ckpt")
    assert detector.banks == {"main": detector.channels, "objects": detector.channels}


def test_a_detector_of_objects_needs_no_checkpoint(folder, here):
    torch.manual_seed(0)
    weights = folder / "weights.pth"
    torch.save(get_model(MODEL, weights=None, weights_backbone=None, num_classes=3).state_dict(), weights)
    here(
        "extract",
        "data=charades",
        *GIVEN,
        f"paths.data_dir={folder / 'data'}",
        "split=val",
        "bank=fp32",
        f"bank.dir={folder / 'fc7'}",
        "objects=torchvision",
        f"objects.boxes.file={folder / '{split}_boxes.csv'}",
        "objects.boxes.rate=2",
        f"objects.model={MODEL}",
        f"objects.weights={weights}",
        f"hydra.run.dir={folder / 'runs' / 'fc7'}",
    )
    bank = FeatureBank.open(folder / "fc7" / "val")
    made = bank.manifest.provenance
    assert (bank.channels, made.entries, made.backbone) == (1024, "objects", f"torchvision {MODEL}, box head")
    model = get_model(MODEL, weights=None, weights_backbone=None, num_classes=3).eval()
    model.load_state_dict(torch.load(weights))
    with av.open(str(folder / "data" / "videos" / "TE002.mp4")) as container:
        frame = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][36]  # at 1.5 s
    with torch.inference_mode():
        images, _ = model.transform([torch.from_numpy(frame).permute(2, 0, 1) / 255])
        height, width = images.image_sizes[0]
        boxes = [torch.tensor(BOXES) * torch.tensor([width, height, width, height])]
        pooled = model.roi_heads.box_roi_pool(model.backbone(images.tensors), boxes, images.image_sizes)
        wanted = model.roi_heads.box_head(pooled)
    torch.testing.assert_close(bank.rows_at(Keyframe("TE002", 3))[2], wanted, rtol=1e-3, atol=1e-3)
