"""The repository's own files say what is true: pre-commit runs what CI runs, and the floors are those that are tested."""

import re
import runpy
from pathlib import Path

import yaml

from tests.test_floors import FLOOR

ROOT = Path(__file__).parents[1]


def test_pre_commit_runs_the_checks_of_the_test_script():
    checks = re.findall(r"^\.venv/bin/(?:ruff|mypy).*", (ROOT / "scripts/test.sh").read_text(), re.MULTILINE)
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == checks
    assert len(checks) == 3


def test_the_citation_names_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    (paper,) = citation["references"]
    assert (paper["authors"][0]["family-names"], paper["year"]) == ("Wu", 2019)
    assert citation["authors"] == [{"name": "The lfb-lightning developers"}]


def test_documented_floors_are_the_tested_ones():
    for page in ("CONTRIBUTING.md", "docs/architecture.md"):
        rows = re.findall(r"^\| (\d) \| ([^|]*) \|", (ROOT / page).read_text(), re.MULTILINE)
        found = {name: int(floor) for floor, names in rows for name in re.findall(r"`(\w+)(?:/|\.py)`", names)}
        assert found == {name: floor for name, floor in FLOOR.items() if name != "version"}, page


def test_the_picture_shows_the_tested_floors():
    floors = runpy.run_path(str(ROOT / "docs/draw_architecture.py"))["FLOORS"]
    found = {
        name: int(floor) for floor, _, rooms in floors for room in rooms for name in room[0].replace("/", "").split()
    }
    assert found == {name: floor for name, floor in FLOOR.items() if name != "version"}
