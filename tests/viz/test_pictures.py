"""Pictures are written and show what they are given."""

import numpy as np
from PIL import Image

from lfb_lightning.viz import bar_chart, draw_overlay
from lfb_lightning.viz.overlay import OverlayPerson, _actions
from lfb_lightning.viz.style import BLACK, GRAY, GREEN, VERMILION


def load(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_overlay_shows_the_frame_and_colors_by_truth(tmp_path):
    frame = np.zeros((60, 80, 3), dtype=np.uint8)
    frame[:, :, 2] = 200
    person = OverlayPerson((0.1, 0.1, 0.6, 0.9), [("stand", 0.9), ("run", 0.7)], ["stand", "talk"])
    assert [(text.split()[0], *meaning) for text, meaning in _actions(person)] == [
        ("stand", GREEN, "✓"),
        ("run", VERMILION, "✗"),
        ("talk", GRAY, "○"),
    ]
    assert _actions(OverlayPerson(person.box, [("run", 0.7)], None)) == [("run  0.70", (BLACK, ""))]
    draw_overlay(
        tmp_path / "overlay.png", frame, [person, OverlayPerson((0.0, 0.0, 1.0, 1.0), [], None)], title="v,0902"
    )
    pixels = load(tmp_path / "overlay.png").reshape(-1, 3)
    assert (pixels == [0, 0, 200]).all(axis=1).mean() > 0.1


def test_bar_chart_is_as_wide_as_it_has_groups(tmp_path):
    rows = {f"m{index}": {"a": 0.5, "b": 1.0} for index in range(4)}
    bar_chart(tmp_path / "two.png", dict(list(rows.items())[:2]), title="t", axis="mAP")
    bar_chart(tmp_path / "four.png", rows, title="t", axis="mAP")
    assert load(tmp_path / "two.png").shape[1] < load(tmp_path / "four.png").shape[1]
