"""The wheel that is built from the sdist carries the configuration, and runs from another folder without the checkout."""

import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """A new environment with our wheel in it; the dependencies are borrowed from this one."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    site = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    Path(site, "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
    subprocess.run([*install, "--force-reinstall", "--no-index", str(built[0])], check=True)
    return folder


def test_archives_hold_every_yaml(built):
    expected = {str(path.relative_to(ROOT)) for path in (ROOT / "conf").rglob("*.yaml")}
    wheel = {name for name in zipfile.ZipFile(built[0]).namelist() if name.endswith(".yaml")}
    assert {name.removeprefix("lfb_lightning/") for name in wheel} == expected
    with tarfile.open(built[1]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert expected <= names
    assert {"README.md", "LICENSE", "scripts/quickstart.sh"} <= names


def test_wheel_has_no_tests_and_is_typed(built):
    names = zipfile.ZipFile(built[0]).namelist()
    assert "lfb_lightning/py.typed" in names
    assert "lfb_lightning/viz/page/template/page.html" in names
    assert "lfb_lightning/reporting/template/report.html" in names
    assert not [name for name in names if name.startswith("tests/")]


OFTEN = ("lfb-train", "lfb train")
MORE = [pytest.param(command, marks=pytest.mark.thorough) for command in ("lfb-extract", "lfb-test")]


@pytest.mark.parametrize("command", [*OFTEN, *MORE])
def test_installed_command_finds_its_configuration(installed, command, tmp_path):
    program, *words = command.split()
    run = subprocess.run(
        [str(installed / "bin" / program), *words, "--cfg", "job"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert yaml.safe_load(run.stdout)["bank"]["precision"] == "fp16"


def test_installed_package_has_its_own_configuration(installed, tmp_path):
    where = subprocess.run(
        [str(installed / "bin" / "python"), "-c", "from lfb_lightning.cli.conf_dir import conf_dir; print(conf_dir())"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert Path(where).is_relative_to(installed)


def test_editable_install_uses_the_checkouts_configuration(tmp_path):
    code = "from lfb_lightning.cli.conf_dir import conf_dir; print(conf_dir())"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(run.stdout.strip()) == ROOT / "conf"
