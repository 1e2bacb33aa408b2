"""The Dockerfile: hadolint has nothing to say, what it copies is there and is sent, and its sentences are true."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
HADOLINT = shutil.which("hadolint", path=Path(sys.executable).parent) or shutil.which("hadolint")
COPIED = [source for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]]


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed (extra dev)")
def test_hadolint_finds_nothing():
    done = subprocess.run([HADOLINT, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_everything_that_is_copied_exists_and_is_sent_to_the_builder():
    assert {"pyproject.toml", "conf", "src"} <= set(COPIED)
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert sent == set(COPIED)
    for source in COPIED:
        assert (ROOT / source).exists(), source


def test_all_that_the_build_of_the_wheel_reads_is_copied():
    project = (ROOT / "pyproject.toml").read_text().split("[tool.ruff]")[0]
    named = re.findall(r'^(?:readme|license-files|path|packages) = \[?"([^"]+)"', project, re.MULTILINE)
    assert len(named) >= 4
    assert {name.split("/")[0] for name in named} | {"conf"} <= set(COPIED)


def test_it_runs_as_a_user_of_a_program_that_is_installed():
    assert re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE) == ["1000"]
    assert 'ENTRYPOINT ["lfb"]' in DOCKERFILE
    assert re.search(r"^lfb = ", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert not re.search(r"https?://", DOCKERFILE)  # an index is an argument
