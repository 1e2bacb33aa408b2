"""Model cards: the README.md of a detector's folder, written from what its configuration says of the run."""

from lfb_lightning.models.cards.card import CARD, card_text, is_edited
from lfb_lightning.models.cards.with_figures import with_figures

__all__ = ["CARD", "card_text", "is_edited", "with_figures"]
