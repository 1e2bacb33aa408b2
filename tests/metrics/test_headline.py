"""Of many figures, lines show those that an evaluator chooses."""

import numpy as np
import pytest

from lfb_lightning.cli.test import _told
from lfb_lightning.metrics.evaluator import headline
from lfb_lightning.metrics.segment_evaluator import SegmentAccuracy

HEADS = {"verb": 3, "noun": 4}


@pytest.mark.parametrize(
    ("heads", "shown"),
    [
        (["verb"], ["all_verb_accuracy_at_1", "all_verb_accuracy_at_5"]),
        (["verb", "noun"], [f"all_{task}_accuracy_at_1" for task in ("action", "verb", "noun")]),
    ],
)
def test_of_segments_the_best_class_of_each_head(heads, shown):
    made = SegmentAccuracy(
        segment_ids=["a"],
        heads={head: HEADS[head] for head in heads},
        labels={head: np.zeros(1, dtype=np.int64) for head in heads},
        participants=["P01"],
        tail={"verb": [1], "noun": [1]},
        unseen=["P02"],
    )
    assert headline(made) == shown
    assert set(shown) < set(made.figures)
    figures = dict.fromkeys(made.figures, 50.0)
    line = _told(figures, headline(made))
    assert (
        line == ", ".join(f"{name} 50.0000" for name in shown) + f"; {len(figures) - len(shown)} more in metrics.json"
    )
    assert _told({"mAP": 0.5}, ["mAP"]) == "mAP 0.5000"
