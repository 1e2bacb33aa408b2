"""What a checkpoint says of how its detector is to be shown a video: clips, clock, window, and what the scores mean."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from lfb_lightning.ava.action_groups import ava_action_names
from lfb_lightning.ava.label_map import read_label_map
from lfb_lightning.bank import BankConfig, WindowSpec
from lfb_lightning.clips import ClipSettings
from lfb_lightning.clock import Clock
from lfb_lightning.errors import InputError, one_line
from lfb_lightning.models import Loss, MultiLabelLoss
from lfb_lightning.models.checkpoint import LOSSES
from lfb_lightning.models.stored_objects import StoredObjects

_AVA_COLUMNS = 81
_DIGEST = re.compile("[0-9a-f]{64}")
_MOST_PER_SECOND = 1000
_OLD_NAMES = {"train_colour_jitter": "train_color_jitter"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a detector was trained to be shown a video.

    Args:
        clips: How clips are cut, resized and normalized.
        clock: The ticks at which it is asked, and at which its bank has rows; they begin with the video.
        step: Ticks from one moment to the next.
        window: The part of the bank around each moment.
        precision: In which the bank keeps features.
        seed: Of windows that are a random choice.
        bank_backbone: Digest of the backbone that made that bank; None where nothing says so.
        actions: Names by score column; columns without a name are no actions.
        loss: Makes scores of logits.
        times_person_score: Whether a score is the action's times the person's confidence.
    """

    clips: ClipSettings
    clock: Clock
    step: int
    window: WindowSpec
    precision: str
    seed: int
    bank_backbone: str | None
    actions: Mapping[int, str]
    loss: Loss
    times_person_score: bool = False

    @property
    def moments_per_second(self) -> Fraction:
        """How often per second the detector is asked."""
        return self.clock.ticks_per_second / self.step

    @property
    def reach(self) -> int:
        """Moments that the window reaches to either side at most."""
        return math.ceil(max(self.window.before, self.window.after, 0) * self.moments_per_second)


def read_recipe(
    config: Mapping[str, Any],
    *,
    source: str,
    num_columns: int,
    labels: str | Path | None = None,
    clips: Mapping[str, Any] | None = None,
    trusted_packages: Sequence[str] = (),
) -> Recipe:
    """Read the recipe off a checkpoint's configuration, which is data: it builds nothing but a loss of known names.

    Args:
        config: The configuration, plain data.
        source: How messages call the checkpoint.
        num_columns: The detector's score columns.
        labels: A label map to take names from; None: the checkpoint's.
        clips: Keys of `ClipSettings` that replace the checkpoint's.
        trusted_packages: Packages whose losses the checkpoint may name too.

    Raises:
        InputError: A section does not fit what it describes; the message names file and section.
    """
    stored = StoredObjects(source=source, trusted_packages=trusted_packages)
    trained = _section(stored, config, "trained_on")
    data = _section(stored, config, "data") or _section(stored, config, "clips")
    data = {_OLD_NAMES.get(name, name): value for name, value in data.items() if name != "_target_"}
    known = {field.name for field in fields(ClipSettings)}
    own = stored.plain({name: value for name, value in data.items() if name in known}, "data")
    bank: BankConfig = stored.call(BankConfig, "bank", {"dir": "", **_plain_section(stored, config, "bank")})
    rate = trained.get("ticks_per_second", data.get("ticks_per_second", 1))
    loss: Loss = MultiLabelLoss() if config.get("loss") is None else stored.build(config["loss"], "loss", LOSSES)
    clock: Clock = stored.call(Clock.parse, "trained_on", {"ticks_per_second": rate})
    # A data set of clips has no key frames: it is asked as often as its bank has entries.
    asked = "data.key_step" if "key_step" in data else "trained_on.spacing"
    spacing = trained.get("spacing", 1)
    step = _step(stored, data.get("key_step", spacing), clock, key=asked)
    if step > 1 and spacing == step:  # its windows have a cell per moment: moments are what is counted
        clock, step = Clock(clock.ticks_per_second / step), 1
    return Recipe(
        clips=_replaced(stored.call(ClipSettings, "data", own), clips or {}),
        clock=clock,
        step=step,
        window=bank.window_spec(training=False),
        precision=bank.precision,
        seed=stored.call(_whole, "seed", {"value": config.get("seed") or 0}),
        bank_backbone=_digest(stored, trained.get("bank_backbone")),
        actions=_names(trained, labels, num_columns),
        loss=loss,
        times_person_score=_switch(stored, _section(stored, config, "task"), "times_person_score"),
    )


def _section(stored: StoredObjects, config: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {} if config.get(name) is None else stored.mapping(config[name], name)


def _plain_section(stored: StoredObjects, config: Mapping[str, Any], name: str) -> dict[str, Any]:
    return stored.plain(_section(stored, config, name), name)


def _switch(stored: StoredObjects, section: Mapping[str, Any], name: str) -> bool:
    value = section.get(name, False)
    if not isinstance(value, bool):
        raise InputError(f"{stored.source}: task.{name} is {value!r:.50}, expected true or false.")
    return value


def _replaced(settings: ClipSettings, keys: Mapping[str, Any]) -> ClipSettings:
    try:
        return replace(settings, **keys)
    except TypeError as error:
        names = ", ".join(field.name for field in fields(ClipSettings))
        raise InputError(f"clips has {', '.join(map(str, keys))}, expected some of {names} ({error}).") from error


def _step(stored: StoredObjects, value: Any, clock: Clock, *, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{stored.source}: {key} is {value!r:.50}, expected a whole number of at least 1.")
    if clock.ticks_per_second / value > _MOST_PER_SECOND:
        raise InputError(
            f"{stored.source}: asks {float(clock.ticks_per_second / value):g} times per second (data.ticks_per_second, "
            f"{key}), expected at most {_MOST_PER_SECOND}."
        )
    return value


def _whole(value: Any) -> int:
    return int(value)


def _digest(stored: StoredObjects, value: Any) -> str | None:
    """Read a digest; "unknown" of an imported bank is None."""
    if value in (None, "unknown"):
        return None
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise InputError(f"{stored.source}: trained_on.bank_backbone is {value!r:.50}, expected 64 hexadecimal digits.")
    return value


def _names(trained: Mapping[str, Any], labels: str | Path | None, num_columns: int) -> dict[int, str]:
    """Find the actions' names: those of a given label map, else the checkpoint's, else AVA's, else numbers."""
    if labels is not None:
        label_map = read_label_map(labels)
        if label_map.num_columns > num_columns:
            raise InputError(
                f"label map {labels}: its largest id is {label_map.num_columns - 1}, but the detector has "
                f"{num_columns} score columns."
            )
        return _shown(label_map.names)
    stated = trained.get("actions")
    if isinstance(stated, dict):
        known = {
            column: name for column, name in stated.items() if isinstance(column, int) and 0 <= column < num_columns
        }
        if known:
            return _shown(known)
    if num_columns == _AVA_COLUMNS:
        return ava_action_names()
    first = 1 if trained.get("has_background", True) else 0
    return {column: f"action {column}" for column in range(first, num_columns)}


def _shown(names: Mapping[int, Any]) -> dict[int, str]:
    """Make names that can be drawn, written and told apart: printable, in one line, with the id where two are alike."""
    clean = {column: one_line(str(name)).strip() or f"action {column}" for column, name in names.items()}
    count = Counter(clean.values())
    return {column: name if count[name] == 1 else f"{name} ({column})" for column, name in clean.items()}
