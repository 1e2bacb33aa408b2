#!/usr/bin/env bash
# Makes .venv beside the README and installs the package into it. Usage: scripts/install.sh [extras], e.g. "[dev]".
# Does nothing when the same was installed from the same pyproject.toml before.
set -euo pipefail
cd "$(dirname "$0")/.."
extras="${1:-}"
python="${PYTHON:-python3}"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed; set PYTHON=..."; exit 1; }
[ -x .venv/bin/python ] || "$python" -m venv .venv
want="$(cat pyproject.toml src/lfb_lightning/version.py | cksum) $(pwd)"
for stamp in ".venv/.installed$extras" ".venv/.installed[dev]"; do
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then exit 0; fi
done
echo "Installing into .venv (torch is large: some minutes the first time)..."
# --no-compile: Python compiles a module when it is first imported; all of torch's and its kin's take two minutes.
.venv/bin/python -m pip install --no-compile --disable-pip-version-check --quiet --editable ".$extras"
echo "$want" > ".venv/.installed$extras"
