"""How other code bases name the weights that we have: a renaming rule, and a layout, which is a list of them.

A rule is a pattern for the whole name and what it becomes. The first rule that fits wins; a rule without a target says
why the weight is not used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

MODELS = "lfb_lightning.models"  # what configurations name our classes by


@dataclass(frozen=True, slots=True)
class Rule:
    """One renaming rule.

    `pattern` matches a whole source name; `target` is a template or a function of the match, or None with a `reason`.
    """

    pattern: str
    target: str | Callable[[re.Match[str]], str] | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ClipSet:
    """A data set whose models score whole clips, and how they differ from a code base's detectors of persons.

    Attributes:
        name: How reports call it.
        preset: The names of its presets, in which `{depth}` is the backbone's and `{kind}` that of what reads the bank.
        depths_dilated: Depths of the ResNets (50, 101) whose last stage is dilated.
        pre_act: As `FBONonLocal` has it.
        clips: Keys of `data` by which its clips differ from the code base's.
        loss: The section `loss` by which its scores differ from our defaults; None: they do not.
        bank_name: The bank that its FBO reads; None: that of the detector's own features.
    """

    name: str
    preset: str
    depths_dilated: tuple[int, ...] = ()
    pre_act: bool = True
    clips: Mapping[str, Any] = field(default_factory=dict)
    loss: Mapping[str, Any] | None = None
    bank_name: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """A code base: its name, its rules, what marks its files, and how its model differs from our defaults.

    Attributes:
        name: How messages call it.
        mark: A pattern that one of its names fits.
        rules: How its weights are renamed.
        mark_time: Frames that the marked kernel spans, where two code bases share its name; None: any.
        recognizer: A pattern that only a clip classifier's names fit; "": the number of classes tells.
        join: What is done to its weights before they are renamed; None: nothing. The names that it makes are reported.
        roi_size: RoIAlign cells per side of its detectors.
        aligned: Whether they use RoIAlign's second form.
        dropout: Before their classifier.
        dilate_last_stage: Whether the last stage's convolutions are dilated.
        backbone: Keys of the backbone's configuration that its weights do not tell.
        classes_from_zero: Whether its score column is the action id minus one.
        clips: Keys of `data` by which its clips differ from our defaults; a model's own number of frames is not always known.
        detector_clips: Those of them that are others for its detectors.
        license: That of its published weights, and in brackets why; "": not known.
        enlarge: As `RoIFeatures` has it.
        task: Keys of `task` by which its scores differ from our defaults.
        note: What its detectors do beside what is usual here, and which keys do so; "": nothing.
        clip_sets: Data sets whose models score whole clips, by the number of classes, which tells them; empty: none.
        person_classes: Where there are `clip_sets`, the classes of its detectors of persons, by the name of their data set.
        person_mark: A pattern that only names of its detectors of persons fit, whatever they score; "": there is none.
        clip_mark: The same of its models of whole clips.
    """

    name: str
    mark: str
    rules: tuple[Rule, ...]
    mark_time: int | None = None
    recognizer: str = ""
    join: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = None
    roi_size: int = 8
    aligned: bool = True
    dropout: float = 0.5
    dilate_last_stage: bool = False
    backbone: Mapping[str, Any] = field(default_factory=dict)
    classes_from_zero: bool = False
    clips: Mapping[str, Any] = field(default_factory=dict)
    detector_clips: Mapping[str, Any] = field(default_factory=dict)
    license: str = ""
    enlarge: tuple[float, float] | None = None
    task: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    clip_sets: Mapping[int, ClipSet] = field(default_factory=dict)
    person_classes: Mapping[int, str] = field(default_factory=dict)
    person_mark: str = ""
    clip_mark: str = ""

    def made(self, weights: Mapping[str, Tensor]) -> bool:
        """Tell whether weights are of this code base."""
        marked = [value for key, value in weights.items() if re.fullmatch(self.mark, key)]
        if self.mark_time is None:
            return bool(marked)
        return any(value.ndim == 5 and value.shape[2] == self.mark_time for value in marked)


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


def less_one(template: str, group: int = 1) -> Callable[[re.Match[str]], str]:
    """A template whose `{n}` is a numbered group minus one; the other groups as usual."""
    return lambda match: match.expand(template.replace("{n}", str(int(match[group]) - 1)))


APACHE = "Apache-2.0 (its repository's license)"
MMACTION2_CLIPS = {
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "resize": "opencv",
    "frame_shift": 1.0,  # its 1.x reads clips one frame late
}
CLIP_CLASSIFIER = "a clip classifier's head: a detector has its own"
MMACTION2_REST = (  # what all of its detectors and recognizers have
    Rule(r"roi_head\.bbox_head\.fc_cls\.((?:[02]\.)?(?:weight|bias))", r"head.\1"),
    Rule(r"cls_head\..*", None, CLIP_CLASSIFIER),
    Rule(r"data_preprocessor\..*", None, "normalization: data.mean and data.std here"),
    Rule(r"ema_.*", None, "a moving average of the weights: the weights themselves are used"),
)
