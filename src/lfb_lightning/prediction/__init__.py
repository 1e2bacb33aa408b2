"""From a video to the actions of each person in each second, with the pieces of the rooms below.

No data set is needed, and neither Lightning nor Hydra: `LFBPredictor.from_checkpoint(path)(video)`.
"""

from lfb_lightning.prediction.prediction import Prediction
from lfb_lightning.prediction.predictor import LFBPredictor

__all__ = ["LFBPredictor", "Prediction"]
