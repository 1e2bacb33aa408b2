"""How large what is measured is: as on AVA for a GPU, small for a CPU, tiny for a test of the report itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import yaml

from lfb_lightning.cli.conf_dir import conf_dir


@dataclass(frozen=True)
class Backbone:
    """An option of the group `backbone`, and the clips that it is measured on.

    Args:
        option: The option's name.
        frames: Frames of a clip.
        changes: Keys of the option with other values, for the sizes in which the option itself is too large.
    """

    option: str
    frames: int
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How rows call it."""
        return f"{self.option}{' reduced' if self.changes else ''}, {self.frames} frames"

    @property
    def has_layouts(self) -> bool:
        """Whether the option has a key for the memory layout."""
        return "channels_last" in self._written()

    def section(self, **more: Any) -> dict[str, Any]:
        """Give the `backbone` section of a configuration, with further keys changed."""
        content = {**self._written(), **self.changes, **more}
        content.pop("weights", None)
        return content

    def _written(self) -> dict[str, Any]:
        return written(self.option)


def written(option: str) -> dict[str, Any]:
    """Read an option of the group `backbone`, and those that it is based on."""
    content = yaml.safe_load((conf_dir() / "backbone" / f"{option}.yaml").read_text())
    bases = [written(base) for base in content.pop("defaults", []) if base != "_self_"]
    return {name: value for part in (*bases, content) for name, value in part.items()}


@dataclass(frozen=True)
class Sizes:
    """The sizes of everything.

    Args:
        backbones: What is measured of training.
        extractor: What extracts.
        clips: Clips of a step.
        persons: Persons of a clip.
        side: Height and width of a training clip in pixels.
        seconds: Length of a bank's window; it has 5 slots per second.
        latent: Width of FBO-NL.
        fbo_channels: Width of the features where FBO-NL is measured alone.
        fbo_clips: Clips of a batch there.
        video: Width, height and seconds of the videos that are extracted.
        videos: How many there are.
        short_side: To which their clips are resized.
        workers: Loader workers of an extraction, beside a run without any.
        rounds: How often a step is measured.
        compiles: Whether steps are compiled too, which takes minutes on a CPU.
        extractions: How often each extraction is made.
        steps: Steps of a training in which host synchronizations are counted.
    """

    backbones: tuple[Backbone, ...]
    extractor: Backbone
    clips: int
    persons: int
    side: int
    seconds: int
    latent: int
    fbo_channels: int
    fbo_clips: int
    video: tuple[int, int, int]
    videos: int
    short_side: int
    workers: int
    rounds: int
    compiles: bool = True
    extractions: int = 1
    steps: int = 6


AVA = Sizes(
    backbones=(
        Backbone("slowonly_r50", 4),
        Backbone("slowonly_r50", 8),
        Backbone("slowfast_r50_4x16", 32),
        Backbone("vit_b", 16),
        Backbone("mvit_v2_s", 16),
        Backbone("swin3d_t", 16),
        Backbone("i3d_nl_r50", 32),
    ),
    extractor=Backbone("slowonly_r50", 8),
    clips=8,
    persons=3,
    side=224,
    seconds=60,
    latent=512,
    fbo_channels=2048,
    fbo_clips=12,
    video=(640, 360, 30),
    videos=8,
    short_side=256,
    workers=8,
    rounds=20,
    extractions=3,
)
SMALL = Sizes(
    backbones=(
        Backbone("slowonly_r50", 4),
        Backbone("slowfast_r50_4x16", 16),
        Backbone("vit_s", 16),
        Backbone("mvit_v2_s", 8, {"stage_blocks": [1, 2, 2, 1], "num_frames": 8}),
        Backbone("swin3d_t", 8, {"depths": [2, 2, 2, 2]}),
    ),
    extractor=Backbone("slowonly_r50", 4),
    clips=2,
    persons=3,
    side=64,
    seconds=60,
    latent=512,
    fbo_channels=512,
    fbo_clips=4,
    video=(160, 120, 8),
    videos=2,
    short_side=64,
    workers=1,
    rounds=3,
)
TINY = Sizes(
    backbones=(
        Backbone("tiny", 4, {"base_channels": 4}),
        Backbone("slowfast_r50_4x16", 8, {"depth": None, "stage_blocks": [1, 1, 1, 1], "base_channels": 8, "fast_base_channels": 2, "alpha": 4}),
        Backbone("vit_s", 8, {"embed_dims": 24, "depth": 1, "num_heads": 2, "num_frames": 8, "image_size": 32}),
        Backbone("mvit_v2_s", 8, {"embed_dims": 8, "stage_blocks": [1, 2, 1], "image_size": 32, "num_frames": 8}),
        Backbone("swin3d_t", 8, {"embed_dims": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": [2, 3, 3]}),
    ),
    extractor=Backbone("tiny", 4, {"base_channels": 4}),
    clips=2,
    persons=2,
    side=32,
    seconds=4,
    latent=16,
    fbo_channels=32,
    fbo_clips=2,
    video=(96, 64, 4),
    videos=1,
    short_side=32,
    workers=0,
    rounds=2,
    compiles=False,
    steps=3,
)  # fmt: skip
SIZES = MappingProxyType({"ava": AVA, "small": SMALL, "tiny": TINY})
