"""The floors of the house: a file imports lower floors or its own folder; Lightning and Hydra stay upstairs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "lfb_lightning"
FLOOR = {
    "structures": 0,
    "movable": 0,
    "bank_window": 0,
    "boxes": 0,
    "errors": 0,
    "clock": 0,
    "collector": 0,
    "ranges": 0,
    "files": 0,
    "processes": 0,
    "version": 0,
    "ava": 1,
    "charades": 1,
    "epic": 1,
    "video": 1,
    "bank": 1,
    "models": 1,
}
FLOOR |= {
    "clips": 2,
    "persons": 2,
    "metrics": 2,
    "mini_ava": 2,
    "converters": 2,
    "mini_charades": 3,
    "mini_epic": 3,
    "datasets": 3,
    "viz": 3,
    "exporting": 3,
    "lightning": 4,
    "prediction": 4,
    "reporting": 4,
    "clusters": 5,
    "live": 5,
    "doctor": 5,
    "cli": 6,
}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__")


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    here = room(path)
    for module in imported_modules(path):
        top, *rest = module.split(".")
        if top == "lfb_lightning" and rest:
            same_folder = rest[0] == here or FLOOR[rest[0]] == FLOOR[here] == 0  # floor 0 is files of one folder
            assert same_folder or FLOOR[rest[0]] < FLOOR[here], f"{path}: {module}"
        if top in ("pytorch_lightning", "lightning"):
            assert FLOOR[here] >= FLOOR["lightning"], f"{path}: {module}"
        if top in ("hydra", "omegaconf"):
            assert here == "cli", f"{path}: {module}"


LIBRARY = [
    "bank",
    "ava",
    "charades",
    "epic",
    "video",
    "models",
    "metrics",
    "clips",
    "persons",
    "datasets",
    "prediction",
]
COMMANDS = [  # those that may load less stand first: one process loads them all, one after the other
    ("cli.eval", ["torch", "pytorch_lightning"]),  # their start takes longer than evaluating two million rows
    ("cli.report", ["torch", "pytorch_lightning"]),
    ("cli.bank", ["pytorch_lightning"]),
    ("cli.import_weights", ["pytorch_lightning"]),
    ("cli.detect", ["pytorch_lightning", "onnxruntime", "transformers", "trackers"]),  # each process of it loads it
]


@pytest.mark.parametrize(
    "loads",
    [[(room, ["pytorch_lightning", "hydra", "omegaconf"]) for room in LIBRARY], COMMANDS],
    ids=["library", "commands"],
)
def test_nothing_loads_more_than_it_needs(loads):
    code = (
        "import importlib, sys\n"
        f"for name, unwanted in {loads}:\n"
        "    importlib.import_module(f'lfb_lightning.{name}')\n"
        "    print(name, [one for one in unwanted if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{name} []" for name, _ in loads]


def test_files_stay_small():
    assert {str(path): n for path in FILES if (n := len(path.read_text().splitlines())) > 250} == {}
