"""Every link of the pages in this repository leads somewhere, as a code host follows it; no network is asked."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import ROOT
from tests.documentation.links import broken_links, markdown_anchors, markdown_links

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += [ROOT / "examples" / "README.md", ROOT / "benchmarks" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))


def text_of(path):
    """A page's Markdown; of a notebook, that of its text cells."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def test_pages_are_found():
    assert {"faq.md", "tutorial.md", "from-pyslowfast.md"} <= {path.name for path in PAGES}
    assert len(NOTEBOOKS) == 2
    assert sum(len(markdown_links(text_of(path))) for path in PAGES) > 200


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in markdown_links(text_of(page)):
        parts = urlsplit(target)
        if parts.scheme:
            assert parts.scheme in ("http", "https"), target
            assert "." in parts.netloc, target
            continue
        there = (page.parent / parts.path).resolve() if parts.path else page
        assert there.is_relative_to(ROOT), target
        assert there.exists(), f"{page.name} links to {target}"
        if parts.fragment and there.suffix == ".md":
            assert parts.fragment in markdown_anchors(text_of(there)), f"{page.name} links to {target}"


@pytest.mark.parametrize("question", text_of(ROOT / "docs" / "faq.md").split("\n### ")[1:])
def test_an_answer_is_short_and_names_a_page(question):
    title, _, answer = question.partition("\n")
    answer = answer.partition("\n## ")[0]
    assert title.endswith(("?", "."))
    assert any(not urlsplit(target).scheme for target in markdown_links(answer)), title
    assert len(answer.split()) < 90, title


def test_what_is_a_link_and_an_anchor():
    text = "# A `b`: c_d, (e)\n## Two\n[x](one.md#two) `[no](link)`\n```\n[no](code)\n# no heading\n```\n"
    text += "## Two\n![p](q.png)\n"
    assert markdown_links(text) == ["one.md#two", "q.png"]
    assert markdown_anchors(text) == {"a-b-c_d-e", "two", "two-1"}


def test_what_is_broken_on_a_site(tmp_path):
    (tmp_path / "a.html").write_text(
        '<h1 id="top"></h1><a href="b.html#here">x</a><a href="#top">x</a><img src="p.png">'
    )
    (tmp_path / "b.html").write_text(
        '<a href="a.html#away">x</a><a href="https://example.org">x</a><a name="here"></a>'
    )
    assert broken_links(tmp_path) == ["a.html -> p.png", "b.html -> a.html#away"]
    Path(tmp_path / "p.png").touch()
    assert broken_links(tmp_path) == ["b.html -> a.html#away"]
