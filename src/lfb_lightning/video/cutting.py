"""Cutting a part out of movies, and writing their frames as JPEGs, for tools that want either.

Training does not need this: whole movies are read with `data.origin_second=0`, and `lfb-cache` stores what clips touch.
Everything that decides a pixel is fixed here: the FFmpeg inside PyAV decodes, and not an `ffmpeg` on the PATH, whose version
alone has changed results by three points (facebookresearch/SlowFast issue 112); x264 encodes with these options and one
thread; frames keep their time stamps; nothing is resized.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from lfb_lightning.errors import InputError
from lfb_lightning.processes import serve
from lfb_lightning.video.container import OpenVideo, open_video

_ENCODING = {"crf": "18", "preset": "fast", "threads": "1", "g": "60", "x264-params": "mbtree=0"}
_JPEG_QUALITY = 95
_TOLERANCE = 1e-6  # seconds: time stamps are fractions, the wanted seconds floats
_ENDINGS = (".avi", ".mkv", ".mov", ".mp4", ".webm")


@dataclass(frozen=True, kw_only=True)
class CutSettings:
    """What is cut out of each movie.

    Args:
        cuts: The folder of the cuts, `<id>.mp4`.
        start: Where the cut begins in the movie, in seconds.
        length: How long it is, in seconds.
        frames: The folder of the cuts' frames, `<id>/<id>_000001.jpg`; None for none.
        fps: JPEGs per second.
    """

    cuts: Path
    start: float = 900.0
    length: float = 901.0
    frames: Path | None = None
    fps: float = 30.0


def movies_in(folder: Path) -> list[Path]:
    """List the movies of a folder by their endings; raises InputError where there is none."""
    try:
        movies = sorted(path for path in folder.iterdir() if path.suffix in _ENDINGS)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}).") from error
    if not movies:
        raise InputError(f"{folder}: no video files ({', '.join(_ENDINGS)}).")
    return movies


def cut_movies(movies: Sequence[Path], settings: CutSettings, *, jobs: int) -> Iterator[tuple[str, str | None]]:
    """Cut movies; what is there is not made again, and each file or folder appears when it is complete.

    Args:
        movies: The movies.
        settings: What to cut out of each.
        jobs: Movies at a time, each in a process of its own; 1 for this process.

    Yields:
        Each movie's name without its ending, and what went wrong, or None.
    """
    if jobs == 1:
        yield from (_cut(movie, settings) for movie in movies)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=serve, initargs=(os.getpid(),)) as pool:
        yield from pool.map(_cut, movies, [settings] * len(movies))


def _cut(movie: Path, settings: CutSettings) -> tuple[str, str | None]:
    try:
        cut = settings.cuts / f"{movie.stem}.mp4"
        if not cut.is_file():
            settings.cuts.mkdir(parents=True, exist_ok=True)
            cut_video(movie, cut, settings.start, settings.length)
        folder = None if settings.frames is None else settings.frames / movie.stem
        if folder is not None and not folder.is_dir():
            extract_frames(cut, folder, settings.fps)
    except (InputError, av.FFmpegError, OSError, ValueError) as error:
        return movie.stem, str(error)
    return movie.stem, None


def cut_video(movie: Path, cut: Path, start: float, length: float) -> None:
    """Encode a part of a movie, the first frame at time 0.

    Args:
        movie: The movie.
        cut: The file to write.
        start: The part's first second in the movie.
        length: Its length in seconds.

    Raises:
        InputError: The movie cannot be read, or ends before that part.
    """
    part = cut.with_name(f".{cut.name}.part")
    written = 0
    with open_video(movie) as source, av.open(f"file:{part}", "w", format="mp4") as sink:
        stream, base = source.stream, source.time_base
        origin = stream.start_time or 0
        out = sink.add_stream("libx264", rate=stream.average_rate or Fraction(30), options=_ENCODING)
        out.width, out.height, out.pix_fmt = stream.width // 2 * 2, stream.height // 2 * 2, "yuv420p"
        out.codec_context.time_base = base
        source.container.seek(origin + int(max(start - 1, 0) / base), stream=stream, backward=True)
        first = None
        for frame, ticks in _timed_frames(source):
            second = float(ticks * base)
            if second < start - _TOLERANCE:
                continue
            if second >= start + length:
                break
            first = ticks if first is None else first
            image = frame.reformat(out.width, out.height, "yuv420p")
            image.pts, image.time_base = ticks - first, base
            image.pict_type = 0  # the encoder chooses, not the movie's encoder
            sink.mux(out.encode(image))
            written += 1
        sink.mux(out.encode())
    if not written:
        part.unlink(missing_ok=True)
        raise InputError(f"{movie}: ends before second {start:g}.")
    part.replace(cut)


def extract_frames(video: Path, folder: Path, fps: float) -> None:
    """Write JPEGs at a steady rate, each the frame that is shown at its moment; the folder appears when it is complete.

    Args:
        video: The video.
        folder: The folder to write; pictures are called after it and numbered from 1.
        fps: JPEGs per second.

    Raises:
        InputError: The video cannot be read.
    """
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # pictures of an earlier try, perhaps at another rate
    part.mkdir(parents=True)
    number, image = 0, None
    with open_video(video) as source:
        for frame, ticks in _timed_frames(source):
            second = float(ticks * source.time_base)
            while image is not None and number / fps < second - _TOLERANCE:
                number += 1
                image.save(part / f"{folder.name}_{number:06d}.jpg", quality=_JPEG_QUALITY)
            image = frame.to_image()
    if image is not None:
        image.save(part / f"{folder.name}_{number + 1:06d}.jpg", quality=_JPEG_QUALITY)
    part.rename(folder)


def _timed_frames(source: OpenVideo) -> Iterator[tuple[av.VideoFrame, int]]:
    """Decode from where the file stands, each frame with the time since the stream's start in its unit."""
    for frame in source.container.decode(source.stream):
        if frame.pts is None:
            raise InputError(
                f"{source.path}: has frames without time stamps; write some: `ffmpeg -r RATE -i IN OUT.mp4`."
            )
        yield frame, frame.pts - (source.stream.start_time or 0)
