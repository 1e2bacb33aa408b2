"""Collects the pages of the documentation in a folder, with their paths in this repository, and builds the site there.

`bash scripts/docs.sh` installs what this needs and runs it. A link to a page stays as it is; a file that a page links to is
taken along; a link to a folder becomes plain text, and one to a notebook leads to its page.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from docs_api import api_pages, api_titles
from docs_markdown import for_python_markdown
from docs_notebooks import notebook_page

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = "examples/notebooks"
COLOR = re.compile(r"\x1b\[[0-9;]*m")
LINK = re.compile(r"(?<=\]\()([^)\s#]+)(#[^)\s]*)?(?=\))")


def pages() -> list[str]:
    """Return the paths of the pages in this repository."""
    docs = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))
    return ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "examples/README.md", "benchmarks/README.md", *docs]


def collect(out: Path, *, run_notebooks: bool) -> None:
    """Write all pages and what they link to into `out`."""
    for page in pages():
        _write(out / page, for_python_markdown(_linked(page, (ROOT / page).read_text(encoding="utf-8"), out)))
    for notebook in sorted((ROOT / NOTEBOOKS).glob("*.ipynb")):
        page = f"{NOTEBOOKS}/{notebook.stem}.md"
        text = notebook_page(notebook, (out / page).parent, run=run_notebooks)
        _write(out / page, for_python_markdown(_linked(page, text, out, leave=notebook.name)))
        shutil.copy(notebook, out / NOTEBOOKS)
    for name, text in api_pages().items():
        _write(out / "api" / name, text)
    for name in ("site.css", "favicon.svg"):
        shutil.copy(ROOT / "docs" / name, out / "docs")


def build(folder: Path) -> list[str]:
    """Build the site of `folder/pages` as `folder/site`; return the lines of what is wrong."""
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    (api,) = (entry for entry in settings["nav"] if "API" in entry)
    api["API"] = [{title: f"api/{name}"} for name, title in api_titles().items()]
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    listed = [
        page for group in settings["nav"] for entries in group.values() for one in entries for page in one.values()
    ]
    missing = [
        f"{page}: in the navigation of mkdocs.yml, and not there"
        for page in listed
        if not (folder / "pages" / page).is_file()
    ]
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", "mkdocs.yml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    said = COLOR.sub("", done.stdout + done.stderr).partition("Traceback (most recent call last)")[0].splitlines()
    quiet = ("Build started", "Build finished", "No issues found")
    wrong = [line for line in said if line.strip() and not line.startswith(quiet)]
    if done.returncode and not wrong:  # its own failure
        wrong = done.stderr.splitlines()[-5:]
    return [*missing, *wrong]


def main() -> int:
    """Build the site, and say where it is or what is wrong."""
    parser = argparse.ArgumentParser(description="Builds the documentation as a site.")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "docs", help="its folder; what is in it is replaced"
    )
    parser.add_argument(
        "--without-outputs", action="store_true", help="do not run the notebooks: their pages show code alone"
    )
    arguments = parser.parse_args()
    folder = arguments.out.resolve()
    for part in ("pages", "site", ".cache"):
        shutil.rmtree(folder / part, ignore_errors=True)
    collect(folder / "pages", run_notebooks=not arguments.without_outputs)
    warnings = build(folder)
    if warnings:
        print("\n".join([*warnings, "The site was not built: mend what is named above."]))
        return 1
    print(
        f"The site is in {folder / 'site'}: open index.html there, or serve it for the search (python -m http.server)."
    )
    return 0


def _linked(page: str, text: str, out: Path, leave: str = "") -> str:
    """Return a page's text with links that lead somewhere on the site, and take along the files that they name."""
    staged = set(pages())

    def place(match: re.Match[str]) -> str:
        target, anchor = match[1], match[2] or ""
        path = (ROOT / page).parent.joinpath(target).resolve()
        if "://" in target or target == leave or not path.is_relative_to(ROOT):
            return match[0]
        if path.suffix == ".ipynb":
            return target.removesuffix(".ipynb") + ".md"
        name = path.relative_to(ROOT).as_posix()
        if path.is_file() and name not in staged:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, out / name)
        return target + anchor

    without_folders = re.sub(
        r"(?<!!)\[([^\]]*)\]\(([^)\s#:]+)\)",
        lambda match: match[1] if (ROOT / page).parent.joinpath(match[2]).is_dir() else match[0],
        text,
    )
    return LINK.sub(place, without_folders)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
