"""How other code bases name the weights that we have: one list of renaming rules each.

A rule is a pattern for the whole name and what it becomes. The first rule that fits wins; a rule without a target says
why the weight is not used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Rule:
    """One renaming rule.

    `pattern` matches a whole source name; `target` is a template or a function of the match, or None with a `reason`.
    """

    pattern: str
    target: str | Callable[[re.Match[str]], str] | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """A code base: its name, its rules, what marks its files, and how its model differs from SlowOnly's defaults.

    `classes_from_zero`: its score column is the action id minus one. `clips`: keys of `data` by which its clips differ from
    our defaults; a model's own number of frames is not known.
    """

    name: str
    mark: str
    rules: tuple[Rule, ...]
    roi_size: int = 8
    aligned: bool = True
    dropout: float = 0.5
    dilate_last_stage: bool = False
    classes_from_zero: bool = False
    clips: Mapping[str, Any] = field(default_factory=dict)


def rename(layout: Layout, source: str) -> tuple[str | None, str]:
    """Translate the name of a weight.

    Returns:
        Our name and "", or None and the reason why it has none ("" if nothing is known of it).
    """
    for rule in layout.rules:
        match = re.fullmatch(rule.pattern, source)
        if match is None:
            continue
        if rule.target is None:
            return None, rule.reason
        return (match.expand(rule.target) if isinstance(rule.target, str) else rule.target(match)), ""
    return None, ""


def _less_one(template: str, group: int = 1) -> Callable[[re.Match[str]], str]:
    """A template whose `{n}` is a numbered group minus one; the other groups as usual."""
    return lambda match: match.expand(template.replace("{n}", str(int(match[group]) - 1)))


_FBO = r"roi_head\.shared_head\.fbo\."
_NL_PARTS = {"st_feat_conv": "query", "lt_feat_conv": "key", "global_conv": "value", "out_conv": "out"}

MMACTION2 = Layout(
    name="mmaction2",
    mark=r"backbone\.layer1\.0\.conv1\.conv\.weight",
    clips={
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "resize": "opencv",
        "frame_shift": 1.0,  # its 1.x reads clips one frame late
    },
    rules=(
        Rule(r"backbone\.conv1\.(conv|bn)\.(.*)", r"backbone.stem.\1.\2"),
        Rule(r"backbone\.layer(\d)\.(\d+)\.(conv\d|downsample)\.(.*)", _less_one(r"backbone.stages.{n}.\2.\3.\4")),
        Rule(r"roi_head\.bbox_head\.fc_cls\.(weight|bias)", r"head.\1"),
        Rule(_FBO + r"st_feat_conv\.(.*)", r"fbo.short_term_projection.\1"),
        Rule(_FBO + r"lt_feat_conv\.(.*)", r"fbo.long_term_projection.\1"),
        *(
            Rule(_FBO + rf"non_local_layer_(\d+)\.{theirs}\.conv\.(.*)", _less_one(rf"fbo.layers.{{n}}.{ours}.\2"))
            for theirs, ours in _NL_PARTS.items()
        ),
        Rule(_FBO + r"non_local_layer_(\d+)\.ln\.(weight|bias)", _less_one(r"fbo.layers.{n}.norm.\2")),
        Rule(r"cls_head\..*", None, "a clip classifier's head: a detector has its own"),
        Rule(r"data_preprocessor\..*", None, "normalization: data.mean and data.std here"),
        Rule(r"ema_.*", None, "a moving average of the weights: the weights themselves are used"),
    ),
)

_STAGE = r"s([2-5])\.pathway0_res(\d+)\."


def _slowfast_block(match: re.Match[str], template: str) -> str:
    return match.expand(template.replace("{n}", str(int(match[1]) - 2)))


_ABC = {"a": "conv1", "b": "conv2", "c": "conv3"}
PYSLOWFAST = Layout(
    name="PySlowFast",
    mark=r"s1\.pathway0_stem\.conv\.weight",
    rules=(
        Rule(r"s1\.pathway0_stem\.(conv|bn)\.(.*)", r"backbone.stem.\1.\2"),
        Rule(_STAGE + r"branch1\.(.*)", lambda m: _slowfast_block(m, r"backbone.stages.{n}.\2.downsample.conv.\3")),
        Rule(_STAGE + r"branch1_bn\.(.*)", lambda m: _slowfast_block(m, r"backbone.stages.{n}.\2.downsample.bn.\3")),
        Rule(
            _STAGE + r"branch2\.([abc])\.(.*)",
            lambda m: _slowfast_block(m, rf"backbone.stages.{{n}}.\2.{_ABC[m[3]]}.conv.\4"),
        ),
        Rule(
            _STAGE + r"branch2\.([abc])_bn\.(.*)",
            lambda m: _slowfast_block(m, rf"backbone.stages.{{n}}.\2.{_ABC[m[3]]}.bn.\4"),
        ),
        Rule(r"head\.projection\.(weight|bias)", r"head.\1"),
    ),
    roi_size=7,
    dilate_last_stage=True,
    classes_from_zero=True,
)

_BLOCK = r"(?:model\.)?blocks\.([1-4])\.res_blocks\.(\d+)\."
PYTORCHVIDEO = Layout(
    name="pytorchvideo",
    mark=r"(?:model\.)?blocks\.0\.conv\.weight",
    rules=(
        Rule(r"(?:model\.)?blocks\.0\.conv\.(.*)", r"backbone.stem.conv.\1"),
        Rule(r"(?:model\.)?blocks\.0\.norm\.(.*)", r"backbone.stem.bn.\1"),
        Rule(_BLOCK + r"branch1_conv\.(.*)", _less_one(r"backbone.stages.{n}.\2.downsample.conv.\3")),
        Rule(_BLOCK + r"branch1_norm\.(.*)", _less_one(r"backbone.stages.{n}.\2.downsample.bn.\3")),
        *(
            Rule(_BLOCK + rf"branch2\.{kind}_{part}\.(.*)", _less_one(rf"backbone.stages.{{n}}.\2.{ours}.{leaf}.\3"))
            for part, ours in _ABC.items()
            for kind, leaf in (("conv", "conv"), ("norm", "bn"))
        ),
        Rule(r"(?:model\.)?(?:detection_head|blocks\.[56])\.proj\.(weight|bias)", r"head.\1"),
    ),
    roi_size=7,
    dilate_last_stage=True,
    classes_from_zero=True,
)

_CAFFE2_NORM = {"s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"}
_BRANCH = {"1": "downsample", "2a": "conv1", "2b": "conv2", "2c": "conv3"}
_CAFFE2_NL = {"theta": "query", "phi": "key", "g": "value", "out": "out"}
_WEIGHT_OR_BIAS = {"w": "weight", "b": "bias"}

CAFFE2 = Layout(
    name="Caffe2 (original LFB release)",
    mark=r"res2_0_branch2a_w",
    clips={"num_frames": 32, "frame_stride": 2, "resize": "opencv"},
    rules=(
        Rule(r"conv1_w", "backbone.stem.conv.weight"),
        Rule(r"res_conv1_bn_(s|b|rm|riv)", lambda m: f"backbone.stem.bn.{_CAFFE2_NORM[m[1]]}"),
        Rule(
            r"res([2-5])_(\d+)_branch(1|2[abc])_w",
            lambda m: f"backbone.stages.{int(m[1]) - 2}.{m[2]}.{_BRANCH[m[3]]}.conv.weight",
        ),
        Rule(
            r"res([2-5])_(\d+)_branch(1|2[abc])_bn_(s|b|rm|riv)",
            lambda m: f"backbone.stages.{int(m[1]) - 2}.{m[2]}.{_BRANCH[m[3]]}.bn.{_CAFFE2_NORM[m[4]]}",
        ),
        Rule(
            r"nonlocal_conv([34])_(\d+)_(theta|phi|g|out)_(w|b)",
            lambda m: f"backbone.nonlocals.{int(m[1]) - 2}_{m[2]}.{m[3]}.{_WEIGHT_OR_BIAS[m[4]]}",
        ),
        Rule(
            r"nonlocal_conv([34])_(\d+)_bn_(s|b|rm|riv)",
            lambda m: f"backbone.nonlocals.{int(m[1]) - 2}_{m[2]}.bn.{_CAFFE2_NORM[m[3]]}",
        ),
        Rule(r"box_pooled_fbonl_reduc_(w|b)", lambda m: f"fbo.short_term_projection.{_WEIGHT_OR_BIAS[m[1]]}"),
        Rule(r"lfb_1x1_(w|b)", lambda m: f"fbo.long_term_projection.{_WEIGHT_OR_BIAS[m[1]]}"),
        Rule(
            r"lfb_nl(\d+)_(theta|phi|g|out)_(w|b)",
            lambda m: f"fbo.layers.{m[1]}.{_CAFFE2_NL[m[2]]}.{_WEIGHT_OR_BIAS[m[3]]}",
        ),
        Rule(r"pred_(w|b)", lambda m: f"head.{_WEIGHT_OR_BIAS[m[1]]}"),
        Rule(r".*_momentum", None, "the optimizer's state"),
        Rule(r"lr|epoch|model_iter", None, "the state of the schedule"),
    ),
    roi_size=7,
    aligned=False,
    dropout=0.3,
    dilate_last_stage=True,
    classes_from_zero=True,
)

LAYOUTS = (MMACTION2, PYSLOWFAST, PYTORCHVIDEO, CAFFE2)
