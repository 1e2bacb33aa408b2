"""Any video model of transformers as a backbone: its tokens, laid out as a feature map.

The model is one of transformers' own classes, built from a configuration that is plain data; weights are read as all others
are. Where this package has the same architecture itself (VideoMAE, V-JEPA 2), its own takes clips of any size.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lfb_lightning.errors import InputError
from lfb_lightning.files.json_file import read_json_object
from lfb_lightning.models.backbones.huggingface_config import grid_of, plain_config, transformers_config
from lfb_lightning.models.parameter_limit import no_larger_than_published

_LAYER = re.compile(r"(?:^|\.)(?:layers?|blocks?)\.(\d+)\.")
_UNUSED = ("pooler", "predictor")  # parts behind the tokens, of which a backbone needs none
_LARGEST_CONFIG = 1 << 20  # bytes


class HuggingFaceVideo(nn.Module):
    """A video model of transformers (VideoMAE, ViViT, TimeSformer, V-JEPA 2, ...).

    Args:
        config: The model's configuration as plain data: `model_type`, and keys of that model.
        name: Where the configuration is from. It is read by `lfb-train`, which writes it as `config`, and not here: a
            detector is rebuilt from its checkpoint without the hub.
        resize: Whether clips of another height and width are resized to the model's, and the map to theirs. Without it they
            are refused, since positions of other sizes are each model's own affair, and wrong in some without a word.
        weights: The file that training starts from. It is recorded here and read by `lfb-train` (`model.backbone_weights`).
        gradient_checkpointing: Whether training computes layers again in the backward pass.

    Raises:
        InputError: There is no configuration, transformers is not installed, or it has no such model.
    """

    def __init__(
        self,
        *,
        config: Mapping[str, Any] | None = None,
        name: str | None = None,
        resize: bool = False,
        weights: str | None = None,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if config is None:
            raise InputError(
                "backbone.config is not set: give backbone.name=organization/name of the hub, or a folder, from whose "
                "config.json lfb-train takes it (HuggingFaceVideo.settled in Python)."
            )
        theirs = transformers_config(config)
        from transformers import AutoModel

        self.name, self.resize, self.weights = name, resize, weights
        self.grid = grid_of(theirs)
        self.out_channels, self.stride = self.grid.channels, self.grid.patch_size
        try:
            with no_larger_than_published(source="backbone.config"):
                self.model: Any = AutoModel.from_config(theirs)
        except InputError:
            raise
        except Exception as error:  # of numbers that do not fit each other, or whose memory there is not
            raise InputError(
                f"backbone.config: transformers makes no model of it ({' '.join(str(error).split())[:200]})."
            ) from error
        self._leave_out_unused()
        self._options = {"skip_predictor": True} if "skip_predictor" in _arguments(self.model) else {}
        if gradient_checkpointing:
            newer = getattr(self.model, "activation_checkpointing_enable", None)
            (newer or self.model.gradient_checkpointing_enable)({"use_reentrant": False})
        stated = json.dumps(dict(config), sort_keys=True, default=str)
        self._described = f"{theirs.model_type}, configuration {hashlib.sha256(stated.encode()).hexdigest()[:12]}"
        self.train()  # Lightning trains modules in the mode that it finds them in

    @staticmethod
    def settled(section: Mapping[str, Any], fetch_file: Callable[[str, str], Path]) -> dict[str, Any]:
        """Read the configuration that a section names, so that the section says all of it by itself.

        Args:
            section: The arguments of this class; `name` is `organization/name` of the hub, with or without `hf:` before it
                and `@revision` behind it, a folder with a `config.json`, or such a file.
            fetch_file: Fetches a file of the hub, as `models.hub_weights.fetch_file` does.

        Returns:
            The section with `config`.

        Raises:
            InputError: It cannot be fetched or read, or is of no video model.
        """
        name = section.get("name")
        if section.get("config") is not None or name is None:
            return dict(section)
        path = Path(str(name))
        path = path / "config.json" if path.is_dir() else path
        if not path.is_file():
            if "/" not in str(name):
                raise InputError(f"backbone.name={name}: no such folder, and no name of the hub: organization/name.")
            path = fetch_file(str(name) if str(name).startswith("hf:") else f"hf:{name}", "config.json")
        if path.stat().st_size > _LARGEST_CONFIG:
            raise InputError(f"backbone.name={name}: its config.json has more than {_LARGEST_CONFIG} bytes.")
        return {**section, "config": plain_config(read_json_object(path, what="backbone"))}

    def forward(self, clips: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B C t h w"]:
        """Compute the feature map, `patch_size` times smaller in space and a tube's frames in time.

        Raises:
            InputError: The clips are not as the model takes them, or its tokens are no grid.
        """
        grid, size = self.grid, (clips.shape[3], clips.shape[4])
        self._require_frames(clips.shape[2])
        steps = clips.shape[2] // grid.tubelet
        if size != grid.image_size:
            if not self.resize:
                raise InputError(
                    f"clips of {size[0]} x {size[1]} pixels, and the backbone's model takes {grid.image_size[0]} x "
                    f"{grid.image_size[1]}: set backbone.resize=true, which resizes them and its map."
                )
            frames = clips.transpose(1, 2).flatten(0, 1)
            frames = functional.interpolate(
                frames, grid.image_size, mode="bilinear", antialias=True, align_corners=False
            )
            clips = frames.unflatten(0, (len(clips), -1)).transpose(1, 2)
        tokens: Tensor = self.model(clips.transpose(1, 2), **self._options).last_hidden_state
        rows, columns = (side // grid.patch_size for side in grid.image_size)
        places = steps * rows * columns
        if tokens.ndim != 3 or tokens.shape[1] - places not in (0, 1):
            raise InputError(
                f"backbone: the model gives tokens of shape {list(tokens.shape)}, expected {places} for {steps} steps of "
                f"{rows} x {columns} patches, and at most a class token before them; it is not read by this adapter."
            )
        tokens = tokens[:, tokens.shape[1] - places :].transpose(1, 2)
        if grid.space_first:
            feature_map = tokens.unflatten(2, (rows, columns, steps)).movedim(4, 2)
        else:
            feature_map = tokens.unflatten(2, (steps, rows, columns))
        if size == grid.image_size:
            return feature_map
        cells = (steps, max(size[0] // self.stride, 1), max(size[1] // self.stride, 1))
        return functional.interpolate(feature_map, cells, mode="trilinear", align_corners=False)

    def layer_of(self, parameter_name: str) -> int:
        """Number a parameter's layer for layer decay: 0 below the first numbered layer, the last norm above all of them."""
        found = _LAYER.search(parameter_name)
        if found is not None:
            return 1 + int(found[1])
        return 0 if "embed" in parameter_name else self.grid.layers + 1

    def describe(self) -> str:
        """Describe the architecture in the line that a bank's manifest keeps; the digests of banks depend on its text."""
        return f"{type(self).__name__}, {self._described}"

    def load_foreign(self, weights: Mapping[str, Tensor]) -> int:
        """Load weights under the names that transformers' files have for them; heads and decoders are left out.

        Args:
            weights: A file's.

        Returns:
            The number of tensors that were loaded.

        Raises:
            InputError: Some of the model's are missing, or of another shape.
        """
        theirs = type(self.model)
        with _quiet():
            made, found = theirs.from_pretrained(
                None,
                config=transformers_config(self.model.config.to_dict()),
                state_dict=dict(weights),
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
        missing = {name for name in found["missing_keys"] if name.split(".")[0] not in _UNUSED}
        reshaped = [str(entry[0]) for entry in found["mismatched_keys"]]
        if missing or reshaped:
            raise InputError(
                f"the weights do not fit the backbone's model ({len(missing)} missing, first "
                f"{min(missing, default='')!r:.100}; {len(reshaped)} of another shape, first "
                f"{min(reshaped, default='')!r:.100})."
            )
        own = self.model.state_dict()
        self.model.load_state_dict({name: value for name, value in made.state_dict().items() if name in own})
        return len(own)

    def _leave_out_unused(self) -> None:
        for name in _UNUSED:
            if isinstance(getattr(self.model, name, None), nn.Module):
                setattr(self.model, name, None)

    def _require_frames(self, frames: int) -> None:
        wanted, tubelet = self.grid.num_frames, self.grid.tubelet
        if wanted is not None and frames != wanted:
            raise InputError(f"clips have {frames} frames (data.num_frames), and the backbone's model takes {wanted}.")
        if frames < tubelet or frames % tubelet:
            raise InputError(f"clips have {frames} frames (data.num_frames), expected a multiple of {tubelet}.")


def _arguments(model: Any) -> Mapping[str, Any]:
    return inspect.signature(model.forward).parameters


class _quiet:
    """Within it, transformers shows no progress and no table of weights."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self._level, self._bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *error: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self._level)
        if self._bars:
            logging.enable_progress_bar()
