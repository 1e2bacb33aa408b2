#!/usr/bin/env bash
# Lint, types and the whole test suite, in .venv. Usage: bash scripts/test.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/install.sh "[dev]"
# What is imported is kept compiled: the suite starts hundreds of processes, of which each would compile it anew, for six seconds.
unset PYTHONDONTWRITEBYTECODE
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
exec .venv/bin/python -m pytest -n 2 --dist worksteal "$@"
