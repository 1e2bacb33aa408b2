"""Ask the package index whether the dependencies can be had together, newest and oldest, for each Python that is supported.

    python scripts/resolve.py            what the package itself needs: 20 seconds
    python scripts/resolve.py --extras   each extra too: minutes

Nothing is installed. It uses uv, and tells it the index, the folders of wheels, the certificates and the constraints that
pip is configured with. The exit status is 1 where something cannot be resolved, and 0, with a word, where the index cannot
be reached, since that says nothing about this package.
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from importlib.metadata import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
RESOLUTIONS = {"newest": "highest", "oldest": "lowest-direct"}
# For these, only releases with a wheel for that Python count: what nobody can install without a compiler is no lower bound.
COMPILED = (
    "torch",
    "torchvision",
    "av",
    "numpy",
    "pandas",
    "safetensors",
    "pillow",
    "matplotlib",
    "onnx",
    "onnxruntime",
)
# pip's settings and uv's. uv looks into the first index that has a package; pip into all, which this asks of uv.
SETTINGS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "constraint": "UV_CONSTRAINT",
    "cert": "SSL_CERT_FILE",
}
UNREACHABLE = ("error sending request", "Failed to fetch", "dns error", "timed out", "Connection refused")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", action="store_true", help="each extra too")
    parser.add_argument("--python", choices=PYTHONS, action="append", help="only for this one (may be repeated)")
    parser.add_argument("--print", choices=RESOLUTIONS, help="print the versions, and nothing else")
    arguments = parser.parse_args()
    extras = metadata("lfb-lightning").get_all("Provides-Extra") or [] if arguments.extras else []
    pythons, environment, failed = arguments.python or PYTHONS, environment_of_uv(), 0
    for python in pythons:
        for which in [arguments.print] if arguments.print else RESOLUTIONS:
            for extra in [None, *extras]:
                started = time.perf_counter()
                done = resolve(python, which, extra, environment)
                if arguments.print and done.returncode == 0:
                    print(done.stdout, end="")
                    continue
                what = f"Python {python}, {which}{f', [{extra}]' if extra else ''}"
                if done.returncode and any(word in done.stderr for word in UNREACHABLE):
                    print(
                        f"{what}: the package index cannot be reached, so nothing is said of it\n{done.stderr[-600:]}"
                    )
                    return 0 if not arguments.print else 1
                number = len(done.stdout.split())
                said = f"{number} packages ({time.perf_counter() - started:.1f} s)" if not done.returncode else "FAILED"
                print(f"{what}: {said}", flush=True)
                if done.returncode:
                    failed += 1
                    print(done.stderr, file=sys.stderr)
    return 1 if failed else 0


def environment_of_uv() -> dict[str, str]:
    """Return the environment for uv, with what pip is configured with; variables that are set already stay."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    found: dict[str, str] = {}
    for line in listed.splitlines():  # global.index-url='...', of which variables (:env:) come first and count
        key, _, value = line.partition("=")
        name = SETTINGS.get(key.rpartition(".")[2])
        if name is not None:
            found.setdefault(name, " ".join(shlex.split(value)))
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_PYTHON_DOWNLOADS": "never", **found, **os.environ}


def resolve(
    python: str, which: str, extra: str | None, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Resolve the package's requirements for one Python; the versions come on standard output."""
    uv = next((path for path in (Path(sys.executable).with_name("uv"),) if path.exists()), "uv")
    command = [str(uv), "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python-platform", "linux"]
    command += ["--python-version", python, "--resolution", RESOLUTIONS[which]]
    command += [word for name in COMPILED for word in ("--only-binary", name)]
    command += ["--extra", extra] if extra else []
    return subprocess.run(
        [*command, "pyproject.toml"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


if __name__ == "__main__":
    sys.exit(main())
