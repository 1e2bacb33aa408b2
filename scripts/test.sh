#!/usr/bin/env bash
# Lint, types and the whole test suite, in .venv. Usage: bash scripts/test.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/install.sh "[dev]"
unset PYTHONDONTWRITEBYTECODE # or each of the suite's processes would compile all that it loads, for six seconds
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
exec .venv/bin/python -m pytest -n 2 --dist worksteal "$@"
