"""Where the commands' configuration comes from, and the environment variables that change what they do."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from lfb_lightning.doctor.line import Line, note, ok, problem
from lfb_lightning.doctor.settings import Settings

_TOLD = re.compile(
    r"LFB_\w+|HYDRA_FULL_ERROR|PYTHON(?:PATH|HASHSEED|WARNINGS|NOUSERSITE)|CUDA_\w+|CUBLAS_WORKSPACE_CONFIG|NVIDIA_TF32_OVERRIDE"
    r"|(?:OMP|MKL|OPENBLAS|NUMEXPR)_NUM_THREADS|KMP_\w+|PYTORCH_\w+|TORCH_(?:HOME|LOGS|COMPILE_DISABLE|CUDNN\w*)"
    r"|TORCHINDUCTOR_\w+|TORCHDYNAMO_\w+|NCCL_\w+|GLOO_\w+|HF_(?:HOME|HUB_OFFLINE|HUB_CACHE)|TRANSFORMERS_OFFLINE|TMPDIR|CXX"
    r"|LD_(?:LIBRARY_PATH|PRELOAD)|MPLBACKEND"
)
_SECRET = re.compile(r"TOKEN|KEY|SECRET|PASSWORD", re.IGNORECASE)
_LONGEST = 200


def check_configuration(settings: Settings) -> Iterator[Line]:
    """Say where the configuration is: in a checkout or in the installed package, and what the user adds."""
    folder = Path(settings.conf_dir)
    if not (folder / "train.yaml").is_file():
        yield problem(
            f"{folder}: no configuration there", "install the package again: python -m pip install lfb-lightning"
        )
    else:
        kind = "the installed package" if folder.parent.name == "lfb_lightning" else "a checkout"
        yield ok(f"configuration of {kind}: {folder} ({len(list(folder.rglob('*.yaml')))} files)")
    if settings.config_dir is not None:
        yield own_folder_line(Path(settings.config_dir), folder)


def own_folder_line(own: Path, conf: Path) -> Line:
    """Say what a folder of `--config-dir` adds to the configuration."""
    if not own.is_dir():
        return problem(f"--config-dir {own}: is no folder", "give the folder that holds the groups' folders")
    files = sorted(path.relative_to(own) for path in own.rglob("*.yaml"))
    if not files:
        return note(f"--config-dir {own}: holds no .yaml file", "give the folder that holds the groups' folders")
    twice = [str(path) for path in files if (conf / path).is_file()]
    if twice:
        return note(
            f"--config-dir {own}: {', '.join(twice)} is in the package too, which is the one that is read",
            "give the files names of their own",
        )
    return ok(f"--config-dir {own}: {', '.join(map(str, files[:20]))}")


def check_environment(settings: Settings) -> Iterator[Line]:
    """List the environment variables that change what commands do."""
    yield from environment_lines(os.environ)


def environment_lines(variables: Mapping[str, str]) -> Iterator[Line]:
    """List those of the variables that change what commands do; the values of secrets are not among them."""
    told = sorted(name for name in variables if _TOLD.fullmatch(name) and not _SECRET.search(name))
    for name in told:
        yield ok(f"{name}={variables[name]:.{_LONGEST}}")
    if not told:
        yield ok("no variable is set that changes what commands do")
    if variables.get("CUDA_LAUNCH_BLOCKING") == "1":
        yield note("CUDA_LAUNCH_BLOCKING=1 makes training slow", "unset it when the fault is found")
    if variables.get("TORCH_COMPILE_DISABLE") == "1" or variables.get("TORCHDYNAMO_DISABLE") == "1":
        yield note("torch.compile is switched off: compile=true changes nothing", "unset the variable")
