"""The reference data in the repository is what other programs made, byte by byte, and no test of it can be skipped."""

import ast
import filecmp

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import GOLDEN, ROOT, SHARED

ORIGINALS = {
    "ava_eval": SHARED / "golden" / "ava_eval",
    "mmaction2": SHARED / "golden" / "mmaction2",
    "ava": SHARED / "ava",
    "paper_datasets": SHARED / "golden" / "paper_datasets",
    "backbones": SHARED / "golden" / "backbones",
}
PARTS = {"backbones": ["vit_b.safetensors", "vit_tiny_io.safetensors"]}  # of them, only what the tests read is kept


@pytest.mark.skipif(not SHARED.is_dir(), reason="the originals are not beside the project")
@pytest.mark.parametrize("folder", ORIGINALS)
def test_copies_equal_their_originals(folder):
    paths = [path.relative_to(GOLDEN / folder) for path in (GOLDEN / folder).rglob("*") if path.is_file()]
    names = [str(path) for path in paths if path.name not in PARTS.get(folder, ())]
    same, different, missing = filecmp.cmpfiles(GOLDEN / folder, ORIGINALS[folder], names, shallow=False)
    assert (sorted(same), different, missing) == (sorted(names), [], [])
    assert names


@pytest.mark.skipif(not SHARED.is_dir(), reason="the originals are not beside the project")
@pytest.mark.parametrize(("folder", "name"), [(folder, name) for folder, names in PARTS.items() for name in names])
def test_parts_equal_the_same_parts_of_their_originals(folder, name):
    kept, original = load_file(GOLDEN / folder / name), load_file(ORIGINALS[folder] / name)
    assert kept
    assert all(torch.equal(value, original[key]) for key, value in kept.items())


def skip_reasons(path):
    """The reason of every `skip`, `skipif` and `importorskip` in a test file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and "skip" in node.func.attr:
            given = [keyword.value for keyword in node.keywords if keyword.arg == "reason"] or node.args
            yield ast.unparse(given[0])


def test_tests_are_skipped_for_what_a_machine_lacks_only():
    """A reason that is not listed here would let a test of values go unseen where CI runs."""
    allowed = [
        "CUDA",
        "GPU",
        "right to mount",
        "right to make network namespaces",
        "lfb-lightning[ray]",
        "the originals are not beside the project",
    ]
    allowed += ["{program} is not installed", "has no decoder for H.264"]  # browsers, which .ci/run installs
    allowed += ["{shell} is not here", "there is always a display"]  # zsh and fish; macOS and Windows
    allowed += ["FFmpeg's libraries for torchcodec"]  # which .ci/run installs
    allowed += ["lfb-lightning[cloud]", "lfb-lightning[fiftyone]", "hadolint is not installed"]
    allowed += ["what builds the site needs Python 3.11", "needs Linux, which counts"]
    found = {(path.name, reason) for path in (ROOT / "tests").rglob("*.py") for reason in skip_reasons(path)}
    assert {entry for entry in found if not any(word in entry[1] for word in allowed)} == set()
