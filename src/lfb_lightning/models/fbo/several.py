"""One FBO per bank, side by side: the features of one backbone beside those of another.

`fbo.banks` names the banks, for any FBO: it stands among the FBO's own keys and is none of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lfb_lightning.errors import InputError
from lfb_lightning.models.attributes import required_attribute
from lfb_lightning.structures import Attention, BankWindow, BankWindows

MAIN = "main"  # how `fbo.banks` calls the bank of `bank.dir`
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # a part of the weights' names
_MOST_BANKS = 16
_MOST_CHANNELS = 1 << 16
BankNames = Sequence[str] | Mapping[str, int | None]


def without_banks(fbo: Callable[..., nn.Module]) -> tuple[Callable[..., nn.Module], Any]:
    """Take `banks` from the arguments of an FBO's constructor, as a configuration binds them.

    Args:
        fbo: The constructor; a configuration's `_partial_` is a `functools.partial`.

    Returns:
        The constructor without that argument, and what it was, which `bank_widths` reads; None where there is none.
    """
    if not isinstance(fbo, partial) or "banks" not in fbo.keywords:
        return fbo, None
    rest = {name: value for name, value in fbo.keywords.items() if name != "banks"}
    return partial(fbo.func, *fbo.args, **rest), fbo.keywords["banks"]


def bank_widths(banks: Any) -> dict[str, int | None]:
    """Read `fbo.banks`.

    Args:
        banks: Names, or the width of the features by name.

    Returns:
        The width of each bank's features by its name; None where it is not said.

    Raises:
        InputError: It is neither, or a name or a width is none.
    """
    listed = isinstance(banks, Sequence) and not isinstance(banks, str)
    if not (listed or isinstance(banks, Mapping)) or not 1 <= len(banks) <= _MOST_BANKS:
        raise InputError(
            f"fbo.banks is {banks!r:.80}, expected 1 to {_MOST_BANKS} names of bank.others ({MAIN}: the bank of bank.dir), "
            "or null for one bank."
        )
    widths: dict[str, int | None] = dict(banks) if isinstance(banks, Mapping) else dict.fromkeys(map(_text, banks))
    if len(widths) < len(banks):
        raise InputError(f"fbo.banks is {list(banks)!r:.80}, expected each name once.")
    for name, width in widths.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InputError(f"fbo.banks names {name!r:.80}, expected letters, digits, '_' and '-'.")
        if width is not None and (type(width) is not int or not 1 <= width <= _MOST_CHANNELS):
            raise InputError(
                f"fbo.banks.{name} is {width!r:.80}, expected the width of its features, 1 to {_MOST_CHANNELS}."
            )
    return widths


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise InputError(f"fbo.banks names {name!r:.80}, expected the name of a bank.")
    return name


def tell_of_another_bank(fbo: nn.Module, name: str | None) -> None:
    """Tell an FBO that has `read_another_bank()` that its windows are of the bank of a name; None: the detector's own."""
    tell = getattr(fbo, "read_another_bank", None)
    if name is not None and tell is not None:
        tell()


class FBOSeveral(nn.Module):
    """Several FBOs, each of which reads a bank of its own; their features are concatenated.

    Args:
        parts: The FBO of each bank by the bank's name. In the state dict, a part's weights are `bank_<name>.*`.
    """

    def __init__(self, *, parts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.names = tuple(parts)
        for name, part in parts.items():
            self.add_module(f"bank_{name}", part)
            tell_of_another_bank(part, None if name == MAIN else name)
        self.out_channels = sum(required_attribute(part, "out_channels", of="fbo", least=0) for part in parts.values())

    def part(self, bank: str) -> Any:
        """Give the FBO that reads the bank of a name."""
        return self.get_submodule(f"bank_{bank}")

    @property
    def reads_bank(self) -> bool:
        """Whether any of them needs its bank."""
        return any(getattr(self.part(name), "reads_bank", True) for name in self.names)

    @property
    def attends(self) -> bool:
        """Whether all of them say where they looked."""
        return all(getattr(self.part(name), "attends", False) for name in self.names)

    @property
    def window_slots(self) -> int | None:
        """The number of slots that their windows have; None: they read any. The windows of all banks have as many."""
        found = (getattr(self.part(name), "window_slots", None) for name in self.names)
        return next((slots for slots in found if slots is not None), None)

    @property
    def reads_identity(self) -> bool:
        """Whether any of them wants to know which slots are the same person."""
        return any(getattr(self.part(name), "reads_identity", False) for name in self.names)

    @property
    def needs_statistics(self) -> bool:
        """Whether any of them wants its bank's statistics before training."""
        return any(self._wants_statistics(name) for name in self.names)

    @property
    def needs_short_term_statistics(self) -> bool:
        """Whether any of them wants the statistics of the detector's own bank beside those of the one that it reads."""
        return any(getattr(self.part(name), "needs_short_term_statistics", False) for name in self.names)

    def set_short_term_statistics(self, mean: Float[Tensor, " C"], std: Float[Tensor, " C"]) -> None:
        """Give the statistics of the detector's own bank to all that want them."""
        for name in self.names:
            if getattr(self.part(name), "needs_short_term_statistics", False):
                self.part(name).set_short_term_statistics(mean, std)

    def set_statistics(self, mean: Float[Tensor, " C"], std: Float[Tensor, " C"], bank: str) -> None:
        """Give a bank's statistics to the FBO that reads it, if that wants them.

        Args:
            mean: Mean of each of the bank's channels.
            std: Their standard deviations.
            bank: The bank's name.
        """
        if self._wants_statistics(bank):
            self.part(bank).set_statistics(mean, std)

    def _wants_statistics(self, name: str) -> bool:
        part = self.part(name)
        return hasattr(part, "set_statistics") and bool(getattr(part, "needs_statistics", True))

    def forward(
        self,
        short_term: Float[Tensor, "R C"],
        window: BankWindow | BankWindows | None,
        clip_of_roi: Int[Tensor, " R"],
        return_attention: bool = False,
    ) -> Float[Tensor, "R D"] | tuple[Float[Tensor, "R D"], dict[str, Attention]]:
        """Read each bank's window of each person's clip.

        Args:
            short_term: Features of the R persons.
            window: The windows of every bank, for the B clips.
            clip_of_roi: The clip that each person is in, 0 to B - 1.
            return_attention: Whether to return where each of them looked, by the bank's name.

        Raises:
            ValueError: It is not given the windows of every bank.
        """
        if self.reads_bank and not (isinstance(window, BankWindows) and {*self.names} <= {*window.names}):
            raise ValueError(f"this FBO reads the banks {', '.join(self.names)}: give it BankWindows of all of them")
        seen = {name: window[name] if isinstance(window, BankWindows) else None for name in self.names}
        more = (True,) if return_attention else ()
        found = {name: self.part(name)(short_term, seen[name], clip_of_roi, *more) for name in self.names}
        if not return_attention:
            return torch.cat(list(found.values()), dim=1)
        features = torch.cat([features for features, _ in found.values()], dim=1)
        return features, {name: attention for name, (_, attention) in found.items()}
