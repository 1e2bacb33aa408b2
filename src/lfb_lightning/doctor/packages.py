"""The packages that this one needs: can each be imported, and is its version inside the stated bounds?"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from importlib import import_module, metadata

from lfb_lightning.doctor.line import Line, note, ok, problem, worded
from lfb_lightning.doctor.settings import Settings
from lfb_lightning.version import __version__

NAME = "lfb-lightning"
_MODULES = {"pillow": "PIL", "hydra-core": "hydra"}  # others are called as their distribution, with underscores
_SLOW = 0.5  # seconds of an import that are worth a word
_ADVICE = "python -m pip install --upgrade lfb-lightning"
_ADVICE_OF_TORCH = "install torch and torchvision together, of one release: https://pytorch.org/get-started/locally"


def check_packages(settings: Settings) -> Iterator[Line]:
    """Import every package that is needed, and compare its version with the bounds of this package's own metadata."""
    try:
        wanted = metadata.requires(NAME) or []
        needs_python = metadata.metadata(NAME)["Requires-Python"]
    except metadata.PackageNotFoundError:
        yield note(f"{NAME} {__version__} is not installed, only found as a folder: no bounds to compare with", _ADVICE)
        wanted, needs_python = ["torch", "torchvision", "pytorch-lightning", "hydra-core", "av", "numpy"], ""
    else:
        yield ok(f"{NAME} {__version__}")
    yield version_line("Python", platform.python_version(), needs_python or "", f"install Python {needs_python}")
    for text in wanted:
        if "extra ==" not in text and concerns_this_machine(text):
            name, bounds = split_requirement(text)
            yield package_line(name, bounds)


def split_requirement(text: str) -> tuple[str, str]:
    """Split a requirement of the metadata into the distribution's name and its bounds, without the extras that it names."""
    text = text.split(";")[0].strip()
    name = next((text[:place] for place, sign in enumerate(text) if sign in "<>=!~[ ("), text)
    rest = text[len(name) :].strip()
    if rest.startswith("["):
        rest = rest.partition("]")[2]
    return name, rest.strip(" ()")


def concerns_this_machine(text: str) -> bool:
    """Say whether a requirement is one of this Python's: some name another version of a package for an older one."""
    marker = text.partition(";")[2]
    try:
        from packaging.markers import Marker
    except ImportError:
        return True
    return not marker or Marker(marker).evaluate()


def package_line(name: str, bounds: str) -> Line:
    """Import a package and say its version; a problem if that fails, or the version is out of bounds."""
    advice = _ADVICE_OF_TORCH if name in ("torch", "torchvision") else f'python -m pip install "{name}{bounds}"'
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return problem(f"{name} is not installed (needed: {bounds or 'any'})", advice)
    started = time.perf_counter()
    try:
        module = import_module(_MODULES.get(name, name.replace("-", "_")))
    except Exception as error:
        return problem(f"{name} {version} cannot be imported: {worded(error)}", advice)
    seconds = time.perf_counter() - started
    line = version_line(name, version, bounds, advice)
    built = _built_with(name, module)
    said = f"{line.what}{built}{f', imported in {seconds:.1f} s' if seconds > _SLOW else ''}"
    return Line(status=line.status, what=said, remedy=line.remedy)


def version_line(name: str, version: str, bounds: str, advice: str) -> Line:
    """Say whether a version is inside bounds such as ">=2.5,<3"."""
    try:
        from packaging.specifiers import SpecifierSet
        from packaging.version import Version
    except ImportError:
        return note(f"{name} {version} (needed: {bounds}; not compared)", "python -m pip install packaging")
    if Version(version) in SpecifierSet(bounds, prereleases=True):
        return ok(f"{name} {version}{f' (needed: {bounds})' if bounds else ''}")
    return problem(f"{name} {version} is outside of {bounds}", advice)


def _built_with(name: str, module: object) -> str:
    """Say what a package was built with, where that decides what it can do."""
    if name == "torch":
        import torch

        cuda, hip, cudnn = torch.version.cuda, torch.version.hip, torch.backends.cudnn.version()
        made = f"CUDA {cuda}" if cuda else f"ROCm {hip}" if hip else "CPU only"
        return f", built for {made}{f', cuDNN {_dotted(cudnn)}' if cudnn else ''}"
    if name == "av":
        libraries = getattr(module, "library_versions", {})
        shown = (
            f"{key} {'.'.join(map(str, libraries[key]))}" for key in ("libavcodec", "libavformat") if key in libraries
        )
        return f", FFmpeg {getattr(module, 'ffmpeg_version_info', 'unknown')} ({', '.join(shown)})"
    return ""


def _dotted(cudnn: int) -> str:
    """Write cuDNN's version as its makers do: 92400 is 9.24.0, and 8907 was 8.9.7."""
    major = 10_000 if cudnn >= 90_000 else 1_000
    return f"{cudnn // major}.{cudnn % major // 100}.{cudnn % 100}"
