"""The notebooks run from their first cell to their last, in a folder of their own, and find what their texts say."""

import json
import os
import runpy

import nbformat
import pytest

from tests.conftest import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Kernel is running over TCP"),
]
NOTEBOOKS = ROOT / "examples" / "notebooks"


@pytest.fixture
def run(monkeypatch):
    """Runs a notebook, and returns it with the values of an expression behind its last cell."""
    script = runpy.run_path(str(ROOT / "scripts" / "docs_notebooks.py"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))

    def begin(name, expression):
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        notebook.cells.append(nbformat.v4.new_code_cell(f"import json\nprint(json.dumps({expression}))"))
        before = sorted(NOTEBOOKS.rglob("*"))
        script["run_notebook"](notebook, NOTEBOOKS)
        assert sorted(NOTEBOOKS.rglob("*")) == before
        return notebook, json.loads(notebook.cells[-1].outputs[0].text)

    return begin


def pictures(notebook):
    return [one for cell in notebook.cells for one in cell.get("outputs", []) if "image/png" in one.get("data", {})]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_they_are_kept_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].source.startswith("# ")
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_quickstart_tour_learns_what_a_clip_shows(run):
    numbers = (
        "'first': losses[0], 'last': sum(losses[-10:]) / 10, 'memory': memory_losses[-1], 'table': table.to_dict()"
    )
    counts = "'rows': bank.manifest.num_rows, 'persons': sum(map(len, rois))"
    notebook, found = run("quickstart_tour", f"{{{numbers}, {counts}}}")
    assert found["last"] < found["first"] / 3
    assert found["memory"] < found["last"] * 1.5
    assert found["rows"] == found["persons"] > 500
    short_term, long_term = (found["table"][name] for name in ("short-term", "long-term"))
    assert short_term["baseline"] > 0.6  # 0.88 here; chance is below 0.3
    assert short_term["with memory"] > 0.6
    assert 0 < long_term["baseline"] < short_term["baseline"]
    assert len(pictures(notebook)) == 1


def test_a_bank_s_neighbors_and_attention_know_who_is_who(run):
    likeness = "'likeness': {kind: list(map(float, row)) for kind, row in neighbors.T.items()}"
    attention = "'attention': table.attention.to_dict(), 'share': table.iloc[:, 1].to_dict()"
    notebook, found = run("look_into_a_bank", f"{{{likeness}, {attention}, 'right': float(np.mean(right))}}")
    for kind, (nearest, anyone) in found["likeness"].items():
        assert nearest > anyone + 0.3, kind
    assert found["right"] > 0.8
    assert found["attention"]["own sign"] > 0.6
    assert found["share"]["own sign"] < 0.2
    assert abs(sum(found["attention"].values()) - 1) < 0.01
    assert len(pictures(notebook)) == 3
