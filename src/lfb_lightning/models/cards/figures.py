"""The figures of a card: what was measured on exactly these weights, or nothing.

A checkpoint of `lfb-train` carries the validation by which it was kept; `metrics.json` of its run has that of the last
checkpoint, and `metrics.json` of an `lfb-test` says by a digest whose figures it has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lfb_lightning.errors import InputError
from lfb_lightning.files.json_file import parse_json, read_json_object
from lfb_lightning.models.checkpoint import ForeignCheckpointError, load_content
from lfb_lightning.models.digest import state_digest

_METRICS = "metrics.json"
_MOST_CLASSES, _LONGEST_NAME = 1000, 200  # what is written is read again, within bounds of its size


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a checkpoint says of its run.

    Args:
        figures: The section `figures` of a folder's configuration; None: nothing was measured on these weights.
        trained_with: Versions of packages by name; None: they are not told.
    """

    figures: Mapping[str, Any] | None
    trained_with: Mapping[str, str] | None = None


def figures_of(checkpoint: str | Path, detector: nn.Module, *, metrics: str | Path | None = None) -> RunFacts:
    """Find what was measured on a detector's weights.

    Args:
        checkpoint: The file that it was loaded from; figures are looked for in it and in the folder of its run.
        detector: The detector, whose weights must be the checkpoint's.
        metrics: The `metrics.json` of an `lfb-test` of it; None: that of the run is looked for.

    Raises:
        InputError: The detector is not the checkpoint's, or `metrics` are those of other weights.
    """
    checkpoint, digest = Path(checkpoint), state_digest(detector)
    tested = None if metrics is None else _tested(Path(metrics), digest)
    if checkpoint.is_dir():
        return RunFacts(tested)  # what else there is its configuration has
    try:
        content = load_content(checkpoint)
    except ForeignCheckpointError:
        return RunFacts(tested)
    if tested is None:
        _require_same(detector, content.get("state_dict"), checkpoint)
        found = _of_checkpoint(content) or _of_run(content, checkpoint)
        head = {"weights_digest": digest, "measured_by": "lfb-train", "split": "val"}
        tested = None if found is None else {**head, **found}
    version = content.get("pytorch-lightning_version")
    return RunFacts(tested, {"pytorch-lightning": version[:40]} if isinstance(version, str) else None)


def described(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """Reduce an evaluator's summary to numbers and names; None if there is no figure in it."""
    main = summary.get("main_figure")
    main = main if isinstance(main, str) else "mAP"
    if not _is_number(summary.get(main)):
        return None
    groups = summary.get("groups")
    values = {main: summary[main], **(groups if isinstance(groups, Mapping) else {})}
    per_class, names, counts = (
        one if isinstance(one := summary.get(key), Mapping) else {}
        for key in ("per_class", "names", "num_ground_truth")
    )
    classes = [
        [
            str(names.get(key, key))[:_LONGEST_NAME],
            float(value),
            counts.get(key) if _is_number(counts.get(key)) else None,
        ]
        for key, value in list(per_class.items())[:_MOST_CLASSES]
        if _is_number(value)
    ]
    return {
        "main": main,
        "values": {
            str(name)[:_LONGEST_NAME]: float(values[name]) for name in list(values)[:100] if _is_number(values[name])
        },
        "classes": classes,
    }


def _of_checkpoint(content: Mapping[str, Any]) -> dict[str, Any] | None:
    """The validation by which the checkpoint was kept, if it is of this very step."""
    state = _best_evaluation(content)
    if state is None or state.get("step") != content.get("global_step") or not isinstance(state.get("summary"), str):
        return None
    try:
        summary = parse_json(state["summary"].encode())
    except ValueError:
        return None
    made = described(summary) if isinstance(summary, dict) else None
    return None if made is None else {"epoch": state.get("epoch"), "step": state["step"], **made}


def _of_run(content: Mapping[str, Any], checkpoint: Path) -> dict[str, Any] | None:
    """What the run's `metrics.json` says of the last checkpoint, if both are of one training and one step."""
    path = checkpoint.resolve().parent.parent / _METRICS
    state = _best_evaluation(content)
    if checkpoint.resolve().parent.name != "checkpoints" or state is None or not path.is_file():
        return None
    found = read_json_object(path, what="metrics")
    named = found.get("checkpoint")
    best = found.get("best")
    is_same_training = isinstance(best, dict) and (best.get("step"), best.get("epoch")) == (
        state.get("step"),
        state.get("epoch"),
    )
    is_same_training = is_same_training and _score(found) == state.get("score")
    is_named = isinstance(named, str) and Path(named).name == checkpoint.name
    if not (is_named and is_same_training and found.get("step") == content.get("global_step")):
        return None
    made = described(found)
    return None if made is None else {"epoch": found.get("epoch"), "step": found["step"], **made}


def _score(found: Mapping[str, Any]) -> Any:
    return next((value for name, value in found.items() if name.startswith("best_") and _is_number(value)), None)


def _best_evaluation(content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    callbacks = content.get("callbacks")
    state = callbacks.get("BestEvaluation") if isinstance(callbacks, Mapping) else None
    return state if isinstance(state, Mapping) and state.get("score") is not None else None


def _tested(path: Path, digest: str) -> dict[str, Any]:
    found = read_json_object(path, what="metrics")
    if found.get("weights_digest") != digest:
        raise InputError(
            f"metrics {path}: is not of these weights (its weights_digest is {str(found.get('weights_digest'))[:12]!r}, "
            f"theirs {digest[:12]!r}); give the metrics.json of an lfb-test of this checkpoint."
        )
    made = described(found)
    if made is None:
        raise InputError(f"metrics {path}: has no figure; lfb-test on a split with annotations writes one.")
    return {"weights_digest": digest, "measured_by": "lfb-test", "split": str(found.get("split", "")), **made}


def _require_same(detector: nn.Module, state: Any, path: Path) -> None:
    stored = state if isinstance(state, Mapping) else {}
    for name, value in detector.state_dict().items():
        other = stored.get(f"detector.{name}")
        if not isinstance(other, torch.Tensor) or not torch.equal(other.cpu(), value.cpu()):
            raise InputError(
                f"checkpoint {path}: is not where this detector's weights are from ({name!r:.80} differs), so its figures "
                "are not theirs; leave checkpoint out."
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
