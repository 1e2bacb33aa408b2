"""The layouts of vision transformers: mmaction2's, the original VideoMAE's, UMT's and Hugging Face's."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from lfb_lightning.models.imports.rules import CLIP_CLASSIFIER, MMACTION2_CLIPS, MMACTION2_REST, Layout, Rule

_NON_COMMERCIAL = "CC-BY-NC-4.0 (VideoMAE's weights, and what is trained from them)"
_CLIP_NORM = "a clip classifier's norm, behind the mean: a detector's norm is another one, per token"
_DECODER = "the decoder of self-supervised training"
_VIDEOMAE_NOTE = (
    "as its code does in tests, boxes are enlarged (model.roi_features.enlarge=[0.1,0.05]) and scores multiplied by the "
    "person's (task.times_person_score=true); it keeps persons of at least 0.8, which is for the command to say "
    "(data.eval_threshold=0.8)"
)

_DETECTOR_CLIPS = {"mean": [0.48145, 0.45471, 0.40384], "std": [0.225, 0.225, 0.225]}  # UMT's too, which is built on it

MMACTION2_VIT = Layout(
    name="mmaction2 (VideoMAE)",
    mark=r"backbone\.patch_embed\.projection\.weight",
    mark_time=2,
    recognizer=r"backbone\.fc_norm\.weight",
    rules=(
        Rule(r"backbone\.patch_embed\.projection\.(weight|bias)", r"backbone.patch_embed.proj.\1"),
        Rule(r"backbone\.blocks\.(\d+)\.mlp\.layers\.0\.0\.(weight|bias)", r"backbone.blocks.\1.mlp.fc1.\2"),
        Rule(r"backbone\.blocks\.(\d+)\.mlp\.layers\.1\.(weight|bias)", r"backbone.blocks.\1.mlp.fc2.\2"),
        Rule(r"backbone\.(pos_embed|norm\.weight|norm\.bias)", r"backbone.\1"),
        Rule(r"backbone\.blocks\.(\d+)\.(norm1|norm2|attn)\.(.*)", r"backbone.blocks.\1.\2.\3"),
        Rule(r"backbone\.fc_norm\.(weight|bias)", None, _CLIP_NORM),
        *MMACTION2_REST,
    ),
    clips={**MMACTION2_CLIPS, "frame_stride": 4},
    license=_NON_COMMERCIAL,
)

_ORIGINAL = r"(?:backbone\.|encoder\.)?"
_ORIGINAL_RULES = (
    Rule(_ORIGINAL + r"patch_embed\.proj\.(weight|bias)", r"backbone.patch_embed.proj.\1"),
    Rule(_ORIGINAL + r"(pos_embed|norm\.weight|norm\.bias)", r"backbone.\1"),
    Rule(_ORIGINAL + r"blocks\.(\d+)\.(norm1|norm2|attn|mlp)\.(.*)", r"backbone.blocks.\1.\2.\3"),
    Rule(_ORIGINAL + r"fc_norm\.(weight|bias)", None, _CLIP_NORM),
    Rule(_ORIGINAL + r"head\.(weight|bias)", r"head.\1"),
    Rule(r"decoder\..*|encoder_to_decoder\.weight|mask_token", None, _DECODER),
)

VIDEOMAE = Layout(
    name="VideoMAE",
    mark=_ORIGINAL + r"patch_embed\.proj\.weight",
    mark_time=2,
    recognizer=_ORIGINAL + r"fc_norm\.weight",
    rules=_ORIGINAL_RULES,
    roi_size=7,
    aligned=False,
    dropout=0.0,
    classes_from_zero=True,
    clips={**_DETECTOR_CLIPS, "frame_stride": 4},
    license=_NON_COMMERCIAL,
    enlarge=(0.1, 0.05),
    task={"times_person_score": True},
    note=_VIDEOMAE_NOTE,
)

UMT = Layout(
    name="UMT",
    license="MIT (its repository's license; only that of the code was seen)",
    mark=_ORIGINAL + r"patch_embed\.proj\.weight",
    mark_time=1,
    recognizer=_ORIGINAL + r"fc_norm\.weight",
    rules=_ORIGINAL_RULES,
    roi_size=7,
    aligned=False,
    dropout=0.0,
    classes_from_zero=True,
    clips={"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
    enlarge=(0.1, 0.05),
    task={"times_person_score": True},
    detector_clips=_DETECTOR_CLIPS,
    note=_VIDEOMAE_NOTE,
)

_HF = r"(?:videomae\.)?"
_HF_LAYER = _HF + r"encoder\.layer\.(\d+)\."


def join_queries_keys_values(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Stack each layer's three projections, which Hugging Face keeps apart, in the order query, key, value."""
    joined = dict(weights)
    for key in weights:
        match = re.fullmatch(r"(.*\.attention\.attention\.)query\.weight", key)
        if match is None:
            continue
        parts = [joined.pop(f"{match[1]}{name}.weight") for name in ("query", "key", "value")]
        joined[f"{match[1]}{{query,key,value}}.weight"] = torch.cat(parts)
    return joined


HUGGING_FACE_VIDEOMAE = Layout(
    name="Hugging Face (VideoMAE)",
    mark=_HF + r"embeddings\.patch_embeddings\.projection\.weight",
    mark_time=2,
    recognizer=r"fc_norm\.weight|classifier\.weight",
    join=join_queries_keys_values,
    rules=(
        Rule(_HF + r"embeddings\.patch_embeddings\.projection\.(weight|bias)", r"backbone.patch_embed.proj.\1"),
        Rule(_HF + r"embeddings\.position_embeddings", r"backbone.pos_embed"),
        Rule(_HF_LAYER + r"attention\.attention\.\{query,key,value\}\.weight", r"backbone.blocks.\1.attn.qkv.weight"),
        Rule(_HF_LAYER + r"attention\.attention\.([qv])_bias", r"backbone.blocks.\1.attn.\2_bias"),  # published files
        Rule(_HF_LAYER + r"attention\.attention\.(q|v)(?:uery|alue)\.bias", r"backbone.blocks.\1.attn.\2_bias"),
        Rule(_HF_LAYER + r"attention\.attention\.key\.bias", None, "a bias of keys, which the softmax does not notice"),
        Rule(_HF_LAYER + r"attention\.output\.dense\.(weight|bias)", r"backbone.blocks.\1.attn.proj.\2"),
        Rule(_HF_LAYER + r"intermediate\.dense\.(weight|bias)", r"backbone.blocks.\1.mlp.fc1.\2"),
        Rule(_HF_LAYER + r"output\.dense\.(weight|bias)", r"backbone.blocks.\1.mlp.fc2.\2"),
        Rule(_HF_LAYER + r"layernorm_before\.(weight|bias)", r"backbone.blocks.\1.norm1.\2"),
        Rule(_HF_LAYER + r"layernorm_after\.(weight|bias)", r"backbone.blocks.\1.norm2.\2"),
        Rule(_HF + r"layernorm\.(weight|bias)", r"backbone.norm.\1"),
        Rule(r"fc_norm\.(weight|bias)", None, _CLIP_NORM),
        Rule(r"classifier\.(weight|bias)", None, CLIP_CLASSIFIER),
        Rule(r"decoder\..*|encoder_to_decoder\.weight|mask_token|position_embeddings", None, _DECODER),
    ),
    clips={"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "frame_stride": 4},
    license=_NON_COMMERCIAL,
)
