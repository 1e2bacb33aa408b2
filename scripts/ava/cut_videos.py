"""Cut minutes 15 to 30 out of AVA's movies, and optionally extract the frames; run again to go on after an interruption.

    python scripts/ava/cut_videos.py data/ava/movies data/ava/videos
    python scripts/ava/cut_videos.py data/ava/movies data/ava/videos --frames data/ava/frames --fps 30

`lfb-data cut` is the same; `lfb_lightning/video/cutting.py` says what is fixed about the pictures. Training does not need
this: `data.origin_second=0` reads whole movies, and `lfb-cache` stores only what clips touch.
"""

import argparse
import sys
from pathlib import Path

from lfb_lightning.errors import InputError
from lfb_lightning.video.cutting import CutSettings, cut_movies, movies_in


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("movies", type=Path)
    parser.add_argument("cuts", type=Path)
    parser.add_argument("--start", type=float, default=CutSettings.start, help="seconds")
    parser.add_argument("--length", type=float, default=CutSettings.length, help="seconds")
    parser.add_argument("--frames", type=Path, help="also write <id>/<id>_%%06d.jpg here")
    parser.add_argument("--fps", type=float, default=CutSettings.fps, help="of the JPEGs")
    parser.add_argument("--jobs", type=int, default=1, help="movies at a time")
    given = parser.parse_args()
    try:
        movies = movies_in(given.movies)
    except InputError as error:
        parser.error(str(error))
    settings = CutSettings(cuts=given.cuts, start=given.start, length=given.length, frames=given.frames, fps=given.fps)
    failed = 0
    for number, (name, problem) in enumerate(cut_movies(movies, settings, jobs=given.jobs), 1):
        print(f"[{number}/{len(movies)}] {name}: {problem or 'ok'}", flush=True)
        failed += problem is not None
    print(f"{len(movies) - failed} movies done, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
