"""Cut minutes 15 to 30 out of AVA's movies, and optionally extract the frames; run again to go on after an interruption.

    python scripts/ava/cut_videos.py data/ava/movies data/ava/videos
    python scripts/ava/cut_videos.py data/ava/movies data/ava/videos --frames data/ava/frames --fps 30

Training does not need this: `data.origin_second=0` reads whole movies, and `lfb-cache` stores only what clips touch. It is
for tools that want cuts or JPEGs. Everything that decides a pixel is fixed here: the FFmpeg inside PyAV decodes, and not an
`ffmpeg` on the PATH, whose version alone has changed results by three points (facebookresearch/SlowFast issue 112); x264
encodes with these options and one thread; frames keep their time stamps; nothing is resized. Check the outcome with
`lfb-check`.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path

import av

ENCODING = {"crf": "18", "preset": "fast", "threads": "1", "g": "60", "x264-params": "mbtree=0"}
JPEG_QUALITY = 95
ENDINGS = {".mp4", ".mkv", ".webm", ".avi", ".mov"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("movies", type=Path)
    parser.add_argument("cuts", type=Path)
    parser.add_argument("--start", type=float, default=900.0, help="seconds")
    parser.add_argument("--length", type=float, default=901.0, help="seconds")
    parser.add_argument("--frames", type=Path, help="also write <id>/<id>_%%06d.jpg here")
    parser.add_argument("--fps", type=float, default=30.0, help="of the JPEGs")
    parser.add_argument("--jobs", type=int, default=1, help="movies at a time")
    arguments = parser.parse_args()
    movies = sorted(path for path in arguments.movies.iterdir() if path.suffix in ENDINGS)
    if not movies:
        parser.error(f"{arguments.movies}: no video files ({', '.join(sorted(ENDINGS))})")
    failed = 0
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for number, (name, problem) in enumerate(pool.map(work, movies, [arguments] * len(movies)), 1):
            print(f"[{number}/{len(movies)}] {name}: {problem or 'ok'}", flush=True)
            failed += problem is not None
    print(f"{len(movies) - failed} movies done, {failed} failed")
    return 1 if failed else 0


def work(movie: Path, arguments: argparse.Namespace) -> tuple[str, str | None]:
    try:
        cut = arguments.cuts / f"{movie.stem}.mp4"
        if not cut.is_file():
            arguments.cuts.mkdir(parents=True, exist_ok=True)
            cut_video(movie, cut, arguments.start, arguments.length)
        folder = None if arguments.frames is None else arguments.frames / movie.stem
        if folder is not None and not folder.is_dir():
            extract_frames(cut, folder, arguments.fps)
    except (av.FFmpegError, OSError, ValueError) as error:
        return movie.stem, str(error)
    return movie.stem, None


def cut_video(movie: Path, cut: Path, start: float, length: float) -> None:
    """Encode the frames from `start` for `length` seconds, the first one at time 0."""
    part = cut.with_name(f".{cut.name}.part")
    written = 0
    with av.open(str(movie)) as source, av.open(str(part), "w", format="mp4") as sink:
        stream = source.streams.video[0]
        base, origin = stream.time_base, stream.start_time or 0
        out = sink.add_stream("libx264", rate=stream.average_rate or Fraction(30), options=ENCODING)
        out.width, out.height, out.pix_fmt = stream.width // 2 * 2, stream.height // 2 * 2, "yuv420p"
        out.codec_context.time_base = base
        source.seek(origin + int(max(start - 1, 0) / base), stream=stream, backward=True)
        first = None
        for frame in source.decode(stream):
            second = float((frame.pts - origin) * base)
            if second < start - 1e-6:
                continue
            if second >= start + length:
                break
            first = frame.pts if first is None else first
            image = frame.reformat(out.width, out.height, "yuv420p")
            image.pts, image.time_base = frame.pts - first, base
            image.pict_type = 0
            sink.mux(out.encode(image))
            written += 1
        sink.mux(out.encode())
    if not written:
        part.unlink()
        raise ValueError(f"{movie}: ends before second {start:g}")
    part.rename(cut)


def extract_frames(video: Path, folder: Path, fps: float) -> None:
    """Write `fps` JPEGs per second, each the frame shown at its moment; the folder appears when it is complete."""
    part = folder.with_name(f".{folder.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    number, image = 0, None
    with av.open(str(video)) as source:
        stream = source.streams.video[0]
        for frame in source.decode(stream):
            second = float((frame.pts - (stream.start_time or 0)) * stream.time_base)
            while image is not None and number / fps < second - 1e-6:
                number += 1
                image.save(part / f"{folder.name}_{number:06d}.jpg", quality=JPEG_QUALITY)
            image = frame.to_image()
    if image is not None:
        image.save(part / f"{folder.name}_{number + 1:06d}.jpg", quality=JPEG_QUALITY)
    part.rename(folder)


if __name__ == "__main__":
    sys.exit(main())
