"""The layouts of MViTv2 (torchvision's, PySlowFast's, mmaction2's), torchvision's Swin, and V-JEPA 2 in transformers."""

from __future__ import annotations

from torch import Tensor

from lfb_lightning.models.imports.rules import APACHE, CLIP_CLASSIFIER, MMACTION2_CLIPS, MMACTION2_REST, Layout, Rule

_BSD = "BSD-3-Clause (its repository's license; only that of the code was seen)"
_FACEBOOK_CLIPS = {"mean": [0.45, 0.45, 0.45], "std": [0.225, 0.225, 0.225], "frame_stride": 4}


def flatten_class_token(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the class token, which PySlowFast and mmaction2 keep as `[1, 1, C]`, torchvision's shape `[C]`."""
    return {name: value.flatten() if name.endswith("cls_token") else value for name, value in weights.items()}


def _attention_rules(prefix: str) -> tuple[Rule, ...]:
    """The rules of a block, whose names PySlowFast and mmaction2 share."""
    block = prefix + r"blocks\.(\d+)\."
    return (
        Rule(prefix + r"cls_token", "backbone.pos_encoding.class_token"),
        Rule(block + r"attn\.(qkv\.weight|qkv\.bias|rel_pos_[htw])", r"backbone.blocks.\1.attn.\2"),
        Rule(block + r"attn\.proj\.(weight|bias)", r"backbone.blocks.\1.attn.project.0.\2"),
        Rule(block + r"attn\.pool_([qkv])\.weight", r"backbone.blocks.\1.attn.pool_\2.pool.weight"),
        Rule(block + r"attn\.norm_([qkv])\.(weight|bias)", r"backbone.blocks.\1.attn.pool_\2.norm_act.0.\3"),
        Rule(block + r"(norm1|norm2)\.(weight|bias)", r"backbone.blocks.\1.\2.\3"),
        Rule(block + r"mlp\.fc1\.(weight|bias)", r"backbone.blocks.\1.mlp.0.\2"),
        Rule(block + r"mlp\.fc2\.(weight|bias)", r"backbone.blocks.\1.mlp.3.\2"),
        Rule(block + r"proj\.(weight|bias)", r"backbone.blocks.\1.project.\2"),
    )


TORCHVISION_MVIT = Layout(
    name="torchvision (MViTv2)",
    license=_BSD,
    mark=r"pos_encoding\.class_token",
    recognizer=r"head\.1\.weight",
    rules=(
        Rule(r"(conv_proj|pos_encoding|blocks|norm)\.(.*)", r"backbone.\1.\2"),
        Rule(r"head\.1\.(weight|bias)", None, CLIP_CLASSIFIER),
    ),
    clips=_FACEBOOK_CLIPS,
)

PYSLOWFAST_MVIT = Layout(
    name="PySlowFast (MViTv2)",
    license=APACHE,
    mark=r"patch_embed\.proj\.weight",
    mark_time=3,
    join=flatten_class_token,
    rules=(
        Rule(r"patch_embed\.proj\.(weight|bias)", r"backbone.conv_proj.\1"),
        Rule(r"norm\.(weight|bias)", r"backbone.norm.\1"),
        *_attention_rules(""),
        Rule(r"head\.projection\.(weight|bias)", r"head.\1"),
    ),
    roi_size=7,
    classes_from_zero=True,
    clips=_FACEBOOK_CLIPS,
    note="its detectors turn scores into a softmax over the actions; here each action has a score of its own",
)

MMACTION2_MVIT = Layout(
    name="mmaction2 (MViTv2)",
    license=APACHE,
    mark=r"backbone\.patch_embed\.projection\.weight",
    mark_time=3,
    join=flatten_class_token,
    rules=(
        Rule(r"backbone\.patch_embed\.projection\.(weight|bias)", r"backbone.conv_proj.\1"),
        Rule(r"backbone\.norm3\.(weight|bias)", r"backbone.norm.\1"),
        *_attention_rules(r"backbone\."),
        *MMACTION2_REST,
    ),
    clips={**MMACTION2_CLIPS, "frame_stride": 4},
)

TORCHVISION_SWIN3D = Layout(
    name="torchvision (Swin)",
    license=_BSD,
    mark=r"features\.0\.0\.attn\.relative_position_bias_table",
    recognizer=r"head\.weight",
    rules=(
        Rule(r"(patch_embed|features|norm)\.(.*)", r"backbone.\1.\2"),
        Rule(r"head\.(weight|bias)", None, CLIP_CLASSIFIER),
    ),
    clips={"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
)

_VJEPA2 = r"(?:vjepa2\.)?"
TRANSFORMERS_VJEPA2 = Layout(
    name="Hugging Face (V-JEPA 2)",
    license="MIT (its repository's license; parts are under Apache-2.0, and only that of the code was seen)",
    mark=_VJEPA2 + r"encoder\.embeddings\.patch_embeddings\.proj\.weight",
    rules=(
        Rule(_VJEPA2 + r"encoder\.(.*)", r"backbone.encoder.\1"),
        Rule(_VJEPA2 + r"predictor\..*", None, "the predictor of self-supervised training"),
        Rule(r"(pooler|classifier)\..*", None, CLIP_CLASSIFIER),
    ),
    clips={"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
)
