#!/usr/bin/env bash
# Runs a part of the tests with the oldest dependencies that pyproject.toml allows, or with the newest.
# Usage: bash scripts/oldest.sh [oldest|newest] [3.10|3.11|3.12|3.13] [pytest arguments]
# Makes .venv-WHICH-PYTHON: 6 GB with torch's default wheels. Needs that Python (python3.10 on the PATH) and .venv (scripts/install.sh "[dev]").
set -euo pipefail
cd "$(dirname "$0")/.."
which="${1:-oldest}" python="${2:-3.10}"
shift $(($# < 2 ? $# : 2))
folder=".venv-$which-$python"
[ -x "$folder/bin/python" ] || "python$python" -m venv "$folder"
.venv/bin/python scripts/resolve.py --python "$python" --print "$which" > "$folder/versions.txt"
"$folder/bin/python" -m pip install --quiet --requirement "$folder/versions.txt" pytest pytest-timeout hypothesis beartype
"$folder/bin/python" -m pip install --quiet --no-deps --editable .
# Warnings of old releases about each other are no errors of ours, and run-time checks of shapes want a newer jaxtyping.
[ $# -gt 0 ] || set -- tests/test_platforms.py tests/test_clock.py tests/ava tests/bank tests/models tests/metrics tests/mini_ava \
  tests/datasets tests/converters tests/video/test_frames.py tests/video/test_time.py tests/video/test_seeking.py tests/cli/test_first_data.py
exec "$folder/bin/python" -m pytest -o addopts= -o filterwarnings=default -q -m "not thorough" "$@"
