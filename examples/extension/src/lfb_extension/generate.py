"""Write a tiny data set of events: `python -m lfb_extension.generate FOLDER`, six videos of a colored square."""

import csv
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

COLORS = {"red": (230, 40, 40), "green": (40, 200, 60), "blue": (40, 60, 230)}
RATE = Fraction(25, 2)  # frames per second
FRAMES, SIZE = 100, 64


def main(folder: Path) -> None:
    """Write the videos and a csv per split."""
    random = np.random.default_rng(0)
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    for split, number in (("train", 4), ("val", 2)):
        rows = [row for index in range(number) for row in _video(folder / "videos" / f"{split}-{index}.mp4", random)]
        with (folder / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("video_id", "begin", "end", "class"), *rows])


def _video(path: Path, random: np.random.Generator) -> list[tuple[str, float, float, str]]:
    """Write a video of four events, each a square that moves; return their rows."""
    names = random.permutation([*COLORS, random.choice(list(COLORS))])
    bounds = [0, *sorted(random.choice(np.arange(10, FRAMES - 10, 10), 3, replace=False) + 3), FRAMES]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for index in range(FRAMES):
            picture = random.integers(90, 110, (SIZE, SIZE, 3)).astype(np.uint8)
            place = index % (SIZE - 24)
            picture[20:44, place : place + 24] = COLORS[names[np.searchsorted(bounds, index, "right") - 1]]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    seconds = [round(float(bound / RATE), 2) for bound in bounds]
    return [(path.stem, *seconds[place : place + 2], str(name)) for place, name in enumerate(names)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
