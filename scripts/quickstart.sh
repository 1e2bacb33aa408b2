#!/usr/bin/env bash
# The whole path on generated video: data, baseline, banks, FBO nl / max / avg, evaluation, pictures, a page.
# Usage: bash scripts/quickstart.sh [--data mini_charades] [--out quickstart] [--seed 0] ...   (--help lists the rest)
# Interrupt it at any time and run it again: finished stages are skipped.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
bash "$root/scripts/install.sh"
unset PYTHONDONTWRITEBYTECODE # or each of its commands would compile all that it loads, for six seconds
exec "$root/.venv/bin/python" "$root/scripts/quickstart.py" "$@"
