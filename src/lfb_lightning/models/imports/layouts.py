"""The layouts of 3D ResNets (mmaction2, PySlowFast, pytorchvideo, Caffe2), and the list of all layouts."""

from __future__ import annotations

import re

from lfb_lightning.models.imports.multiscale_layouts import (
    MMACTION2_MVIT,
    PYSLOWFAST_MVIT,
    TORCHVISION_MVIT,
    TORCHVISION_SWIN3D,
    TRANSFORMERS_VJEPA2,
)
from lfb_lightning.models.imports.rules import APACHE, MMACTION2_CLIPS, MMACTION2_REST, ClipSet, Layout, Rule, less_one
from lfb_lightning.models.imports.slowfast_layouts import (
    CAFFE2_BRANCH,
    CAFFE2_NORM,
    CAFFE2_STATE,
    MMACTION2_SLOWFAST,
    PYSLOWFAST_CAFFE2,
    PYSLOWFAST_SLOWFAST,
)
from lfb_lightning.models.imports.two_heads import EPIC_SLOWFAST
from lfb_lightning.models.imports.vit_layouts import HUGGING_FACE_VIDEOMAE, MMACTION2_VIT, UMT, VIDEOMAE

_FBO = r"roi_head\.shared_head\.fbo\."
_NL_PARTS = {"st_feat_conv": "query", "lt_feat_conv": "key", "global_conv": "value", "out_conv": "out"}

MMACTION2 = Layout(
    name="mmaction2",
    license=APACHE,
    mark=r"backbone\.layer1\.0\.conv1\.conv\.weight",
    clips=MMACTION2_CLIPS,
    rules=(
        Rule(r"backbone\.conv1\.(conv|bn)\.(.*)", r"backbone.stem.\1.\2"),
        Rule(r"backbone\.layer(\d)\.(\d+)\.(conv\d|downsample)\.(.*)", less_one(r"backbone.stages.{n}.\2.\3.\4")),
        Rule(_FBO + r"st_feat_conv\.(.*)", r"fbo.short_term_projection.\1"),
        Rule(_FBO + r"lt_feat_conv\.(.*)", r"fbo.long_term_projection.\1"),
        *(
            Rule(_FBO + rf"non_local_layer_(\d+)\.{theirs}\.conv\.(.*)", less_one(rf"fbo.layers.{{n}}.{ours}.\2"))
            for theirs, ours in _NL_PARTS.items()
        ),
        Rule(_FBO + r"non_local_layer_(\d+)\.ln\.(weight|bias)", less_one(r"fbo.layers.{n}.norm.\2")),
        *MMACTION2_REST,
    ),
)

_STAGE = r"s([2-5])\.pathway0_res(\d+)\."


def _slowfast_block(match: re.Match[str], template: str) -> str:
    return match.expand(template.replace("{n}", str(int(match[1]) - 2)))


_ABC = {"a": "conv1", "b": "conv2", "c": "conv3"}
PYSLOWFAST = Layout(
    name="PySlowFast",
    license=APACHE,
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
    license=APACHE,
    mark=r"(?:model\.)?blocks\.0\.conv\.weight",
    rules=(
        Rule(r"(?:model\.)?blocks\.0\.conv\.(.*)", r"backbone.stem.conv.\1"),
        Rule(r"(?:model\.)?blocks\.0\.norm\.(.*)", r"backbone.stem.bn.\1"),
        Rule(_BLOCK + r"branch1_conv\.(.*)", less_one(r"backbone.stages.{n}.\2.downsample.conv.\3")),
        Rule(_BLOCK + r"branch1_norm\.(.*)", less_one(r"backbone.stages.{n}.\2.downsample.bn.\3")),
        *(
            Rule(_BLOCK + rf"branch2\.{kind}_{part}\.(.*)", less_one(rf"backbone.stages.{{n}}.\2.{ours}.{leaf}.\3"))
            for part, ours in _ABC.items()
            for kind, leaf in (("conv", "conv"), ("norm", "bn"))
        ),
        Rule(r"(?:model\.)?(?:detection_head|blocks\.[56])\.proj\.(weight|bias)", r"head.\1"),
    ),
    roi_size=7,
    dilate_last_stage=True,
    classes_from_zero=True,
)

_CAFFE2_NL = {"theta": "query", "phi": "key", "g": "value", "out": "out"}
_WEIGHT_OR_BIAS = {"w": "weight", "b": "bias"}
_PERSONS = "box_pooled"  # what the FBO's short-term projection is named after: the blob that it reads
_CLIPS = r"res5_\d+_branch2c_bn_pooled"
_CENTER = {"eval_crop": "center", "crop_rounding": "up"}
_SOFTMAX = {"_target_": "lfb_lightning.models.SingleLabelLoss", "background": False}
_OF_KIND = "{}_r{{depth}}_{{kind}}"
_CAFFE2_CLIP_SETS = {  # its configurations charades_*, epic_verb_* and epic_noun_*
    157: ClipSet(
        "Charades",
        _OF_KIND.format("charades"),
        depths_dilated=(50,),
        pre_act=False,
        clips={"fps": 24.0, "frame_stride": 4, **_CENTER},
    ),
    125: ClipSet("EPIC-Kitchens 55, verbs", _OF_KIND.format("epic55_verbs"), clips=_CENTER, loss=_SOFTMAX),
    352: ClipSet(
        "EPIC-Kitchens 55, nouns", _OF_KIND.format("epic55_nouns"), clips=_CENTER, loss=_SOFTMAX, bank_name="objects"
    ),
}

CAFFE2 = Layout(
    name="Caffe2 (original LFB release)",
    license=APACHE,
    mark=r"res2_0_branch2a_w",
    clips={"num_frames": 32, "frame_stride": 2, "resize": "opencv"},
    rules=(
        Rule(r"conv1_w", "backbone.stem.conv.weight"),
        Rule(r"res_conv1_bn_(s|b|rm|riv)", lambda m: f"backbone.stem.bn.{CAFFE2_NORM[m[1]]}"),
        Rule(
            r"res([2-5])_(\d+)_branch(1|2[abc])_w",
            lambda m: f"backbone.stages.{int(m[1]) - 2}.{m[2]}.{CAFFE2_BRANCH[m[3]]}.conv.weight",
        ),
        Rule(
            r"res([2-5])_(\d+)_branch(1|2[abc])_bn_(s|b|rm|riv)",
            lambda m: f"backbone.stages.{int(m[1]) - 2}.{m[2]}.{CAFFE2_BRANCH[m[3]]}.bn.{CAFFE2_NORM[m[4]]}",
        ),
        Rule(
            r"nonlocal_conv([34])_(\d+)_(theta|phi|g|out)_(w|b)",
            lambda m: f"backbone.nonlocals.{int(m[1]) - 2}_{m[2]}.{m[3]}.{_WEIGHT_OR_BIAS[m[4]]}",
        ),
        Rule(
            r"nonlocal_conv([34])_(\d+)_bn_(s|b|rm|riv)",
            lambda m: f"backbone.nonlocals.{int(m[1]) - 2}_{m[2]}.bn.{CAFFE2_NORM[m[3]]}",
        ),
        Rule(
            rf"(?:{_PERSONS}|{_CLIPS})_fbonl_reduc_(w|b)",
            lambda m: f"fbo.short_term_projection.{_WEIGHT_OR_BIAS[m[1]]}",
        ),
        Rule(r"lfb_1x1_(w|b)", lambda m: f"fbo.long_term_projection.{_WEIGHT_OR_BIAS[m[1]]}"),
        Rule(
            r"lfb_nl(\d+)_(theta|phi|g|out)_(w|b)",
            lambda m: f"fbo.layers.{m[1]}.{_CAFFE2_NL[m[2]]}.{_WEIGHT_OR_BIAS[m[3]]}",
        ),
        Rule(r"pred_(w|b)", lambda m: f"head.{_WEIGHT_OR_BIAS[m[1]]}"),
        *CAFFE2_STATE,
    ),
    roi_size=7,
    aligned=False,
    dropout=0.3,
    dilate_last_stage=True,
    classes_from_zero=True,
    clip_sets=_CAFFE2_CLIP_SETS,
    person_classes={80: "AVA"},
    person_mark=rf"{_PERSONS}_.*",
    clip_mark=rf"{_CLIPS}_.*",
)

LAYOUTS = (  # the first that fits: SlowFast's slow pathway is marked as SlowOnly is, and Swin's patches as VideoMAE's
    *(MMACTION2, MMACTION2_VIT, MMACTION2_SLOWFAST, MMACTION2_MVIT),
    *(EPIC_SLOWFAST, PYSLOWFAST_SLOWFAST, PYSLOWFAST, PYSLOWFAST_MVIT),
    *(PYTORCHVIDEO, PYSLOWFAST_CAFFE2, CAFFE2, TORCHVISION_MVIT, TORCHVISION_SWIN3D),
    *(VIDEOMAE, UMT, HUGGING_FACE_VIDEOMAE, TRANSFORMERS_VJEPA2),
)
