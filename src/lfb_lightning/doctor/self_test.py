"""A test of five seconds at most: a video, a bank and a tiny detector, each compared with what must come out."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from lfb_lightning.doctor.line import Line, note, ok, problem, remedy_of, worded
from lfb_lightning.doctor.settings import Settings

_FRAMES, _RATE, _BITS, _BAR, _HEIGHT = 48, 25, 6, 16, 64
_ASKED = (0, 7, 8, 23, 40, 47)  # on both sides of key pictures, which are 12 frames apart


def check_self_test(settings: Settings) -> Iterator[Line]:
    """Write and read a video, write and read a bank, and take a step with a detector on each kind of device."""
    if not settings.self_test:
        yield note("left out", "self_test=true")
        return
    with tempfile.TemporaryDirectory(prefix="lfb-doctor-") as name:
        folder = Path(name)
        yield from _step("write 48 frames of H.264 video", lambda: write_video(folder / "test.mp4"))
        yield from _step("read six of them by time, each the right one", lambda: read_video(folder / "test.mp4"))
        yield from _step("write a bank, and read a window of it", lambda: write_and_read_bank(folder / "bank"))
    for device in _devices():
        yield from _step(f"a tiny detector with a bank, forward and backward, on {device}", lambda: train_step(device))  # noqa: B023


def _step(what: str, action: Callable[[], str | None]) -> Iterator[Line]:
    """Take a step; an action returns what is wrong, or None."""
    started = time.perf_counter()
    try:
        wrong: str | Exception | None = action()
    except Exception as error:
        wrong = error
    said = f"{what} ({time.perf_counter() - started:.2f} s)"
    yield ok(said) if wrong is None else problem(f"{said}: {worded(wrong)}", remedy_of(wrong))


def write_video(path: Path) -> str | None:
    """Write a video in which each frame says its number, in six bars of black and white."""
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=_RATE, options={"g": "12", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = _BITS * _BAR, _HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _RATE)
        for number in range(_FRAMES):
            bars = np.repeat([255 * (number >> bit & 1) for bit in range(_BITS)], _BAR).astype(np.uint8)
            picture = np.broadcast_to(bars[None, :, None], (_HEIGHT, _BITS * _BAR, 3))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return None


def read_video(path: Path) -> str | None:
    """Read some frames by their times; says which other frames came instead."""
    import numpy as np

    from lfb_lightning.video import VideoFile

    frames = VideoFile(path).clip(np.array([number / _RATE for number in _ASKED]))
    middles = frames[:, _HEIGHT // 2, _BAR // 2 :: _BAR].astype(np.float64).mean(axis=-1)
    found = tuple(((middles > 127) << np.arange(_BITS)).sum(axis=1).tolist())
    return None if found == _ASKED else f"asked for frames {_ASKED}, got {found}"


def write_and_read_bank(folder: Path) -> str | None:
    """Write a bank of a video with two persons per second, and read the window around a key frame; says what differs."""
    import torch

    from lfb_lightning.bank import BankWriter, FeatureBank, Provenance, WindowSpec, finish_bank
    from lfb_lightning.structures import Keyframe

    made = Provenance.unknown(channels=4, precision="fp16", keyframes="given", split="test", origin="lfb-doctor")
    seconds = torch.arange(20).repeat_interleave(2)
    features = (seconds[:, None] * 4 + torch.arange(4)).float()
    boxes = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64).expand(40, 4)
    scores = torch.tensor([0.9, 0.8], dtype=torch.float64).repeat(20)
    BankWriter(folder, made).write("video", timestamps=seconds, boxes=boxes, scores=scores, features=features)
    finish_bank(folder, made, ["video"])
    window = FeatureBank.open(folder).window(Keyframe("video", 18), WindowSpec.of_seconds(6, 3))
    wanted = torch.zeros(18, 4)
    for cell, second in enumerate(range(15, 20)):  # 15 to 20, of which 20 is after the end
        wanted[cell * 3 : cell * 3 + 2] = second * 4 + torch.arange(4)
    if not torch.equal(window.features[0].float(), wanted):
        return "the window has other features than were written"
    return None if torch.equal(window.mask[0], wanted.any(dim=1)) else "the window says that other slots are filled"


def train_step(device: str) -> str | None:
    """Take a step of training with a tiny detector; says whether anything is not finite or has no gradient."""
    import torch

    from lfb_lightning.models import FBONonLocal, ResNet3d, RoIFeatures, assemble_detector
    from lfb_lightning.structures import BankWindow

    backbone = ResNet3d(stage_blocks=(1, 1), base_channels=4, spatial_strides=(1, 2), temporal_kernels=(1, 3))
    detector = assemble_detector(
        backbone=backbone,
        roi_features=RoIFeatures(output_size=3),
        fbo=lambda channels: FBONonLocal(channels=channels, latent_channels=8),
        num_classes=5,
    ).to(device)
    window = BankWindow(features=torch.rand(2, 12, detector.channels), mask=torch.ones(2, 12, dtype=torch.bool)).to(
        device
    )
    rois = torch.tensor([[0, 2.0, 3, 20, 30], [1, 0, 0, 32, 32]], device=device)
    logits = detector(torch.rand(2, 3, 4, 32, 32, device=device), rois, window)
    torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.ones_like(logits)).backward()
    if logits.shape != (2, 5) or not logits.isfinite().all():
        return f"logits of shape {tuple(logits.shape)}, expected 2 x 5 finite ones"
    bad = [name for name, one in detector.named_parameters() if one.grad is not None and not one.grad.isfinite().all()]
    none = [name for name, one in detector.named_parameters() if one.requires_grad and one.grad is None]
    return f"no finite gradient of {', '.join([*bad, *none][:5])}" if bad or none else None


def _devices() -> list[str]:
    try:
        import torch
    except Exception:  # said in the check of packages, and by the step on the processor
        return ["cpu"]
    found = ["cpu"]
    found += ["cuda"] if torch.cuda.is_available() else []
    return found + (["mps"] if torch.backends.mps.is_available() else [])
