"""The head of a card: what the Hugging Face Hub reads of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from lfb_lightning.errors import one_line

# The Hub's names of licenses that weights are mostly given; any other one is `other` with a name.
_KNOWN = (
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "mpl-2.0", "unlicense"),
    *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0"),
    *(
        "openrail",
        "openrail++",
        "odbl",
        "wtfpl",
        "afl-3.0",
        "artistic-2.0",
        "ecl-2.0",
        "osl-3.0",
        "eupl-1.1",
        "eupl-1.2",
    ),
)


def front_matter(
    *, name: str, license: str | None, data_set: str | None, format: str, figures: Mapping[str, Any] | None
) -> str:
    """Write the head, between two lines of dashes.

    Args:
        name: What the model is called.
        license: Of the weights; None: nobody has said it, and nothing is written.
        data_set: What it was trained on; None: not known.
        format: One of the folder's formats.
        figures: The section `figures` of a folder's configuration, of these weights; None: none.
    """
    head: dict[str, Any] = {}
    if license is not None:
        known = license.strip().lower()
        head |= {"license": known} if known in _KNOWN else {"license": "other", "license_name": _slug(license)}
    head |= {"library_name": "lfb-lightning", "pipeline_tag": "video-classification"}
    head["tags"] = ["action-detection", "long-term-feature-banks", "pytorch" if format != "onnx" else "onnx"]
    if data_set is not None:
        head["datasets"] = [_slug(data_set)]
    if figures is not None:
        metrics = [{"type": _slug(key), "value": value, "name": _line(key)} for key, value in figures["values"].items()]
        measured_on = {"type": _slug(data_set or "unknown"), "name": _line(data_set or "not known")}
        if figures.get("split"):
            measured_on["split"] = _line(figures["split"])
        result = {"task": {"type": "video-classification"}, "dataset": measured_on, "metrics": metrics}
        head["model-index"] = [{"name": _line(name), "results": [result]}]
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=10_000)}---\n"


def _slug(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.")[:90] or "unknown"


def _line(text: str) -> str:
    return one_line(str(text))[:200]
