"""Turns a file of another code base into a detector's configuration and weights, with a report."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lfb_lightning.errors import InputError
from lfb_lightning.models.checkpoint import build_detector
from lfb_lightning.models.imports.classifier import scoring_layer
from lfb_lightning.models.imports.clip_sets import clip_set_of, told_of
from lfb_lightning.models.imports.detector_architecture import detector_spec
from lfb_lightning.models.imports.imported import Imported
from lfb_lightning.models.imports.layouts import LAYOUTS
from lfb_lightning.models.imports.reading import read_foreign, tensors_of
from lfb_lightning.models.imports.report import Fate, ImportReport
from lfb_lightning.models.imports.rules import CLIP_CLASSIFIER, Layout, rename
from lfb_lightning.models.imports.source import WeightSource, find_weights
from lfb_lightning.models.parameter_limit import no_larger_than

_NESTED = ("state_dict", "model_state", "model", "module", "blobs")
_BN_EPSILON = 1e-5
_MOST_PERSON_CLASSES = 200  # AVA's heads have 80 or 81 rows; Kinetics' share their layout in two code bases
_TEMPORAL_MAX = r"temporal_pool_mode['\"]?\s*[=:]\s*['\"]max['\"]"  # in mmaction2's configuration text


def import_weights(
    path: str | Path, *, fbo: str | None = None, strict: bool = True, aligned: bool | None = None
) -> Imported:
    """Import a checkpoint file of another code base.

    It reads those of mmaction2 (0.x, 1.x), PySlowFast, epic-kitchens-slowfast, pytorchvideo, the original Caffe2 release,
    VideoMAE, UMT, torchvision (MViTv2, Swin) and Hugging Face (VideoMAE, V-JEPA 2).

    Args:
        path: The file, a folder of transformers' kind, or `hf:organization/name` of the Hugging Face Hub.
        fbo: "avg" or "max", which tells apart two models that have the same weights.
        strict: Whether a weight that is unused or missing without a known reason is an error.
        aligned: Whether the detector uses RoIAlign's second form, which no file says; None: as the code base's usually do.

    Raises:
        InputError: The file cannot be read, is of no known layout, or (`strict`) has such a weight.
    """
    return import_found(find_weights(path), fbo=fbo, strict=strict, aligned=aligned)


def import_found(
    found: WeightSource, *, fbo: str | None = None, strict: bool = True, aligned: bool | None = None
) -> Imported:
    """Import weights whose place has been found; see `import_weights`."""
    source = f"checkpoint {found.shown}"
    if found.path.is_dir():
        raise InputError(
            f"{source}: is a detector of this package and needs no import; give it as ckpt_path or init_from."
        )
    content = read_foreign(found.path)
    try:
        imported = _imported(content, fbo, strict, source)
    except InputError as error:
        raise error if str(error).startswith(source) else InputError(f"{source}: {error}") from error
    except (LookupError, TypeError, ValueError, RuntimeError, ArithmeticError) as error:  # of weights that no model has
        raise InputError(f"{source}: its weights are not a whole model's ({type(error).__name__}: {error}).") from error
    imported.spec["roi_features"] |= {} if aligned is None else {"aligned": aligned}
    return replace(imported, license=found.license or imported.license, source=found.shown)


def _imported(content: dict[str, Any], fbo: str | None, strict: bool, path: str) -> Imported:
    source = _strip_prefixes(tensors_of(weights_in(content)))
    layout = _layout_of(source)
    report = ImportReport(layout.name)
    has_head = not _is_recognizer(source, layout)
    weights, origins = _renamed(source if layout.join is None else layout.join(source), layout, report)
    classifier = scoring_layer(weights)
    clip_set = clip_set_of(layout, source, classifier, strict=strict)
    if classifier is None or (clip_set is None and len(classifier) > _MOST_PERSON_CLASSES):
        has_head = False
    if not has_head:
        _leave_out(r"head\..*", CLIP_CLASSIFIER, weights, origins, report)
    if has_head and layout.classes_from_zero and clip_set is None:
        _shift_classes(weights)
    scores = scoring_layer(weights)
    text = _config_text(content)
    spec = detector_spec(
        weights,
        layout,
        fbo or _fbo_of_config(text),
        81 if scores is None else len(scores),
        clip_set=clip_set,
        temporal_max=bool(re.search(_TEMPORAL_MAX, text)),
    )
    if not spec["backbone"].get("learned_positions"):
        _leave_out(r"backbone\.pos_embed", "fixed positions: computed here", weights, origins, report)
    with no_larger_than(weights, source=path):
        own = build_detector(spec).state_dict()
    _fold_affine(weights, own)
    fitted = _fit(weights, origins, own, report, has_head=has_head)
    if strict and report.unexplained:
        raise InputError(f"not every weight is accounted for: {report.first_unexplained()}; strict=false goes on.")
    clips = {**layout.clips, **(layout.detector_clips if has_head else {}), **(clip_set.clips if clip_set else {})}
    if "num_frames" in spec["backbone"]:
        clips["num_frames"] = spec["backbone"]["num_frames"]
    note, task = (layout.note, layout.task) if has_head else ("", None)
    loss = None
    if clip_set is not None:
        loss, report.model = clip_set.loss, told_of(clip_set, spec)
    return Imported(spec, fitted, report, has_head, clips, license=layout.license, note=note, task=task, loss=loss)


def weights_in(content: dict[str, Any]) -> dict[str, Any]:
    """Find the mapping of weights in what a file holds, which may keep it under one of some names."""
    for name in _NESTED:
        if isinstance(content.get(name), dict):
            return dict(content[name])
    return content


def _strip_prefixes(source: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    for prefix in ("module.", "_orig_mod."):
        if source and all(key.startswith(prefix) for key in source):
            source = {key.removeprefix(prefix): value for key, value in source.items()}
    return source


def _layout_of(source: dict[str, torch.Tensor]) -> Layout:
    for layout in LAYOUTS:
        if layout.made(source):
            return layout
    known = ", ".join(layout.name for layout in LAYOUTS)
    raise InputError(f"of no known layout ({known}); its first weights are {list(source)[:3]}.")


def _renamed(
    source: dict[str, torch.Tensor], layout: Layout, report: ImportReport
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    weights, origins = {}, {}
    for key, value in source.items():
        target, reason = rename(layout, key)
        if target is None:
            report.add(key, None, "unused", reason)
        else:
            weights[target], origins[target] = value, key
    return weights, origins


def _leave_out(
    pattern: str, reason: str, weights: dict[str, torch.Tensor], origins: dict[str, str], report: ImportReport
) -> None:
    for key in [key for key in weights if re.fullmatch(pattern, key)]:
        report.add(origins[key], None, "unused", reason)
        del weights[key], origins[key]


def _is_recognizer(source: dict[str, torch.Tensor], layout: Layout) -> bool:
    return bool(layout.recognizer) and any(re.fullmatch(layout.recognizer, key) for key in source)


def _shift_classes(weights: dict[str, torch.Tensor]) -> None:
    """Put a zero row for the unused column 0 before the others, so that the score column is the action id."""
    for key in ("head.weight", "head.bias"):
        value = weights[key].flatten(1) if key == "head.weight" else weights[key]
        weights[key] = torch.cat([torch.zeros_like(value[:1]), value])


def _fold_affine(weights: dict[str, torch.Tensor], own: dict[str, torch.Tensor]) -> None:
    """Turn affine layers (a scale and a bias, no statistics) into batch norms that change nothing else."""
    for key in own:
        if key.endswith(".bn.running_mean") and key not in weights and key.replace("running_mean", "weight") in weights:
            weights[key] = torch.zeros_like(own[key])
            weights[key.replace("running_mean", "running_var")] = torch.full_like(own[key], 1 - _BN_EPSILON)


def _fit(
    weights: dict[str, torch.Tensor],
    origins: dict[str, str],
    own: dict[str, torch.Tensor],
    report: ImportReport,
    *,
    has_head: bool,
) -> dict[str, torch.Tensor]:
    fitted: dict[str, torch.Tensor] = {}
    for key, expected in own.items():
        value = weights.get(key)
        if value is None:
            report.add(None, key, "missing", _reason_for_missing(key, has_head))
            fitted[key] = expected
        elif value.numel() != expected.numel():
            raise InputError(
                f"weight {origins.get(key, key)}: shape {tuple(value.shape)}, expected {tuple(expected.shape)}."
            )
        else:
            fitted[key] = value.reshape(expected.shape).to(expected.dtype).clone()
            if key in origins:
                same_shape = value.shape == expected.shape
                fate: Fate = "reshaped" if not same_shape else "matched" if origins[key] == key else "renamed"
                report.add(origins[key], key, fate, "" if same_shape else "a 1x1x1 convolution as a linear layer")
    for key in weights.keys() - own.keys():
        report.add(origins.get(key), None, "unused", "")
    return fitted


def _reason_for_missing(key: str, has_head: bool) -> str:
    if key in ("fbo.mean", "fbo.std"):
        return "statistics for norm_inputs, which is off"
    if key.endswith("num_batches_tracked"):
        return "a counter that nothing reads"
    if re.fullmatch(r"fbo\.layers\.\d+\.norm\.(weight|bias)", key):
        return "the original's layer norm has no weights: 1 and 0"
    if re.fullmatch(r"backbone\.norm\.(weight|bias)", key) and not has_head:
        return "a clip classifier has no norm per token: 1 and 0, as its source begins"
    if key.startswith("head.") and not has_head:
        return "the source is a backbone: a new head"
    return ""


def _config_text(content: dict[str, Any]) -> str:
    """Read the configuration text that mmaction2 keeps in a checkpoint's meta data; "" where there is none."""
    meta = content.get("meta")
    return str(meta.get("cfg") or meta.get("config") or "") if isinstance(meta, dict) else ""


def _fbo_of_config(text: str) -> str | None:
    """Read the FBO's type from mmaction2's configuration text."""
    match = re.search(r"fbo_cfg['\"]?\s*[=:]\s*(?:dict\(|\{)[^)}]{0,500}?type['\"]?\s*[=:]\s*['\"](\w+)['\"]", text)
    return {"max": "max", "avg": "avg"}.get(match[1].lower()) if match else None
