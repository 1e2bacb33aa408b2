"""The layouts of SlowFast: mmaction2's, and PySlowFast's as PyTorch and as Caffe2 files."""

from __future__ import annotations

import re
from collections.abc import Callable

from lfb_lightning.models.imports.rules import APACHE, MMACTION2_CLIPS, MMACTION2_REST, Layout, Rule, less_one

_SLOWFAST_CLIPS = {"num_frames": 32, "frame_stride": 2}
_PATHS = r"backbone\.(slow|fast)_path\."

MMACTION2_SLOWFAST = Layout(
    name="mmaction2 (SlowFast)",
    license=APACHE,
    mark=r"backbone\.slow_path\.conv1\.conv\.weight",
    rules=(
        Rule(_PATHS + r"conv1\.(conv|bn)\.(.*)", r"backbone.\1.stem.\2.\3"),
        Rule(r"backbone\.slow_path\.conv1_lateral\.(conv|bn)\.(.*)", r"backbone.laterals.0.\1.\2"),
        Rule(r"backbone\.slow_path\.layer(\d)_lateral\.(conv|bn)\.(.*)", r"backbone.laterals.\1.\2.\3"),
        Rule(
            _PATHS + r"layer(\d)\.(\d+)\.(conv\d|downsample)\.(.*)",
            less_one(r"backbone.\1.stages.{n}.\3.\4.\5", group=2),
        ),
        *MMACTION2_REST,
    ),
    clips={**MMACTION2_CLIPS, **_SLOWFAST_CLIPS},
)

_ABC = {"a": "conv1", "b": "conv2", "c": "conv3"}
_STAGE = r"s(?P<stage>[2-5])\.pathway(?P<path>[01])_"
_BLOCK = _STAGE + r"res(?P<block>\d+)\."


def _place(template: str) -> Callable[[re.Match[str]], str]:
    """A template of `{path}`, `{stage}` counted from zero, and the groups of the match by name."""

    def target(match: re.Match[str]) -> str:
        found = match.groupdict()
        path = "fast" if found["path"] == "1" else "slow"
        part = _ABC.get(found.get("part", ""), "")
        return template.format(**{**found, "path": path, "stage": int(found.get("stage") or 2) - 2, "part": part})

    return target


PYSLOWFAST_SLOWFAST = Layout(
    name="PySlowFast (SlowFast)",
    license=APACHE,
    mark=r"s1\.pathway1_stem\.conv\.weight",
    rules=(
        Rule(r"s1\.pathway(?P<path>[01])_stem\.(?P<rest>.*)", _place("backbone.{path}.stem.{rest}")),
        Rule(r"s(\d)_fuse\.conv_f2s\.weight", less_one(r"backbone.laterals.{n}.conv.weight")),
        Rule(r"s(\d)_fuse\.bn\.(.*)", less_one(r"backbone.laterals.{n}.bn.\2")),
        Rule(
            _BLOCK + r"branch1\.(?P<leaf>.*)", _place("backbone.{path}.stages.{stage}.{block}.downsample.conv.{leaf}")
        ),
        Rule(
            _BLOCK + r"branch1_bn\.(?P<leaf>.*)", _place("backbone.{path}.stages.{stage}.{block}.downsample.bn.{leaf}")
        ),
        Rule(
            _BLOCK + r"branch2\.(?P<part>[abc])\.(?P<leaf>.*)",
            _place("backbone.{path}.stages.{stage}.{block}.{part}.conv.{leaf}"),
        ),
        Rule(
            _BLOCK + r"branch2\.(?P<part>[abc])_bn\.(?P<leaf>.*)",
            _place("backbone.{path}.stages.{stage}.{block}.{part}.bn.{leaf}"),
        ),
        Rule(
            _STAGE + r"nonlocal(?P<block>\d+)\.(?:conv_)?(?P<leaf>(?:theta|phi|g|out|bn)\..*)",
            _place("backbone.{path}.nonlocals.{stage}_{block}.{leaf}"),
        ),
        Rule(r"head\.projection\.(weight|bias)", r"head.\1"),
    ),
    roi_size=7,
    dilate_last_stage=True,
    backbone={"slow_frames": "linspace", "alpha": 4},
    classes_from_zero=True,
    clips={"mean": [0.45, 0.45, 0.45], "std": [0.225, 0.225, 0.225], **_SLOWFAST_CLIPS},
    note="its models of the Caffe2 configurations use RoIAlign's first form: import those by lfb-import with aligned=false",
)

CAFFE2_NORM = {"s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"}
CAFFE2_BRANCH = {"1": "downsample", "2a": "conv1", "2b": "conv2", "2c": "conv3"}
CAFFE2_STATE = (
    Rule(r".*_momentum", None, "the optimizer's state"),
    Rule(r"lr|epoch|model_iter", None, "the state of the schedule"),
)
_WEIGHT_OR_BIAS = {"w": "weight", "b": "bias"}
_NORM = r"_bn_(s|b|rm|riv)"


def _path(mark: str | None) -> str:
    return "fast" if mark else "slow"


PYSLOWFAST_CAFFE2 = Layout(
    name="PySlowFast (SlowFast, Caffe2)",
    license=APACHE,
    mark=r"t_conv1_w",  # names of the fast pathway begin with t_
    rules=(
        Rule(r"(t_)?conv1_w", lambda m: f"backbone.{_path(m[1])}.stem.conv.weight"),
        Rule(r"(t_)?res_conv1" + _NORM, lambda m: f"backbone.{_path(m[1])}.stem.bn.{CAFFE2_NORM[m[2]]}"),
        Rule(r"t_pool1_subsample_w", "backbone.laterals.0.conv.weight"),
        Rule(r"t_pool1_subsample" + _NORM, lambda m: f"backbone.laterals.0.bn.{CAFFE2_NORM[m[1]]}"),
        Rule(
            r"t_res([2-4])_\d+_branch2c_bn_subsample_w",
            lambda m: f"backbone.laterals.{int(m[1]) - 1}.conv.weight",
        ),
        Rule(
            r"t_res([2-4])_\d+_branch2c_bn_subsample" + _NORM,
            lambda m: f"backbone.laterals.{int(m[1]) - 1}.bn.{CAFFE2_NORM[m[2]]}",
        ),
        Rule(
            r"(t_)?res([2-5])_(\d+)_branch(1|2[abc])_w",
            lambda m: f"backbone.{_path(m[1])}.stages.{int(m[2]) - 2}.{m[3]}.{CAFFE2_BRANCH[m[4]]}.conv.weight",
        ),
        Rule(
            r"(t_)?res([2-5])_(\d+)_branch(1|2[abc])" + _NORM,
            lambda m: (
                f"backbone.{_path(m[1])}.stages.{int(m[2]) - 2}.{m[3]}.{CAFFE2_BRANCH[m[4]]}.bn.{CAFFE2_NORM[m[5]]}"
            ),
        ),
        Rule(
            r"nonlocal_conv([2-5])_(\d+)_(theta|phi|g|out)_(w|b)",
            lambda m: f"backbone.slow.nonlocals.{int(m[1]) - 2}_{m[2]}.{m[3]}.{_WEIGHT_OR_BIAS[m[4]]}",
        ),
        Rule(
            r"nonlocal_conv([2-5])_(\d+)" + _NORM,
            lambda m: f"backbone.slow.nonlocals.{int(m[1]) - 2}_{m[2]}.bn.{CAFFE2_NORM[m[3]]}",
        ),
        Rule(r"pred_(w|b)", lambda m: f"head.{_WEIGHT_OR_BIAS[m[1]]}"),
        *CAFFE2_STATE,
    ),
    roi_size=7,
    aligned=False,
    dilate_last_stage=True,
    backbone=PYSLOWFAST_SLOWFAST.backbone,
    classes_from_zero=True,
    clips=PYSLOWFAST_SLOWFAST.clips,
)
