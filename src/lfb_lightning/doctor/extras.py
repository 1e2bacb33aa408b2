"""The optional parts of the installation: what each is for, and whether it is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import metadata
from importlib.util import find_spec

from lfb_lightning.doctor.line import Line, note, ok
from lfb_lightning.doctor.packages import NAME, split_requirement, version_line
from lfb_lightning.doctor.settings import Settings

PURPOSES: Mapping[str, str] = {
    "joblib": "jobs of a sweep side by side: hydra/launcher=joblib",
    "slurm": "jobs of a sweep under SLURM: hydra/launcher=submitit_slurm",
    "ray": "videos on a Ray cluster: engine=ray; jobs of a sweep on one: hydra/launcher=ray",
    "search": "a search instead of a grid: sweep=search",
    "onnx": "persons from an ONNX model: persons=onnx",
    "huggingface": "persons by Hugging Face's models, and V-JEPA 2: persons=huggingface, backbone=vjepa2_l",
    "trackers": "track ids at several moments per second: linker=trackers",
    "export": "detectors as ONNX files: lfb-export format=onnx",
    "hub": "detectors from and to the Hugging Face Hub: from_pretrained, push_to_hub, lfb-export push=",
    "cloud": "packed banks in an object store: bank.dir=s3://bucket/banks",
    "torchcodec": "videos decoded by torchcodec, on the CPU or the GPU: data.decoder=torchcodec, data.decoder=nvdec",
    "docs": "this documentation as a site: bash scripts/docs.sh",
    "wandb": "figures and pictures in Weights & Biases: logger=wandb",
    "mlflow": "figures and pictures in MLflow: logger=mlflow",
    "rerun": "runs and predictions in the Rerun viewer: lfb-report format=rerun",
    "fiftyone": "what lfb-report format=fiftyone has written is opened with it",
    "trackio": "figures and pictures in Trackio: logger=trackio",
}
_FOR_DEVELOPERS = ("dev",)
_MODULES = {  # those that are not called like their distribution
    "mkdocstrings-python": "mkdocstrings_handlers.python",
    "rerun-sdk": "rerun",
}
_MODULE_PREFIXES = {"hydra-": "hydra_plugins."}  # plugins are found in this package of Hydra's


def check_extras(settings: Settings) -> Iterator[Line]:
    """Say of each extra what it is for, and what is missing of it with the command that installs it."""
    try:
        wanted = metadata.requires(NAME) or []
    except metadata.PackageNotFoundError:
        yield note("extras are listed by an installed package only", f"python -m pip install {NAME}")
        return
    for extra in metadata.metadata(NAME).get_all("Provides-Extra") or []:
        if extra not in _FOR_DEVELOPERS:
            yield extra_line(extra, [split_requirement(text) for text in wanted if _is_of(text, extra)])


def extra_line(extra: str, needed: list[tuple[str, str]]) -> Line:
    """Say what is there of an extra.

    Args:
        extra: Its name.
        needed: The distributions that it consists of, and their bounds.
    """
    said = f"[{extra}] {PURPOSES.get(extra, '')}".rstrip()
    flaws: list[str] = []
    found: list[str] = []
    for name, bounds in needed:
        there, flaw = _look_for(name, bounds)
        (found if flaw is None else flaws).append(flaw or there)
    if not flaws:
        return ok(f"{said}; {', '.join(found)}")
    return note(f"{said}: {', '.join(flaws)}", f"to use it: python -m pip install '{NAME}[{extra}]'")


def _look_for(name: str, bounds: str) -> tuple[str, str | None]:
    """Return what is there of a distribution, and what is wrong with it."""
    prefix = next((prefix for start, prefix in _MODULE_PREFIXES.items() if name.startswith(start)), "")
    module = _MODULES.get(name, prefix + name.replace("-", "_"))
    try:
        is_found = find_spec(module) is not None
    except (ImportError, ValueError):
        is_found = False
    if not is_found:
        return "", f"{name} is missing"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:  # the module of another distribution, such as onnxruntime-gpu
        return f"{name} of another distribution", None
    line = version_line(name, version, bounds, "")
    return line.what, None if line.status != "problem" else line.what


def _is_of(text: str, extra: str) -> bool:
    return text.replace("'", '"').endswith(f'extra == "{extra}"')
