#!/usr/bin/env bash
# Builds the documentation as a site in build/docs/site, without a warning or not at all.
# Usage: bash scripts/docs.sh [--without-outputs] [--out FOLDER]    (--without-outputs: notebooks are not run)
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/install.sh "[docs]"
exec .venv/bin/python scripts/docs_site.py "$@"
