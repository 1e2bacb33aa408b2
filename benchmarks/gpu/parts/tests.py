"""The package's tests that need a GPU: `pytest -m gpu`, with the outcome of each as it comes."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.gpu.bench import Bench, LeaveOut
from benchmarks.gpu.machine import ROOT
from benchmarks.gpu.report import LeftOut
from benchmarks.timing import Spread

_OUTCOME = re.compile(r"^(\S+::.+?) (PASSED|FAILED|ERROR|SKIPPED)\b")
_REASON = re.compile(r"^(?:FAILED|ERROR) (\S+::.+?) - (.*)$")


def measure(bench: Bench) -> None:
    """Run them where there are a GPU and tests."""
    bench.case("pytest -m gpu", _run, bench)


def _run(bench: Bench) -> None:
    files = files_with_gpu_tests(ROOT / "tests")
    if not files:
        raise LeaveOut("the tests are not here")
    if bench.device != "cuda":
        raise LeaveOut(f"they need a GPU ({len(files)} files)")
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-vv", "-p", "no:cacheprovider", "-rfE", *map(str, files)]
    began = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None
        end = threading.Timer(max(bench.deadline - began, 0.0), running.terminate)
        end.start()
        outcomes, reasons = read_outcomes(running.stdout)
        end.cancel()
    for name in [name for name, outcome in outcomes.items() if outcome in ("FAILED", "ERROR")]:
        bench.tell(LeftOut(bench.part, name, f"failed: {reasons.get(name, 'the run ended before it said why')}"))
    if time.monotonic() > bench.deadline:
        bench.tell(LeftOut(bench.part, "", "no time was left"))
    elif running.returncode not in (0, 1):
        bench.tell(LeftOut(bench.part, "", f"pytest ended with status {running.returncode}"))
    counts = Counter(outcomes.values())
    values = {name.lower(): Spread.of([counts[name]]) for name in ("PASSED", "FAILED", "ERROR", "SKIPPED")}
    bench.add("pytest -m gpu", {**values, "s": Spread.of([time.monotonic() - began])})


def files_with_gpu_tests(folder: Path) -> list[Path]:
    """List the test files that mark anything `gpu`, below a folder that may be missing; those of many commands last."""
    found = {path: text for path in sorted(folder.rglob("test_*.py")) if "mark.gpu" in (text := path.read_text())}
    return sorted(found, key=lambda path: "pytest.mark.gpu, pytest.mark.slow" in found[path])


def read_outcomes(lines: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Read pytest's lines: the outcome of each test, and why those failed that did."""
    outcomes, reasons = {}, {}
    for line in lines:
        if found := _OUTCOME.match(line):
            outcomes[found[1]] = found[2]
        elif found := _REASON.match(line):
            reasons[found[1]] = found[2].strip()[:300]
    return outcomes, reasons
