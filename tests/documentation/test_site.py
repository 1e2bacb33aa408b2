"""The site of the documentation: built without a warning, with every public name, and fetching nothing from elsewhere."""

import ast
import re
import runpy
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
import yaml
from markdown_it import MarkdownIt

import lfb_lightning
from tests.conftest import ROOT
from tests.documentation.links import Page, broken_links

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.version_info < (3, 11), reason="what builds the site needs Python 3.11"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    command = [sys.executable, str(ROOT / "scripts" / "docs_site.py"), "--without-outputs", "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.startswith(f"The site is in {folder / 'site'}: ")
    assert done.stdout.count("\n") == 1
    return folder / "site"


def navigation():
    """The pages that mkdocs.yml lists."""
    groups = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    return [
        page for group in groups for pages in group.values() if pages != "API" for one in pages for page in one.values()
    ]


def public_names():
    """Every name of every package's `__all__`, as it is written."""
    source = ROOT / "src"
    for path in sorted((source / "lfb_lightning").rglob("__init__.py")):
        package = ".".join(path.parent.relative_to(source).parts)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                yield from ((package, name) for name in ast.literal_eval(node.value))


def test_every_page_is_in_the_navigation_once():
    notebooks = [path.with_suffix(".md") for path in (ROOT / "examples" / "notebooks").glob("*.ipynb")]
    others = ("README", "CHANGELOG", "CONTRIBUTING", "examples/README", "benchmarks/README")
    wanted = [*(ROOT / "docs").glob("*.md"), *notebooks, *(ROOT / f"{name}.md" for name in others)]
    assert sorted(navigation()) == sorted(path.relative_to(ROOT).as_posix() for path in wanted)


def test_every_page_is_built_and_every_link_leads_somewhere(site):
    for page in navigation():
        name = re.sub(r"(^|/)README\.md$", r"\1index.md", page)
        assert (site / name).with_suffix(".html").is_file(), page
    assert broken_links(site) == []


def test_the_site_has_the_lists_and_tables_of_the_code_host(site):
    commonmark = MarkdownIt("commonmark").enable("table")
    for page in navigation():
        if page.startswith("examples/notebooks"):
            continue
        built = (site / re.sub(r"(^|/)README\.md$", r"\1index.md", page)).with_suffix(".html").read_text()
        built = built[built.index("<article") : built.index("</article>")]
        wanted = commonmark.render((ROOT / page).read_text())
        for tag in ("li", "ul", "ol", "pre", "tr", "img", "h2", "h3"):
            assert (tag, len(re.findall(f"<{tag}[ >]", built))) == (tag, len(re.findall(f"<{tag}[ >]", wanted))), page


def test_every_public_name_has_an_entry(site):
    names = list(public_names())
    assert ("lfb_lightning.bank", "FeatureBank") in names
    assert len(names) > 80
    missing = []
    for package, name in names:
        if package == "lfb_lightning":  # its names are those of other packages
            continue
        page = site / "api" / f"{package.removeprefix('lfb_lightning.')}.html"
        if not page.is_file() or f"{package}.{name}" not in Page(page.read_text()).ids:
            missing.append(f"{package}.{name}")
    assert missing == []
    linked = {target.rpartition(".")[2] for target in Page((site / "api" / "index.html").read_text()).links}
    assert set(lfb_lightning.__all__) - {"__version__"} <= linked


def test_entries_say_what_docstrings_say(site):
    entry = (site / "api" / "bank.html").read_text()
    assert "Read the window around one keyframe, as a batch of one" in entry
    assert "lfb-extract" in (site / "docs" / "bank.html").read_text()


def test_nothing_is_fetched_from_elsewhere(site):
    for path in site.rglob("*.html"):
        outside = [target for target in Page(path.read_text()).fetched if urlsplit(target).netloc]
        assert outside == [], path
    for path in site.rglob("*.css"):
        assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^)]*", path.read_text()) == [], path


def test_a_link_to_a_folder_or_a_file_does_not_lead_astray(site):
    page = (site / "examples" / "index.html").read_text()
    assert 'href="extension/src/lfb_extension/backbone.py"' in page
    assert 'href="extension"' not in page


def test_what_the_builder_says_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    builder = runpy.run_path(str(ROOT / "scripts" / "docs_site.py"))
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "README.md").write_text("# A page\n\n[nowhere](missing.md) [astray](#not-here)\n")
    wrong = "\n".join(builder["build"](tmp_path))
    assert "docs/tutorial.md: in the navigation" in wrong
    assert "page does not exist" in wrong
    assert "[nowhere](missing.md)" in wrong
    assert "anchor does not exist" in wrong
