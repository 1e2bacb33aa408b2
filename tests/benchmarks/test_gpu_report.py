"""`python -m benchmarks.gpu`, on the CPU and tiny: what it measures, and that no part takes others with it."""

import json
import os
import signal
import threading
import time
import warnings

import pytest
import torch
from benchmarks.gpu import __main__ as command
from benchmarks.gpu import running
from benchmarks.gpu.detectors import section
from benchmarks.gpu.parts.tests import files_with_gpu_tests, read_outcomes
from benchmarks.gpu.parts.waits import EVENT, Told
from benchmarks.gpu.running import Part
from benchmarks.gpu.sizes import AVA, SIZES

from lfb_lightning.models import build_detector
from tests.conftest import ROOT

pytestmark = pytest.mark.slow
TINY = ["--device=cpu", "--sizes=tiny", "--threads=1", "--minutes=30"]


@pytest.fixture
def report(tmp_path, monkeypatch):
    """Run the command with parts of one's own; its status and what it wrote."""

    def run(*arguments, parts=None):
        if parts is not None:
            broken = {name: Part(name, "", 1.0, module="tests.benchmarks.broken_parts") for name in parts}
            monkeypatch.setattr(command, "PARTS", broken)
        status = command.main([*TINY, f"--out={tmp_path}", *arguments])
        return status, json.loads((tmp_path / "gpu.json").read_text())

    yield run
    torch.set_num_threads(1)


def test_everything_is_measured_on_a_cpu(report, capsys):
    status, found = report()
    assert (status, found["finished"]) == (0, True)
    assert found["machine"].keys() >= {"card", "driver", "torch", "cudnn", "package", "commit", "load", "device"}
    rows = {(row["part"], row["case"]): row for row in found["rows"]}
    parts = list(dict.fromkeys(part for part, _ in rows))
    assert parts == ["waits", "fbo", "references", "extraction", "steps"]
    assert rows["waits", "training step, 32-true"]["values"]["waits per step"]["highest"] == 1
    for form in ("packed", "dense", "reference"):
        figure = rows["fbo", f"forward + backward, bf16, {form}"]["values"]["ms"]
        assert figure["n"] == 2
        assert 0 < figure["lowest"] <= figure["median"] <= figure["highest"]
    compared = [row for (part, _), row in rows.items() if part == "references"]
    assert len(compared) == 2 * 3
    assert all(float(row["note"].split()[3]) < 0.05 for row in compared), "the two compute the same"
    for backbone in SIZES["tiny"].backbones:
        assert rows["steps", backbone.name]["values"].keys() == {"s first step", "ms", "clips/s", "GiB peak"}
    assert rows["extraction", "PyAV on the CPU, in the main process"]["values"]["clips/s"]["median"] > 0
    assert rows["extraction", "frame cache, in the main process"]["values"]["clips/s"]["median"] > 0
    left_out = {(one["part"], one["case"]): one["reason"] for one in found["left_out"]}
    assert left_out.pop(("tests", "pytest -m gpu")).startswith("they need a GPU")
    assert left_out.pop(("extraction", "torchcodec with NVDEC, in the main process")) == "it needs a GPU"
    if "FFmpeg" not in left_out.pop(("extraction", torchcodec := "torchcodec on the CPU, in the main process"), ""):
        assert rows["extraction", torchcodec]["values"]["clips/s"]["median"] > 0
    assert left_out.pop(("references", SIZES["tiny"].backbones[3].name)).startswith("the reference is torchvision's")
    assert left_out.pop(("references", SIZES["tiny"].backbones[4].name)) == "no reference was rebuilt for it"
    assert all(case.endswith(", compiled") for part, case in left_out), left_out
    printed = capsys.readouterr().out
    assert "| left out | of it | why |" in printed
    assert all(row["case"] in printed for row in found["rows"])


def test_a_part_that_ends_badly_takes_no_other_with_it(report, monkeypatch):
    monkeypatch.setattr(running, "_GRACE_SECONDS", 1.0)
    endings = ["crash", "be_killed", "hang", "fill_the_memory", "fail", "be_impossible"]
    status, found = report("--minutes=0.3", parts=endings)
    assert (status, found["finished"]) == (0, True)
    cases = {name: [row["case"] for row in found["rows"] if row["part"] == name] for name in endings}
    assert cases == {name: ["before"] if name in endings[:3] else ["before", "after"] for name in endings}
    left_out = {one["part"]: (one["case"], one["reason"]) for one in found["left_out"]}
    assert left_out["hang"][1].startswith("it did not end in its ")
    assert left_out == {
        "crash": ("", "its process ended with status 3"),
        "be_killed": ("", "its process ended with SIGKILL"),
        "hang": left_out["hang"],
        "fill_the_memory": ("the case", "the GPU's memory did not suffice"),
        "fail": ("the case", "ValueError: two lines"),
        "be_impossible": ("the case", "there is no such thing here"),
    }
    spread = {"median": 4.0, "lowest": 2.0, "highest": 9.0, "n": 3}
    assert found["rows"][-1]["values"] == {"s": spread}


def test_what_is_interrupted_has_written_what_it_has(report, tmp_path):
    def interrupt():
        path, until = tmp_path / "gpu.json", time.monotonic() + 300
        while time.monotonic() < until and not (path.is_file() and json.loads(path.read_text())["rows"]):
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=interrupt, daemon=True).start()
    status, found = report(parts=["hang", "fail"])
    assert (status, found["finished"]) == (130, False)
    assert [(row["part"], row["case"]) for row in found["rows"]] == [("hang", "before")]


def test_what_no_time_is_left_for_is_named(report):
    status, found = report("--minutes=0", parts=["crash", "hang"])
    assert (status, found["rows"]) == (0, [])
    assert {one["part"]: one["reason"] for one in found["left_out"]} == dict.fromkeys(
        ["crash", "hang"], "no time was left"
    )


def test_a_gpu_that_is_not_there_is_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command.main(["--device=cuda", f"--out={tmp_path}"]) == 1
    assert capsys.readouterr().err == "benchmarks.gpu: torch sees no CUDA device; `lfb-doctor` says why.\n"


def test_waits_are_told_in_their_order():
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        told = Told(warned)
        warnings.warn("called a synchronizing CUDA operation (Triggered internally)", stacklevel=1)
        told.event()
        warnings.warn("Synchronization debug mode is a prototype feature", stacklevel=1)
        assert [wait.partition(":")[0] for wait in told()] == ["test_gpu_report.py", EVENT]
        warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        assert [wait.partition(":")[0] for wait in told()] == ["test_gpu_report.py", EVENT, "test_gpu_report.py"]


def test_the_outcomes_of_pytest_are_read():
    said = """
tests/lightning/test_gpu.py::test_a[nl-bf16 mixed] PASSED               [ 20%]
tests/lightning/test_gpu.py::test_b FAILED [ 40%]
tests/lightning/test_gpu.py::test_c SKIPPED (torch's SyncBatchNorm needs two) [ 60%]
tests/lightning/test_gpu.py::test_d ERROR [ 80%]
=========================== short test summary info ============================
FAILED tests/lightning/test_gpu.py::test_b - RuntimeError: CUDA error
ERROR tests/lightning/test_gpu.py::test_d - fixture
""".splitlines()
    outcomes, reasons = read_outcomes(said)
    assert list(outcomes.values()) == ["PASSED", "FAILED", "SKIPPED", "ERROR"]
    assert "tests/lightning/test_gpu.py::test_a[nl-bf16 mixed]" in outcomes
    assert reasons["tests/lightning/test_gpu.py::test_b"] == "RuntimeError: CUDA error"
    assert ROOT / "tests" / "lightning" / "test_gpu.py" in files_with_gpu_tests(ROOT / "tests")
    assert files_with_gpu_tests(ROOT / "nothing") == []


def test_the_backbones_of_a_gpu_are_the_options_themselves():
    for backbone in AVA.backbones:
        assert not backbone.changes
    with torch.device("meta"):
        made = {
            one.option: build_detector(section(one.section(), latent=8)).backbone
            for one in AVA.backbones
            if one.option in ("vit_b", "slowonly_r50")
        }
    assert {name: one.out_channels for name, one in made.items()} == {"vit_b": 768, "slowonly_r50": 2048}
