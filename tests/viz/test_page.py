"""A page is one file that holds what it was given, safely, and nothing that refers to elsewhere."""

import base64
import dataclasses
import hashlib
import html
import json
import re
from importlib import resources

import numpy as np
import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.viz.page import Page, PageAttention, PageRow, write_page

JPEG = b"\xff\xd8 not really a picture"


def example():
    return Page(
        title="a & <b>",
        video="clips/a #1.mp4",
        seconds=4.0,
        width=64,
        height=48,
        moments=[0.5, 1.5, 2.5],
        actions=["stand", "</script><script>alert(1)</script>", "走る"],
        rows=[
            PageRow(moment=1, track=7, box=(0.1, 0.2, 0.3, 0.4), score=0.9, actions=[(2, 0.75), (0, 0.25)]),
            PageRow(
                moment=2,
                track=3,
                box=(-0.01, 0.0, 1.0, 1.2),
                score=0.5,
                actions=[],
                without=[(1, 1.0)],
                attention=[
                    PageAttention(empty=0.5, rest=0.125, rows=[(0, 0.25), (1, 0.125)]),
                    PageAttention(empty=1.0, rest=0.0, rows=[]),
                ],
            ),
        ],
        thumbnails=[(0.5, JPEG)],
        window=(30.0, 30.0),
        threshold=0.4,
        model="nl",
        compare="baseline",
    )


def written(path, page):
    write_page(path, page)
    return path.read_text("utf-8")


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def numbers(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype).tolist()


def test_the_data_are_what_was_given(tmp_path):
    data = data_of(written(tmp_path / "page.html", example()))
    page = example()
    for field in (
        "title",
        "video",
        "seconds",
        "width",
        "height",
        "moments",
        "actions",
        "threshold",
        "model",
        "compare",
    ):
        assert data[field] == getattr(page, field), field
    assert data["window"] == [30.0, 30.0]
    assert data["thumbnails"] == {"seconds": [0.5], "jpeg": [base64.b64encode(JPEG).decode()]}
    rows = data["rows"]
    assert (rows["count"], numbers(rows["moment"], "<u4"), numbers(rows["track"], "<u4")) == (2, [1, 2], [7, 3])
    expected = np.array([0.1, 0.2, 0.3, 0.4, 0, 0, 1, 1])
    assert numbers(rows["box"], "<u2") == pytest.approx(expected * 65535, abs=0.5)
    assert [numbers(rows["actions"][key], kind) for key, kind in (("end", "<u4"), ("index", "<u4"))] == [[2, 2], [2, 0]]
    assert numbers(rows["actions"]["share"], "<u2") == pytest.approx([0.75 * 65535, 0.25 * 65535], abs=0.5)
    assert numbers(rows["without"]["end"], "<u4") == [0, 1]


def test_attention_has_an_entry_for_each_row_and_layer(tmp_path):
    attention = data_of(written(tmp_path / "page.html", example()))["rows"]["attention"]
    assert attention["layers"] == 2
    assert numbers(attention["empty"], "<u2") == pytest.approx([0, 0, 0.5 * 65535, 65535], abs=0.5)
    assert numbers(attention["rest"], "<u2") == pytest.approx([0, 0, 0.125 * 65535, 0], abs=0.5)
    assert numbers(attention["end"], "<u4") == [0, 0, 2, 2]
    assert numbers(attention["index"], "<u4") == [0, 1]


def test_no_name_ends_an_element_and_no_marker_is_filled_twice(tmp_path):
    page = dataclasses.replace(example(), title="@data@ </title><img src=x>")
    text = written(tmp_path / "page.html", page)
    assert text.count("</script>") == 2
    assert "<img src=x>" not in text
    assert html.escape(page.title) in text
    assert text.count('"moments":') == 1


def test_the_policy_allows_this_script_and_style_only(tmp_path):
    text = written(tmp_path / "page.html", example())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert not re.search(r"https?:", text)
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"moments": [0.5, 0.5, 2.5]}, "moments do not ascend"),
        ({"moments": [0.5]}, "numbered from 1 to 2, expected 0 to 0"),
        ({"actions": ["stand"]}, "actions are numbered from 0 to 2"),
        ({"seconds": float("nan")}, "not JSON compliant"),
    ],
)
def test_a_page_that_contradicts_itself_is_refused(tmp_path, change, words):
    with pytest.raises(ValueError, match=words):
        write_page(tmp_path / "page.html", dataclasses.replace(example(), **change))
    assert list(tmp_path.iterdir()) == []


def test_rows_with_different_layers_are_refused(tmp_path):
    first, second = example().rows
    rows = [dataclasses.replace(first, attention=second.attention[:1]), second]
    with pytest.raises(ValueError, match="differ in their number of layers"):
        write_page(tmp_path / "page.html", dataclasses.replace(example(), rows=rows))


def test_attention_that_is_not_a_distribution_is_refused(tmp_path):
    first, second = example().rows
    wrong = dataclasses.replace(second.attention[0], rest=0.5)
    rows = [first, dataclasses.replace(second, attention=[wrong, wrong])]
    with pytest.raises(ValueError, match=r"sum to 1\.375, expected 1"):
        write_page(tmp_path / "page.html", dataclasses.replace(example(), rows=rows))


def test_broken_file_names_and_missing_folders(tmp_path):
    page = dataclasses.replace(example(), title="caf\udce9", rows=[], moments=[])
    assert data_of(written(tmp_path / "page.html", page))["rows"]["attention"] is None
    with pytest.raises(InputError, match="cannot be written"):
        write_page(tmp_path / "no" / "page.html", page)


def test_every_part_of_the_template_is_used(tmp_path):
    text = written(tmp_path / "page.html", example())
    parts = list(resources.files("lfb_lightning.viz.page").joinpath("template").iterdir())
    assert len(parts) == 10
    for part in parts:
        assert part.name == "page.html" or part.read_text("utf-8") in text
        assert len(part.read_text("utf-8").splitlines()) <= 280, part.name
