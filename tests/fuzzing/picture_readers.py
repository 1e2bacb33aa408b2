"""The readers of videos, the frame cache and frame folders, with right files and what they show: numbered frames."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from lfb_lightning.video import FrameFolder, VideoFile
from lfb_lightning.video.cache import CachedVideo, write_cache
from lfb_lightning.video.survey import survey
from tests.fuzzing import containers, forms
from tests.fuzzing.cases import Files, Reader, Seed, made, seed
from tests.fuzzing.mutators import TEXTS, Form
from tests.video.test_frames import SIZE, numbered_frame, read_number, write_video

_FPS = 25
_ALL = [number / _FPS for number in range(20)]
# With its macroblock tree x264 writes another file now and then.
_REPEATABLE: dict[str, Any] = {"options": {"threads": "1", "mbtree": "0"}, "container": {"fflags": "+bitexact"}}
_SHOWN = [0, 5, 12]
_TIMES, _LATER = np.array(_SHOWN) / _FPS, np.array([1, 6, 13]) / _FPS


def _numbers(frames: Any) -> Any:
    return [read_number(frame) if frame.shape[1] == SIZE else list(frame.shape) for frame in frames]


def _streamed(video: Any) -> Any:
    return [_numbers(clip) for clip in video.stream(np.stack([_TIMES, _LATER]), reach=0.8)]


def _size(video: Any) -> Any:
    return [(said := video.properties()).width, said.height]


_VIDEO_SAYS = [_SHOWN, [_SHOWN, [1, 6, 13]], [SIZE, 48]]


def _container(ending: str, form: Form, codec: str = "libx264", more: str = "", unit: int = 1000) -> Reader:
    name = f"a.{ending}"

    def seeds() -> list[Seed]:
        seeds_ = []
        for gop in (8, 250):
            how = {"times": _ALL, "gop": gop, "codec": codec, "time_base": Fraction(1, unit)} | _REPEATABLE
            files = made(lambda folder, how=how: write_video(folder / name, **how))
            seeds_.append(seed(files, [*_VIDEO_SAYS, 20], (name, form)))
        return seeds_

    ways = [lambda folder, way=way: way(VideoFile(folder / name)) for way in (_clip, _streamed, _size)]
    return Reader(f"video, {ending}{more}", [*ways, lambda folder: survey(folder / name).frames], seeds)


def _clip(video: Any) -> Any:
    return _numbers(video.clip(_TIMES))


def _cache(folder: Path) -> Path:
    write_video(folder / "a.mp4", _ALL, **_REPEATABLE)
    moments = np.unique(np.round([*_TIMES, *_LATER], 6))
    write_cache(
        folder / "a.frames", VideoFile(folder / "a.mp4"), moments, short_side=320, quality=90, made_from={"fps": _FPS}
    )
    return folder / "a.frames"


def _jpeg(number: int) -> bytes:
    Image.fromarray(numbered_frame(number)).save(buffer := io.BytesIO(), "JPEG", progressive=bool(number % 2))
    return buffer.getvalue()


def _renamed(files: Files, chance: Random) -> Files:
    name = chance.choice(sorted(files))
    cut = chance.randrange(len(name))
    text = chance.choice(TEXTS).decode("latin1").replace("/", "").replace("\0", "")[:100]
    other = name[:cut] + text + name[cut + chance.randrange(3) :] or "x"
    return {(other if key == name and chance.random() < 0.7 else key): value for key, value in files.items()} | (
        {other: files[name]}
    )


def _unlike(files: Files, chance: Random) -> Files:
    return files | {chance.choice(["._img_00001.jpg", ".DS_Store", "list.txt", "poster.png"]): chance.randbytes(9)}


def _frames() -> list[Seed]:
    files = {f"img_{number + 1:05d}.jpg": _jpeg(number) for number in range(20)}
    usual = seed(files, _VIDEO_SAYS, *((f"img_{n:05d}.jpg", containers.JPEG) for n in (1, 2, 6)))
    return [Seed(files, [*_VIDEO_SAYS, None], [*usual.spoiling, _renamed], [*usual.equal, _unlike])]


_FRAMES_WAYS = (_clip, _streamed, _size, lambda video: video.look_through(_TIMES))
_CACHE_WAYS = (_clip, lambda video: _numbers(video.clip(_LATER)), _size, lambda video: video.verify())

PICTURES = [
    _container("mp4", containers.MP4),
    _container("mkv", containers.MATROSKA),
    _container("avi", containers.AVI, more=" (MPEG-4)", codec="mpeg4"),
    _container("ts", containers.TS),
    _container("webm", containers.MATROSKA, more=" (VP9)", codec="libvpx-vp9"),
    _container("mpg", containers.BYTES, more=" (MPEG-2)", codec="mpeg2video", unit=25),
    Reader(
        "frame cache",
        [lambda folder, way=way: way(CachedVideo(folder / "a.frames")) for way in _CACHE_WAYS],
        lambda: [seed(made(_cache), [_SHOWN, [1, 6, 13], [SIZE, 48], None], ("a.frames", forms.SAFETENSORS))],
    ),
    Reader(
        "frame folder", [lambda folder, way=way: way(FrameFolder(folder, fps=_FPS)) for way in _FRAMES_WAYS], _frames
    ),
]
