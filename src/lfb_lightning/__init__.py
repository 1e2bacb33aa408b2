"""Long-Term Feature Banks (Wu et al., CVPR 2019) for spatio-temporal action detection."""

from lfb_lightning.version import __version__

__all__ = ["__version__"]
