"""Groups of parameters that learn at rates or with a weight decay of their own: what `optim.parameter_groups` names.

Such a callable takes the detector and returns groups as `torch.optim` has them. A group may also say `lr_scale`, a factor of
the learning rate, since the rate itself is known only when the batch is.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, cast

from torch import nn

from lfb_lightning.errors import InputError


def parameter_groups(
    detector: nn.Module, *, layer_decay: float = 1.0, decays_biases_and_norms: bool = True
) -> list[dict[str, Any]]:
    """Group a detector's trained parameters by layer, and by whether weight decay applies to them.

    Args:
        detector: A module whose `backbone` is a `LayeredBackbone` where `layer_decay` is not 1.
        layer_decay: What the rate is multiplied by from each layer to the one below it. Everything outside the backbone is
            one layer above it, or in its `head_layer` if it has one, and learns at the full rate.
        decays_biases_and_norms: False: no weight decay for parameters of at most one dimension.

    Returns:
        Groups with `params`, `lr_scale`, and `weight_decay` where that is to be 0.

    Raises:
        InputError: `layer_decay` is not in (0, 1], or the backbone has no `layer_of`.
    """
    if not 0 < layer_decay <= 1:
        raise InputError(f"optim.parameter_groups: layer_decay is {layer_decay}, expected more than 0 and at most 1.")
    parameters = {name: parameter for name, parameter in detector.named_parameters() if parameter.requires_grad}
    layers = _layers(detector, list(parameters)) if layer_decay < 1 else dict.fromkeys(parameters, 0)
    top = max(layers.values(), default=0)
    groups = defaultdict(list)
    for name, parameter in parameters.items():
        decays = decays_biases_and_norms or parameter.ndim > 1
        groups[layers[name], decays].append(parameter)
    return [
        {"params": members, "lr_scale": layer_decay ** (top - layer)} | ({} if decays else {"weight_decay": 0.0})
        for (layer, decays), members in sorted(groups.items(), key=lambda group: group[0])
    ]


def _layers(detector: nn.Module, names: list[str]) -> dict[str, int]:
    backbone = cast(Any, detector).backbone
    if not hasattr(backbone, "layer_of"):
        raise InputError(
            f"optim.parameter_groups: layer_decay needs layer_of, which {type(backbone).__name__} does not have; "
            "add it (docs/models.md) or set layer_decay=1."
        )
    prefix = "backbone."
    own = {name: int(backbone.layer_of(name.removeprefix(prefix))) for name in names if name.startswith(prefix)}
    above = getattr(backbone, "head_layer", None)
    if not isinstance(above, int):
        above = 1 + max(own.values(), default=-1)
    return {name: own.get(name, above) for name in names}
