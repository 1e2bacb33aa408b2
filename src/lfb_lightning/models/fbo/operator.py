"""What a detector asks of a feature bank operator (FBO). Any `nn.Module` that has it works, whoever wrote it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from lfb_lightning.structures import BankWindow


@runtime_checkable
class FBO(Protocol):
    """A module that reads the window of the bank around each clip, for each person in it.

    The detector concatenates what it returns to the short-term feature. It is built with `channels=`, the width of the
    short-term features, and with `bank_channels=` where `model.bank_channels` gives the bank a width of its own.

    It may also have `set_statistics(mean, std)`, which is given the training bank's mean and standard deviation per
    channel before training starts, and `needs_statistics: bool` to say whether it wants them (True where it is left out).

    And it may have `attends: bool`: where it is there and True, a call with `return_attention=True` as fourth argument
    returns `(features, structures.Attention)`.

    And it may have `window_slots: int | None`: the number of slots that its windows have, where it reads no others.

    And it may have `reads_identity: bool`: where it is there and True, its windows say which slots show the same person as
    each region (`BankWindow.same_person`).

    Attributes:
        out_channels: Channels that it adds; 0 for none.
        reads_bank: Whether it needs a bank. An FBO without this attribute is taken to need one.
    """

    out_channels: int
    reads_bank: bool

    def __call__(
        self, short_term: Float[Tensor, "R C"], window: BankWindow | None, clip_of_roi: Int[Tensor, " R"]
    ) -> Float[Tensor, "R D"]:
        """Read the window of each person's clip.

        Args:
            short_term: Features of the R persons.
            window: Windows of the B clips; None only where `reads_bank` is False.
            clip_of_roi: The clip that each person is in, 0 to B - 1.

        Returns:
            `out_channels` features for each person.
        """
        ...


def required(window: BankWindow | None) -> BankWindow:
    """Return the window, for an operator that cannot do without one.

    Raises:
        ValueError: It is None.
    """
    if window is None:
        raise ValueError("this FBO reads the feature bank, but no window was given; only FBONone does without one")
    return window
