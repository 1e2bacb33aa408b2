"""Notebooks as pages of the site: their text, their code, and what was printed and drawn if they were run."""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import nbformat

MADE = ("tour", "bank_tour", ".ipynb_checkpoints")  # what the notebooks write beside themselves


def run_notebook(notebook: Any, beside: Path) -> None:
    """Run a notebook, which then has its outputs; a cell that fails raises what nbclient says of it.

    Args:
        notebook: The notebook, as nbformat reads it.
        beside: Its folder. It is run in a copy, which is removed afterwards.
    """
    from nbclient import NotebookClient

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(beside, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*MADE))
        where = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=600, startup_timeout=300, resources=where).execute()


def notebook_page(path: Path, pictures: Path, *, run: bool) -> str:
    """Return a notebook as Markdown; pictures that it draws are written beside the page.

    Args:
        path: The notebook.
        pictures: The folder of the page.
        run: Run it first; otherwise the page has no outputs.
    """
    notebook = nbformat.read(path, as_version=4)
    if run:
        run_notebook(notebook, path.parent)
    parts = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        parts += [_output(one, pictures / f"{path.stem}_{number}_{at}") for at, one in enumerate(cell.outputs)]
    note = f"*This page is a notebook: [{path.name}]({path.name}).*"
    return "\n\n".join(part for part in [parts[0], note, *parts[1:]] if part) + "\n"


def _output(output: Any, stem: Path) -> str:
    if output.output_type == "stream":
        return f"```text\n{output.text.rstrip()}\n```" if output.name == "stdout" and output.text.strip() else ""
    data = output.get("data", {})
    if "image/png" in data:
        picture = stem.with_suffix(".png")
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(base64.b64decode(data["image/png"]))
        return f"![What the cell above draws]({picture.name})"
    return f"```text\n{data['text/plain']}\n```" if "text/plain" in data else ""
