"""The layouts of SlowFast: mmaction2's and PySlowFast's."""

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
