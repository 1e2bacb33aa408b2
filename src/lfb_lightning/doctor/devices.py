"""The devices that torch sees, the precisions that each has in hardware, and what torch.compile needs on each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Collection, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lfb_lightning.doctor.line import Line, note, ok, problem
from lfb_lightning.doctor.settings import Settings

_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # the last is ARM's
_FP16_FLAGS = {"avx512_fp16", "amx_fp16", "fphp"}
_COMPILES_FROM = (7, 0)  # the compute capability that triton needs
_OLD_DRIVER = "update the NVIDIA driver, or install torch for the CUDA release of the driver"
_SELECTOR = "https://pytorch.org/get-started/locally"


def check_devices(settings: Settings) -> Iterator[Line]:
    """List the devices, each with its memory and the precisions that it has in hardware."""
    import torch

    yield cpu_line(torch.backends.cpu.get_cpu_capability(), _cpu_flags(Path("/proc/cpuinfo")), torch.get_num_threads())
    driver = nvidia_driver()
    count = torch.cuda.device_count()
    for number in range(count):
        yield from _cuda_lines(torch, number)
    if torch.backends.mps.is_available():
        yield ok("mps: Apple's GPU; fp16 in hardware")
    if driver is not None:
        yield driver_line(driver, cuda=torch.version.cuda, count=count, hidden=os.environ.get("CUDA_VISIBLE_DEVICES"))
    elif count == 0:
        yield ok("no GPU")


def check_compiling(settings: Settings) -> Iterator[Line]:
    """Say whether torch.compile has a compiler on each kind of device."""
    import torch

    asked = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    yield compiler_line(asked, shutil.which(asked), Path(sysconfig.get_paths()["include"], "Python.h").is_file())
    if torch.cuda.is_available():
        lowest = min(torch.cuda.get_device_capability(number) for number in range(torch.cuda.device_count()))
        yield triton_line(find_spec("triton") is not None, lowest)


def cpu_line(capability: str, flags: Collection[str], threads: int) -> Line:
    """Describe the processor: its vector instructions, and the halved precisions that it computes in hardware."""
    both = [name for name, wanted in (("bf16", _BF16_FLAGS), ("fp16", _FP16_FLAGS)) if wanted & set(flags)]
    halves = f"{' and '.join(both)} in hardware" if both else "bf16 and fp16 emulated (trainer.precision=32 is faster)"
    return ok(f"cpu: {capability}, {threads} threads of torch, {halves}")


def driver_line(driver: str, *, cuda: str | None, count: int, hidden: str | None) -> Line:
    """Say whether torch uses the GPUs of a machine that has a driver for them.

    Args:
        driver: The driver's version.
        cuda: The CUDA release that torch was built with; None for none.
        count: The devices that torch sees.
        hidden: The value of CUDA_VISIBLE_DEVICES; None where it is not set.
    """
    if count:
        return ok(f"NVIDIA driver {driver}, {count} devices for torch's CUDA {cuda}")
    if cuda is None:
        return note(
            f"NVIDIA driver {driver} is there, but this torch is for CPUs only", f"install torch with CUDA: {_SELECTOR}"
        )
    if hidden is not None:
        return note(f"NVIDIA driver {driver}, but CUDA_VISIBLE_DEVICES={hidden!r} shows no device", "unset it")
    return problem(f"NVIDIA driver {driver}, but torch's CUDA {cuda} finds no device", _OLD_DRIVER)


def architecture_line(number: int, capability: tuple[int, int], architectures: Collection[str]) -> Line | None:
    """Say that torch has no code for a device of this compute capability; None if it has, as its own or to translate."""
    major, minor = capability
    binaries = {int(name[3:]) for name in architectures if re.fullmatch(r"sm_\d+", name)}
    sources = {int(name[8:]) for name in architectures if re.fullmatch(r"compute_\d+", name)}
    own = major * 10 + minor
    if any(one // 10 == major and one <= own for one in binaries) or any(one <= own for one in sources):
        return None
    return problem(
        f"cuda:{number} has compute capability {major}.{minor}, torch is built for {', '.join(sorted(architectures))}",
        f"install a release of torch that has it: {_SELECTOR}",
    )


def compiler_line(name: str, found: str | None, has_headers: bool) -> Line:
    """Say whether torch.compile can build for the processor: a C++ compiler and Python's headers."""
    if found is None:
        return note(f"cpu: no C++ compiler ({name}): compile=true will fail", "install g++ or clang++, or set CXX")
    if not has_headers:
        return note(
            f"cpu: {found}, but Python's headers (Python.h) are missing", "install python3-dev, if compile=true fails"
        )
    return ok(f"cpu: {found}")


def triton_line(is_there: bool, capability: tuple[int, int]) -> Line:
    """Say whether torch.compile can build for the GPUs: triton, and devices that it builds for."""
    if not is_there:
        return note("cuda: triton is missing: compile=true will fail", "python -m pip install triton")
    if capability < _COMPILES_FROM:
        return note(
            f"cuda: compute capability {capability[0]}.{capability[1]} is below 7.0: compile=true will fail",
            "leave it off",
        )
    return ok("cuda: triton")


def nvidia_driver(version: Path = Path("/proc/driver/nvidia/version")) -> str | None:
    """Return the version of the NVIDIA driver; None if there is none."""
    if version.is_file() and (found := re.search(r"\b(\d+\.\d+(?:\.\d+)?)\b", version.read_text(encoding="utf-8"))):
        return found[1]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    asked = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=20)
    lines = done.stdout.split()
    return lines[0] if done.returncode == 0 and lines else None


def _cuda_lines(torch: Any, number: int) -> Iterator[Line]:
    properties = torch.cuda.get_device_properties(number)
    capability = (properties.major, properties.minor)
    free, total = torch.cuda.mem_get_info(number)
    halves = ["bf16"] if torch.cuda.is_bf16_supported(including_emulation=False) else []
    halves += ["fp16"] if capability >= (5, 3) else []
    yield ok(
        f"cuda:{number}: {properties.name}, compute capability {capability[0]}.{capability[1]}, {total / 2**30:.1f} GiB "
        f"({free / 2**30:.1f} free), {' and '.join(halves) or 'no halved precision'} in hardware"
    )
    if (line := architecture_line(number, capability, torch.cuda.get_arch_list())) is not None:
        yield line


def _cpu_flags(cpuinfo: Path) -> set[str]:
    text = cpuinfo.read_text(encoding="utf-8") if cpuinfo.is_file() else ""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return set(found[1].split()) if found else set()
