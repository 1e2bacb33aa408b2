"""What a picture really draws: every text with its bounding box, recorded while the file is written."""

from dataclasses import dataclass

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text


@dataclass
class Drawn:
    """A figure as it was written, and the bounding boxes of its texts in pixels."""

    figure: Figure
    texts: dict[int, tuple[str, np.ndarray]]

    def words(self):
        return [words for words, _ in self.texts.values()]

    def check(self):
        """No text lies on another or outside the figure."""
        boxes = np.array([box for _, box in self.texts.values()]).reshape(-1, 4)
        width, height = self.size
        words = self.words()
        outside = (boxes[:, :2] < -0.5).any(axis=1) | (boxes[:, 2] > width + 0.5) | (boxes[:, 3] > height + 0.5)
        assert not outside.any(), [words[at] for at in np.flatnonzero(outside)]
        low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
        high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
        one, other = np.nonzero(np.triu((high - low > 1).all(axis=2), 1))
        assert len(one) == 0, [(words[a], words[b]) for a, b in zip(one, other, strict=True)]


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """`drawn(draw, *arguments, **options)` calls a function that writes a picture, and gives back what it drew."""
    latest = []
    save, draw_text = Figure.savefig, Text.draw

    def keep(figure, *args, **kwargs):
        latest.append(Drawn(figure, {}))
        save(figure, *args, **kwargs)

    def record(text, renderer, *args, **kwargs):
        draw_text(text, renderer, *args, **kwargs)
        if latest and text.get_visible() and text.get_text():
            latest[-1].texts[id(text)] = (text.get_text(), text.get_window_extent(renderer).extents)
            latest[-1].size = (renderer.width, renderer.height)

    monkeypatch.setattr(Figure, "savefig", keep)
    monkeypatch.setattr(Text, "draw", record)

    def call(draw, *arguments, **options):
        draw(tmp_path / "picture.png", *arguments, **options)
        assert (tmp_path / "picture.png").stat().st_size > 1000
        latest[-1].path = tmp_path / "picture.png"
        return latest[-1]

    return call
