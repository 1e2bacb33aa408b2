"""Every picture holds with nothing, with one thing and with very many: no text on another, none outside, one palette."""

import math

import numpy as np
import pytest
from matplotlib.colors import to_hex

from lfb_lightning.bank import BankRows, FeatureBank
from lfb_lightning.bank.summary import summarize
from lfb_lightning.viz import bar_chart, draw_overlay, style
from lfb_lightning.viz.attention_strip import draw_attention_strip
from lfb_lightning.viz.bank_report import draw_bank_report
from lfb_lightning.viz.contact_sheet import Tile, draw_contact_sheet
from lfb_lightning.viz.overlay import OverlayPerson
from lfb_lightning.viz.pr_curves import draw_pr_curves
from lfb_lightning.viz.sweep_chart import sweep_chart

LONG = "talk to (e.g., self, a person, a group)"  # AVA's longest name
NAMES = [LONG, "stand", "give/serve (an object) to (a person)", "x" * 30, "walk"]
PALETTE = {*style.CYCLE, style.BLACK, style.GRAY, "#ffffff"}


def many_names(count):
    return [f"{NAMES[at % len(NAMES)]} {at}" for at in range(count)]


def crowd(count, actions, seed=0):
    rng = np.random.default_rng(seed)
    people = []
    for number in range(count):
        (x1, y1), (x2, y2) = np.sort(rng.random((2, 2)) * (1 if number % 3 else 0.05), axis=0)
        predicted = [(name, float(rng.random())) for name in many_names(actions)]
        actual = None if number % 4 == 3 else many_names(actions + 2)[actions // 2 :]
        people.append(OverlayPerson((x1, y1, x2, y2), predicted, actual))
    return people


@pytest.mark.parametrize(
    ("count", "actions", "shape"),
    [
        (0, 0, (90, 160)),
        (1, 0, (10, 200)),
        (2, 3, (90, 160)),
        (9, 4, (160, 90)),
        (30, 8, (90, 160)),
        (1, 80, (90, 160)),
    ],
)
def test_overlay_fits_any_number_of_persons_and_actions(drawn, count, actions, shape):
    people = crowd(count, actions)
    picture = drawn(draw_overlay, np.zeros((*shape, 3), np.uint8), people, title="nl: " + "a long title " * 12)
    picture.check()
    words = picture.words()
    for number in range(1, count + 1):
        assert any(text.startswith(f"person {number}") for text in words)
        assert str(number) in words
    scores = [text for text in words if text[-5:-3] in (" 0", " 1") and text[-3] == "."]
    assert len(scores) == count * actions
    assert {to_hex(text.get_color()) for text in picture.figure.texts} <= PALETTE


@pytest.mark.parametrize(("count", "models"), [(0, 1), (1, 1), (3, 4), (10, 9), (11, 2), (80, 2)])
def test_bar_chart_fits_any_number_of_bars(drawn, count, models):
    rows = {
        name: {f"model {model}": math.nan if (at + model) % 7 == 3 else 1 - at / 100 for model in range(models)}
        for at, name in enumerate(many_names(count))
    }
    picture = drawn(bar_chart, rows, title="mini-AVA, frame-mAP@0.5 on val", axis="mAP")
    picture.check()
    missing = sum(math.isnan(value) for values in rows.values() for value in values.values())
    assert picture.words().count("n/a") == missing
    bars = [bar for axes in picture.figure.axes for bar in axes.patches]
    assert len(bars) == count * models
    assert {to_hex(bar.get_facecolor()) for bar in bars} <= PALETTE


@pytest.mark.parametrize("count", [0, 1, 7, 80])
def test_curves_of_any_number_of_classes(drawn, count):
    recall = np.linspace(0.1, 1, 10)
    curves = [(name, 0.5, 1 - recall / 2, recall) for name in many_names(count)]
    curves[3:4] = [(name, math.nan, np.zeros(0), np.zeros(0)) for name, *_ in curves[3:4]]
    picture = drawn(draw_pr_curves, curves, title="/a/long/folder/name" * 5 + ": mAP@0.5 0.2431")
    picture.check()
    assert any("0.2431" in text for text in picture.words())
    assert sum("AP n/a" in text for text in picture.words()) == len(curves[3:4])
    assert count == 0 or {"recall", "precision"} <= set(picture.words())


@pytest.mark.parametrize("jobs", [0, 1, 2, 20])
def test_sweep_of_any_number_of_jobs_begins_at_zero(drawn, jobs):
    scored = [
        (
            {"fbo": NAMES[at % 5], "seed": f"name {at}", "lr": str(10.0 ** -(at % 4)), "window": str(at)},
            0.970 + at / 1e4,
        )
        for at in range(jobs)
    ]
    picture = drawn(sweep_chart, [*scored, ({"fbo": "nl"}, math.nan)], axis="mAP@0.5")
    picture.check()
    for axes in picture.figure.axes:
        assert axes.get_ylim()[0] == 0
    if jobs:
        assert "mAP@0.5" in picture.words()
        points = picture.figure.axes[0].collections[0].get_offsets()
        assert sorted(points[:, 1]) == pytest.approx([score for _, score in scored])


def test_scores_below_zero_are_seen(drawn):
    picture = drawn(sweep_chart, [({"a": "x"}, -0.5), ({"a": "y"}, 0.25)], axis="gain")
    assert picture.figure.axes[0].get_ylim()[0] < -0.5


@pytest.mark.parametrize("videos", [0, 1, 3, 90])
def test_bank_report_of_any_number_of_videos(drawn, videos):
    import torch

    rows = {
        f"{'a_long_name_of_a_video_' * 3}{at}": BankRows(
            torch.arange(900, 960 + at), torch.zeros(60 + at, 4), torch.ones(60 + at), torch.ones(60 + at, 2)
        )
        for at in range(videos)
    }
    summary = summarize(FeatureBank.from_rows(rows, channels=2))
    drawn(draw_bank_report, summary, title="banks/fp16/val: " + "made by something " * 8).check()


@pytest.mark.parametrize("tiles", [0, 1, 5, 16])
def test_contact_sheet_of_any_number_of_frames(drawn, tiles):
    boxes = np.array([[0.1, 0.1, 0.5, 0.9]])
    sheet = [
        Tile(
            "video,0902 " + "with a caption " * (at % 9), np.zeros((90, 160 - 90 * (at % 2), 3), np.uint8), boxes, boxes
        )
        for at in range(tiles)
    ]
    picture = drawn(draw_contact_sheet, sheet, title="val: key frames of a data set with a long name")
    picture.check()
    assert {"annotated", "proposed"} <= set(picture.words())


def strip_of(count, filled, actions, *, empty=0.0):
    """One thumbnail per second, all attention on second 17 of the window, and `actions` scores."""
    seconds = np.arange(900.0, 900.0 + filled)
    scores = [(name, 1 - at / 50) for at, name in enumerate(many_names(actions))]
    return {
        "frame": np.zeros((90, 160, 3), np.uint8),
        "box": (0.1, 0.1, 0.5, 0.9),
        "second": 930,
        "thumbnails": [np.full((9, 16, 3), at % 256, np.uint8) for at in range(count)],
        "thumbnail_seconds": [900.0 + at for at in range(count)],
        "attention": (seconds, (seconds == 917) * (1 - empty)),
        "empty": empty,
        "without": scores,
        "with_memory": scores[::-1][:-1],
    }


@pytest.mark.parametrize(
    ("count", "filled", "actions"), [(0, 0, 0), (1, 1, 1), (5, 60, 3), (60, 60, 9), (300, 300, 80)]
)
@pytest.mark.parametrize("title", ["", "a long title " * 20])
def test_attention_strip_of_any_length(drawn, count, filled, actions, title):
    picture = drawn(draw_attention_strip, **strip_of(count, filled, actions), title=title)
    picture.check()
    assert {"Without memory", "With memory", "seconds from the key frame", "attention, %"} <= set(picture.words())


def test_attention_strip_shows_what_was_looked_at(drawn):
    picture = drawn(draw_attention_strip, **strip_of(60, 60, 4, empty=0.25))
    shown = [image.get_array()[0, 0, 0] for axes in picture.figure.axes for image in axes.images][1:]
    assert len(shown) == 16
    assert 17 in shown
    assert "-13 s" in picture.words()
    assert any("25% to empty slots" in text for text in picture.words())
    (bars,) = [axes for axes in picture.figure.axes if axes.get_ylabel() == "attention, %"]
    heights = {round(bar.get_x() + bar.get_width() / 2): bar.get_height() for bar in bars.patches}
    assert len(heights) == 60
    assert {at: height for at, height in heights.items() if height} == pytest.approx({-13: 75.0})


def test_equal_pictures_are_equal_files(drawn):
    options = strip_of(12, 12, 3)
    assert len({drawn(draw_attention_strip, **options).path.read_bytes() for _ in range(2)}) == 1
    frame, people = np.zeros((90, 160, 3), np.uint8), crowd(3, 2)
    assert len({drawn(draw_overlay, frame, people, title="t").path.read_bytes() for _ in range(2)}) == 1


@pytest.mark.parametrize("text", ["", "word", "x" * 200, "some words " * 30, "Ünïcödé"])
@pytest.mark.parametrize("inches", [0.5, 2.0])
def test_wrapped_text_fits(text, inches):
    lines = style.wrapped(text, inches, style.TEXT).split("\n")
    assert len(lines) <= 3
    assert max(style.text_width(line, style.TEXT) for line in lines) <= inches
