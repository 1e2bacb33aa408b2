"""The page in real browsers, opened from disk: what it draws, says and does equals the data it was given."""

import dataclasses
import io
import time
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from lfb_lightning.viz.overlay_video import write_page_video
from lfb_lightning.viz.page import Page, PageAttention, PageRow, write_page
from tests.browser import driver

pytestmark = pytest.mark.slow
SECONDS, WIDTH, HEIGHT = 8, 320, 180
NOTHING = "\N{EN DASH}"
ACTIONS = ["stand", "carry/hold (an object)", "<b>走る</b> & more", "talk"]


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def browser(request):
    if (program := driver.missing(request.param)) is not None:
        pytest.skip(f"{program} is not installed")
    with driver.start(request.param) as started:
        yield started


def boxes(track, moment):
    left = 0.05 + 0.08 * moment if track == 1 else 0.8
    return (left, 0.4, left + 0.12, 0.9)


def example():
    rows = []
    for moment in range(SECONDS):
        for track in (1, 2):
            seen = [(index, 0.04 / (1 + index + track)) for index in range(len(rows))][:20]
            rest = 0.7 - sum(weight for _, weight in seen)
            layers = [
                PageAttention(empty=0.3, rest=rest, rows=seen[::-1]),
                PageAttention(empty=1.0, rest=0.0, rows=[]),
            ]
            scores = [(0, 0.9), (2, 0.7 if moment > 3 else 0.3), (1, 0.6), (3, 0.2)]
            rows.append(
                PageRow(
                    moment=moment,
                    track=track,
                    box=boxes(track, moment),
                    score=0.8,
                    actions=scores,
                    without=[(0, 0.5), (3, 0.4)],
                    attention=layers,
                )
            )  # fmt: skip
    rows.append(PageRow(moment=5, track=9, box=(0.4, 0.1, 0.45, 0.2), score=0.5, actions=[(3, 0.1)]))
    buffer = io.BytesIO()
    Image.new("RGB", (32, 18), "green").save(buffer, "JPEG")
    return Page(
        title="one's own <video>",
        video="clip #1.mp4",
        seconds=float(SECONDS),
        width=WIDTH,
        height=HEIGHT,
        moments=[float(second) for second in range(SECONDS)],
        actions=ACTIONS,
        rows=rows,
        thumbnails=[(float(second), buffer.getvalue()) for second in range(SECONDS)],
        window=(4.0, 4.0),
        threshold=0.5,
        model="nl",
        compare="baseline",
    )


def crowd_box(track):
    """Return a place of its own for each of 80 persons."""
    return (0.1 * (track % 10), 0.125 * (track // 10), 0.1 * (track % 10) + 0.08, 0.125 * (track // 10) + 0.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a video and pages: with everything, without a video, without memory, without persons, with many."""
    path = tmp_path_factory.mktemp("page")
    source = path / "source.avi"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = WIDTH, HEIGHT
        for number in range(25 * SECONDS):
            frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), 60 + number // 2, np.uint8))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    write_page_video(source, path / "clip #1.mp4")
    page = example()
    write_page(path / "page.html", page)
    write_page(path / "missing.html", dataclasses.replace(page, video="not there.mp4"))
    plain = [dataclasses.replace(row, without=None, attention=None) for row in page.rows]
    write_page(path / "plain.html", dataclasses.replace(page, rows=plain, window=None, compare=None))
    write_page(path / "nobody.html", dataclasses.replace(page, rows=[], moments=[], actions=[], thumbnails=[]))
    crowd = [
        PageRow(moment=moment, track=track, box=crowd_box(track), score=0.9, actions=[(0, 0.9)])
        for track in range(71)
        for moment in range(3 if track < 70 else 1)
    ]
    write_page(path / "crowd.html", dataclasses.replace(page, rows=crowd, video="not there.mp4", compare=None))
    return path


LOOKED = (
    "[...document.querySelectorAll('.looked button')].map((b) => [Number(b.dataset.row), Number(b.dataset.weight)])"
)
SHARES = "[...document.querySelectorAll('.share-words span')].map((s) => Number(s.dataset.share))"
SCORES = """[...document.querySelectorAll(".scores tbody tr")].map((line) =>
    [line.querySelector(".name").textContent, ...[...line.querySelectorAll(".number")].map((cell) => cell.textContent)])"""
BANDS = """[...document.querySelectorAll('.track[data-track="1"] .band')].map((band) =>
    [band.textContent, band.style.left, band.style.width])"""
CORNER = """(() => {
    const r = document.querySelector('SELECTOR').getBoundingClientRect();
    return [r.x, r.y, r.width, r.height];
})()"""
FOCUSED = """(() => {
    const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
    return [e.id || e.className || e.tagName, s.outlineStyle, r.width > 4 && r.height > 4];
})()"""
TOO_WIDE = """(() => {
    const wide = document.documentElement.clientWidth;
    const all = [...document.querySelectorAll("body *")].filter((e) => !e.closest("#sheet, dialog, .unseen"));
    const out = all.filter((e) => e.getBoundingClientRect().right > wide + 0.5);
    return [document.documentElement.scrollWidth - wide, out.map((e) => e.id || e.className)];
})()"""
LABEL_PIXEL = """(() => {
    const c = document.getElementById("boxes"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    for (let y = 0; y < c.height; y += 2) for (let x = 0; x < c.width; x += 2) {
        const at = 4 * (y * c.width + x);
        if (d[at] < 40 && d[at + 3] > 200) return [x, y];
    }
    return null;
})()"""
INJECT = """(() => {
    const script = document.createElement("script");
    script.textContent = "document.title = 'changed'";
    document.body.append(script);
})()"""


def rectangle(browser, selector):
    return browser.run(CORNER.replace("SELECTOR", selector))


def text(browser, selector):
    return browser.run(f"document.querySelector('{selector}').innerText")


def shown_boxes(browser):
    """Return each track's box as fractions of the stage."""
    shown, width, height = browser.run(
        "(() => { const s = document.getElementById('stage'); return [s.dataset.boxes, s.clientWidth, s.clientHeight]; })()"
    )
    found = (part.split(":") for part in shown.split())
    return {int(track): np.array(box.split(","), float) / [width, height, width, height] for track, box in found}


def seek(browser, second):
    browser.run(
        f"(() => {{ const s = document.getElementById('seek'); s.value = {second}; s.dispatchEvent(new Event('input')); }})()"
    )


def opened(browser, folder, name="page.html", size=(1000, 900)):
    browser.size(*size)
    browser.open(folder / name)
    browser.until(
        "document.querySelector('#sheet .axis') && document.getElementById('stage').dataset.boxes !== undefined"
    )
    return browser


@pytest.fixture
def page(browser, folder):
    """The whole page with its video, ready to play."""
    opened(browser, folder)
    if browser.run("document.createElement('video').canPlayType('video/mp4; codecs=\"avc1.640028\"')") == "":
        pytest.skip(f"this {browser.name} has no decoder for H.264 (Debian: the package libavcodec)")
    browser.until("document.getElementById('video').readyState >= 2")
    yield browser
    assert browser.messages == []


def test_playing_moves_boxes(page):
    before = shown_boxes(page)
    assert before[1] == pytest.approx(np.array(boxes(1, 0)), abs=0.01)
    page.press(" ")
    page.until("document.getElementById('video').currentTime > 1.2")
    page.press(" ")
    page.until("document.getElementById('video').paused")
    moved = shown_boxes(page)
    assert 0.05 < moved[1][0] - before[1][0] < 0.5
    assert moved[2] == pytest.approx(before[2], abs=1e-3)


def test_boxes_are_interpolated_while_scrubbing(page):
    for second in (2.5, 6.75, 3.0):
        seek(page, second)
        page.until(f"Math.abs(document.getElementById('video').currentTime - {second}) < 0.05")
        assert shown_boxes(page)[1][0] == pytest.approx(0.05 + 0.08 * second, abs=0.006)
    seek(page, 5.2)
    assert set(shown_boxes(page)) == {1, 2, 9}
    seek(page, 5.8)
    assert set(shown_boxes(page)) == {1, 2}


def click_person(browser, track):
    box = shown_boxes(browser)[track]
    left, top, width, height = rectangle(browser, "#boxes")
    browser.click(left + width * (box[0] + box[2]) / 2, top + height * (box[1] + box[3]) / 2)


def test_a_click_shows_the_attention_of_the_data(page):
    given = example()
    seek(page, 6.1)
    click_person(page, 2)
    page.until("document.getElementById('details').dataset.row !== ''")
    number = page.run("Number(document.getElementById('details').dataset.row)")
    row = given.rows[number]
    assert (row.moment, row.track) == (6, 2)
    assert text(page, "#details h2") == "Person 2 at 0:06"
    first, second = row.attention
    for layer, empty, weights in ((0, (first.empty + second.empty) / 2, 0.5), (1, first.empty, 1), (2, 1.0, None)):
        page.run(f"document.querySelectorAll('.layers button')[{layer}].click()")
        expected = (
            [] if weights is None else sorted(((i, weights * w) for i, w in first.rows), key=lambda pair: -pair[1])
        )
        assert [index for index, _ in page.run(LOOKED)] == [index for index, _ in expected[:6]]
        assert [weight for _, weight in page.run(LOOKED)] == pytest.approx([w for _, w in expected[:6]], abs=1e-4)
        found = page.run(SHARES)
        assert found[2] == pytest.approx(empty, abs=1e-4)
        assert sum(found) == pytest.approx(1, abs=1e-3)


def test_looking_back_keeps_the_selected_moment(page):
    seek(page, 6)
    click_person(page, 1)
    page.until("document.querySelectorAll('.looked button').length === 6")
    row, target = page.run(
        "[document.getElementById('details').dataset.row, Number(document.querySelector('.looked button').dataset.row)]"
    )
    page.run("document.querySelector('.looked button').click()")
    moment = example().rows[target].moment
    page.until(f"Math.abs(document.getElementById('video').currentTime - {moment}) < 0.05")
    assert page.run("document.getElementById('details').dataset.row") == row
    page.run("document.querySelector('.pin').click()")
    page.until("Math.abs(document.getElementById('video').currentTime - 6) < 0.05")


def test_scores_without_and_with_memory_stand_side_by_side(page):
    seek(page, 2)
    click_person(page, 1)
    page.until("document.querySelector('.scores') !== null")
    rows = page.run(SCORES)
    assert rows == [
        ["stand", "0.50", "0.90"],
        [ACTIONS[1], NOTHING, "0.60"],
        ["talk", "0.40", "0.20"],
        [ACTIONS[2], NOTHING, "0.30"],
    ]


def test_a_click_in_the_timeline_selects_person_and_moment(page):
    left, top, width, _ = rectangle(page, '.track[data-track="2"] .lanes')
    page.click(left + width * 4.1 / SECONDS, top + 8)
    page.until("document.querySelector('.track.selected') !== null")
    assert text(page, "#details h2") == "Person 2 at 0:04"


def test_bands_follow_threshold_and_filter(page):
    assert page.run(BANDS) == [
        ["stand", "0%", "93.75%"],
        [ACTIONS[1], "0%", "93.75%"],
        [ACTIONS[2], "43.75%", "50%"],
    ]
    page.press("]", "]", "]", "]")
    page.until("document.getElementById('threshold-value').textContent === '0.70'")
    assert [name for name, *_ in page.run(BANDS)] == ["stand", ACTIONS[2]]
    page.run("document.querySelector('.chip[data-action=\"2\"]').click()")
    assert [name for name, *_ in page.run(BANDS)] == [ACTIONS[2]]
    assert page.run("document.activeElement.tagName") in ("BODY", "BUTTON")
    page.run("document.querySelector('.chip.all').click()")
    assert [name for name, *_ in page.run(BANDS)] == ["stand", ACTIONS[2]]


def test_everything_is_reached_by_keyboard(page):
    page.press("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft")
    page.until("Math.abs(document.getElementById('video').currentTime - 2) < 0.05")
    assert text(page, "#details h2") == "Person 2 at 0:02"
    assert (
        page.run("document.getElementById('spoken').textContent") == f"Person 2 at 0:02: stand 0.90, {ACTIONS[1]} 0.60"
    )
    page.press("?")
    page.until("document.getElementById('help').open")
    page.press("Escape")
    page.until("!document.getElementById('help').open")
    assert text(page, "#details h2") == "Person 2 at 0:02"  # closing the help deselects nobody
    page.press("l")
    page.until("document.getElementById('labels').textContent === 'Labels: selected'")
    page.press("Escape")
    page.until("document.getElementById('details').dataset.row === ''")


def test_each_stop_of_the_tab_key_is_visible(page):
    page.press("ArrowDown")
    stops = set()
    for _ in range(60):
        page.press("Tab")
        name, outline, inside = page.run(FOCUSED)
        if name == "BODY":
            break
        stops.add(name)
        assert outline != "none", name
        assert inside, name
    assert {
        "open-help",
        "play",
        "seek",
        "labels",
        "details",
        "threshold",
        "chip",
        "zoom-in",
        "who",
        "more fold",
    } <= stops


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("name", ["page.html", "plain.html", "nobody.html", "missing.html"])
def test_nothing_is_wider_than_the_window(browser, folder, name, width):
    opened(browser, folder, name, size=(width, 900))
    browser.press("ArrowDown")
    assert browser.run(TOO_WIDE) == [0, []]


def test_a_missing_video_is_said_and_the_rest_works(browser, folder):
    opened(browser, folder, "missing.html")
    browser.until("!document.getElementById('notice').hidden")
    assert "not there.mp4 cannot be shown" in text(browser, "#notice")
    browser.press("ArrowDown", "ArrowRight", "ArrowRight")
    assert text(browser, "#details h2") == "Person 1 at 0:02"
    assert shown_boxes(browser)[1] == pytest.approx(np.array(boxes(1, 2)), abs=0.01)
    browser.press(" ")
    browser.until("Number(document.getElementById('seek').value) > 2.3")
    browser.press(" ")
    assert shown_boxes(browser)[1][0] > boxes(1, 2)[0] + 0.01
    assert not [message for message in browser.messages if "not%20there" not in message and "not there" not in message]


@pytest.mark.parametrize("track", [3, 66, 70])
def test_a_person_far_down_the_timeline_is_scrolled_to(browser, folder, track):
    opened(browser, folder, "crowd.html")
    assert browser.run("document.querySelectorAll('.track').length") == 60
    assert "1 short track" in text(browser, ".fold")
    click_person(browser, track)
    browser.until(f"document.querySelector('.track.selected')?.dataset.track === '{track}'")
    _, top, _, height = rectangle(browser, "#tracks")
    _, row_top, _, row_height = rectangle(browser, ".track.selected")
    assert top <= row_top
    assert row_top + row_height <= top + height + 1
    assert browser.run("document.querySelectorAll('.track').length") == {3: 60, 66: 70, 70: 61}[track]


def test_pages_without_memory_or_persons_say_so(browser, folder):
    opened(browser, folder, "plain.html")
    browser.press("ArrowDown")
    assert "This model reads no memory" in text(browser, "#details")
    assert text(browser, ".scores thead").split() == ["Action", "score"]
    opened(browser, folder, "nobody.html")
    assert "No person was found in this video." in text(browser, "#timeline")
    browser.press("ArrowDown", "ArrowRight")
    browser.until("Math.abs(Number(document.getElementById('seek').value) - 1) < 0.05")
    assert browser.messages == []


def luminance(color):
    values = [int(value) / 255 for value in color.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrasts(browser):
    """Return the brightness of the ground, and the contrast of text and of quiet text on cards, as WCAG defines it."""
    ground, card, ink, quiet = browser.run(
        "(() => { const of = (s) => getComputedStyle(document.querySelector(s)); return [of('body').backgroundColor,"
        " of('#details').backgroundColor, of('#details').color, of('#about').color]; })()"
    )
    ratios = [
        (max(one, two) + 0.05) / (min(one, two) + 0.05)
        for one, two in ((luminance(card), luminance(ink)), (luminance(ground), luminance(quiet)))
    ]
    return luminance(ground), ratios


def test_dark_and_light_are_readable(browser, folder):
    schemes = [False, True] if browser.name == "chromium" else [False]
    for dark in schemes:
        if browser.name == "chromium":
            browser.dark(dark)
        opened(browser, folder)
        ground, ratios = contrasts(browser)
        assert (ground < 0.1) == dark
        assert ratios[0] > 10
        assert ratios[1] > 4.5
    if browser.name == "chromium":
        browser.dark(False)


def test_the_policy_is_in_force(browser, folder):
    opened(browser, folder)
    assert browser.messages == []
    browser.run(INJECT)
    browser.run("fetch('data:,x').catch(() => null).then(() => 1)")
    assert browser.run("document.title") == "one's own <video>"
    assert any("CSP script-src" in message for message in browser.messages)


def test_a_label_fades_under_the_pointer(page):
    seek(page, 3)
    page.until("Math.abs(document.getElementById('video').currentTime - 3) < 0.05")
    x, y = page.run(LABEL_PIXEL)
    left, top, _, _ = rectangle(page, "#boxes")
    alpha = f"document.getElementById('boxes').getContext('2d').getImageData({x + 3}, {y + 3}, 1, 1).data[3]"
    before = page.run(alpha)
    page.move(left + x + 3, top + y + 3)
    time.sleep(0.1)
    assert before > 150
    assert page.run(alpha) < 80
