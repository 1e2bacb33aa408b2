"""The configuration of a video model of transformers as plain data: what is kept of it, and within which bounds.

It comes from the hub, a folder or a checkpoint, so it is data: it names one of transformers' own video models, never code of
a repository, and what it could not say without taking the machine's memory is refused before anything is made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lfb_lightning.errors import InputError
from lfb_lightning.models.bounds import MOST_BLOCKS, require_at_most

EXTRA = "pip install 'lfb-lightning[huggingface]'"
_MOST_CHANNELS, _MOST_PIXELS, _MOST_FRAMES = 1 << 14, 1 << 12, 1 << 12
# Of a table of positions, numbers that some models make one by one in Python; the largest published table has 2^21.
_MOST_POSITIONS = 1 << 25
_LONGEST_TEXT = 60
_SPACE_FIRST = ("timesformer",)  # models whose tokens run over time first


@dataclass(frozen=True, slots=True)
class TokenGrid:
    """How a model's tokens lie in a clip.

    Attributes:
        channels: Of a token.
        layers: Numbered layers, or 0 where the configuration does not say.
        tubelet: Frames per time step.
        patch_size: Side of a patch in pixels.
        num_frames: Frames of a clip; None: any whole tubes.
        image_size: Height and width of a clip.
        space_first: Whether the steps of one place stand side by side, and not the places of one step.
    """

    channels: int
    layers: int
    tubelet: int
    patch_size: int
    num_frames: int | None
    image_size: tuple[int, int]
    space_first: bool


def transformers_config(content: Mapping[str, Any]) -> Any:
    """Make transformers' configuration of one of its own video models; nothing of a repository's code is used.

    Args:
        content: `model_type`, and the keys of that model's configuration; others are left out.

    Raises:
        InputError: transformers is not installed, has no such video model, or the model would be out of bounds.
    """
    try:
        from transformers import AutoConfig
        from transformers.models.auto.modeling_auto import MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES as VIDEO_MODELS
    except ImportError as error:
        raise InputError(f"backbone: transformers is not installed, or too old: {EXTRA}.") from error
    kind = content.get("model_type")
    if not isinstance(kind, str) or kind not in VIDEO_MODELS:
        raise InputError(
            f"backbone.config: model_type is {kind!r:.80}, expected a video model of transformers: {', '.join(VIDEO_MODELS)}."
        )
    own = {key: value for key, value in content.items() if key in _own_keys(kind)}
    for key, value in own.items():
        if not _is_plain(value):
            raise InputError(f"backbone.config: {key} is {value!r:.80}, expected a number, a word, or a list of them.")
    try:
        config = AutoConfig.for_model(kind, **own)
        grid_of(config)
    except InputError:
        raise
    except Exception as error:  # their classes check types of their own
        raise InputError(
            f"backbone.config: is no configuration of {kind} ({' '.join(str(error).split())[:200]})."
        ) from error
    return config


def plain_config(content: Mapping[str, Any]) -> dict[str, Any]:
    """Reduce a `config.json` of transformers to what a checkpoint keeps: `model_type` and all of that model's own keys.

    Those that the file leaves out have the values of the installed transformers: another release makes the same model.

    Raises:
        InputError: As `transformers_config` raises it.
    """
    config = transformers_config(content)
    known = _own_keys(config.model_type)
    own = {key: value for key, value in config.to_dict().items() if key in known and _is_plain(value)}
    return {"model_type": config.model_type, **own}


def _own_keys(kind: str) -> set[str]:
    """Name the keys of a model's configuration that are not common to all models.

    Those choose attention, kernels and code, of which nothing is a file's to say.
    """
    from transformers import AutoConfig
    from transformers.configuration_utils import PretrainedConfig

    return set(AutoConfig.for_model(kind).to_dict()) - set(PretrainedConfig().to_dict())


def grid_of(config: Any) -> TokenGrid:
    """Read the grid of tokens off a configuration.

    Raises:
        ValueError: A number is missing, no whole number, or out of bounds.
    """
    tube = _numbers(config, "tubelet_size", 1)
    patches = tube[1:] if len(tube) == 3 else _numbers(config, "patch_size")
    image = _numbers(config, "image_size" if hasattr(config, "image_size") else "crop_size")
    if len(set(patches)) != 1:
        raise ValueError(f"patches are {patches}, expected squares")
    fixed = hasattr(config, "num_frames")
    frames = _numbers(config, "num_frames" if fixed else "frames_per_clip", 1)[0]
    channels = _numbers(config, "hidden_size")[0]
    layers = _numbers(config, "num_hidden_layers", 0, least=0)[0]
    require_at_most(_MOST_CHANNELS, hidden_size=channels, intermediate_size=_numbers(config, "intermediate_size", 1)[0])
    require_at_most(MOST_BLOCKS, num_hidden_layers=layers)
    require_at_most(_MOST_PIXELS, image_size=max(image), patch_size=patches[0])
    require_at_most(_MOST_FRAMES, num_frames=frames, tubelet_size=tube[0])
    places = math.prod(side // patches[0] for side in (*image, *image)[:2]) * max(frames // tube[0], 1)
    require_at_most(_MOST_POSITIONS, **{"positions times channels": places * channels})
    if places < 1 or frames % tube[0]:
        raise ValueError(f"clips of {frames} frames of {image} pixels have no whole tubes of {tube[0]} x {patches[0]}")
    return TokenGrid(
        channels=channels,
        layers=layers,
        tubelet=tube[0],
        patch_size=patches[0],
        num_frames=frames if fixed else None,
        image_size=(image[0], image[-1]),
        space_first=config.model_type in _SPACE_FIRST,
    )


def _numbers(config: Any, name: str, default: int | None = None, *, least: int = 1) -> list[int]:
    """Read a whole number, or a list of up to three."""
    value = getattr(config, name, default)
    found: list[Any] = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if not 1 <= len(found) <= 3 or any(type(one) is not int or one < least for one in found):
        raise ValueError(f"{name} is {value!r:.60}, expected a whole number of at least {least}")
    return found


def _is_plain(value: Any, depth: int = 2) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT and value.isprintable() and "$" not in value  # `${` is OmegaConf's
    if isinstance(value, bool | None):
        return True
    if isinstance(value, int | float):
        return math.isfinite(value) and abs(value) <= 1 << 20
    if isinstance(value, list | tuple):
        return depth > 0 and len(value) <= MOST_BLOCKS and all(_is_plain(one, depth - 1) for one in value)
    return False
