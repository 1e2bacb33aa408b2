"""Model cards: the README.md of a detector's folder, written from what its configuration says of the run.

`cards.run_facts` adds to a configuration what the run has measured; it reads checkpoints, and so imports detectors.
"""

from lfb_lightning.models.cards.card import CARD, card_text, card_title, is_edited

__all__ = ["CARD", "card_text", "card_title", "is_edited"]
