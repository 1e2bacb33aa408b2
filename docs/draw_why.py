"""Draws docs/why.png: one decision of the quickstart's fbo=nl, without and with memory.

Usage: python docs/draw_why.py QUICKSTART [OUT], after `bash scripts/quickstart.sh --out QUICKSTART`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lfb_lightning.persons import GivenBoxes
from lfb_lightning.prediction import LFBPredictor
from lfb_lightning.prediction.explaining import save_explanation

VIDEO, SECOND = "mini-val-000", 41.0
TITLE = "Which kind of pulse (white ring) is it? The same actor's sign tells: an orange disc, 5 s later"


def main(quickstart: Path, out: Path) -> None:
    """Predict the video, listing all attention, and draw the person who pulses at that second."""
    data, train = quickstart / "data", quickstart / "train"
    predictor = LFBPredictor.from_checkpoint(
        train / "nl" / "checkpoints" / "best.ckpt",
        bank_checkpoint=train / "baseline" / "checkpoints" / "best.ckpt",
        compare=train / "baseline" / "checkpoints" / "best.ckpt",
        persons=GivenBoxes(proposals=str(data / "mini_ava_val_proposals.csv"), origin_second=900, threshold=0.9),
        attention=1000,
    )
    prediction = predictor(data / "videos" / f"{VIDEO}.mp4")
    pulsing = max(
        prediction.at(SECOND),
        key=lambda person: max(score for name, score in person.actions.items() if name.startswith("pulse")),
    )
    save_explanation(out, prediction, second=SECOND, track=pulsing.track, title=TITLE)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else Path(__file__).with_name("why.png"))
