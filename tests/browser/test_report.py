"""The report in real browsers, opened from disk: it shows what it was given, and works with the keyboard alone."""

import dataclasses

import pytest

from lfb_lightning.reporting import write_report
from tests.browser import driver
from tests.browser.test_page import CORNER, FOCUSED, INJECT, NOTHING, luminance, text
from tests.reporting.example import (
    FIRST,
    LONG,
    NAMES,
    SECOND,
    write_files,
    write_test_run,
    write_training_run,
    write_videos,
)

pytestmark = pytest.mark.slow
MINUS = "\N{MINUS SIGN}"
PAGES = ["all.html", "one.html", "training.html", "result.html"]
TOO_WIDE = """(() => {
    const wide = document.documentElement.clientWidth;
    const apart = ".scroller > *, #keys > *, .unseen, .plot svg";
    const all = [...document.querySelectorAll("body *")].filter((e) => !e.closest(apart));
    const out = all.filter((e) => e.getBoundingClientRect().right > wide + 0.5);
    return [document.documentElement.scrollWidth - wide, out.map((e) => e.id || e.className)];
})()"""
CLASS_IDS = "[...document.querySelectorAll('.choose')].map((button) => Number(button.dataset.id))"
APS = """[...document.querySelectorAll('.classes tbody tr')].map((line) =>
    [...line.querySelectorAll('.aps .number')].map((cell) => cell.textContent))"""
SORTED = "[...document.querySelectorAll('.classes thead th')].map((cell) => cell.getAttribute('aria-sort'))"
KINDS = """[...document.querySelectorAll('.card:first-child .region')].map((region) =>
    [...region.querySelectorAll('li')].map((item) => item.className))"""
CARDS = """[...document.querySelectorAll('.card')].map((card) =>
    [card.querySelector('.video').textContent, card.querySelector('.card-head b').textContent,
     card.querySelector('img') !== null, card.querySelectorAll('.box').length])"""
LOADED = """performance.getEntriesByType('resource').map((entry) => entry.name)
    .filter((name) => !name.startsWith('data:'))"""
READ = "document.activeElement.getAttribute('aria-valuetext')"


@dataclasses.dataclass(frozen=True)
class Pages:
    """The folder with the written pages."""

    folder: object

    def open(self, browser, name, width=1200):
        browser.size(width, 900)
        browser.open(self.folder / name)
        browser.until("document.documentElement.dataset.drawn === 'true'")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Reports of everything, of a test, of a training, and of a result file without its videos."""
    folder = tmp_path_factory.mktemp("report")
    given = write_files(folder)
    write_videos(folder / "videos")
    first = write_test_run(folder / "first", folder, FIRST)
    second = write_test_run(folder / "a'<b>\u202e second", folder, SECOND, fps=12.0)
    trained = write_training_run(folder / "trained")
    (folder / ("long" * 40)).mkdir()
    longest = write_training_run(folder / ("long" * 40) / ("name" * 60))
    write_report(folder / "all.html", runs=[first, second, trained, longest], resamples=50)
    write_report(folder / "one.html", runs=[first])
    killed = write_training_run(folder / "killed", log="step,train/loss_step\n1,nan\n2")
    write_report(folder / "training.html", runs=[killed])
    (folder / "truth.csv").write_text((folder / "truth.csv").read_text().replace("w,", f"{'w' * 9_000},"))
    (folder / "empty.csv").write_text("")
    write_report(folder / "result.html", results=[folder / "empty.csv"], sources=given)
    return Pages(folder)


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def browser(request):
    if (program := driver.missing(request.param)) is not None:
        pytest.skip(f"{program} is not installed")
    with driver.start(request.param) as started:
        yield started


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_said_loaded_or_wider_than_the_window(browser, pages, name):
    for width in (400, 1600):
        pages.open(browser, name, width)
        browser.run("document.querySelectorAll('details').forEach((box) => { box.open = true; })")
        browser.until("document.querySelector('#keys').children.length || document.getElementById('settings').hidden")
        assert browser.run(TOO_WIDE) == [0, []]
    assert browser.run(LOADED) == []
    assert browser.messages == []


def test_the_figures_are_shown(browser, pages):
    pages.open(browser, "one.html")
    assert text(browser, ".tile.main b") == "0.3889"
    assert browser.run(CLASS_IDS) == [1, 2, 4, 3]
    assert browser.run(APS) == [["0.6667"], ["0.5000"], ["0.0000"], [NOTHING]]
    assert "AP 0.6667; 2 of 3 labels found by 2 detections" in text(browser, "#class-detail")
    assert browser.run("document.querySelectorAll('.choose')[1].textContent") == NAMES[2]
    assert browser.run(CARDS) == [["v", f"{MINUS}0.03", True, 2], ["w", "+0.00", False, 1], ["v", "+0.50", True, 1]]
    browser.until("document.querySelector('.card img').naturalWidth === 160")
    assert browser.run(KINDS) == [["found", "false", "found"], ["false", "false", "missed"]]


def test_runs_are_held_against_the_first(browser, pages):
    pages.open(browser, "all.html")
    assert browser.run("[...document.querySelectorAll('.overview tbody .strong')].map((cell) => cell.textContent)") == [
        "0.3889",
        "0.7222",
        "0.3750",
        "0.3750",
    ]
    verdicts = browser.run("[...document.querySelectorAll('.verdict p')].map((line) => line.textContent)")
    assert "+0.3333 (95 % interval over 2 videos: +0.0000 to +1.0000; better in" in verdicts[1]
    assert "the interval holds 0" in verdicts[1]
    assert f"{MINUS}0.0139 (no interval, since it has no stored detections" in verdicts[2]
    assert browser.run("document.querySelectorAll('.plot').length") == 4  # loss, mAP, learning rate, precision


def test_sorting_and_choosing_with_the_keyboard(browser, pages):
    pages.open(browser, "one.html")
    browser.run("document.querySelector('[data-sort=\"truth\"]').focus()")
    browser.press("Enter")
    assert (browser.run(CLASS_IDS), browser.run(SORTED)) == ([1, 2, 4, 3], ["none", "none", "descending", "none"])
    browser.press("Enter")
    assert (browser.run(CLASS_IDS), browser.run(SORTED)) == ([3, 2, 4, 1], ["none", "none", "ascending", "none"])
    browser.press("Tab", "Tab", "Enter")  # past "Detections", to the first class
    assert "no labels, so no AP; 2 detections" in text(browser, "#class-detail")
    browser.run("document.querySelector('[data-sort=\"name\"]').focus()")
    browser.press("Enter")
    assert browser.run(CLASS_IDS) == [2, 4, 1, 3]
    browser.run("document.getElementById('class-filter').focus()")
    browser.press("T", "a", "l")
    assert browser.run(CLASS_IDS) == [3]
    browser.press("z")
    assert text(browser, "#class-list") == "No class has such a name."


def test_a_curve_is_read_with_the_arrow_keys(browser, pages):
    pages.open(browser, "all.html")
    browser.run("document.querySelectorAll('#legend button')[3].click()")  # the run with the long name is put away
    browser.run("document.querySelector('#panels .chart:nth-child(2) .plot').focus()")
    assert browser.run(READ) is None
    browser.press("ArrowRight")
    assert browser.run(READ) == "step 19: trained 0.25"
    browser.press("End")
    assert browser.run(READ) == "step 39: trained 0.375"
    browser.press("Escape")
    assert browser.run(READ) is None
    browser.run("document.getElementById('by-epoch').click()")
    browser.run("document.querySelector('#panels .chart:nth-child(2) .plot').focus()")
    browser.press("ArrowRight")
    assert browser.run(READ) == "epoch 1: trained 0.25"


def test_a_curve_is_read_with_the_mouse(browser, pages):
    pages.open(browser, "all.html")
    browser.run("document.querySelector('#panels').scrollIntoView()")
    left, top, width, _ = browser.run(CORNER.replace("SELECTOR", "#panels .chart:nth-child(2) .plot"))
    browser.move(left + width - 14, top + 60)
    assert text(browser, "#panels .chart:nth-child(2) .readout").startswith("step 39")


def test_lists_of_key_frames_are_tabs(browser, pages):
    pages.open(browser, "all.html")
    browser.run("document.getElementById('tab-worst').focus()")
    browser.press("ArrowRight", "ArrowRight")
    browser.until("document.activeElement.id === 'tab-gained'")
    assert browser.run("document.activeElement.getAttribute('aria-selected')") == "true"
    assert browser.run(CARDS) == [["w", "+0.90", False, 1]]
    browser.press("ArrowRight")
    assert text(browser, "#cards") == "There are none."
    browser.press("Home")
    assert browser.run("document.activeElement.id") == "tab-worst"
    assert len(browser.run(CARDS)) == 3


def test_hidden_runs_are_hidden_everywhere(browser, pages):
    pages.open(browser, "all.html")
    assert browser.run(APS)[0] == ["0.6667", "0.6667", "0.5000", "0.5000"]
    for number in (2, 3):
        browser.run(f"document.querySelectorAll('#legend button')[{number}].click()")
    assert browser.run("document.activeElement.getAttribute('aria-pressed')") == "false"
    assert browser.run(APS)[0] == ["0.6667", "0.6667"]
    assert browser.run("document.querySelectorAll('#panels .line').length") == 0


def test_the_configurations_are_searched_and_compared(browser, pages):
    pages.open(browser, "all.html")
    browser.run("document.querySelector('#settings summary').focus()")
    browser.press("Enter")
    keys = "[...document.querySelectorAll('.keys tbody th')].map((cell) => cell.textContent)"
    browser.until(f"{keys}.length")
    assert "data.fps" in browser.run(keys)
    assert "seed" in browser.run(keys)
    browser.run("document.getElementById('key-filter').focus()")
    browser.press("f", "p", "s")
    assert browser.run(keys) == ["data.fps"]
    assert text(browser, ".keys tbody").split("\t")[1:] == [NOTHING, "12.0", "30.0", "30.0"]


def test_missing_videos_are_said_once(browser, pages):
    pages.open(browser, "result.html")
    assert "videos=FOLDER" in text(browser, "#frames-about")
    assert len(browser.run(CARDS)) == 3
    assert browser.run("document.querySelectorAll('.card .why').length") == 0
    assert text(browser, ".tile.main b") == "0.0000"


def test_what_is_not_there_has_no_section(browser, pages):
    pages.open(browser, "training.html")
    assert browser.run("document.getElementById('frames').hidden")
    assert "1 line is incomplete" in text(browser, ".notes")
    assert text(browser, "nav").split() == ["Summary", "Curves", "Classes", "Configuration"]


def test_each_stop_of_the_tab_key_is_visible(browser, pages):
    pages.open(browser, "all.html")
    stops = set()
    for _ in range(60):
        browser.press("Tab")
        name, outline, inside = browser.run(FOCUSED)
        if name == "BODY":
            break
        stops.add(name)
        assert outline != "none", name
        assert inside, name
    assert {
        "A",
        "chip",
        "scroller",
        "by-step",
        "plot",
        "sort",
        "choose",
        "class-filter",
        "tab-worst",
        "frame-of",
        "cards",
        "SUMMARY",
    } <= stops


def test_dark_and_light_are_readable(browser, pages):
    for dark in [False, True] if browser.name == "chromium" else [False]:
        if browser.name == "chromium":
            browser.dark(dark)
        pages.open(browser, "all.html")
        colors = browser.run(
            "(() => { const of = (s) => getComputedStyle(document.querySelector(s)); return ["
            "of('body').backgroundColor, of('#summary').backgroundColor, of('#summary').color, of('#about').color,"
            " of('.up').color, of('.down').color]; })()"
        )
        ground, card, *words = map(luminance, colors)
        assert (ground < 0.1) == dark
        ratios = [(max(card, word) + 0.05) / (min(card, word) + 0.05) for word in words]
        assert ratios[0] > 10
        assert min(ratios) > 4.5
    if browser.name == "chromium":
        browser.dark(False)


def test_the_policy_is_in_force(browser, pages):
    pages.open(browser, "one.html")
    browser.run(INJECT)
    browser.run("fetch('data:,x').catch(() => null).then(() => 1)")
    assert browser.run("document.title") == "first"
    assert any("CSP script-src" in message for message in browser.messages)


def test_the_longest_name_is_whole_in_the_data_and_cut_on_the_screen(browser, pages):
    pages.open(browser, "one.html", 400)
    assert browser.run("document.querySelector('.choose[data-id=\"4\"]').textContent") == LONG
    assert browser.run("document.querySelector('.choose[data-id=\"4\"]').getBoundingClientRect().height") < 60
