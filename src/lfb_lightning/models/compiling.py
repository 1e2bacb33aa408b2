"""Runs a detector through torch.compile without changing its weights, their names or its checkpoints."""

from __future__ import annotations

from lfb_lightning.models.detector import ActionDetector


def compile_detector(detector: ActionDetector) -> None:
    """Compile the backbone and the FBO in place.

    Clips differ in size and regions in number, so shapes are compiled as dynamic; region features and head stay as they are.

    Args:
        detector: The detector; its state has the same names before and after.
    """
    detector.backbone.compile(dynamic=True)
    detector.fbo.compile(dynamic=True)
